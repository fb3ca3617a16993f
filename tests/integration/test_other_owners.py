"""What belongs to one owner is not there for another: by id in every route, in bodies, and through what is derived."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.names import Scope
from core.redis import connect
from storage.access.keys import create_key, list_keys
from tests.conftest import S3
from tests.integration.test_api import job, settings_for

#: In everything that Ann stores.
MARK = "anns-own-words"

BODIES: dict[str, Any] = {
    "/v1/jobs/<job_id>": job(text="Bob's."),
    "/v1/lexicons/<lexicon_id>": {"name": "Bob's", "language": "en", "entries": [{"word": "a", "say": "b"}]},
    "/v1/voices/<voice_id>": {"name": "Bob's"},
    "/v1/voices/<voice_id>/preview": {"text": "Hello."},
    "/v1/webhooks/<endpoint_id>": {"description": "Bob's"},
    "/v1/keys/<key_id>/rotate": {},
}


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs, egress_allow="127.0.0.1:9"))


@pytest.fixture
def bob(app: Flask, valkey: str) -> FlaskClient:
    """A client with every scope but the administrator's."""
    found = app.test_client()
    scopes = [scope for scope in Scope if scope is not Scope.ADMIN]
    found.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "bob", scopes=scopes)
    return found


@dataclass(frozen=True, slots=True)
class Anns:
    """Ids of Ann's things by the name of the part of a path, and where she reads them."""

    ids: dict[str, str]
    readable: tuple[str, ...]


def recording() -> bytes:
    """Three seconds of noise."""
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(5).uniform(-0.1, 0.1, 48_000), 16_000, format="WAV")
    return file.getvalue()


def made(client: FlaskClient, path: str, **body: Any) -> str:
    answer = client.post(path, **body)
    assert answer.status_code in (201, 202), answer.data
    return str(answer.get_json()["id"])


@pytest.fixture
def anns(client: FlaskClient, valkey: str) -> Anns:
    """One of everything."""
    hook = made(client, "/v1/webhooks", json={"url": "http://127.0.0.1:9/", "description": MARK})
    item = {"custom_id": "one", "job": job(text=f"{MARK} one.", metadata={"mark": MARK})}
    spoken = {"base64": base64.b64encode(recording()).decode()}
    voice = {"name": MARK, "pipelines": ["voice_match"], "consent": MARK, "recordings": [spoken]}
    ids = {
        "job_id": made(client, "/v1/jobs", json=job(text=f"{MARK} here.", metadata={"mark": MARK})),
        "batch_id": made(client, "/v1/batches", json={"items": [item]}),
        "upload": made(client, "/v1/uploads"),
        "lexicon_id": made(
            client, "/v1/lexicons", json={"name": MARK, "language": "en", "entries": [{"word": MARK, "say": "a"}]}
        ),
        "voice_id": made(client, "/v1/voices", json=voice),
        "endpoint_id": hook,
        "key_id": next(key.id for key in list_keys(connect(valkey)) if key.owner == "ann"),
        "owner": "ann",
    }
    assert client.put(f"/v1/uploads/{ids['upload']}", data=recording()).status_code == 200
    ids["delivery_id"] = str(client.post(f"/v1/webhooks/{hook}/test").get_json()["id"])
    readable = ("jobs/<job_id>", "batches/<batch_id>", "lexicons/<lexicon_id>", "voices/<voice_id>")
    hooks = ("webhooks/<endpoint_id>", "deliveries/<delivery_id>", "webhooks/<endpoint_id>/deliveries")
    paths = tuple(filled(f"/v1/{path}", ids) for path in (*readable, *hooks))
    return Anns(ids, paths)


def filled(rule: str, ids: dict[str, str]) -> str:
    return re.sub(r"<(?:[^:<>]+:)?(\w+)>", lambda part: ids[part[1]], rule)


def seen(client: FlaskClient, anns: Anns) -> list[Any]:
    answers = [client.get(path) for path in anns.readable]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    return [answer.get_json() for answer in answers]


def test_no_route_shows_or_changes_what_is_anothers(
    app: Flask, client: FlaskClient, bob: FlaskClient, anns: Anns
) -> None:
    before = seen(client, anns)
    asked = 0
    for rule in app.url_map.iter_rules():
        if not rule.arguments or not rule.arguments <= set(anns.ids):
            continue
        path = filled(rule.rule, anns.ids)
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            body = BODIES.get(rule.rule, {}) if method in ("POST", "PUT", "PATCH") else None
            raw = {"data": b"Bob's"} if "upload" in rule.arguments else {"json": body} if body is not None else {}
            answer = bob.open(path, method=method, **raw)
            asked += 1
            refused = (403,) if {"key_id", "owner"} & rule.arguments else (404,)
            if rule.rule == "/v1/jobs/<job_id>" and method == "PUT":
                refused = (422,)  # an id that Chorus assigned is no id of one's own
            assert answer.status_code in refused, (method, path, answer.text)
            assert MARK not in answer.text
    assert asked >= 25
    assert seen(client, anns) == before
    found = client.post(
        "/v1/transcribe", json={"recording": {"upload": anns.ids["upload"]}}, headers={"Prefer": "wait=0"}
    )
    assert found.status_code == 202, "the upload is as Ann left it"


def test_lists_hold_ones_own_alone(client: FlaskClient, bob: FlaskClient, anns: Anns) -> None:
    cursors = [anns.ids["job_id"], anns.ids["batch_id"]]
    for path in ("/v1/jobs", "/v1/batches", "/v1/lexicons", "/v1/webhooks", "/v1/voices?kind=stored", "/v1/usage"):
        assert MARK not in bob.get(path).text, path
    for cursor in cursors:
        assert MARK not in bob.get("/v1/jobs", query_string={"cursor": cursor}).text
    assert (
        bob.get("/v1/jobs", query_string={"metadata.mark": MARK, "batch": anns.ids["batch_id"]}).get_json()["data"]
        == []
    )


@pytest.mark.parametrize("given", ["upload", "voice", "lexicon", "webhook"])
def test_no_body_uses_what_is_anothers(bob: FlaskClient, anns: Anns, given: str) -> None:
    """And the answer is that to an id that nobody has."""

    def answer(ids: dict[str, str]) -> tuple[int, str]:
        body = {
            "upload": {"pipeline": "transcribe", "recording": {"upload": ids["upload"]}},
            "voice": job(pipeline="voice_match", voice=ids["voice_id"]),
            "lexicon": job(lexicons=[ids["lexicon_id"]]),
            "webhook": job(webhook=ids["endpoint_id"]),
        }[given]
        found = bob.post("/v1/jobs", json=body)
        return found.status_code, re.sub(r"[0-9a-f]{24}", "", found.text)

    theirs = answer(anns.ids)
    assert theirs[0] in (404, 422)
    assert "_not_found" in theirs[1] or "unknown_voice" in theirs[1]
    assert theirs == answer({name: re.sub(r"[0-9a-f]{24}", "0" * 24, value) for name, value in anns.ids.items()})


def test_the_same_words_and_keys_of_two_owners_are_two_things(client: FlaskClient, bob: FlaskClient) -> None:
    """Idempotency keys, ids of one's own, and jobs with the same content."""
    same = {"Idempotency-Key": "same"}
    keyed = [c.post("/v1/jobs", json=job(), headers=same).get_json()["id"] for c in (client, bob)]
    chosen = [c.put("/v1/jobs/same", json=job()).get_json()["id"] for c in (client, bob)]
    assert len({*keyed, *chosen}) == 4
    assert bob.delete("/v1/jobs/same").status_code == 204
    assert client.get("/v1/jobs/same").status_code == 200
