"""Keys and limits over HTTP: who is let in to which route, what is told about limits, and how keys are managed."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import create_app
from api.openapi.operation import PUBLIC, operation_of, scope_of
from api.streaming.streams import _GLANCE, RECHECK
from core.errors import ConfigurationError
from core.names import Scope
from core.redis import connect
from storage.access.keys import DEFAULT_SCOPES, create_key, digest_of, key_id, list_keys, revoke_key
from storage.access.limits import Limits, set_limits
from tests.chaos.proxy import FaultProxy
from tests.conftest import S3
from tests.integration.test_api import job, settings_for
from tests.waiting import wait_for

UNKNOWN = "key_0123456789abcdef"
LIMIT_HEADERS = {"RateLimit", "RateLimit-Policy"}


@pytest.fixture
def ledger(valkey: str) -> Iterator[redis.Redis]:
    with contextlib.closing(connect(valkey)) as found:
        yield found


@pytest.fixture(scope="module")
def module_app(valkey_server: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey_server), "ann")
    return create_app(settings_for(valkey_server, seaweedfs))


@pytest.fixture
def app(module_app: Flask, ledger: redis.Redis) -> Flask:
    """The same for all tests; it keeps nothing of a test, and its ledger is emptied before each."""
    create_key(ledger, "ann")
    return module_app


@pytest.fixture
def admin(app: Flask, ledger: redis.Redis) -> FlaskClient:
    """A client whose key may manage keys and nothing else."""
    return with_key(app, create_key(ledger, "root", scopes=frozenset((Scope.ADMIN,))))


def with_key(app: Flask, secret: str) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_X_API_KEY"] = secret
    return client


def outcome(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


def requests_of(app: Flask) -> Iterator[tuple[str, str, str, str | None]]:
    """Rule, path, method and the scope that it needs, of every route."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", "x", rule.rule.replace("<string(length=20):key_id>", UNKNOWN))
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield rule.rule, path, method, scope_of(operation_of(app.view_functions[rule.endpoint]), method)


# -- scopes


def test_every_route_is_public_by_name_or_needs_a_key(app: Flask) -> None:
    seen = 0
    for rule, path, method, _ in requests_of(app):
        answer = app.test_client().open(path, method=method)
        assert (answer.status_code == 401) == (rule not in PUBLIC), (method, path, answer.status_code)
        seen += 1
    assert seen > 70
    assert frozenset(("/", "/docs", "/docs/<name>", "/openapi.json", "/healthz", "/readyz", "/metrics")) == PUBLIC


def test_every_route_needs_its_scope(app: Flask, ledger: redis.Redis) -> None:
    clients = {scope: with_key(app, create_key(ledger, "eve", scopes=frozenset(Scope) - {scope})) for scope in Scope}
    needed = set()
    for rule, path, method, scope in requests_of(app):
        if rule in PUBLIC or scope is None:
            continue
        answer = clients[Scope(scope)].open(path, method=method)
        assert answer.status_code == 403, (method, path)
        if method != "HEAD":
            problem = answer.get_json()
            assert problem["code"] == "missing_scope" and f"'{scope}'" in problem["detail"]
        other = next(client for name, client in clients.items() if name != scope)
        assert other.open(path, method=method).status_code not in (401, 403), (method, path)
        needed.add((scope, method))
    assert needed >= {("admin", "POST"), ("admin", "GET"), ("jobs:write", "POST"), ("jobs:read", "GET")}
    assert {method for scope, method in needed if scope == "voices:write"} == {"POST", "PATCH", "DELETE"}
    # /v1/usage asks for a scope that depends on whose use it shows: see test_usage.py.
    unscoped = {rule for rule, _, _, scope in requests_of(app) if scope is None} - PUBLIC
    assert unscoped == {"/v1/keys/current", "/v1/usage"}


def test_a_new_route_is_closed_unless_it_is_listed(valkey: str, seaweedfs: S3, ledger: redis.Redis) -> None:
    secret = create_key(ledger, "ann", scopes=frozenset((Scope.JOBS_READ,)))
    app = create_app(settings_for(valkey, seaweedfs))
    from api.openapi.operation import unpublished

    @app.route("/dev/captioned_speech", methods=["POST", "GET"])
    @unpublished
    def captioned() -> str:
        return "open"

    assert outcome(app.test_client().post("/dev/captioned_speech")) == (401, "unauthorized")
    assert outcome(with_key(app, secret).post("/dev/captioned_speech")) == (403, "missing_scope")
    assert with_key(app, secret).get("/dev/captioned_speech").text == "open"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/nothing", 401),
        ("GET", "/v1", 401),
        ("GET", "/v1//jobs", 401),
        ("GET", "/%76%31/jobs", 401),
        ("GET", "/docs/../v1/jobs", 404),
        ("GET", "/healthz/", 404),
        ("POST", "/healthz", 405),
        ("OPTIONS", "/v1/jobs", 401),
        ("HEAD", "/v1/jobs", 401),
        ("PUT", "/v1/jobs", 401),
    ],
)
def test_no_way_of_writing_a_path_opens_it(app: Flask, method: str, path: str, status: int) -> None:
    assert app.test_client().open(path, method=method).status_code == status


# -- 401


def test_all_that_is_no_key_gets_the_same_answer(app: Flask, ledger: redis.Redis) -> None:
    revoked, ended = create_key(ledger, "ann"), create_key(ledger, "ann", expires_in=1000)
    revoke_key(ledger, key_id(digest_of(revoked)))
    ledger.hset(f"ch:key:{digest_of(ended)}", "expires", "1700000000")
    answers = {app.test_client().get("/v1/jobs").data}
    for secret in ("unknown", revoked, ended, "x" * 30_000, "schl\u00fcssel", "a b", "\u00ff" * 300):
        for headers in ({"X-API-Key": secret}, {"Authorization": f"Bearer {secret}"}):
            answer = app.test_client().get("/v1/jobs", headers=headers)
            assert outcome(answer) == (401, "unauthorized") and "WWW-Authenticate" in answer.headers
            assert not LIMIT_HEADERS & set(answer.headers.keys())
            answers.add(answer.data)
    assert len(answers) == 1


def test_an_api_with_ended_keys_alone_does_not_start(valkey: str, seaweedfs: S3, ledger: redis.Redis) -> None:
    secret = create_key(ledger, "ann", expires_in=1000)
    ledger.hset(f"ch:key:{digest_of(secret)}", "expires", "1700000000")
    with pytest.raises(ConfigurationError):
        create_app(settings_for(valkey, seaweedfs))


# -- 429


def test_limits_are_told_with_each_answer(app: Flask, ledger: redis.Redis) -> None:
    set_limits(ledger, "ann", {"requests_per_minute": 4})
    client = with_key(app, create_key(ledger, "ann", limits=Limits(requests_per_minute=30)))
    for path, left in (("/v1/jobs", 3), ("/v1/nothing", 2), ("/v1/jobs/x/audio?stream=1", 1), ("/v1/keys", 0)):
        answer = client.get(path)
        assert answer.headers["RateLimit-Policy"] == '"requests";q=4;w=60'
        assert re.fullmatch(rf'"requests";r={left};t=(60|59|58)', answer.headers["RateLimit"])
    refused = client.get("/v1/jobs")
    assert outcome(refused) == (429, "rate_limited")
    assert refused.get_json()["error"]["type"] == "rate_limit_error" and refused.get_json()["retryable"]
    again = re.fullmatch(r'"requests";r=0;t=(\d+)', refused.headers["RateLimit"])
    assert again and again[1] == refused.headers["Retry-After"] and 40 < int(again[1]) <= 60
    assert client.get("/healthz").status_code == 200


def test_without_limits_nothing_is_told(app: Flask, ledger: redis.Redis) -> None:
    answer = with_key(app, create_key(ledger, "ann")).get("/v1/jobs")
    assert answer.status_code == 200 and not LIMIT_HEADERS & set(answer.headers.keys())


def test_the_settings_limit_every_owner(valkey: str, seaweedfs: S3, ledger: redis.Redis) -> None:
    keys = [create_key(ledger, owner) for owner in ("ann", "ann", "bob")]
    app = create_app(settings_for(valkey, seaweedfs, limit_requests_per_minute=2, cors_origins="*"))
    found = [with_key(app, key).get("/v1/jobs", headers={"Origin": "https://a.example"}) for key in (*keys, keys[0])]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429]
    assert {*LIMIT_HEADERS, "Retry-After"} <= set(found[-1].headers["Access-Control-Expose-Headers"].split(", "))


def test_a_request_without_a_scope_counts_too(app: Flask, ledger: redis.Redis) -> None:
    client = with_key(app, create_key(ledger, "ann", limits=Limits(requests_per_minute=2)))
    assert [client.get("/v1/keys").status_code for _ in range(3)] == [403, 403, 429]


# -- /v1/keys, /v1/limits


def test_an_administrator_manages_keys(app: Flask, admin: FlaskClient, ledger: redis.Redis) -> None:
    body = {
        "owner": "bob",
        "name": "books",
        "scopes": ["jobs:read", "jobs:write", "jobs:read"],
        "expires_in": 3600,
        "limits": {"requests_per_minute": 90.0, "open_jobs": None},
        "max_expires_in": 600,
    }
    made = admin.post("/v1/keys", json=body)
    view = made.get_json()
    assert made.status_code == 201 and made.headers["Cache-Control"] == "no-store"
    assert urlsplit(made.headers["Location"]).path == f"/v1/keys/{view['id']}"
    secret = view.pop("secret")
    assert view["scopes"] == ["jobs:read", "jobs:write"] and view["last_used"] is None
    assert view["limits"] == {
        "requests_per_minute": 90,
        "open_jobs": None,
        "characters_per_day": None,
        "audio_seconds_per_day": None,
    }
    bob = with_key(app, secret)
    assert bob.post("/v1/jobs", json=job()).status_code == 202
    assert admin.get(f"/v1/keys/{view['id']}").get_json() == {**view, "last_used": ANY_TIME}
    listed = admin.get("/v1/keys").get_json()["data"]
    assert [key["owner"] for key in listed] == ["ann", "root", "bob"] and "secret" not in str(listed)
    assert outcome(admin.get("/v1/jobs")) == (403, "missing_scope")
    for refused in (bob.get("/v1/keys"), bob.get(f"/v1/keys/{view['id']}"), bob.delete(f"/v1/keys/{view['id']}")):
        assert outcome(refused) == (403, "missing_scope")
    current = bob.get("/v1/keys/current").get_json()
    assert (current["id"], current["owner"], current["expires"]) == (view["id"], "bob", view["expires"])
    assert current["limits"] == view["limits"] and set(current["owner_limits"].values()) == {None}
    assert admin.delete(f"/v1/keys/{view['id']}").status_code == 204
    assert outcome(admin.delete(f"/v1/keys/{view['id']}")) == (404, "key_not_found")
    assert bob.get("/v1/keys/current").status_code == 401
    assert ledger.exists(f"ch:key:{digest_of(secret)}") == 0


class _AnyTime:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z", other) is not None

    __hash__ = None  # type: ignore[assignment]


ANY_TIME = _AnyTime()


def test_a_key_has_the_default_scopes(admin: FlaskClient) -> None:
    made = admin.post("/v1/keys", json={"owner": "bob"}).get_json()
    assert made["scopes"] == sorted(DEFAULT_SCOPES) and made["expires"] is None and made["name"] == ""


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"owner": "../root"}, "owner"),
        ({"owner": "Bob"}, "owner"),
        ({"owner": "b\u0000b"}, "owner"),
        ({"owner": "bob\n"}, "owner"),
        ({"owner": ""}, "owner"),
        ({"owner": "b" * 64}, "owner"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"scopes": "admin"}, "scopes"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": 10**15}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": "30d"}, "expires_in"),
        ({"max_expires_in": 5}, "max_expires_in"),
        ({"limits": {"requests_per_minute": 0}}, "limits.requests_per_minute"),
        ({"limits": {"requests_per_minute": 1.5}}, "limits.requests_per_minute"),
        ({"limits": {"speed": 1}}, "limits.speed"),
        ({"name": "n" * 201}, "name"),
        ({"secret": "chorus_mine"}, "secret"),
    ],
)
def test_such_a_key_is_refused(admin: FlaskClient, ledger: redis.Redis, changes: dict[str, Any], field: str) -> None:
    before = len(list_keys(ledger))
    answer = admin.post("/v1/keys", json={"owner": "bob", **changes})
    assert answer.status_code == 422 and [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert len(list_keys(ledger)) == before


def test_a_key_is_rotated(app: Flask, admin: FlaskClient) -> None:
    old = admin.post("/v1/keys", json={"owner": "bob", "scopes": ["jobs:read"], "limits": {"open_jobs": 4}}).get_json()
    path = f"/v1/keys/{old['id']}/rotate"
    assert admin.post(path, json={"overlap": -1}).status_code == 422
    assert admin.post(path, json={"overlap": 30 * 86_400 + 1}).status_code == 422
    made = admin.post(path)
    new = made.get_json()
    assert made.status_code == 201 and new["limits"] == old["limits"] and new["scopes"] == ["jobs:read"]
    for secret in (old["secret"], new["secret"]):
        assert with_key(app, secret).get("/v1/jobs").status_code == 200
    ending = admin.get(f"/v1/keys/{old['id']}").get_json()
    assert ending["replaced_by"] == new["id"] and ending["expires"]
    assert outcome(admin.post(path, json={"overlap": 0})) == (409, "key_replaced")
    last = admin.post(f"/v1/keys/{new['id']}/rotate", json={"overlap": 0}).get_json()
    assert with_key(app, new["secret"]).get("/v1/jobs").status_code == 401
    assert with_key(app, last["secret"]).get("/v1/jobs").status_code == 200
    assert outcome(admin.post(f"/v1/keys/{new['id']}/rotate")) == (409, "key_ended")


@pytest.mark.parametrize("name", [UNKNOWN, "*" * 20, "%2e%2e%2fkeys%2fcurrentt", "key_*", "%2e%2e", "key_" + "0" * 64])
def test_unknown_keys_are_not_found(admin: FlaskClient, name: str) -> None:
    for answer in (
        admin.get(f"/v1/keys/{name}"),
        admin.delete(f"/v1/keys/{name}"),
        admin.post(f"/v1/keys/{name}/rotate"),
    ):
        status, code = outcome(answer)
        assert status == 404 and code == ("key_not_found" if len(name) == 20 else "not_found")


def test_an_administrator_sets_limits(valkey: str, seaweedfs: S3, admin: FlaskClient, ledger: redis.Redis) -> None:
    app = create_app(settings_for(valkey, seaweedfs, limit_requests_per_minute=50, limit_open_jobs=9))
    admin = with_key(app, admin.environ_base["HTTP_X_API_KEY"])
    bob = with_key(app, create_key(ledger, "bob"))
    path = "/v1/limits/bob"
    assert admin.get(path).get_json() == {
        "object": "limits",
        "owner": "bob",
        "own": [],
        "limits": {
            "requests_per_minute": 50,
            "open_jobs": 9,
            "characters_per_day": None,
            "audio_seconds_per_day": None,
        },
    }
    put = admin.put(path, json={"requests_per_minute": 2, "open_jobs": None})
    assert put.get_json()["own"] == ["requests_per_minute", "open_jobs"]
    assert put.get_json()["limits"]["open_jobs"] is None
    assert bob.get("/v1/keys/current").get_json()["owner_limits"] == put.get_json()["limits"]
    assert [bob.get("/v1/jobs").status_code for _ in range(2)] == [200, 429]
    assert admin.delete(path).status_code == 204
    assert bob.get("/v1/jobs").status_code == 200
    assert outcome(bob.put(path, json={})) == (403, "missing_scope")
    assert outcome(admin.put(path, json={"requests_per_minute": -1})) == (422, "invalid_value")
    for name in ("Bob", "b:b", "*", "b" * 64, "%0a"):
        for method in ("GET", "PUT", "DELETE"):
            assert outcome(admin.open(f"/v1/limits/{name}", method=method, json={})) == (404, "owner_not_found")


# -- waiting requests, an absent ledger


def test_a_waiting_request_ends_with_its_key(app: Flask, ledger: redis.Redis) -> None:
    revoked, ending = create_key(ledger, "ann"), create_key(ledger, "ann", expires_in=1000)
    found: dict[str, tuple[float, int]] = {}

    def ask(secret: str) -> None:
        began = time.monotonic()
        answer = with_key(app, secret).post("/v1/jobs", json=job(), headers={"Prefer": "wait=60"})
        found[secret] = (time.monotonic() - began, answer.status_code)

    threads = [threading.Thread(target=ask, args=(secret,)) for secret in (revoked, ending)]
    for thread in threads:
        thread.start()
    wait_for(lambda: ledger.zcard("ch:jobs:ann") == 2, 20, "both jobs")
    revoke_key(ledger, key_id(digest_of(revoked)))
    ledger.hset(f"ch:key:{digest_of(ending)}", "expires", str(int(ledger.time()[0])))  # type: ignore[index]
    for thread in threads:
        thread.join()
    assert [status for _, status in found.values()] == [401, 401]
    assert max(seconds for seconds, _ in found.values()) < 30
    assert RECHECK + _GLANCE < 1


def test_nobody_is_let_in_while_the_ledger_is_away(valkey: str, seaweedfs: S3, ledger: redis.Redis) -> None:
    secret = create_key(ledger, "ann")
    where = urlsplit(valkey)
    with FaultProxy((str(where.hostname), int(where.port or 0))) as proxy:
        app = create_app(settings_for(f"redis://127.0.0.1:{proxy.port}/0", seaweedfs))
        client = with_key(app, secret)
        assert client.get("/v1/jobs").status_code == 200
        proxy.refuse()
        for path, rule in {path: rule for rule, path, _, _ in requests_of(app)}.items():
            if rule not in PUBLIC:
                assert outcome(client.get(path)) == (503, "ledger_unavailable"), path
        assert app.extensions["authenticator"]
        proxy.pass_on()
        wait_for(lambda: client.get("/v1/jobs").status_code == 200, 20, "the ledger")
