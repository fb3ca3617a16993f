"""Headers of every response of every route: nothing that a browser may run, embed, sniff or keep."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import create_app
from core.redis import connect
from storage.access.keys import create_key
from tests.conftest import S3
from tests.integration.test_api import settings_for
from tests.integration.test_following import Hand

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")

#: Media types that no browser runs. HTML, scripts and SVG are the page of the docs alone.
HARMLESS = re.compile(r"application/(problem\+json|json|x-ndjson|zip)|audio/[\w-]+|text/(plain|event-stream)", re.ASCII)
DOCS = re.compile(r"/(docs(/.*)?)?")


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


def check(answer: TestResponse, path: str) -> None:
    headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Server" not in headers and "X-Powered-By" not in headers
    assert "Set-Cookie" not in headers
    assert len(headers.getlist("Cache-Control")) == 1
    kept = headers["Cache-Control"]
    if path.startswith("/v1"):
        assert "no-store" in kept or "private" in kept, kept
    if not DOCS.fullmatch(path) and answer.get_data():
        assert HARMLESS.fullmatch(answer.mimetype), answer.mimetype
        assert policy.startswith("default-src 'none'; base-uri 'none'") and "script" not in policy


def test_every_route_and_method_has_them(app: Flask, client: FlaskClient) -> None:
    """With a key and without, of things that are there and that are not."""
    asked = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "job_00000000000000000000000000", rule.rule)
        for method in METHODS:
            for key in ({}, {"X-API-Key": "wrong"}):
                with client.open(path, method=method, headers=key) as answer:
                    check(answer, path)
                    asked.add(answer.status_code)
    for path in (
        "/nothing",
        "/v1/nothing",
        "/v1",
        "/v1//jobs",
        "/docs//start.js",
        "/v1/jobs/../../etc/passwd",
        "/docs/nothing",
    ):
        with client.get(path) as answer:
            check(answer, path)
    assert {200, 401, 404, 405, 422} <= asked


def test_results_are_files_that_a_browser_saves(app: Flask, client: FlaskClient) -> None:
    hand = Hand(app.extensions["chorus"], client, text="Files.", output={"format": "flac"})
    hand.lay(2)
    hand.render(0, 1)
    hand.assemble()
    audio = client.get(f"{hand.url}/audio")
    part = client.get(f"{hand.url}/audio", headers={"Range": "bytes=0-9"})
    same = client.get(f"{hand.url}/audio", headers={"If-None-Match": audio.headers["ETag"]})
    wrong = client.get(f"{hand.url}/audio", headers={"Range": f"bytes={10**9}-"})
    assert [a.status_code for a in (audio, part, same, wrong)] == [200, 206, 304, 416]
    for answer in (audio, part, same, wrong):
        check(answer, hand.url)
    assert audio.mimetype == part.mimetype == "audio/flac"
    assert audio.headers["Content-Disposition"] == f'attachment; filename="{hand.id}.flac"'
    assert "private" in audio.headers["Cache-Control"]
    stream = client.get(f"{hand.url}/audio?stream=1&format=mp3")
    assert stream.mimetype == "audio/mpeg" and 'filename="' in stream.headers["Content-Disposition"]
    check(stream, hand.url)
    check(client.get(f"{hand.url}/events"), hand.url)


def test_the_page_of_the_docs_runs_its_own_files_only(client: FlaskClient) -> None:
    page = client.get("/docs")
    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "microphone=()" in page.headers["Permissions-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", page.text), "nothing is inline"
    for address in re.findall(r'(?:src|href)="(/docs/[^"]+)"', page.text):
        with client.get(address.replace("&amp;", "&")) as file:
            check(file, "/docs/x")
            assert file.status_code == 200 and "max-age" in file.headers["Cache-Control"]
            if "svg" in file.mimetype:
                assert "default-src 'none'" in file.headers["Content-Security-Policy"]
