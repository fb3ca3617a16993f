"""``output.format: m4b`` and ``output.cover``, from the request to the file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import av
import pytest
from av.stream import Disposition
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.redis import connect
from storage.access.keys import create_key
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from tests.integration.test_utterance_files import path_of, render
from tests.pictures import chunk, jpeg, png
from workers.upkeep.sweep import Sweep

CHAPTERS = [
    {"title": "One \x00\x1b[1m\n🎧", "text": "This is the first chapter. It has two sentences."},
    {"title": "", "text": "—"},
    {"title": "ü" * 500, "text": "And the third chapter."},
]


@pytest.fixture
def settings(valkey: str, seaweedfs: S3) -> Any:
    return settings_for(valkey, seaweedfs)


@pytest.fixture
def app(settings: Any, valkey: str) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings)


@pytest.fixture
def line(settings: Any) -> CpuLine:
    return CpuLine(settings)


def post(client: FlaskClient, output: dict[str, Any], **fields: Any) -> Any:
    body = {"pipeline": "piper", "output": output, **({} if "chapters" in fields else {"text": "A text."}), **fields}
    return client.post("/v1/jobs", json=body)


def finished(client: FlaskClient, line: CpuLine, answer: Any) -> dict[str, Any]:
    """The job at its end."""
    assert answer.status_code == 202, answer.data
    line.run()
    while render(line) or line.run():
        pass
    return dict(client.get(f"/v1/jobs/{answer.get_json()['id']}").get_json())


def file_of(client: FlaskClient, job: dict[str, Any]) -> bytes:
    assert job["state"] == "succeeded", job["error"]
    answer = client.get(path_of(job["result"]["audio"]["url"]))
    assert answer.status_code == 200
    data = answer.data
    answer.close()
    return data


def cover_in(data: bytes) -> bytes | None:
    with av.open(io.BytesIO(data)) as file:
        for stream in file.streams:
            if stream.disposition & Disposition.attached_pic:
                return bytes(next(file.demux(stream)))
    return None


def base64_of(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


def test_an_audio_book(client: FlaskClient, line: CpuLine) -> None:
    output = {"format": "m4b", "cover": base64_of(jpeg()), "tags": {"title": "A Book", "artist": "Ann"}}
    job = finished(client, line, post(client, output, chapters=CHAPTERS))
    audio = job["result"]["audio"]
    assert audio["format"] == "m4b" and audio["loudness"] == pytest.approx(-18, abs=0.5)
    answer = client.get(f"/v1/jobs/{job['id']}/audio")
    assert answer.mimetype == "audio/mp4"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{job["id"]}.m4b"'
    with av.open(io.BytesIO(answer.data)) as file:
        assert (file.metadata["title"], file.metadata["genre"]) == ("A Book", "Audiobook")
        marks = [(one["metadata"]["title"], float(one["start"] * one["time_base"])) for one in file.chapters()]
    starts = [chapter["start"] for chapter in job["result"]["chapters"]]
    assert [start for _, start in marks] == pytest.approx(starts, abs=0.002)
    assert [title for title, _ in marks] == ["One [1m 🎧", "Chapter 2", "ü" * 126 + "…"]
    assert cover_in(answer.data) == jpeg()


def test_a_book_has_a_track_of_its_subtitles(client: FlaskClient, line: CpuLine) -> None:
    output = {"format": "m4b", "subtitles": "srt"}
    job = finished(client, line, post(client, output, chapters=CHAPTERS))
    assert job["state"] == "succeeded" and job["result"]["subtitles"]["cues"] >= 2
    srt = client.get(f"/v1/jobs/{job['id']}/subtitles").data.decode()
    with av.open(io.BytesIO(file_of(client, job))) as file:
        texts = [bytes(packet)[2:].decode() for packet in file.demux(file.streams.subtitles[0])]
    cues = [text for text in texts if text]
    assert len(cues) == job["result"]["subtitles"]["cues"] and all(cue in srt.replace("\r", "") for cue in cues)
    assert " ".join(" ".join(cues).split()).startswith("This is the first chapter.")


def test_a_finished_book_is_streamed_as_wav(client: FlaskClient, line: CpuLine) -> None:
    job = finished(client, line, post(client, {"format": "m4b", "cover": base64_of(png())}))
    answer = client.get(f"/v1/jobs/{job['id']}/audio?stream=1")
    assert (answer.status_code, answer.mimetype) == (200, "audio/wav")
    samples = len(answer.data) / 2 / job["result"]["audio"]["sample_rate"]
    answer.close()
    assert samples == pytest.approx(job["result"]["audio"]["duration"], abs=0.1)


def test_a_book_without_chapters_has_one(client: FlaskClient, line: CpuLine) -> None:
    job = finished(client, line, post(client, {"format": "m4b", "loudness": -23, "tags": {"title": "A Tale"}}))
    assert job["result"]["audio"]["loudness"] == pytest.approx(-23, abs=0.5) and "chapters" not in job["result"]
    with av.open(io.BytesIO(file_of(client, job))) as file:
        assert [one["metadata"]["title"] for one in file.chapters()] == ["A Tale"]


def test_more_chapters_than_fit_into_the_list_of_nero(client: FlaskClient, line: CpuLine) -> None:
    chapters = [{"title": f"No {n}", "text": f"Number {n % 3}."} for n in range(260)]
    job = finished(client, line, post(client, {"format": "m4b"}, chapters=chapters))
    with av.open(io.BytesIO(file_of(client, job))) as file:
        found = [(one["metadata"]["title"], float(one["start"] * one["time_base"])) for one in file.chapters()]
    assert [title for title, _ in found] == [chapter["title"] for chapter in chapters]
    expected = [chapter["start"] for chapter in job["result"]["chapters"]]
    assert max(abs(one - other) for (_, one), other in zip(found, expected, strict=True)) < 0.002


@pytest.mark.parametrize("format", ["m4b", "m4a", "mp3", "flac"])
def test_a_cover_from_an_upload(client: FlaskClient, line: CpuLine, format: str) -> None:
    upload = client.post("/v1/uploads").get_json()
    assert client.put(path_of(upload["url"]), data=png(300, 300)).status_code == 200
    job = finished(client, line, post(client, {"format": format, "cover": {"upload": upload["id"]}}))
    assert cover_in(file_of(client, job)) == png(300, 300)


@contextmanager
def serving(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/cover"
    server.shutdown()
    server.server_close()


def allowing(settings: Any, url: str) -> Any:
    return settings.model_copy(update={"egress_allow": url.split("/")[2]})


def test_a_cover_behind_a_url(settings: Any, valkey: str) -> None:
    with serving(jpeg()) as url:
        job, line, client = _with_url(settings, valkey, url)
        assert cover_in(file_of(client, job)) == jpeg()
        names = list(line.connections.objects.names("ann/covers/"))
        [cover] = [name for name in names if line.connections.objects.get(name) == jpeg()]
        assert line.connections.ledger.upkeep.unknown("ann", [cover]) == [], "it is needed while the job is kept"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"<svg/>", 200, "invalid_cover"),
        (bytes(11 * 2**20), 200, "fetch_too_large"),
        (jpeg(), 404, "fetch_status"),
        (png(100_000, 100_000, rows=1), 200, "cover_too_large"),
    ],
)
def test_what_a_url_may_bring_instead(settings: Any, valkey: str, body: bytes, status: int, code: str) -> None:
    with serving(body, status) as url:
        job, line, _ = _with_url(settings, valkey, url)
        assert (job["state"], job["error"]["code"], job["error"]["step"]) == ("failed", code, "prepare")
        assert not line.waiting("piper-joe"), "nothing was rendered for it"


def _with_url(settings: Any, valkey: str, url: str) -> tuple[dict[str, Any], CpuLine, FlaskClient]:
    settings, secret = allowing(settings, url), create_key(connect(valkey), "ann")
    line, client = CpuLine(settings), create_app(settings).test_client()
    client.environ_base["HTTP_X_API_KEY"] = secret
    return finished(client, line, post(client, {"format": "m4b", "cover": {"url": url}})), line, client


@pytest.mark.parametrize(
    ("cover", "status", "code"),
    [
        (base64_of(b""), 422, "invalid_cover"),
        (base64_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), 422, "invalid_cover"),
        (base64_of(png()[:-20]), 422, "invalid_cover"),
        (base64_of(jpeg()[:-2]), 422, "invalid_cover"),
        (base64_of(b"GIF89a" + png()), 422, "invalid_cover"),
        (base64_of(png(100_000, 100_000, rows=1)), 413, "cover_too_large"),
        (base64_of(png(padding=11 * 2**20)), 413, "cover_too_large"),
        ({"base64": "no base64!"}, 422, "not_base64"),
        ({"upload": "up_" + "0" * 24}, 404, "upload_not_found"),
        ({"url": "http://169.254.169.254/latest"}, 422, "url_not_allowed"),
        ({"url": "file:///etc/passwd"}, 422, "url_scheme_not_allowed"),
        ({"url": "https://example.com/a.png", "base64": "aa"}, 422, "invalid_value"),
        ({"embedding": "aa"}, 422, "unknown_field"),
        ("aa", 422, "invalid_value"),
    ],
)
def test_hostile_covers(client: FlaskClient, cover: Any, status: int, code: str) -> None:
    answer = post(client, {"format": "m4b", "cover": cover})
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert problem["errors"] and problem["errors"][0]["field"].startswith("output.cover")


def test_an_upload_that_is_too_large(client: FlaskClient) -> None:
    upload = client.post("/v1/uploads").get_json()
    assert client.put(path_of(upload["url"]), data=bytes(11 * 2**20)).status_code == 200
    answer = post(client, {"format": "m4b", "cover": {"upload": upload["id"]}})
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")


def test_where_a_cover_has_no_place(client: FlaskClient) -> None:
    for format in ("wav", "opus", "pcm"):
        answer = post(client, {"format": format, "cover": base64_of(png())})
        assert (answer.status_code, answer.get_json()["code"]) == (422, "unsupported_cover")
        assert answer.get_json()["errors"][0]["field"] == "output.cover"


def test_what_follows_a_picture_is_not_kept(client: FlaskClient, line: CpuLine) -> None:
    archive = b"PK\x03\x04" + b"payload" * 100
    job = finished(client, line, post(client, {"format": "m4b", "cover": base64_of(png() + archive)}))
    data = file_of(client, job)
    assert cover_in(data) == png() and b"payload" not in data
    stored = [line.connections.objects.get(name) for name in line.connections.objects.names("ann/covers/")]
    assert not any(b"payload" in one for one in stored)
    assert chunk(b"IEND", b"") in data


def test_a_cover_is_deleted_when_no_job_needs_it(client: FlaskClient, line: CpuLine) -> None:
    picture = png(123, 45)
    answer = post(client, {"format": "m4a", "cover": base64_of(picture)}, expires_in=60)
    job = finished(client, line, answer)
    upkeep, objects = line.connections.ledger.upkeep, line.connections.objects
    [name] = [name for name in objects.names("ann/covers/") if objects.get(name) == picture]
    assert upkeep.unknown("ann", [name]) == []
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    orphan = f"ann/covers/{'0' * 64}"
    objects.put(orphan, b"", "image/png")
    assert Sweep(line.connections, -10.0, delete=False).run().orphans.get("covers", 0) >= 1
    Sweep(line.connections, -10.0).run()
    assert objects.head(orphan) is None and objects.head(name) is not None
    until = line.connections.redis.zscore("ch:artifacts:ann", name.removeprefix("ann/"))
    assert until is not None, "it goes when the retention ends"
