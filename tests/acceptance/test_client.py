"""The client as its users meet it: its documents against a whole stack, and both clients over bad connections."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import av
import pytest
import soundfile
from chorus_client import (
    ApiError,
    AsyncClient,
    BadDownload,
    ChorusError,
    Client,
    ConnectionFailed,
    Job,
    JobFailed,
    Retry,
)
from chorus_client.operations import UPLOAD_FROM
from click.testing import CliRunner

from audio.decode import decode
from cli.commands.demo import word_error_rate
from cli.local.stack import Stack
from cli.main import chorus as commands
from tests.pictures import jpeg
from tests.shared_data import ROOT, data_path

pytestmark = pytest.mark.patient

MODELS = ["piper-joe", "silero", "campplus", "whisper-tiny.en"]

#: Quick, so that tests are.
QUICK = Retry(attempts=4, seconds=10, first=0.01, longest=0.05)

AUDIO = bytes(range(256)) * 800
DIGEST = hashlib.sha256(AUDIO).hexdigest()


# -- one program for both clients


async def _listed(found: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in found]


class Either:
    """A client through which the tests call either kind in the same words."""

    def __init__(self, kind: str, url: str, key: str = "chorus_key", retry: Retry = QUICK) -> None:
        self.kind, self._url, self._key, self._retry = kind, url, key, retry

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if self.kind == "Client":
                with Client(self._url, self._key, retry=self._retry) as client:
                    found = getattr(client, name)(*args, **more)
                    return list(found) if isinstance(found, Iterator) else found

            async def run() -> Any:
                async with AsyncClient(self._url, self._key, retry=self._retry) as client:
                    found = getattr(client, name)(*args, **more)
                    return await (_listed(found) if isinstance(found, AsyncIterator) else found)

            return asyncio.run(run())

        return call


both = pytest.mark.parametrize("kind", ["Client", "AsyncClient"])


# -- bad connections


@dataclass(slots=True)
class Reply:
    """An answer of the little server. ``cut``: bytes after which it breaks off; None for all of them."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


DROPPED = Reply(cut=-1)
BUSY = Reply(
    503, b'{"code": "overloaded", "detail": "Later."}', {"Retry-After": "0", "Content-Type": "application/problem+json"}
)
TOO_MANY = Reply(503, b'{"code": "too_many_streams"}', {"Retry-After": "0", "Content-Type": "application/problem+json"})


def document(**found: Any) -> Reply:
    return Reply(200, json.dumps(found).encode(), {"Content-Type": "application/json"})


class Server:
    """Answers with what it was told, one after the other, and remembers what it was asked."""

    def __init__(self) -> None:
        self.replies: list[Reply | Callable[[BaseHTTPRequestHandler], Reply]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                server.asked.append((self.command, self.path, dict(self.headers), body))
                reply = server.replies.pop(0) if server.replies else Reply(500)
                if not isinstance(reply, Reply):
                    reply = reply(self)
                if reply.cut != -1:
                    self.send_response(reply.status)
                    for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(reply.body[: reply.cut])
                    self.wfile.flush()
                if reply.cut is not None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)

            do_GET = do_POST = do_PUT = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def job(self, **audio: Any) -> Job:
        """A finished job whose audio is `AUDIO`, here."""
        url = f"{self.url}/v1/jobs/job_1/audio"
        found = {"url": url, "format": "wav", "duration": 1, "sample_rate": 8000, "bytes": len(AUDIO), "sha256": DIGEST}
        return Job.of({"id": "job_1", "state": "succeeded", "result": {"audio": found | audio}})


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


def part(handler: BaseHTTPRequestHandler, cut: int | None = None) -> Reply:
    """The audio as the API gives it: the rest of it where that is asked for."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if not asked:
        return Reply(200, AUDIO, cut=cut)
    start = int(asked[1])
    return Reply(206, AUDIO[start:], {"Content-Range": f"bytes {start}-{len(AUDIO) - 1}/{len(AUDIO)}"}, cut)


def cut_at(count: int) -> Callable[[BaseHTTPRequestHandler], Reply]:
    return lambda handler: part(handler, count)


@both
def test_a_call_is_tried_again_until_it_is_answered(kind: str, server: Server) -> None:
    server.replies = [BUSY, DROPPED, Reply(502), document(id="job_1", state="queued")]
    assert Either(kind, server.url).create("piper", "Hi.").id == "job_1"
    assert [(method, path) for method, path, *_ in server.asked] == [("POST", "/v1/jobs")] * 4
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in server.asked}) == 1
    assert len({body for *_, body in server.asked}) == 1
    assert {headers["X-API-Key"] for _, _, headers, _ in server.asked} == {"chorus_key"}


@both
def test_it_is_not_tried_again_for_ever(kind: str, server: Server) -> None:
    server.replies = [BUSY] * 9
    with pytest.raises(ApiError) as raised:
        Either(kind, server.url).get("job_1")
    assert raised.value.code == "overloaded" and len(server.asked) == QUICK.attempts
    server.replies = [Reply(503, headers={"Retry-After": "3600"})]
    began = time.monotonic()
    with pytest.raises(ApiError):
        Either(kind, server.url).get("job_1")
    assert time.monotonic() - began < 5


@both
def test_nobody_there(kind: str, server: Server) -> None:
    server.close()
    chorus = Either(kind, server.url, retry=Retry(attempts=2, first=0.01))
    for method in ("get", "events", "stream"):
        with pytest.raises(ConnectionFailed):
            getattr(chorus, method)("job_1")
    assert chorus.ready() is False


@both
def test_a_download_goes_on_where_it_broke(kind: str, server: Server, tmp_path: Path) -> None:
    server.replies = [BUSY, cut_at(70_000), DROPPED, cut_at(30_001), BUSY, BUSY, part]
    told: list[tuple[int, int]] = []
    path = Either(kind, server.url).save(server.job(), tmp_path / "a.wav", lambda *done: told.append(done))
    assert path.read_bytes() == AUDIO and list(tmp_path.iterdir()) == [path]
    ranges = [headers.get("Range") for _, _, headers, _ in server.asked]
    assert ranges == [None, None, "bytes=70000-", "bytes=70000-", *["bytes=100001-"] * 3]
    assert told == sorted(told) and told[-1] == (len(AUDIO), len(AUDIO))
    assert all(headers["Accept-Encoding"] == "identity" for _, _, headers, _ in server.asked)
    server.replies = [cut_at(1), part]
    assert Either(kind, server.url).audio(server.job()) == AUDIO


@both
def test_a_download_begins_anew_where_there_are_no_ranges(kind: str, server: Server, tmp_path: Path) -> None:
    strange = Reply(206, AUDIO, {"Content-Range": f"bytes 0-{len(AUDIO) - 1}/{len(AUDIO)}"}, 90_000)
    server.replies = [cut_at(70_000), Reply(200, AUDIO, cut=80_000), strange, Reply(200, AUDIO)]
    assert Either(kind, server.url).save(server.job(), tmp_path / "a.wav").read_bytes() == AUDIO


@both
def test_a_download_that_does_not_end_well_leaves_what_was_there(kind: str, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"before")
    wrong = AUDIO[:-1] + b"\0"
    # Whole answers that are too short, and ones that get no further: no endless loop.
    for replies, error in (
        ([Reply(200, wrong)], BadDownload),
        ([Reply(200, AUDIO + b"more")], BadDownload),
        (
            [Reply(200, AUDIO[:-1]), *[Reply(206, b"", {"Content-Range": "bytes 204799-204799/204800"})] * 9],
            ConnectionFailed,
        ),
        ([Reply(200, AUDIO, cut=70_000)] * 9, ConnectionFailed),
        ([Reply(404, b"{}")], ApiError),
    ):
        server.replies = list(replies)
        with pytest.raises(error):
            Either(kind, server.url).save(server.job(), path)
        assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


@both
def test_the_key_stays_with_the_api(kind: str, server: Server, tmp_path: Path) -> None:
    storage = Server()
    try:
        fresh = server.job(url=f"{storage.url}/bucket/job_1.wav?X-Amz-Signature=1").raw
        server.replies, storage.replies = [document(**fresh)], [cut_at(50_000), part]
        # A link that was made who knows when is asked for anew.
        old = server.job(url=f"{storage.url}/bucket/old")
        assert Either(kind, server.url).save(old, tmp_path / "a.wav").read_bytes() == AUDIO
        assert [path for _, path, *_ in storage.asked] == ["/bucket/job_1.wav?X-Amz-Signature=1"] * 2
        assert not any("X-API-Key" in headers for _, _, headers, _ in storage.asked)
        storage.replies, storage.asked = [DROPPED, Reply()], []
        server.replies = [document(id="up_1", url=f"{storage.url}/bucket/up_1")]
        assert Either(kind, server.url).upload(b"some bytes").id == "up_1"
        assert [body for *_, body in storage.asked] == [b"some bytes"] * 2
        assert not any("X-API-Key" in headers for _, _, headers, _ in storage.asked)
    finally:
        storage.close()


@both
def test_behind_a_proxy_the_apis_own_addresses_are_the_clients(kind: str, server: Server) -> None:
    job = server.job(url="http://inside.invalid:8080/v1/jobs/job_1/audio")
    server.replies = [part, document(id="up_1", url="http://inside.invalid/v1/uploads/up_1"), Reply()]
    assert Either(kind, server.url).audio(job) == AUDIO
    Either(kind, server.url).upload(b"bytes")
    assert all(headers["X-API-Key"] == "chorus_key" for _, _, headers, _ in server.asked)


@both
def test_a_large_recording_is_uploaded_by_itself(kind: str, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(b"\1" * UPLOAD_FROM)
    upload, job = document(id="up_1", url=f"{server.url}/v1/uploads/up_1"), document(id="job_1", state="queued")
    for recording in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        server.replies, server.asked = [upload, BUSY, Reply(), job], []
        Either(kind, server.url).create("transcribe", recording=recording)
        (_, _, _, _), first, (method, _, headers, sent), (*_, body) = server.asked
        assert method == "PUT" and len(sent) == UPLOAD_FROM and first[3] == sent
        # Object storage takes nothing whose length is not said before.
        assert headers["Content-Length"] == str(UPLOAD_FROM) and "Transfer-Encoding" not in headers
        assert json.loads(body) == {"pipeline": "transcribe", "recording": {"upload": "up_1"}}


@both
def test_a_recording_may_be_an_open_file(kind: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "short.wav").write_bytes(b"headRIFF")
    reading, writing = os.pipe()
    os.write(writing, b"RIFF")
    os.close(writing)
    begun = (tmp_path / "short.wav").open("rb")
    begun.read(4)  # from where it stands
    for recording in (begun, os.fdopen(reading, "rb", closefd=True), io.BytesIO(b"RIFF")):
        server.replies, server.asked = [document(id="job_1", state="queued")], []
        Either(kind, server.url).create("transcribe", recording=recording)
        assert json.loads(server.asked[0][3])["recording"] == {"base64": base64.b64encode(b"RIFF").decode()}
        recording.close()
    with (tmp_path / "short.wav").open() as text, pytest.raises(ChorusError, match="binary"):
        Either(kind, server.url).create("transcribe", recording=text)
    with pytest.raises(ChorusError, match="not int"):
        Either(kind, server.url).create("transcribe", recording=7)


@both
def test_what_is_no_json_is_told(kind: str, server: Server) -> None:
    for wrong in (float("nan"), b"bytes", "caf\udce9"):
        with pytest.raises(ChorusError, match="JSON"):
            Either(kind, server.url).create("piper", "Hi.", metadata={"a": wrong})


@both
def test_a_batch_may_be_a_file(kind: str, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"job": {"text": "One."}}\n')
    for items in (path, str(path), io.BytesIO(path.read_bytes())):
        upload = document(id="up_1", url=f"{server.url}/v1/uploads/up_1")
        server.replies, server.asked = [upload, Reply(), document(id="batch_1", state="queued")], []
        Either(kind, server.url).create_batch(items, defaults={"pipeline": "piper"})
        assert server.asked[1][3] == path.read_bytes()
        assert json.loads(server.asked[2][3]) == {"defaults": {"pipeline": "piper"}, "upload": "up_1"}


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as found:
        for name in names:
            found.writestr(name, AUDIO)
    return file.getvalue()


@both
def test_a_zip_is_whole_or_not_there(kind: str, server: Server, tmp_path: Path) -> None:
    path, data = tmp_path / "a.zip", archive("a.wav", "b.wav")
    server.replies = [BUSY, Reply(200, data, cut=100_000), DROPPED, Reply(200, data)]
    Either(kind, server.url).save_zip("batch/1", path)
    assert path.read_bytes() == data and list(tmp_path.iterdir()) == [path]
    assert {p for _, p, *_ in server.asked} == {"/v1/batches/batch%2F1/zip"}
    for replies, error in (([Reply(200, data[:-100])], BadDownload), ([Reply(200, data, cut=9)] * 9, ConnectionFailed)):
        server.replies = list(replies)
        with pytest.raises(error):
            Either(kind, server.url).save_zip("batch_1", path)
        assert path.read_bytes() == data and list(tmp_path.iterdir()) == [path]


@both
def test_a_stream_is_tried_again_before_its_first_byte_alone(kind: str, server: Server) -> None:
    server.replies = [TOO_MANY, DROPPED, Reply(200, AUDIO)]
    assert b"".join(Either(kind, server.url).stream("job_1", "mp3")) == AUDIO
    assert {path for _, path, *_ in server.asked} == {"/v1/jobs/job_1/audio?stream=1&format=mp3"}
    server.replies, server.asked = [Reply(200, AUDIO, cut=1000), Reply(200, AUDIO)], []
    with pytest.raises(ConnectionFailed):
        Either(kind, server.url).stream("job_1")
    assert len(server.asked) == 1
    server.replies = [Reply(409, b'{"code": "job_failed"}', {"Content-Type": "application/json"})]
    with pytest.raises(ApiError):
        Either(kind, server.url).stream("job_1")


def message(number: int, kind: str) -> bytes:
    return f'id: job_1:1:{number}\nevent: {kind}\ndata: {{"n": {number}}}\n\n'.encode()


@both
def test_events_go_on_behind_the_last_one(kind: str, server: Server) -> None:
    retry = b"retry: 10\n\n"
    first = retry + message(1, "job.queued") + message(2, "job.running") + b'id: job_1:1:3\ndata: {"half"'
    last = message(3, "step.done") + b'event: progress\ndata: {"done": 1}\n\n'
    server.replies = [
        TOO_MANY,
        Reply(200, first + b"never sent", cut=len(first)),
        TOO_MANY,
        DROPPED,
        Reply(200, retry + last),  # ends without an error: come back
        Reply(200, retry + message(4, "job.succeeded") + message(5, "job.queued")),
    ]
    told = Either(kind, server.url).events("job_1")
    assert [event.type for event in told] == ["job.queued", "job.running", "step.done", "progress", "job.succeeded"]
    assert [event.id for event in told] == ["job_1:1:1", "job_1:1:2", "job_1:1:3", None, "job_1:1:4"]
    assert told[-1].data == {"n": 4}
    behind = [headers.get("Last-Event-ID") for _, _, headers, _ in server.asked]
    assert behind == [None, None, *["job_1:1:2"] * 3, "job_1:1:3"]
    server.replies = [Reply(204, headers={"Content-Length": "0"})]
    assert Either(kind, server.url).events("job_1") == []
    server.replies = [Reply(404, b'{"code": "job_not_found"}', {"Content-Type": "application/json"})]
    with pytest.raises(ApiError):
        Either(kind, server.url).events("job_1")


@both
def test_jobs_are_listed_page_by_page(kind: str, server: Server) -> None:
    pages = [
        document(data=[{"id": "job_3", "state": "queued"}, {"id": "job_2", "state": "queued"}], next="c 2"),
        document(data=[], next="c1"),
        document(data=[{"id": "job_1", "state": "queued"}], next=None),
    ]
    server.replies = list(pages)
    found = Either(kind, server.url).jobs(limit=2, metadata={"book": "a&b"})
    assert [job.id for job in found] == ["job_3", "job_2", "job_1"]
    asked = [path.partition("?")[2] for _, path, *_ in server.asked]
    assert asked[:2] == ["limit=2&metadata.book=a%26b", "limit=2&cursor=c+2&metadata.book=a%26b"]
    server.replies, server.asked = [pages[2]], []
    assert [job.id for job in Either(kind, server.url).jobs(cursor="c1")] == ["job_1"]
    assert server.asked[0][1] == "/v1/jobs?cursor=c1"


# -- by itself


def test_the_client_is_installed_and_imported_alone(tmp_path: Path) -> None:
    source, target = tmp_path / "client", tmp_path / "site"
    shutil.copytree(ROOT / "client", source, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, source], check=True)
    program = (
        f"import sys; sys.path.insert(0, {str(target)!r}); before = set(sys.modules)\n"
        "import chorus_client\n"
        "print(chorus_client.__file__); print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=tmp_path)
    file, modules = said.stdout.splitlines()
    assert Path(file).parent == target / "chorus_client" and (target / "chorus_client" / "py.typed").exists()
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert "httpx" in modules.split() and "core" in ours
    assert not set(modules.split()) & (ours | {"flask", "redis", "celery", "pydantic", "numpy", "boto3"})


# -- the documents, against a whole stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("client") / "home", models=MODELS, env={"OMP_NUM_THREADS": "1"}) as running:
        running.wait_ready(240)
        yield running


def recordings() -> list[tuple[Path, str]]:
    """Recordings of one speaker, the longest first, and what is said in them."""
    with data_path("manifest.tsv").open() as file:
        rows = [
            row for row in csv.DictReader(file, delimiter="\t") if row["speaker"] == "ls_1688" and row["transcript"]
        ]
    rows.sort(key=lambda row: -float(row["duration_s"]))
    return [(data_path(row["file"]), row["transcript"]) for row in rows[:2]]


def seconds(data: bytes) -> float:
    return len(decode(data, 16_000, max_seconds=60)) / 16_000


@pytest.mark.slow
def test_every_example_of_the_documents_runs(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_URL", stack.url)
    monkeypatch.setenv("CHORUS_API_KEY", stack.api_key)
    for number, (recording, _) in enumerate(recordings(), 1):
        samples, rate = soundfile.read(recording)
        soundfile.write(f"ann-{number}.wav", samples, rate)
    Path("cover.jpg").write_bytes(jpeg())
    names: dict[str, Any] = {"__name__": "example"}
    printed: list[str] = []
    for document_path in (ROOT / "client/README.md", ROOT / "docs/client.md"):
        blocks = re.findall(r"^```python\n(.*?)^```$", document_path.read_text(), re.MULTILINE | re.DOTALL)
        assert blocks
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"{document_path.name}, block {number}", "exec"), names)
            printed.append(capsys.readouterr().out)
        if document_path.name == "README.md":
            assert 0.5 < seconds(names["wav"]) < 3
    names["chorus"].close()
    said = "".join(printed)

    # What was spoken is speech, of the length that such sentences take.
    assert 1.5 < seconds(names["wav"]) < 5
    assert 1.5 < seconds(Path("king.mp3").read_bytes()) < 5
    assert 1.5 < seconds(names["ann_says"]) < 5 and 0.8 < seconds(Path("preview.wav").read_bytes()) < 4
    assert 2.5 < seconds(Path("colt.mp3").read_bytes()) < 8
    assert Path("colt.mp3").read_bytes()[:2] in (b"ID", b"\xff\xfb", b"\xff\xf3")
    assert 1.5 < seconds(names["first"]) < 5 and 1.5 < seconds(names["second"]) < 5
    with av.open("book.m4b") as book:
        assert [one["metadata"]["title"] for one in book.chapters()] == ["One", "Two"]
        assert book.metadata["artist"] == "An Author" and len(book.streams.video) == 1
    with zipfile.ZipFile("lines.zip") as lines:
        assert sorted(lines.namelist()) == ["line-1.flac", "line-2.flac", "line-3.flac", "manifest.jsonl"]
        assert all(0.4 < seconds(lines.read(f"line-{n}.flac")) < 3 for n in (1, 2, 3))
    with Client(stack.url, stack.api_key) as client:
        heard = client.transcribe(names["wav"]).result
        assert heard is not None and heard.transcript is not None
        assert word_error_rate("The boy was there when the sun rose.", heard.transcript["text"]) <= 0.2

    # What was heard was said, and what is printed is what the documents promise.
    assert word_error_rate(recordings()[0][1], names["heard"]["text"]) <= 0.25
    assert names["ann"]["dimensions"] == len(names["ann"]["values"]) > 100
    assert "422 empty_text {'text': 'The text is empty.'}" in said
    assert "succeeded 1 1" in said and "seconds" in said and "bytes" in said
    assert "line-3 succeeded line-3.flac None" in said
    assert "['Ann of the north']" in said
    assert "2 ['Joe', 'SQL']\n['Names']" in said
    assert "job.queued" in said and "job.succeeded" in said
    assert "job.succeeded job_1\nrefused: The signature does not match." in said
    leftovers = [path.name for path in tmp_path.iterdir() if path.suffix == ".part" or path.name.startswith(".")]
    assert not leftovers


@pytest.mark.slow
@both
def test_a_whole_way_with_either_client(kind: str, stack: Stack, tmp_path: Path) -> None:
    chorus = Either(kind, stack.url, stack.api_key)
    assert chorus.ready() is True
    assert "piper" in {pipeline["id"] for pipeline in chorus.pipelines()} and chorus.models()
    text = f"Number {kind} was spoken. It is a long way to the river, and the road is wide."
    own = f"way.{kind}~1"
    made = chorus.create("piper", text, id=own, metadata={"kind": kind}, wait=1)
    assert chorus.create("piper", text, id=own, metadata={"kind": kind}).id == made.id
    streamed = b"".join(chorus.stream(own, "wav"))
    told = chorus.events(own)
    assert told[-1].type == "job.succeeded" and told[-1].data["id"] == made.id
    job = chorus.wait(own, timeout=60)
    assert job.done and job.custom_id == own and job.result is not None and job.result.audio is not None
    saved = chorus.save(job, tmp_path / "a.wav").read_bytes()
    assert saved == chorus.audio(own) and len(saved) == job.result.audio.bytes
    assert seconds(streamed) == pytest.approx(seconds(saved), abs=0.05)
    assert [found.id for found in chorus.jobs(metadata={"kind": kind}, limit=1)] == [made.id]
    with pytest.raises(ApiError) as refused:
        chorus.retry(own)
    assert (refused.value.status, refused.value.code) == (409, "job_succeeded")
    with pytest.raises(JobFailed) as failed:
        chorus.embed(_silence(tmp_path))
    assert failed.value.job.error is not None and failed.value.job.error.code == "no_speech"
    chorus.delete(own)
    with pytest.raises(ApiError) as gone:
        chorus.get(own)
    assert gone.value.code == "job_not_found"


def _silence(folder: Path) -> Path:
    path = folder / "silence.wav"
    soundfile.write(path, [0.0] * 32_000, 16_000)
    return path


@pytest.mark.slow
@both
def test_a_large_recording_reaches_the_service(kind: str, stack: Stack, tmp_path: Path) -> None:
    samples, rate = soundfile.read(recordings()[0][0])
    path = tmp_path / "large.wav"
    # As 64-bit samples, and repeated, it is larger than what travels inside a request.
    times = -(-UPLOAD_FROM // (8 * len(samples)))
    with soundfile.SoundFile(path, "w", rate, 1, subtype="DOUBLE") as file:
        for _ in range(times):
            file.write(samples)
    assert path.stat().st_size > UPLOAD_FROM
    job = Either(kind, stack.url, stack.api_key).vad(path)
    assert job.result is not None and job.result.segments
    assert job.result.duration == pytest.approx(times * len(samples) / rate, abs=0.1)


@pytest.mark.slow
def test_files_do_not_hold_the_loop_up(stack: Stack, tmp_path: Path) -> None:
    """While a large file is uploaded, other tasks of the same loop go on."""
    path = tmp_path / "large.bin"
    path.write_bytes(b"\1" * 64 * 2**20)

    async def run() -> tuple[float, float]:
        """Seconds of the longest time in which nothing else ran, and of the whole."""
        gaps, began = [0.0], time.monotonic()
        last = began
        async with AsyncClient(stack.url, stack.api_key) as chorus:
            upload = asyncio.create_task(chorus.upload(path))
            while not upload.done():
                await asyncio.sleep(0.005)
                gaps.append(time.monotonic() - last)
                last = time.monotonic()
            await upload
        return max(gaps), last - began

    longest, whole = asyncio.run(run())
    assert longest < whole / 2, (longest, whole)


@pytest.mark.slow
def test_a_stream_may_be_left(stack: Stack) -> None:
    with Client(stack.url, stack.api_key) as chorus:
        job = chorus.create("piper", " ".join(f"It goes on for a while, {n} times." for n in range(60)))
        with contextlib.closing(chorus.stream(job)) as stream:
            assert next(stream)
        assert chorus.cancel(job).state == "canceled"
        assert [event.type for event in chorus.events(job)][-1] == "job.canceled"


def test_the_command_saves_what_a_pipeline_gives(stack: Stack, tmp_path: Path) -> None:
    def submit(*arguments: str) -> tuple[int, str]:
        told = CliRunner().invoke(commands, ["submit", *arguments, "--url", stack.url, "--api-key", stack.api_key])
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        return told.exit_code, told.output

    (tmp_path / "said.txt").write_text("Hello, world.", encoding="utf-16")
    said, heard = tmp_path / "said.flac", tmp_path / "heard.txt"
    assert submit("--file", str(tmp_path / "said.txt"), "-o", str(said))[0] == 0
    assert said.read_bytes()[:4] == b"fLaC"
    ears = ("--pipeline", "transcribe", "--recording", str(said), "-o")
    assert submit(*ears, str(heard))[0] == 0
    assert heard.read_text().lower().startswith("hello")
    assert submit(*ears, str(tmp_path / "heard.json"))[0] == 0
    assert json.loads((tmp_path / "heard.json").read_text())["transcript"]["language"] == "en"
    code, output = submit(*ears, str(tmp_path / "heard.wav"))
    assert code == 2 and "not audio" in output
    code, output = submit("--text", "Hi.", "-o", str(tmp_path / "said.doc"))
    assert code == 2 and ".wav, .flac" in output


def test_lexicons_on_the_command_line(stack: Stack, tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> str:
        place = ("--url", stack.url, "--api-key", stack.api_key)
        told = CliRunner().invoke(commands, [*map(str, arguments), *place])
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        assert told.exit_code == 0, told.output
        return str(told.stdout).strip()

    file = tmp_path / "names.csv"
    file.write_text("Joe,Joseph\nSQL,,sˈiːkwəl,true\n", "utf-8")
    made = run("lexicons", "create", "My names", file, "--language", "en")
    assert run("lexicons", "update", made, "--say", "Ann=Anna", "--ipa", "joe=dʒˈoʊ", "--remove", "sql") == "2"
    assert run("lexicons", "update", made, "--name", "Names") == "3"
    shown = run("lexicons", "show", made)
    assert shown.splitlines()[1:] == ["Ann,Anna,,false,true", "joe,,dʒˈoʊ,false,true"]
    assert "SQL,,sˈiːkwəl,true,true" in run("lexicons", "show", made, "--version", "1")
    file.write_text(shown, "utf-8")
    assert run("lexicons", "update", made, file) == "3"
    assert made in run("lexicons", "list")
    job = run("submit", "--text", "Joe.", "--lexicon", made, "--lexicon", f"{made}:1", "--no-wait")
    with Client(stack.url, stack.api_key) as chorus:
        assert chorus.get(job).lexicons == ({"id": made, "version": 3}, {"id": made, "version": 1})
        run("lexicons", "delete", made)
        assert chorus.wait(job, timeout=60).state == "succeeded"


def test_say_speaks_to_a_file_or_shows_what_it_would_say(stack: Stack, tmp_path: Path) -> None:
    def say(*arguments: str, **more: Any) -> tuple[int, str, str]:
        asked = ["say", *arguments, "--url", stack.url, "--api-key", stack.api_key]
        told = CliRunner().invoke(commands, asked, env={"COLUMNS": "80"}, **more)
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        return told.exit_code, told.stdout, told.stderr

    text = "Dr. Smith paid $5.50."
    code, shown, _ = say(text, "--dry-run")
    assert code == 0 and "Doctor Smith paid five" in shown and "smˈɪθ" in shown and "piper-joe, joe" in shown
    code, shown, _ = say("-", "--dry-run", "--json", "--normalize", "none", input=text)
    [utterance] = json.loads(shown)["utterances"]
    assert utterance["spoken"] == text
    target = tmp_path / "said.flac"
    assert say(text, "-o", str(target), "--timestamps", "word", "--subtitles", "srt")[0] == 0
    [timed] = json.loads((tmp_path / "said.timestamps.json").read_text())["utterances"]
    assert [word["word"] for word in timed["words"]] == text.split()
    assert (tmp_path / "said.srt").read_text().endswith(f"\n{text}\n")
    assert target.read_bytes()[:4] == b"fLaC" and 1 < seconds(target.read_bytes()) < 5
    before = target.stat().st_mtime_ns
    code, _, told = say(text, "-o", str(target))
    assert code == 2 and "--force" in told and target.stat().st_mtime_ns == before
    assert say("Hello.", "-o", str(target), "--force")[0] == 0 and seconds(target.read_bytes()) < 1.5
    code, _, told = say("?!", "--dry-run")
    assert code == 1 and "no_words" in told
    with Client(stack.url, stack.api_key) as chorus:
        assert chorus.preview_text(chapters=[{"text": text}, {"text": "Two."}]).utterances[1].chapter == 1
        newest = chorus.page(limit=1).data[0]
        assert newest.raw["priority"] == "interactive"
