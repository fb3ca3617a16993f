"""``/v1/audio/speech`` over WSGI, on a real Valkey and a real object storage; no worker speaks, some are registered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import create_app
from api.streaming import streams
from core.errors import InvalidText, ModelFailed
from core.redis import connect
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from storage.access.keys import create_key
from storage.ledger.records import Outcome
from storage.ledger.registry import WorkerRecord, announce
from tests import present
from tests.conftest import S3
from tests.integration.test_api import settings_for
from tests.waiting import wait_for


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann", "first")
    return create_app(settings_for(valkey, seaweedfs, max_text_characters=10_000, api_streams=3))


@pytest.fixture
def connections(app: Flask) -> Connections:
    found: Connections = app.extensions["chorus"]
    return found


@pytest.fixture
def workers(valkey: str) -> None:
    announce(connect(valkey), WorkerRecord(name="one", pid=1, host="here", capacity={CPU: 4, "piper-joe": 4}))


def ask(client: FlaskClient, **fields: Any) -> TestResponse:
    return client.post("/v1/audio/speech", json={"model": "tts-1", "voice": "alloy", "input": "Hello there."} | fields)


def refusal(answer: TestResponse) -> tuple[int, str, str | None]:
    """Status, code and field, which the problem document and OpenAI's error agree on."""
    problem = answer.get_json()
    assert problem["error"]["code"] == problem["code"] and problem["error"]["message"] == problem["detail"]
    assert (problem["errors"][0]["field"] if problem["errors"] else None) == problem["error"]["param"]
    return answer.status_code, problem["code"], problem["error"]["param"]


def nothing_is_left(client: FlaskClient) -> bool:
    return streams.PLACES.open == 0 and not client.get("/v1/jobs").get_json()["data"]


def test_without_a_worker_the_answer_is_there_at_once(client: FlaskClient, valkey: str) -> None:
    answer = ask(client)
    assert refusal(answer) == (503, "no_worker", None)
    assert "piper-joe" in answer.get_json()["detail"] and int(answer.headers["Retry-After"]) > 0
    announce(connect(valkey), WorkerRecord(name="one", pid=1, host="here", capacity={"piper-joe": 4}))
    assert "cpu" in ask(client).get_json()["detail"]
    assert nothing_is_left(client)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": "gpt-4o"}, (404, "model_not_found", "model")),
        ({"model": "openvoice_v2"}, (404, "model_not_found", "model")),
        ({"model": "vad"}, (422, "unsuitable_model", "model")),
        ({"voice": "nobody"}, (422, "unknown_voice", "voice")),
        ({"voice": "vo_" + "0" * 24}, (422, "no_cloning_model", "voice")),
        ({"voice": "vo_" + "0" * 24, "model": "voice_match"}, (422, "voice_not_found", "voice")),
        ({"ref_audio": "UklGRg=="}, (422, "no_cloning_model", "ref_audio")),
        ({"ref_audio": "!" * 100, "model": "voice_match"}, (422, "not_base64", "ref_audio")),
        ({"ref_audio": "data:audio/wav;base64,AAAA", "model": "voice_match"}, (422, "unreadable_audio", "ref_audio")),
        ({"ref_audio": "up_" + "0" * 24, "model": "voice_match"}, (404, "upload_not_found", "ref_audio")),
        ({"input": ""}, (422, "empty_text", "input")),
        ({"input": " \n\0"}, (422, "no_words", "input")),
        ({"input": "?! 🎉"}, (422, "no_words", "input")),
        ({"input": "a" * 10_001}, (422, "text_too_long", "input")),
        ({"input": "<speak>Hi", "ssml": True}, (422, "invalid_markup", "input")),
        ({"speed": 5}, (422, "invalid_value", "speed")),
        ({"unknown": 1}, (422, "unknown_field", "unknown")),
        ({"sample_rate": 44_100, "response_format": "opus"}, (422, "unsupported_sample_rate", "sample_rate")),
    ],
)
def test_what_is_wrong_is_refused_before_a_job_is_made(
    client: FlaskClient, workers: None, fields: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    assert refusal(ask(client, **fields)) == expected
    assert nothing_is_left(client)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.wav",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:80/a.wav",
        "http://0x7f000001/a.wav",
        "https://user:pass@example.com/a.wav",
        "http://example.com:22/a.wav",
        "HTTP://LOCALHOST/a.wav",
    ],
)
def test_hostile_addresses_of_references_are_refused(client: FlaskClient, workers: None, url: str) -> None:
    status, _, field = refusal(ask(client, ref_audio=url, model="voice_match"))
    assert (status, field) == (422, "ref_audio")
    assert nothing_is_left(client)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"input": "\xff"}',
        b'{"input": "\\ud800"}',
        b'{"input": "Hi.", "speed": NaN}',
        b'{"input": "Hi.", "speed": 1e400}',
        b'{"input": "Hi.", "voice": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        b"--x\r\nContent-Disposition: form-data; name=input\r\n\r\nHi.\r\n--x--\r\n",
    ],
)
def test_bodies_that_are_none_are_malformed(client: FlaskClient, workers: None, body: bytes) -> None:
    answer = client.post("/v1/audio/speech", data=body, content_type="application/json")
    assert answer.status_code == 400 and answer.get_json()["error"]["type"] == "invalid_request_error"
    assert nothing_is_left(client)


def test_without_a_key_it_is_a_401(app: Flask) -> None:
    answer = app.test_client().post("/v1/audio/speech", json={"input": "Hi."})
    assert answer.status_code == 401 and answer.get_json()["error"]["type"] == "authentication_error"


class Asking:
    """A request that waits for its first audio, in a thread of its own."""

    def __init__(self, app: Flask, client: FlaskClient, connections: Connections, **fields: Any) -> None:
        self._connections = connections
        own = app.test_client()
        own.environ_base.update(client.environ_base)
        self._pool = ThreadPoolExecutor(1)
        self._answer = self._pool.submit(ask, own, **fields)
        jobs = lambda: client.get("/v1/jobs").get_json()["data"]  # noqa: E731
        self.id = str(wait_for(lambda: jobs() or None, 20, lambda: "the job")[0]["id"])

    def ref(self, step: int, index: int = -1) -> ItemRef:
        return ItemRef(self.id, present.generation(self._connections.ledger, self.id), step, index)

    def fail(self, error: Any) -> None:
        ledger = self._connections.ledger
        assert ledger.take(CPU, [self.ref(0)])[0]
        ledger.advance([Outcome(ref=self.ref(0), station=CPU, error=error)])

    def answer(self) -> TestResponse:
        found = self._answer.result(20)
        self._pool.shutdown()
        return found


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidText("The word cannot be spoken.", code="unspeakable_word", step="prepare"), 422, "unspeakable_word"),
        (ModelFailed(step="synthesize"), 500, "model_failed"),
    ],
)
def test_a_failure_before_the_first_audio_is_an_answer(
    app: Flask, client: FlaskClient, connections: Connections, workers: None, error: Any, status: int, code: str
) -> None:
    asking = Asking(app, client, connections)
    asking.fail(error)
    answer = asking.answer()
    assert refusal(answer)[:2] == (status, code)
    assert answer.get_json()["step"] == error.step
    assert streams.PLACES.open == 0


def test_a_canceled_job_is_a_conflict(app: Flask, client: FlaskClient, connections: Connections, workers: None) -> None:
    asking = Asking(app, client, connections)
    client.post(f"/v1/jobs/{asking.id}/cancel")
    assert refusal(asking.answer()) == (409, "job_canceled", None)


def test_what_it_asks_for_is_interactive_and_kept_an_hour(
    app: Flask, client: FlaskClient, connections: Connections, workers: None
) -> None:
    asking = Asking(app, client, connections, seed=7, metadata={"chapter": "1"}, response_format="opus")
    job = connections.ledger.get(asking.id)
    assert job is not None
    assert (job.priority.value, job.retention, job.document.seed) == ("interactive", 3600, 7)
    assert (job.document.output.format.value, job.document.metadata) == ("opus", {"chapter": "1"})
    client.post(f"/v1/jobs/{asking.id}/cancel")
    asking.answer()


def test_requests_beyond_the_places_are_refused_at_once(
    app: Flask, client: FlaskClient, connections: Connections, workers: None
) -> None:
    waiting = [Asking(app, client, connections) for _ in range(3)]
    for _ in range(20):
        assert refusal(ask(client))[:2] == (503, "too_many_streams")
    assert client.get("/healthz").status_code == 200
    for job in client.get("/v1/jobs").get_json()["data"]:
        client.post(f"/v1/jobs/{job['id']}/cancel")
    assert [one.answer().status_code for one in waiting] == [409] * 3
    assert streams.PLACES.open == 0


def test_an_idempotency_key_makes_one_job(
    app: Flask, client: FlaskClient, connections: Connections, workers: None
) -> None:
    client.environ_base["HTTP_IDEMPOTENCY_KEY"] = "once"
    first, second = Asking(app, client, connections), Asking(app, client, connections)
    assert first.id == second.id and len(client.get("/v1/jobs").get_json()["data"]) == 1
    assert refusal(ask(client, input="Another text."))[:2] == (422, "idempotency_key_reused")
    first.fail(ModelFailed())
    assert [one.answer().get_json()["code"] for one in (first, second)] == ["model_failed"] * 2


def test_voices_as_other_clients_read_them(client: FlaskClient) -> None:
    answer = client.get("/v1/audio/voices").get_json()
    voices = {voice["id"]: voice for voice in answer["voices"]}
    # Kokoro-FastAPI and Open WebUI read id and name, speaches voice_id and model_id
    assert voices["joe"]["name"] == voices["joe"]["voice_id"] == "joe"
    assert (voices["joe"]["model_id"], voices["joe"]["sample_rate"]) == ("piper-joe", 22_050)
    assert answer["uploaded_voices"] == []
    # vLLM-Omni, and Kokoro-FastAPI before 0.3
    assert client.get("/v1/audio/voices?legacy=true").get_json()["voices"] == list(voices)


def test_models_that_speak(client: FlaskClient) -> None:
    names = [model["id"] for model in client.get("/v1/audio/models").get_json()["models"]]
    assert {"tts-1", "gpt-4o-mini-tts", "piper", "kokoro"} <= set(names)
    assert not {"whisper-1", "vad", "transcribe"} & set(names)
