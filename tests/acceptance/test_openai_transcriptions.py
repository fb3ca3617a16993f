"""Transcripts as users of the ``openai`` package ask for them, of a real Whisper in a whole stack."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import soundfile

from cli.commands.demo import word_error_rate
from cli.local.stack import Stack
from tests.shared_data import data_path
from tests.silent_flac import silence
from tests.stack_access import StackAccess
from tests.waiting import wait_for

pytestmark = pytest.mark.patient

SONNET = "From fairest creatures we desire increase, that thereby beauty's rose might never die"


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAccess]:
    home = tmp_path_factory.mktemp("heard") / "home"
    with Stack(home, models=["piper-joe", "whisper-tiny.en"]) as stack:
        stack.wait_ready(240)
        with StackAccess(stack) as found:
            yield found


@pytest.fixture(scope="module")
def client(access: StackAccess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{access.stack.url}/v1", api_key=access.stack.api_key, max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def harvard(access: StackAccess) -> tuple[str, bytes]:
    """A few Harvard sentences and a recording of them."""
    text = " ".join(data_path("sentences/harvard.txt").read_text().splitlines()[:8])
    job = access.run({"pipeline": "piper", "text": text, "output": {"format": "mp3"}})
    return text, access.http.get(f"/v1/jobs/{job['id']}/audio").content


def test_every_format(client: openai.OpenAI, harvard: tuple[str, bytes]) -> None:
    said, audio = harvard
    create = client.audio.transcriptions.create
    file = ("sentences.mp3", audio)
    found = create(file=file, model="whisper-1", language="en")
    assert word_error_rate(said, found.text) < 0.15, found.text
    assert create(file=file, model="whisper-1", response_format="text") == f"{found.text}\n"
    srt, vtt = (create(file=file, model="whisper-1", response_format=kind) for kind in ("srt", "vtt"))
    assert srt.startswith("1\n00:00:0") and vtt.startswith("WEBVTT\n\n00:00:0")
    cues = [block.split("\n", 2)[2] for block in srt.strip().split("\n\n")]
    assert " ".join(cues) == found.text == " ".join(block.split("\n", 1)[1] for block in vtt.strip().split("\n\n")[1:])
    verbose = create(
        file=file,
        model="gpt-4o-transcribe",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        prompt="Harvard sentences.",
        temperature=0,
    )
    assert (verbose.language, verbose.task) == ("english", "transcribe")  # type: ignore[attr-defined]
    assert verbose.segments and verbose.words
    assert "".join(segment.text for segment in verbose.segments).strip() == verbose.text
    assert " ".join(word.word for word in verbose.words) == verbose.text
    assert word_error_rate(said, verbose.text) < 0.15
    times = [time for word in verbose.words for time in (word.start, word.end)]
    assert times == sorted(times) and times[-1] <= verbose.duration
    for segment in verbose.segments:
        assert type(segment).model_validate(segment.model_dump()) == segment, "OpenAI's shape, with every field"
        assert segment.tokens and segment.avg_logprob < 0 and 0 <= segment.no_speech_prob <= 1


def test_a_stream(client: openai.OpenAI, harvard: tuple[str, bytes]) -> None:
    said, audio = harvard
    events = list(client.audio.transcriptions.create(file=audio, model="whisper-1", stream=True))
    *deltas, done = events
    assert done.type == "transcript.text.done" and word_error_rate(said, done.text) < 0.15
    assert "".join(event.delta for event in deltas if event.type == "transcript.text.delta") == done.text


@pytest.mark.parametrize("kind", ["aac", "flac", "mp3", "mp4", "ogg", "webm"])
def test_every_container(client: openai.OpenAI, kind: str) -> None:
    with data_path(f"formats/p001.{kind}").open("rb") as file:
        found = client.audio.transcriptions.create(file=file, model="whisper-tiny.en")
    assert word_error_rate(SONNET, found.text) < 0.2, found.text


def captioned(access: StackAccess, **fields: Any) -> httpx.Response:
    body = {"model": "kokoro", "voice": "af_bella", "response_format": "wav", "stream": False, **fields}
    return access.http.post("/dev/captioned_speech", json=body)


def test_captioned_speech(access: StackAccess, tmp_path: Path) -> None:
    """In the shape of Kokoro-FastAPI's own example (examples/captioned_speech_example.py)."""
    text = "The quick brown fox jumped over 25 lazy dogs — twice. Then it slept!"
    answer = captioned(access, model="tts-1", voice="alloy", input=text)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found.keys() == {"audio", "audio_format", "timestamps"} and found["audio_format"] == "audio/wav"
    path = tmp_path / "speech.wav"
    path.write_bytes(base64.b64decode(found["audio"], validate=True))
    duration = soundfile.info(str(path)).duration
    stamps = found["timestamps"]
    assert [stamp["word"] for stamp in stamps] == text.split()
    times = [stamp[key] for stamp in stamps for key in ("start_time", "end_time")]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= duration + 0.001
    starts = {stamp["word"]: stamp["start_time"] for stamp in stamps}
    samples, rate = soundfile.read(str(path))
    quiet = quietest(samples, rate)
    assert abs(starts["Then"] - quiet) < 0.6, "the longest pause is that between the sentences"
    assert 0.2 < starts["fox"] < starts["lazy"] < quiet < duration


def quietest(samples: np.ndarray, rate: int) -> float:
    """The middle of the longest silence within a recording, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    longest = int(np.argmax(np.diff(loud)))
    return float(loud[longest] + loud[longest + 1]) / 2 / rate


def test_captioned_speech_as_it_streams_and_is_refused(access: StackAccess) -> None:
    streamed = captioned(access, model="tts-1", voice="alloy", input="Hello world!", stream=True, response_format="mp3")
    [line] = streamed.text.splitlines()
    assert [stamp["word"] for stamp in json.loads(line)["timestamps"]] == ["Hello", "world!"]
    plain = captioned(access, model="tts-1", voice="alloy", input="Hello.", return_timestamps=False).json()
    assert plain["timestamps"] == [] and plain["audio"]
    for fields, status, field in (
        ({"input": "Hi.", "ssml": True}, 422, "ssml"),
        ({"input": "Hi.", "voice": "nobody", "model": "tts-1"}, 422, "voice"),
        ({"input": "Hi.", "model": "nothing"}, 404, "model"),
        ({"input": "", "model": "tts-1", "voice": "alloy"}, 422, "input"),
        ({"input": "a" * 20_000}, 422, "input"),
    ):
        answer = captioned(access, **fields)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, field), answer.text
    assert httpx.post(f"{access.stack.url}/dev/captioned_speech", json={"input": "Hi."}).status_code == 401


def test_errors_have_the_classes_of_the_package(client: openai.OpenAI, access: StackAccess) -> None:
    def refused(**changes: Any) -> tuple[type, str | None]:
        asked: dict[str, Any] = {"file": b"No audio. " * 50, "model": "whisper-1", **changes}
        with pytest.raises(openai.APIStatusError) as caught:
            client.audio.transcriptions.create(**asked)
        return type(caught.value), caught.value.code

    assert refused() == (openai.UnprocessableEntityError, "unreadable_audio")
    assert refused(file=b"") == (openai.UnprocessableEntityError, "empty_audio")
    assert refused(model="whisper-9") == (openai.NotFoundError, "model_not_found")
    assert refused(model="Systran/faster-whisper-tiny.en") == (openai.NotFoundError, "model_not_found")
    assert refused(temperature=0.5) == (openai.UnprocessableEntityError, "invalid_value")
    assert refused(response_format="diarized_json") == (openai.UnprocessableEntityError, "invalid_value")
    with pytest.raises(openai.NotFoundError):
        client.audio.translations.create(file=b"x", model="whisper-1")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").audio.transcriptions.create(file=b"x", model="whisper-1")


def test_a_client_that_leaves_cancels_its_job(access: StackAccess, tmp_path: Path) -> None:
    """Of two hours of silence, in 20 kB."""
    audio = silence(8000, 1, 65_535, 2 * 3600 * 8000 // 65_535)
    head = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="long.flac"\r\n\r\n'
    body = head + part + audio + b"\r\n--x--\r\n"
    address = access.http.base_url
    request = (
        f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: {address.host}\r\nX-API-Key: {access.stack.api_key}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    def jobs(state: str) -> list[dict[str, Any]]:
        listed = access.http.get("/v1/jobs", params={"state": state, "pipeline": "transcribe"})
        found: list[dict[str, Any]] = listed.raise_for_status().json()["data"]
        return found

    with contextlib.closing(socket.create_connection((address.host, address.port or 80))) as connection:
        connection.sendall(request.encode() + body)
        [job] = wait_for(lambda: jobs("queued") or jobs("running"), 30, "the job")
        assert job["priority"] == "interactive"
    ended = wait_for(lambda: jobs("canceled"), 30, lambda: access.get(job["id"]))
    assert [one["id"] for one in ended] == [job["id"]]
