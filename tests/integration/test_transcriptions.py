"""``/v1/audio/transcriptions`` over WSGI, on a real Valkey and a real object storage: what it takes and refuses."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import create_app
from api.http.prefer import PLACES
from api.transcription.captions import find_aligner
from core.errors import InvalidAudio, InvalidRequest, OutOfMemory, Unavailable
from core.redis import connect
from core.work import CPU
from storage.access.keys import create_key
from storage.ledger.records import Outcome
from storage.ledger.registry import WorkerRecord, announce
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from tests.shared_data import data_path
from tests.waiting import wait_for

WHISPER = "whisper-tiny.en"
RESULT = {
    "transcript": {
        "text": "Tom & Jerry. Two.",
        "language": "en",
        "segments": [
            {"start": 0.0, "end": 1.5, "text": "Tom & Jerry."},
            {"start": 1.5, "end": 2.0, "text": "Two.", "words": [{"start": 1.5, "end": 2.0, "word": "Two."}]},
        ],
    },
    "duration": 2.25,
}


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs, max_body_bytes=1_000_000, max_json_bytes=100_000))


@pytest.fixture
def line(valkey: str, seaweedfs: S3) -> CpuLine:
    """A worker is announced; nobody works yet."""
    line = CpuLine(settings_for(valkey, seaweedfs))
    capacity = {CPU: 4, WHISPER: 4}
    announce(line.connections.redis, WorkerRecord(name="one", pid=os.getpid(), host="here", capacity=capacity))
    return line


class Worker:
    """Prepares recordings as a CPU worker does, and ends the step after that with ``outcome``."""

    def __init__(self, line: CpuLine) -> None:
        self.line = line
        self.outcome: dict[str, Any] = {"result": RESULT}
        self.jobs: list[Any] = []

    def work(self, stop: threading.Event) -> None:
        while not stop.wait(0.01):
            self.line.run()
            for ref in self.line.waiting(WHISPER):
                self.jobs.append(self.line.connections.ledger.get(ref.job))
                self.line.connections.ledger.advance([Outcome(ref=ref, station=WHISPER, **self.outcome)])


@pytest.fixture
def worker(line: CpuLine) -> Iterator[Worker]:
    found, stop = Worker(line), threading.Event()
    thread = threading.Thread(target=found.work, args=[stop])
    thread.start()
    yield found
    stop.set()
    thread.join()


def recording() -> bytes:
    return data_path("speakers/ls_3331/3331-159605-0004.flac").read_bytes()


def post(client: FlaskClient, data: bytes | None = None, name: str = "a.flac", **fields: Any) -> TestResponse:
    form = {"model": "whisper-1", **{key.replace("__", "[]"): value for key, value in fields.items()}}
    file = {"file": (io.BytesIO(recording() if data is None else data), name)}
    return client.post("/v1/audio/transcriptions", data={**form, **file})


def refused(answer: TestResponse) -> tuple[int, str, str | None]:
    problem = answer.get_json()
    return answer.status_code, problem["error"]["code"], problem["error"]["param"]


def test_the_formats(client: FlaskClient, worker: Worker) -> None:
    answer = post(client)
    assert answer.get_json() == {"text": "Tom & Jerry. Two.", "usage": {"type": "duration", "seconds": 2.25}}
    texts = {kind: post(client, response_format=kind) for kind in ("text", "srt", "vtt")}
    assert texts["text"].text == "Tom & Jerry. Two.\n"
    assert "2\n00:00:01,500 --> 00:00:02,000\nTwo.\n" in texts["srt"].text
    assert texts["vtt"].text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nTom &amp; Jerry.\n")
    assert [answer.mimetype for answer in texts.values()] == ["text/plain", "application/x-subrip", "text/vtt"]
    verbose = post(client, response_format="verbose_json", timestamp_granularities__=["word", "segment"]).get_json()
    assert verbose["words"] == [{"start": 1.5, "end": 2.0, "word": "Two."}]
    assert verbose["segments"][1] == {"id": 1, "start": 1.5, "end": 2.0, "text": " Two."}
    assert (verbose["task"], verbose["language"], verbose["duration"]) == ("transcribe", "english", 2.25)
    assert "segments" not in post(client, response_format="verbose_json", timestamp_granularities__="word").get_json()
    assert "words" not in post(client, response_format="verbose_json").get_json()
    events = [json.loads(line[6:]) for line in post(client, stream="true").text.split("\n\n") if line]
    assert [event["type"] for event in events] == [*["transcript.text.delta"] * 2, "transcript.text.done"]
    assert "".join(event.get("delta", "") for event in events) == events[-1]["text"] == "Tom & Jerry. Two."
    assert PLACES.open == 0


def test_the_job(client: FlaskClient, worker: Worker) -> None:
    fields = {"prompt": "p" * 5000 + "end", "hotwords": "Ann", "keywords__": ["Bo", "Cy"], "language": "en"}
    assert post(client, response_format="verbose_json", timestamp_granularities__="word", **fields).status_code == 200
    assert (
        post(client, language="", temperature="0.0", vad_filter="true", without_timestamps="False").status_code == 200
    )
    assert post(client, model="whisper-tiny.en", chunking_strategy="auto", stream="false").status_code == 200
    first, second, third = worker.jobs
    options = dict(first.document.options)
    assert options.pop("prompt") == "p" * 3997 + "end"
    assert options == {"words": True, "hotwords": "Ann, Bo, Cy"}
    assert (first.priority, first.document.language, first.owner) == ("interactive", "en", "ann")
    assert second.document.options == {} and second.document.language is None
    assert [step.model for step in third.plan.steps] == [None, WHISPER]


REFUSED = [
    ({"model": "gpt-4o"}, 404, "model_not_found", "model"),
    ({"model": "Systran/faster-whisper-tiny.en"}, 404, "model_not_found", "model"),
    ({"model": "tts-1"}, 422, "unsuitable_model", "model"),
    ({"model": ""}, 422, "invalid_value", "model"),
    ({"language": "de"}, 422, "unknown_language", "language"),
    ({"language": "x" * 1000}, 422, "invalid_value", "language"),
    ({"response_format": "diarized_json"}, 422, "invalid_value", "response_format"),
    ({"temperature": "NaN"}, 422, "invalid_value", "temperature"),
    ({"temperature": "1e999"}, 422, "invalid_value", "temperature"),
    ({"temperature": "0.2"}, 422, "invalid_value", "temperature"),
    ({"stream": "perhaps"}, 422, "invalid_value", "stream"),
    ({"stream": "true", "response_format": "srt"}, 422, "unsupported", "stream"),
    ({"vad_filter": "false"}, 422, "invalid_value", "vad_filter"),
    ({"include__": "logprobs"}, 422, "unknown_field", "include[]"),
    ({"chunking_strategy": '{"type": "server_vad"}'}, 422, "invalid_value", "chunking_strategy"),
    ({"timestamp_granularities__": "word"}, 422, "unsupported", "timestamp_granularities[]"),
    ({"timestamp_granularities__": "letter"}, 422, "invalid_value", "timestamp_granularities[].0"),
    ({"timestamp_granularities__": ["word"] * 900}, 422, "invalid_value", "timestamp_granularities[]"),
    ({"language": ["en", "en"]}, 422, "invalid_value", "language"),
]


def test_fields_that_are_refused(client: FlaskClient, line: CpuLine) -> None:
    for fields, *expected in REFUSED:
        assert refused(post(client, **fields)) == tuple(expected), fields
    assert PLACES.open == 0 and not line.waiting()


def test_files_that_are_refused(client: FlaskClient, line: CpuLine) -> None:
    assert refused(post(client, b"")) == (422, "empty_audio", "file")
    assert refused(post(client, b"This is no audio. " * 100)) == (422, "unreadable_audio", "file")
    assert refused(post(client, data_path("formats/invalid.wav").read_bytes()))[0::2] == (422, "file")
    assert refused(post(client, bytes(1_100_000)))[:2] == (413, "too_large")
    url, form = "/v1/audio/transcriptions", "multipart/form-data"
    assert refused(client.post(url, data={"model": "whisper-1", "x": (io.BytesIO(b"x"), "x")}))[1:] == (
        "unknown_field",
        "x",
    )
    assert refused(client.post(url, data={"model": "whisper-1"}, content_type=form)) == (
        *(422, "missing_field", "file"),
    )
    assert refused(client.post(url, data={"model": "whisper-1", "file": "text"}, content_type=form))[1:] == (
        "invalid_value",
        "file",
    )
    two = [(io.BytesIO(recording()), "a.flac"), (io.BytesIO(recording()), "b.flac")]
    assert refused(client.post(url, data={"model": "whisper-1", "file": two}))[2] == "file"
    assert refused(client.post(url, json={"model": "whisper-1"}))[:2] == (400, "unsupported_media_type")
    assert PLACES.open == 0 and not line.waiting()


def test_a_thousand_fields(client: FlaskClient, line: CpuLine) -> None:
    assert refused(post(client, **{f"field{n}": "x" for n in range(900)}))[:2] == (422, "unknown_field")
    assert refused(post(client, **{f"field{n}": "x" for n in range(1100)}))[:2] == (413, "too_large")
    assert refused(post(client, prompt="x" * 200_000))[:2] == (413, "too_large")


NAMES = ["../../etc/passwd", "a\0b.wav", "a\r\nX-Header: b", "x" * 10_000, "🎉", '"', " "]


def test_the_name_of_the_file_does_not_matter(client: FlaskClient, worker: Worker) -> None:
    found = {name: named(client, name) for name in NAMES}
    assert found.pop(NAMES[2]) == 422, "a line break in a header ends it: the form has no file"
    assert set(found.values()) == {200}


def named(client: FlaskClient, name: str) -> int:
    """The status of a request with a file of this name, as it stands in the form."""
    boundary = b"--xyz\r\nContent-Disposition: form-data; name="
    head = b'"file"; filename="' + name.encode() + b'"\r\n\r\n'
    body = boundary + b'"model"\r\n\r\nwhisper-1\r\n' + boundary + head + recording() + b"\r\n--xyz--\r\n"
    kind = "multipart/form-data; boundary=xyz"
    answer = client.post("/v1/audio/transcriptions", data=body, content_type=kind)
    assert "X-Header" not in answer.headers
    return answer.status_code


def test_without_a_worker_it_is_refused_at_once(client: FlaskClient, valkey: str) -> None:
    answer = post(client)
    assert refused(answer) == (503, "no_worker", None) and answer.headers["Retry-After"]
    one = WorkerRecord(name="one", pid=1, host="here", capacity={WHISPER: 4})
    announce(connect(valkey), one)
    assert refused(post(client))[1] == "no_worker", "nobody would prepare the recording"


def test_aligners_are_models_that_time_words(client: FlaskClient, app: Flask) -> None:
    with app.app_context():
        with pytest.raises(InvalidRequest, match="in 'de'"):
            find_aligner([WHISPER], "de")
        with pytest.raises(Unavailable, match=WHISPER):
            find_aligner(["piper-joe"], "en-US")
        assert find_aligner([WHISPER], "en-US").spec.name == WHISPER
    assert PLACES.open == 0 and not client.get("/v1/jobs").get_json()["data"]
    for key in ("wrong", ""):
        assert client.post("/dev/captioned_speech", json={}, headers={"X-API-Key": key}).status_code == 401


def test_a_job_that_fails(client: FlaskClient, worker: Worker) -> None:
    worker.outcome = {"error": OutOfMemory()}
    assert refused(post(client)) == (500, "out_of_memory", None)
    worker.outcome = {"error": InvalidAudio()}
    assert refused(post(client))[0] == 500


@pytest.mark.parametrize("end", ["cancel", "delete_now"])
def test_a_job_that_is_canceled_or_deleted(client: FlaskClient, line: CpuLine, end: str) -> None:
    def end_it() -> None:
        waiting = wait_for(line.waiting, 20, lambda: "the job")
        getattr(line.connections.ledger, end)(waiting[0].job)

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(end_it)
        assert refused(post(client))[0] == 404
        ended.result()


def test_translation_is_not_supported(client: FlaskClient) -> None:
    assert refused(client.post("/v1/audio/translations", data={}))[:2] == (404, "translation_not_supported")
    assert client.post("/v1/audio/transcriptions", headers={"X-API-Key": "wrong"}).status_code == 401
