"""Stored voices, the doors for recordings, and recordings behind URLs: through real workers and models."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import pytest

from cli.commands.demo import word_error_rate
from cli.local.home import free_ports
from cli.local.stack import Stack
from storage.access.keys import create_key
from tests.shared_data import data_path
from tests.stack_access import StackAccess

pytestmark = [pytest.mark.slow, pytest.mark.patient]

MODELS = ["piper-joe", "silero", "campplus", "whisper-tiny.en"]
SENTENCE = "The boy was there when the sun rose."


def recordings(count: int = 2) -> list[Path]:
    """Recordings of one speaker, the longest first."""
    folder = sorted(path for path in data_path("speakers").glob("*") if path.is_dir())[0]
    return sorted(folder.glob("*"), key=lambda path: -path.stat().st_size)[:count]


@pytest.fixture(scope="module")
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[StackAccess]:
    home = tmp_path_factory.mktemp("voices") / "home"
    with Stack(home, models=MODELS, env={"CHORUS_EGRESS_ALLOW": f"127.0.0.1:{port}"}) as stack:
        stack.wait_ready(240)
        with StackAccess(stack) as found:
            yield found


@pytest.fixture(scope="module")
def files(port: int) -> Iterator[str]:
    """The address of a file server on loopback that serves the recordings."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(data_path("."))))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()
    thread.join()


def enrol(access: StackAccess, *paths: Path, **fields: str) -> dict[str, Any]:
    parts = [("files", (path.name, path.read_bytes())) for path in paths]
    answer = access.http.post("/v1/voices", data={"name": "Someone", **fields}, files=parts)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.json()["links"]["self"]
    found: dict[str, Any] = answer.json()
    return found


def test_a_voice_of_two_recordings_works_in_the_pipeline_it_was_made_for(access: StackAccess) -> None:
    made = enrol(access, *recordings(), pipelines="voice_match", consent="I agree. Signed, Someone.")
    voice = made["id"]
    found = access.settled_voice(voice)
    assert (found["state"], found["error"], found["pipelines"]) == ("ready", None, ["voice_match"])
    assert found["consent"] == "I agree. Signed, Someone." and len(found["recordings"]) == 2
    for asked in ({"reference": {"voice": voice}}, {"voice": voice}):
        job = access.run({"pipeline": "voice_match", "text": SENTENCE, **asked})
        assert job["state"] == "succeeded", job
        assert [step["name"] for step in job["steps"]] == ["prepare", "match", "open", "synthesize", "assemble"]
    # The embedding of both together is near that of one of them alone.
    alone = access.run({"pipeline": "embed", "recording": encoded(recordings()[0])})["result"]["embedding"]
    name = next(n for n in access.objects.names(f"local/voices/{voice}/") if n.endswith("campplus.safetensors"))
    from storage.objects.embeddings import unpack_embedding

    both = unpack_embedding(access.objects.get(name)).vector
    assert float(np.dot(both, alone["values"])) > 0.8


def encoded(path: Path) -> dict[str, str]:
    return {"base64": base64.b64encode(path.read_bytes()).decode()}


def test_a_voice_is_listed_renamed_heard_and_deleted_everywhere(access: StackAccess) -> None:
    voice = enrol(access, *recordings(1))["id"]
    access.settled_voice(voice)
    renamed = access.http.patch(f"/v1/voices/{voice}", json={"name": "Somebody else"}).json()
    assert renamed["name"] == "Somebody else"
    listed = {v["id"]: v for v in access.http.get("/v1/voices").json()["data"]}
    assert listed[voice]["name"] == "Somebody else" and "joe" in listed
    previewed = access.http.post(f"/v1/voices/{voice}/preview", headers={"Prefer": "wait=60"}).json()
    assert access.wait(previewed["id"])["state"] == "succeeded"
    assert len(access.audio(previewed["id"])) > 20_000
    stock = access.http.post("/v1/voices/joe/preview", json={"text": "Hello there."})
    assert stock.status_code == 202
    assert access.wait(stock.json()["id"])["state"] == "succeeded"
    assert access.http.delete(f"/v1/voices/{voice}").status_code == 204
    assert access.http.get(f"/v1/voices/{voice}").status_code == 404
    assert not [n for n in access.objects.names("") if voice in n]
    assert not [key for key in access.redis.keys("ch:*") if voice.encode() in key]  # type: ignore[union-attr]
    refused = access.http.post("/v1/jobs", json={"pipeline": "voice_match", "text": "Hi there.", "voice": voice})
    assert (refused.status_code, refused.json()["code"]) == (422, "voice_not_found")


def test_a_voice_fails_alone_and_says_why(access: StackAccess, tmp_path: Path) -> None:
    import soundfile

    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(48_000, np.float32), 16_000)
    voice = enrol(access, silence)["id"]
    found = access.settled_voice(voice)
    assert (found["state"], found["error"]["code"]) == ("failed", "no_speech")
    refused = access.http.post("/v1/jobs", json={"pipeline": "voice_match", "text": "Hi there.", "voice": voice})
    assert (refused.status_code, refused.json()["code"]) == (422, "voice_failed")


def test_another_owners_voice_is_not_there(access: StackAccess) -> None:
    voice = enrol(access, *recordings(1))["id"]
    eve = {"X-API-Key": create_key(access.redis, "eve")}
    with httpx.Client(base_url=access.stack.url, headers=eve) as http:
        assert http.get(f"/v1/voices/{voice}").status_code == 404
        assert http.delete(f"/v1/voices/{voice}").status_code == 404
        body = {"pipeline": "voice_match", "text": "Hi there.", "voice": voice}
        assert http.post("/v1/jobs", json=body).json()["code"] == "voice_not_found"


def test_a_bad_voice_is_refused_at_once(access: StackAccess) -> None:
    good = [("files", ("a.wav", recordings(1)[0].read_bytes()))]
    post = partial(access.http.post, "/v1/voices")
    codes = [
        post(json={"name": "x"}).json()["code"],
        post(data={"pipelines": "voice_match"}, files=good).json()["code"],
        post(data={"name": "x", "pipelines": "piper"}, files=good).json()["code"],
        post(data={"name": "x", "pipelines": "nothing"}, files=good).json()["code"],
        post(data={"name": "x"}, files=[("files", ("a.wav", b"RIFF"))]).json()["code"],
        post(data={"name": "x"}, files=[("file", ("a.wav", b"RIFF"))]).json()["code"],
        post(json={"name": "x", "recordings": [{"url": "http://169.254.169.254/latest"}]}).json()["code"],
    ]
    assert codes == [
        "missing_recording",
        "missing_field",
        "no_stored_voices",
        "unknown_pipeline",
        "unreadable_audio",
        "unknown_field",
        "url_not_allowed",
    ]


def test_a_recording_behind_a_url_is_fetched_once_it_is_prepared(access: StackAccess, files: str) -> None:
    path = recordings(1)[0].relative_to(data_path("."))
    job = access.run({"pipeline": "embed", "recording": {"url": f"{files}/{path}"}})
    assert job["state"] == "succeeded", job
    alone = access.run({"pipeline": "embed", "recording": encoded(recordings(1)[0])})
    assert job["result"]["embedding"]["values"] == alone["result"]["embedding"]["values"]
    missing = access.run({"pipeline": "embed", "recording": {"url": f"{files}/nothing.wav"}})
    assert (missing["state"], missing["error"]["code"]) == ("failed", "fetch_status")
    text = access.run({"pipeline": "embed", "recording": {"url": f"{files}/manifest.tsv"}})
    assert (text["state"], text["error"]["code"], text["error"]["step"]) == ("failed", "unreadable_audio", "prepare")
    refused = access.http.post("/v1/jobs", json={"pipeline": "embed", "recording": {"url": "http://127.0.0.1:1/a"}})
    assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "recording.url"


def test_the_doors_answer_in_one_call(access: StackAccess) -> None:
    recording = recordings(1)[0]
    with recording.open("rb") as file:
        found = access.http.post("/v1/vad", files={"recording": (recording.name, file)})
    assert found.status_code == 200 and found.json()["result"]["segments"]
    embedded = access.http.post("/v1/embed", json={"recording": encoded(recording)})
    assert embedded.status_code == 200 and embedded.json()["result"]["embedding"]["dimensions"] > 100
    spoken = access.run({"pipeline": "piper", "text": SENTENCE})
    audio = {"base64": base64.b64encode(access.audio(spoken["id"])).decode()}
    heard = access.http.post("/v1/transcribe", json={"recording": audio})
    assert heard.status_code == 200
    assert word_error_rate(SENTENCE, heard.json()["result"]["transcript"]["text"]) <= 0.2
    at_once = access.http.post("/v1/vad", json={"recording": audio}, headers={"Prefer": "wait=0"})
    assert at_once.status_code in (200, 202) and access.wait(at_once.json()["id"])["state"] == "succeeded"
    twice = access.http.post("/v1/vad", json={"recording": audio, "pipeline": "vad"})
    assert (twice.status_code, twice.json()["code"]) == (422, "unknown_field")
