"""Keys and limits over four real API processes, and a Redis that stops."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import psutil
import pytest
import redis

from cli.local.embedded import Valkey
from cli.local.home import free_ports
from core.names import Scope
from core.redis import connect
from storage.access.keys import create_key, digest_of, key_id
from storage.access.limits import Limits
from tests.acceptance.test_following import Api, api_process
from tests.conftest import S3, running
from tests.waiting import wait_for

pytestmark = pytest.mark.patient

PROCESSES = 4


@dataclass
class Service:
    api: Api
    ledger: redis.Redis
    valkey: int  #: process id

    def ask(self, secret: str, path: str = "/v1/jobs", method: str = "GET", content: bytes = b"") -> httpx.Response:
        """A request on a connection of its own, which any process may take."""
        return httpx.request(
            method,
            f"http://127.0.0.1:{self.api.port}{path}",
            headers={"X-API-Key": secret, "Content-Type": "application/json"},
            content=content,
            timeout=60,
        )

    def ask_all(self, secret: str, number: int) -> list[httpx.Response]:
        """As many requests at once as there are threads."""
        with ThreadPoolExecutor(20) as pool:
            return list(pool.map(lambda _: self.ask(secret), range(number)))


@pytest.fixture(scope="module")
def service(seaweedfs: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("limits")
    server = Valkey(folder / "valkey", free_ports(1)[0])
    command = [sys.executable, "-P", "-m", "cli.main", "api", "--processes", str(PROCESSES)]
    with contextlib.ExitStack() as held:
        valkey = held.enter_context(running(server, folder / "valkey.log"))
        address = f"{server.url}?socket_timeout=2"  # a Redis that hangs is given up sooner
        api = held.enter_context(api_process(address, seaweedfs, folder, {}, command))
        wait_for(lambda: len(psutil.Process(api.pid).children()) == PROCESSES, 20, "all processes")
        yield Service(api, held.enter_context(contextlib.closing(connect(server.url))), valkey)


def test_a_burst_over_four_processes_gets_exactly_its_limit(service: Service) -> None:
    secret = create_key(service.ledger, "eve", limits=Limits(requests_per_minute=30))
    began = time.monotonic()
    answers = service.ask_all(secret, 100)
    assert time.monotonic() - began < 60
    assert Counter(answer.status_code for answer in answers) == {200: 30, 429: 70}
    for answer in answers:
        assert answer.headers["RateLimit-Policy"] == '"requests";q=30;w=60'
        assert ("retry-after" in answer.headers) == (answer.status_code == 429)
    left = sorted(int(answer.headers["RateLimit"].split(";")[1][2:]) for answer in answers)
    assert left == [*[0] * 70, *range(30)]


def test_a_key_revoked_in_one_process_is_refused_by_all_at_once(service: Service) -> None:
    admin = create_key(service.ledger, "root", scopes=frozenset((Scope.ADMIN,)))
    secret = create_key(service.ledger, "eve")
    assert {answer.status_code for answer in service.ask_all(secret, 40)} == {200}
    assert service.ask(admin, f"/v1/keys/{key_id(digest_of(secret))}", "DELETE").status_code == 204
    assert {answer.status_code for answer in service.ask_all(secret, 40)} == {401}


def test_a_large_body_counts_once_and_is_refused_before_it_is_read(service: Service) -> None:
    secret = create_key(service.ledger, "eve", limits=Limits(requests_per_minute=2))
    large = b'{"pipeline": "nothing", "text": "' + b"a" * 200_000 + b'"}'
    assert [service.ask(secret, method="POST", content=large).status_code for _ in range(2)] == [422, 422]
    refused = service.ask(secret, method="POST", content=large)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["RateLimit"].startswith('"requests";r=0;t=') and int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Connection"] == "close"
    service.ledger.hset(f"ch:key:{digest_of(secret)}", "expires", "1700000000")
    assert service.ask(secret, method="POST", content=large).status_code == 401


def test_nobody_is_let_in_while_redis_stands_still_or_is_gone(service: Service) -> None:
    secret = create_key(service.ledger, "eve")
    assert service.ask(secret).status_code == 200
    os.kill(service.valkey, signal.SIGSTOP)
    try:
        answers = service.ask_all(secret, 12)
    finally:
        os.kill(service.valkey, signal.SIGCONT)
    wait_for(lambda: service.ask(secret).status_code == 200, 20, "Redis")
    psutil.Process(service.valkey).kill()
    answers += service.ask_all(secret, 12)
    large = b'{"text": "' + b"a" * 200_000 + b'"}'
    answers += [service.ask(secret, method="POST", content=large), service.ask("unknown")]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "ledger_unavailable")}
    assert all("Retry-After" in answer.headers for answer in answers)
