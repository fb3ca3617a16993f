"""Uploads: how many bytes come in, how many places there are, and when they are gone."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import redis
from chorus_client.contents import source_of
from flask import Flask
from flask.testing import FlaskClient
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from api import create_app
from core.errors import NotFound, TooLarge
from core.redis import connect
from core.settings import Settings
from storage.access.keys import create_key
from storage.objects.objects import Objects
from storage.objects.uploads import FORM_SECONDS, UPLOAD_SECONDS, Uploads
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from workers.upkeep.sweep import Sweep

LIMIT = 1024


@pytest.fixture
def settings(valkey: str, seaweedfs: S3) -> Settings:
    bounds = {"max_upload_bytes": LIMIT, "max_uploads_per_owner": 5, "max_upload_bytes_per_owner": 3 * LIMIT}
    return settings_for(valkey, seaweedfs, **bounds)


@pytest.fixture
def line(settings: Settings) -> CpuLine:
    return CpuLine(settings)


@pytest.fixture
def app(settings: Settings, valkey: str) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings)


@pytest.fixture
def posting(settings: Settings, seaweedfs: S3, valkey: str) -> Iterator[FlaskClient]:
    """A client of ``ann``'s of an API whose storage clients reach."""
    public = seaweedfs.endpoint.replace("127.0.0.1", "localhost")
    key = create_key(connect(valkey), "ann")
    with create_app(settings.model_copy(update={"s3_public_url": public})).test_client() as found:
        found.environ_base["HTTP_X_API_KEY"] = key
        yield found


def opened(client: FlaskClient) -> str:
    answer = client.post("/v1/uploads")
    assert answer.status_code == 201, answer.data
    return str(answer.get_json()["id"])


def code(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, (answer.get_json(silent=True) or {}).get("code")


def put(client: FlaskClient, upload: str, size: int) -> tuple[int, str | None]:
    return code(client.put(f"/v1/uploads/{upload}", data=b"x" * size))


def use(client: FlaskClient, upload: str) -> tuple[int, str | None]:
    return code(client.post("/v1/batches", json={"upload": upload}))


def held(valkey: str) -> int:
    """Bytes that are counted for ``ann``; their sum is right."""
    client = redis.Redis.from_url(valkey)
    sizes: Any = client.hgetall("ch:heldbytes:ann")
    client.close()
    total = int(sizes.pop(b"all", 0))
    assert total == sum(map(int, sizes.values()))
    return total


def test_open_uploads_are_bounded_until_used_deleted_or_expired(client: FlaskClient, valkey: str, app: Flask) -> None:
    ids = [opened(client) for _ in range(5)]
    refused = client.post("/v1/uploads")
    assert code(refused) == (429, "too_many_uploads") and int(refused.headers["Retry-After"]) > 0
    assert refused.get_json()["retryable"] is True
    assert use(client, ids[0]) == (422, "upload_empty")
    assert client.post("/v1/uploads").status_code == 429, "what is empty was not used"
    assert put(client, ids[0], 10)[0] == 200
    assert use(client, ids[0])[0] == 202
    ids.append(opened(client))
    assert client.post("/v1/uploads").status_code == 429
    assert client.delete(f"/v1/uploads/{ids[1]}").status_code == 204
    ids.append(opened(client))
    with app.test_client() as other:  # another owner has places of their own, and none of these
        other.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "eve")
        opened(other)
        for answer in (put(other, ids[2], 1), code(other.delete(f"/v1/uploads/{ids[2]}")), use(other, ids[0])):
            assert answer == (404, "upload_not_found")
    places = redis.Redis.from_url(valkey)
    places.zadd("ch:uploads:ann", {ids[2]: time.time() - 1})
    places.close()
    opened(client)


def test_many_at_once_make_no_more_places_than_are_allowed(app: Flask, valkey: str) -> None:
    key = create_key(connect(valkey), "ann")

    def make(_: int) -> int:
        with app.test_client() as client:
            return client.post("/v1/uploads", headers={"X-API-Key": key}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(40))) == [201] * 5 + [429] * 35


def test_bytes_are_bounded_for_one_upload_and_for_all(client: FlaskClient, valkey: str, line: CpuLine) -> None:
    first, second, third, fourth = (opened(client) for _ in range(4))
    assert put(client, first, LIMIT + 1) == (413, "too_large") and held(valkey) == 0
    assert put(client, first, 0) == (422, "upload_empty")
    for upload in (first, first, second, third):  # again: a PUT may be tried again
        assert put(client, upload, LIMIT)[0] == 200
    assert held(valkey) == 3 * LIMIT
    assert put(client, fourth, 1) == (429, "too_many_uploads")
    assert line.connections.objects.head(f"ann/uploads/{fourth}") is None
    assert put(client, first, 1)[0] == 200 and held(valkey) == 3 * LIMIT, "an earlier PUT might end later"
    assert use(client, first)[0] == 202
    assert put(client, first, 1) == (409, "upload_used"), "what was used stays as it was"
    assert use(client, first)[0] == 202, "again"
    assert put(client, fourth, 1) == (429, "too_many_uploads"), "the bytes are there still"
    assert client.delete(f"/v1/uploads/{first}").status_code == 204 and held(valkey) == 2 * LIMIT
    assert line.connections.objects.head(f"ann/uploads/{first}") is None
    assert put(client, first, 1) == (404, "upload_not_found")
    assert put(client, fourth, LIMIT)[0] == 200


@pytest.mark.parametrize("length", [None, "-5", "1e3", "99999999999999999999", "+7"])
def test_a_body_of_no_told_length_is_bounded_as_well(client: FlaskClient, length: str | None) -> None:
    upload = opened(client)
    read = 0

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            nonlocal read
            assert read < 8 * 2**20
            read += len(buffer)
            return len(buffer)

    environ = {"wsgi.input_terminated": True, "wsgi.input": io.BufferedReader(Endless())}
    answer = client.put(f"/v1/uploads/{upload}", environ_overrides={**environ, "CONTENT_LENGTH": length or ""})
    assert 400 <= answer.status_code < 500, answer.data
    assert use(client, upload) == (422, "upload_empty")


@pytest.mark.parametrize(("body", "told"), [(b"x" * 10, "500"), (b"5\r\nxxxxx\r\n5\r\nxx", None)])
def test_a_body_that_breaks_off_is_not_kept(client: FlaskClient, body: bytes, told: str | None) -> None:
    upload = opened(client)
    told_by = f"Content-Length: {told}" if told else "Transfer-Encoding: chunked"
    head = f"PUT / HTTP/1.1\r\nHost: a\r\n{told_by}\r\n\r\n".encode()
    stream = Request(Config(), IterUnreader(iter([head + body])), ("127.0.0.1", 1)).body
    environ = {"wsgi.input_terminated": True, "wsgi.input": stream, "CONTENT_LENGTH": told or ""}
    answer = client.put(f"/v1/uploads/{upload}", environ_overrides=environ)
    assert answer.status_code == 400, answer.data
    assert use(client, upload) == (422, "upload_empty")


def test_puts_that_race_hold_what_the_larger_may_bring(app: Flask, client: FlaskClient, valkey: str) -> None:
    uploads = [opened(client) for _ in range(4)]
    key = client.environ_base["HTTP_X_API_KEY"]
    start = threading.Barrier(8)

    def bring(number: int) -> int:
        with app.test_client() as other:
            start.wait()
            body = b"x" * (LIMIT if number % 2 else 100)
            return other.put(f"/v1/uploads/{uploads[number // 2]}", data=body, headers={"X-API-Key": key}).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(bring, range(8)))
    assert set(answers) <= {200, 429} and 429 in answers and held(valkey) <= 3 * LIMIT


def test_expired_uploads_are_swept_however_young(client: FlaskClient, valkey: str, line: CpuLine) -> None:
    over, there = opened(client), opened(client)
    for upload in (over, there):
        assert put(client, upload, 10)[0] == 200
    places = redis.Redis.from_url(valkey)
    assert 0 < places.ttl(f"ch:upload:{over}") <= UPLOAD_SECONDS
    assert 0 < places.ttl("ch:heldbytes:ann") <= UPLOAD_SECONDS
    places.delete(f"ch:upload:{over}")
    places.zadd("ch:held:ann", {over: time.time() - 1})
    places.close()
    Sweep(line.connections, 86_400).run()
    assert line.connections.objects.head(f"ann/uploads/{over}") is None
    assert line.connections.objects.head(f"ann/uploads/{there}") is not None
    assert put(client, there, 11)[0] == 200 and held(valkey) == 11


def test_an_upload_that_is_deleted_while_it_arrives_leaves_nothing(
    client: FlaskClient, line: CpuLine, settings: Settings, tmp_path: Any
) -> None:
    upload = opened(client)
    path = tmp_path / "bytes"
    path.write_bytes(b"bytes")
    uploads = Uploads(line.connections.redis, line.connections.objects, settings)
    uploads.expect("ann", upload, 5)
    assert client.delete(f"/v1/uploads/{upload}").status_code == 204
    with pytest.raises(NotFound):
        uploads.put("ann", upload, path)
    assert line.connections.objects.head(f"ann/uploads/{upload}") is None


def test_what_grows_between_the_look_and_the_download_is_refused(
    client: FlaskClient, line: CpuLine, settings: Settings, tmp_path: Any
) -> None:
    upload = opened(client)
    assert put(client, upload, 10)[0] == 200

    class Growing(Objects):
        def get_file(self, name: str, path: Any) -> None:
            self.put(name, b"x" * 100, "application/octet-stream")  # a PUT that began before
            super().get_file(name, path)

    uploads = Uploads(line.connections.redis, Growing(settings), settings)
    with pytest.raises(TooLarge):
        uploads.fetch("ann", upload, tmp_path / "bytes", 50)


def test_a_form_takes_no_more_bytes_than_are_allowed(posting: FlaskClient, line: CpuLine) -> None:
    view = posting.post("/v1/uploads").get_json()
    assert view["method"] == "POST" and view["max_bytes"] == LIMIT
    objects, name = line.connections.objects, f"ann/uploads/{view['id']}"

    def post(size: int, **fields: str) -> int:
        return httpx.post(view["url"], data={**view["fields"], **fields}, files={"file": b"x" * size}).status_code

    for size in (0, LIMIT + 1, 50_000_000):
        assert post(size) >= 400 and objects.head(name) is None
    chunks = source_of(b"x" * (LIMIT + 1)).in_form(view["fields"], "b").chunks()
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert httpx.post(view["url"], content=chunks, headers=kind).status_code >= 400, "of no told length"
    assert post(10, key="eve/uploads/x") >= 400 and post(10, policy="e30=") >= 400
    assert httpx.put(f"{view['url']}/{name}", params=view["fields"], content=b"x").status_code >= 400
    assert objects.head(name) is None
    assert post(LIMIT) < 300
    info = objects.head(name)
    assert info is not None and info.size == LIMIT


def test_a_form_holds_its_bytes_until_it_lapses(posting: FlaskClient, valkey: str, settings: Settings) -> None:
    views = [posting.post("/v1/uploads").get_json() for _ in range(3)]
    assert held(valkey) == 3 * LIMIT
    assert code(posting.post("/v1/uploads")) == (429, "too_many_uploads")
    assert posting.delete(f"/v1/uploads/{views[0]['id']}").status_code == 204
    assert code(posting.post("/v1/uploads")) == (429, "too_many_uploads"), "it may be posted still"
    source = source_of(b"{}").in_form(views[1]["fields"], "boundary")
    kind = {"Content-Type": "multipart/form-data; boundary=boundary", "Content-Length": str(source.size)}
    assert httpx.post(views[1]["url"], content=source.chunks(), headers=kind).status_code < 300
    assert use(posting, views[1]["id"])[0] == 202
    assert held(valkey) == 3 * LIMIT
    later = time.time() + FORM_SECONDS
    places = redis.Redis.from_url(valkey)
    forms: Any = [name for name in places.zrange("ch:held:ann", 0, -1) if bytes(name).endswith(b":form")]
    assert len(forms) == 2
    for name in forms:
        assert later - 60 < float(places.zscore("ch:held:ann", name)) <= later  # type: ignore[arg-type]
        places.zadd("ch:held:ann", {name: time.time() - 1})
    places.close()
    opened(posting)
    assert held(valkey) == 2 * LIMIT + 2, "one not used, one new, and what was used has two bytes"


def test_the_client_fills_a_form_in(posting: FlaskClient, line: CpuLine, tmp_path: Any) -> None:
    from chorus_client import AsyncClient, Client, Retry
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, posting.application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        place = (f"http://127.0.0.1:{server.port}", posting.environ_base["HTTP_X_API_KEY"])
        path = tmp_path / "recording"
        path.write_bytes(b"\0\r\n--" * 100)
        quick = Retry(attempts=1)
        with Client(*place, retry=quick) as chorus:
            first = chorus.upload(path)

        async def other() -> str:
            async with AsyncClient(*place, retry=quick) as chorus:
                return (await chorus.upload(path)).id

        for upload in (first.id, asyncio.run(other())):
            assert line.connections.objects.get(f"ann/uploads/{upload}") == path.read_bytes()
        assert "X-Amz" not in repr(first).title() and first.fields
        with Client(*place, retry=quick) as chorus:
            chorus.delete_upload(first)
        assert line.connections.objects.head(f"ann/uploads/{first.id}") is None
    finally:
        server.shutdown()
        server.server_close()
