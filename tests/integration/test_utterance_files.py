"""``output.utterances``: a file for each utterance and a manifest, from the ledger, the storage and the API."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from audio.artifact import pack
from core.errors import ModelFailed
from core.redis import connect
from storage.access.keys import create_key
from storage.ledger.records import Outcome
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from workers.assembly import utterance_files

RATE = 22_050
TEXT = "The first sentence. A “second” one, with ümlauts.\n\nThe third, 3 of 4. The last one ends it."


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


@pytest.fixture
def line(valkey: str, seaweedfs: S3) -> CpuLine:
    return CpuLine(settings_for(valkey, seaweedfs))


def tone(index: int, seconds: float = 0.5) -> np.ndarray:
    """Each utterance at a pitch of its own."""
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 100 * (index + 2) * times)).astype(np.float32)


def render(line: CpuLine, failing: frozenset[int] = frozenset()) -> int:
    """What a worker does with all that waits."""
    done = 0
    while refs := line.waiting("piper-joe"):
        outcomes = []
        for ref, work in zip(refs, line.connections.ledger.take("piper-joe", refs), strict=True):
            assert work is not None and work.utterance is not None
            if ref.index in failing:
                outcomes.append(Outcome(ref=ref, station="piper-joe", error=ModelFailed()))
                continue
            data = pack(tone(ref.index, 0.3 + 0.01 * (ref.index % 20)), RATE, {})
            line.connections.objects.put(work.utterance.artifact, data, "audio/flac")
            outcomes.append(Outcome(ref=ref, station="piper-joe"))
        assert all(line.connections.ledger.advance(outcomes))
        done += len(refs)
    return done


def spoken(
    client: FlaskClient,
    line: CpuLine,
    text: str | None = TEXT,
    failing: frozenset[int] = frozenset(),
    output: dict[str, Any] | None = None,
    **fields: Any,
) -> str:
    """The id of a job that has succeeded."""
    body = {"pipeline": "piper", "text": text, "output": {"utterances": True, **(output or {})}, **fields}
    answer = client.post("/v1/jobs", json={name: value for name, value in body.items() if value is not None})
    assert answer.status_code == 202, answer.data
    name = str(answer.get_json()["id"])
    line.run()
    while render(line, failing) or line.run():
        pass
    job = line.connections.ledger.get(name)
    assert job is not None and job.state.value == "succeeded", job and job.error
    return name


def lines_of(client: FlaskClient, name: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/jobs/{name}/utterances")
    assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson"), answer.data
    return [json.loads(line) for line in answer.data.decode().split("\n") if line]


def path_of(url: str) -> str:
    return "/v1/" + url.partition("/v1/")[2]


def samples_of(client: FlaskClient, url: str) -> np.ndarray:
    answer = client.get(path_of(url))
    assert answer.status_code == 200, answer.data
    return soundfile.read(io.BytesIO(answer.data), dtype="float32")[0]


def test_the_files_are_the_pieces_of_the_whole(client: FlaskClient, line: CpuLine) -> None:
    name = spoken(client, line)
    result = client.get(f"/v1/jobs/{name}").get_json()["result"]
    lines = lines_of(client, name)
    assert result["utterances"]["count"] == result["utterances"]["files"] == len(lines) == 4
    assert path_of(result["utterances"]["url"]) == f"/v1/jobs/{name}/utterances"
    whole = samples_of(client, result["audio"]["url"])
    for index, one in enumerate(lines):
        assert (one["index"], one["state"], one["file"]) == (index, "succeeded", f"{index:06}.wav")
        assert one["chapter"] == 0 and TEXT[one["offset"] :].startswith(one["text"])
        file = samples_of(client, one["url"])
        assert len(file) / RATE == pytest.approx(one["duration"], abs=1e-4)
        start = round(one["start"] * RATE)
        assert np.abs(file - whole[start : start + len(file)]).max() < 2e-4
    assert [one["text"] for one in lines][1] == "A “second” one, with ümlauts."
    gaps = [later["start"] - one["start"] - one["duration"] for one, later in pairwise(lines)]
    assert gaps == pytest.approx([0.25, 0.6, 0.25], abs=1e-3)


def test_files_have_the_gain_of_the_whole(client: FlaskClient, line: CpuLine) -> None:
    name = spoken(client, line, output={"loudness": -25})
    whole = samples_of(client, client.get(f"/v1/jobs/{name}").get_json()["result"]["audio"]["url"])
    for one in lines_of(client, name):
        file, start = samples_of(client, one["url"]), round(one["start"] * RATE)
        assert np.abs(file - whole[start : start + len(file)]).max() < 2e-4


@pytest.mark.parametrize(
    ("format", "ending", "kind"),
    [("flac", "flac", "audio/flac"), ("mp3", "mp3", "audio/mpeg"), ("m4b", "m4a", "audio/mp4")],
)
def test_files_have_the_format_of_the_job(
    client: FlaskClient, line: CpuLine, format: str, ending: str, kind: str
) -> None:
    name = spoken(client, line, output={"format": format})
    one = lines_of(client, name)[1]
    answer = client.get(path_of(one["url"]))
    assert one["file"] == f"000001.{ending}" and answer.mimetype == kind
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}-000001.{ending}"'
    assert len(answer.data) > 1000


def test_a_file_is_downloaded_like_the_whole(client: FlaskClient, line: CpuLine) -> None:
    name = spoken(client, line)
    path = f"/v1/jobs/{name}/utterances/1"
    whole = client.get(path)
    tag = whole.headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    part = client.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, whole.data[10:20])
    assert client.get(path, headers={"Range": "bytes=99999999-"}).status_code == 416
    assert client.head(path).headers["Content-Length"] == str(len(whole.data))
    for strange in ("4", "-1", "01", "1.0", "%C2%B9", "1%2F..%2Fmanifest.jsonl", "manifest.jsonl", "9" * 40):
        assert client.get(f"/v1/jobs/{name}/utterances/{strange}").status_code == 404, strange


def test_a_failed_utterance_has_a_line_and_no_file(client: FlaskClient, line: CpuLine) -> None:
    name = spoken(client, line, failing=frozenset({1}), on_error="silence")
    lines = lines_of(client, name)
    assert [one["state"] for one in lines] == ["succeeded", "failed", "succeeded", "succeeded"]
    assert (lines[1]["file"], lines[1]["url"], lines[1]["duration"]) == (None, None, None)
    assert lines[2]["start"] - lines[1]["start"] == pytest.approx(0.5 + 0.6, abs=1e-3)
    answer = client.get(f"/v1/jobs/{name}/utterances/1")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "utterance_not_found")
    assert client.get(f"/v1/jobs/{name}").get_json()["result"]["utterances"]["files"] == 3


def test_text_and_offset_count_in_the_chapter(client: FlaskClient, line: CpuLine) -> None:
    chapters = [{"title": "One", "text": "Only this."}, {"title": "", "text": "  First. 🎧 Second."}]
    name = spoken(client, line, None, chapters=chapters)
    for one in lines_of(client, name):
        text = chapters[one["chapter"]]["text"]
        assert text[one["offset"] : one["offset"] + len(one["text"])] == one["text"]
    assert [one["chapter"] for one in lines_of(client, name)] == [0, 1, 1]


def test_who_may_not(client: FlaskClient, line: CpuLine, valkey: str) -> None:
    name = spoken(client, line)
    other = {"X-API-Key": create_key(connect(valkey), "bob")}
    for path in (f"/v1/jobs/{name}/utterances", f"/v1/jobs/{name}/utterances/0"):
        assert client.get(path, headers=other).status_code == 404
        client.environ_base.pop("HTTP_X_API_KEY")
        assert client.get(path).status_code == 401
        client.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann")


def test_jobs_without_such_files(client: FlaskClient, line: CpuLine) -> None:
    name = spoken(client, line, output={"utterances": False})
    answer = client.get(f"/v1/jobs/{name}/utterances")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "no_utterances")
    assert "utterances" not in client.get(f"/v1/jobs/{name}").get_json()["result"]
    waiting = client.post("/v1/jobs", json={"pipeline": "piper", "text": "Wait.", "output": {"utterances": True}})
    answer = client.get(f"/v1/jobs/{waiting.get_json()['id']}/utterances")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "job_queued")
    speech = {"base64": "UklGRg=="}
    answer = client.post("/v1/jobs", json={"pipeline": "vad", "recording": speech, "output": {"utterances": True}})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unused_input")
    assert answer.get_json()["errors"][0]["field"] == "output.utterances"


def test_the_files_are_deleted_with_the_job(client: FlaskClient, line: CpuLine) -> None:
    name = spoken(client, line)
    objects = line.connections.objects
    assert len(list(objects.names(f"ann/jobs/{name}/"))) == 4 + 3  # the manifest, the whole and the record
    assert client.delete(f"/v1/jobs/{name}").status_code == 204
    assert list(objects.names(f"ann/jobs/{name}/")) == []


def test_many_utterances(client: FlaskClient, line: CpuLine) -> None:
    text = "\n".join(f"Line {n}." for n in range(600))
    name = spoken(client, line, text)
    lines = lines_of(client, name)
    assert [one["index"] for one in lines] == list(range(600))
    assert len(samples_of(client, lines[-1]["url"])) == len(tone(599, 0.3 + 0.01 * (599 % 20)))
    assert client.delete(f"/v1/jobs/{name}").status_code == 204
    assert list(line.connections.objects.names(f"ann/jobs/{name}/")) == []


def begun(client: FlaskClient, line: CpuLine) -> str:
    """The id of a job whose utterances are rendered and that waits to be assembled."""
    answer = client.post("/v1/jobs", json={"pipeline": "piper", "text": TEXT, "output": {"utterances": True}})
    name = str(answer.get_json()["id"])
    line.run()
    render(line)
    return name


def at_first_file(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Does something when the first file of an utterance is uploaded."""
    put, todo = utterance_files._Files.put, [do]

    def patched(files: Any, path: Path, content_type: str) -> None:
        put(files, path, content_type)
        if todo:
            todo.pop()()

    monkeypatch.setattr(utterance_files._Files, "put", patched)


def test_a_job_that_is_deleted_meanwhile_leaves_nothing(
    client: FlaskClient, line: CpuLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = begun(client, line)
    at_first_file(monkeypatch, lambda: client.delete(f"/v1/jobs/{name}"))
    line.run()
    assert client.get(f"/v1/jobs/{name}").status_code == 404
    assert list(line.connections.objects.names(f"ann/jobs/{name}/")) == []


def test_an_utterance_that_is_lost_meanwhile_is_rendered_again(
    client: FlaskClient, line: CpuLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = begun(client, line)
    works, _ = line.connections.ledger.utterances(name)
    at_first_file(monkeypatch, lambda: line.connections.objects.delete(works[2].artifact))
    line.run()
    assert client.get(f"/v1/jobs/{name}").get_json()["state"] == "running"
    assert render(line) == 1
    line.run()
    assert [one["state"] for one in lines_of(client, name)] == ["succeeded"] * 4
