"""With CHORUS_AUTH=off, pages in a browser on this machine do nothing to the API: neither from another origin nor under
a name of their own that resolves to it."""

from __future__ import annotations

import pytest

from api import create_app
from core.redis import connect
from storage.access.keys import create_key
from tests.conftest import S3
from tests.integration.test_api import job, settings_for

EVIL = "https://evil.example"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example:80:80",
        "[::1",
        "10.0.0.1",
        "",
    ],
)
def test_a_name_that_is_not_this_machines_is_refused(valkey: str, seaweedfs: S3, host: str) -> None:
    client = create_app(settings_for(valkey, seaweedfs, auth="off")).test_client()
    for path in ("/v1/jobs", "/v1/webhook-secret", "/metrics", "/docs", "/healthz"):
        refused = client.get(path, environ_overrides={"HTTP_HOST": host})
        assert (refused.status_code, refused.get_json()["code"]) == (403, "unknown_host"), path


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", None])
def test_this_machines_names_are_served(valkey: str, seaweedfs: S3, host: str | None) -> None:
    client = create_app(settings_for(valkey, seaweedfs, auth="off")).test_client()
    assert client.get("/v1/jobs", environ_overrides={"HTTP_HOST": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "http://localhost:3000", "http://localhost.evil.example", "http://[", ""]
)
def test_changes_by_pages_of_other_origins_are_refused(valkey: str, seaweedfs: S3, origin: str) -> None:
    """As a form or a fetch without a preflight sends them: text/plain, or multipart."""
    client = create_app(settings_for(valkey, seaweedfs, auth="off")).test_client()
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    plain = client.post(
        "/v1/jobs", data='{"pipeline": "piper", "text": "Hi."}', content_type="text/plain", headers=headers
    )
    form = client.post("/v1/jobs", data={"pipeline": "piper", "text": "Hi."}, headers=headers)
    gone = client.delete("/v1/jobs/job_1", headers=headers)
    assert [a.get_json()["code"] for a in (plain, form, gone)] == ["unknown_origin"] * 3
    assert client.get("/v1/jobs").get_json()["data"] == []


def test_own_pages_and_listed_origins_may_change_things(valkey: str, seaweedfs: S3) -> None:
    client = create_app(
        settings_for(valkey, seaweedfs, auth="off", cors_origins=EVIL, api_public_url="https://speech.example/chorus")
    ).test_client()
    for host, origin in (
        ("localhost", "http://localhost"),
        ("speech.example", "https://speech.example"),
        ("localhost", EVIL),
    ):
        made = client.post("/v1/jobs", json=job(), headers={"Origin": origin}, environ_overrides={"HTTP_HOST": host})
        assert made.status_code == 202, (host, origin)


def test_with_keys_any_name_and_origin_is_served_to_whoever_has_one(valkey: str, seaweedfs: S3) -> None:
    key = create_key(connect(valkey), "ann")
    client = create_app(settings_for(valkey, seaweedfs)).test_client()
    headers = {"Origin": EVIL, "X-API-Key": key}
    assert (
        client.post("/v1/jobs", json=job(), headers=headers, environ_overrides={"HTTP_HOST": "any.example"}).status_code
        == 202
    )
    del headers["X-API-Key"]
    assert client.post("/v1/jobs", json=job(), headers=headers).status_code == 401
