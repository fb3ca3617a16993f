"""Secrets of owners and operators stay where they belong: not in logs, answers, arguments or files that others read."""

from __future__ import annotations

import contextlib
import json
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest

from cli.local.embedded import Valkey
from cli.local.home import free_ports
from cli.local.layout import program, source_path
from cli.local.stack import Stack
from cli.local.supervisor import kill_session, spawn, tail
from core.redaction import HIDDEN
from core.redis import connect
from storage.access.keys import create_key
from tests.conftest import S3
from tests.waiting import wait_for

pytestmark = pytest.mark.patient

PASSWORD = "redis/p@ss?word-1"
S3_SECRET = "s3/Secret+that=is-wrong"
URL_SECRET = "token-in-the-receivers-url"

#: Adds a view that fails with all that it was sent in the message of its exception and of the cause.
API = """
import api.app, flask, cli.main
from api.openapi.operation import unpublished
known = api.app._add_routes
def routes(app):
    known(app)
    @app.route("/v1/fail/<path:rest>", methods=["GET", "POST"])
    @unpublished
    def fail(rest):
        asked = flask.request
        try:
            raise KeyError(str(asked.headers))
        except KeyError as error:
            told = [asked.url, asked.environ, asked.form, asked.files, asked.get_data()]
            app.logger.debug("asked %s with %r", asked.url, dict(asked.headers), extra={"form": asked.form})
            raise RuntimeError(repr(told)) from error
api.app._add_routes = routes
cli.main.main()
"""

#: A worker whose first step tells every logger what it knows, and fails with it.
WORKER = """
import logging, os, cli.main, workers.steps.registry as registry
from celery.utils.log import get_multiprocessing_logger
from core.names import Role
from core.settings import settings
def fail(*_):
    told = f"{os.environ['TOLD']} {settings().redis_url} {settings().s3_secret_key.get_secret_value()}"
    for name in ("celery", "celery.task", "celery.worker.strategy", "celery.app.trace", "kombu.transport", "botocore"):
        logging.getLogger(name).error("saw %s", told)
    get_multiprocessing_logger().error("saw %s", told)
    raise RuntimeError(told)
registry.CPU_STEPS[Role.PREPARE] = fail
cli.main.main()
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """The URL of a Valkey with a password."""
    server = Valkey(tmp_path / "valkey", free_ports(1)[0])
    process = spawn([*server.command(), "--requirepass", PASSWORD], env={}, log=tmp_path / "valkey-server")
    url = f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/0"

    def ready() -> bool:
        with contextlib.closing(connect(url)) as client, contextlib.suppress(Exception):
            return bool(client.ping())
        return False

    try:
        wait_for(ready, 40, lambda: tail(tmp_path / "valkey-server", 20))
        yield url
    finally:
        kill_session(process.pid)
        process.wait()


def test_no_log_at_debug_has_a_secret_in_it(guarded: str, seaweedfs: S3, tmp_path: Path) -> None:
    with contextlib.closing(connect(guarded)) as client:
        key = create_key(client, "ann")
    port, closed = free_ports(2)
    env = {
        **source_path(),
        "CHORUS_REDIS_URL": guarded,
        "CHORUS_S3_ENDPOINT": seaweedfs.endpoint,
        "CHORUS_S3_BUCKET": seaweedfs.bucket,
        "CHORUS_S3_ACCESS_KEY": seaweedfs.access_key,
        "CHORUS_S3_SECRET_KEY": S3_SECRET,
        "CHORUS_API_PORT": str(port),
        "CHORUS_EGRESS_ALLOW": f"127.0.0.1:{closed}",
        "CHORUS_WEBHOOK_GAPS": "0.1,0.1",
        "CHORUS_LOG_LEVEL": "DEBUG",
        "TOLD": f"{key} Authorization: Bearer {key}",
    }
    wrong = guarded.replace(quote(PASSWORD, safe=""), "a-wrong-password")
    unreadable = f"redis://:before-the-slash/after-it@127.0.0.1:{port}/0"
    runs = {
        "api": ([sys.executable, "-P", "-c", API, "api"], {"CHORUS_LOG_FORMAT": "json"}),
        "worker": ([sys.executable, "-P", "-c", WORKER, "worker", "cpu", "--processes", "1"], {}),
        "sender": (program("sender"), {"CHORUS_LOG_FORMAT": "json"}),
        "wrong": (program("reaper"), {"CHORUS_REDIS_URL": wrong}),
        "unreadable": (program("reaper"), {"CHORUS_REDIS_URL": unreadable}),
    }
    logs = {name: tmp_path / f"{name}.log" for name in runs}
    started = {name: spawn(command, env={**env, **more}, log=logs[name]) for name, (command, more) in runs.items()}

    def said(name: str, *words: str) -> bool:
        return all(word in logs[name].read_text() for word in words)

    try:
        base = f"http://127.0.0.1:{port}"

        def serves() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{base}/healthz").status_code == 200
            return False

        wait_for(serves, 60, lambda: tail(logs["api"], 30))
        with httpx.Client(base_url=base, headers={"X-API-Key": key}, timeout=30) as http:
            hook = http.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{closed}/in?token={URL_SECRET}"}).json()
            answers = _failing_requests(http, key, hook["secret"])
            job = http.post("/v1/jobs", json={"pipeline": "piper", "text": "Hello."}).json()["id"]
            wait_for(
                lambda: http.get(f"/v1/jobs/{job}").json()["state"] == "failed", 60, lambda: tail(logs["worker"], 30)
            )
            assert http.post(f"/v1/webhooks/{hook['id']}/test").status_code < 300
            deliveries = f"/v1/webhooks/{hook['id']}/deliveries"
            wait_for(lambda: '"failed"' in http.get(deliveries).text, 60, lambda: http.get(deliveries).text)
            shown = [http.get(path) for path in (f"/v1/jobs/{job}", deliveries, "/v1/webhooks", "/metrics", "/readyz")]
            shown += [httpx.get(f"{base}/v1/jobs", headers={"X-API-Key": key[:-1]}), *answers]
        wait_for(lambda: said("wrong", "waiting"), 30, lambda: tail(logs["wrong"], 30))
        assert started["unreadable"].wait(30) == 2
        arguments = [" ".join(p.cmdline()) for s in started.values() for p in _with_children(s.pid)]
    finally:
        for process in started.values():
            kill_session(process.pid)
            process.wait()

    secrets = {
        *(key[7:], hook["secret"][6:], PASSWORD, quote(PASSWORD, safe=""), S3_SECRET, quote(S3_SECRET, safe="")),
        *(URL_SECRET, "a-wrong-password", "before-the-slash", "after-it"),
    }
    for name, log in logs.items():
        text = log.read_text()
        assert [secret for secret in secrets if secret in text] == [], name
    assert said("api", "A request failed.", "RuntimeError", "KeyError", HIDDEN)
    assert logs["worker"].read_text().count(f"saw chorus_{HIDDEN}") >= 7 and said("worker", "RuntimeError")
    for answer in shown:
        own = {URL_SECRET} if "/webhooks" in str(answer.url) else set()  # an owner sees the URLs of her endpoints
        assert [secret for secret in secrets - own if secret in answer.text] == [], answer.url
    assert len(arguments) >= 4 and [a for a in arguments if any(secret in a for secret in secrets)] == []


def _failing_requests(http: httpx.Client, key: str, hook: str) -> list[httpx.Response]:
    """Answers to requests that fail, with a key and a webhook's secret in every place."""
    body = {"api_key": key, "secret": hook}
    headers = {"Authorization": f"Bearer {key}", "X-Auth-Token": key, "Cookie": f"key={key}", "Idempotency-Key": key}
    failed = [
        http.get("/v1/fail/header", headers=headers),
        http.get(f"/v1/fail/{key}", params={"api_key": key, "X-API-Key": key, "token": hook}),
        http.post("/v1/fail/json", json=body, headers=headers),
        http.post("/v1/fail/form", data=body, files={"file": (f"{key}.wav", hook.encode()), key: b""}),
        http.post("/v1/fail/form", data={key: hook}),
    ]
    assert [answer.status_code for answer in failed] == [500] * 5
    refused = [
        http.get("/v1/jobs", headers={"Authorization": f"Bearer {key}x"}),
        http.post("/v1/jobs", json={"pipeline": "piper", "text": "Hi.", "api_key": key}),
        http.post("/v1/jobs", content=f'{{"secret": "{hook}", {key}'),
        http.get("/v1/jobs", params={"api_key": key}),
        http.get("/v1/jobs", params={"limit": key}),
    ]
    assert [answer for answer in refused if not 400 <= answer.status_code < 500] == []
    return failed + refused


def _with_children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def test_chorus_up_keeps_its_keys_to_its_user(stack: Stack) -> None:
    """In files that only the user can read, and in the environment; not in logs, output or arguments."""
    home = stack.home.path
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {modes[name] for name in ("api-key", "s3-key", "state.json")} == {0o600}
    secrets = [(home / "api-key").read_text().strip(), *(home / "s3-key").read_text().split()[1:]]
    assert len(secrets) == 2 and all(len(secret) > 20 for secret in secrets)
    httpx.get(f"{stack.url}/v1/jobs", headers={"X-API-Key": secrets[0]}).raise_for_status()
    assert stack.process is not None
    arguments = [" ".join(p.cmdline()) for p in _with_children(stack.process.pid)]
    assert len(arguments) >= 6
    told = [*arguments, (home / "state.json").read_text(), (home / "ports.json").read_text()]
    told += [path.read_text(errors="replace") for path in stack.home.logs.glob("*.log")]
    assert [text[:200] for text in told if any(secret in text for secret in secrets)] == []
    assert re.search(r"API key: +\S+api-key\n", stack.log.read_text()), "it says the file"
    assert json.loads((home / "state.json").read_text())["state"] == "ready"
