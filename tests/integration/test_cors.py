"""Pages of other origins: nothing unless named, never credentials, preflights without a key."""

from __future__ import annotations

import pytest

from api import create_app
from core.redis import connect
from storage.access.keys import create_key
from tests.conftest import S3
from tests.integration.test_api import job, settings_for

PAGE = "https://books.example"


@pytest.mark.parametrize(
    ("origins", "origin", "told"),
    [
        ("", PAGE, None),
        (PAGE, PAGE, PAGE),
        (f"https://a.example, {PAGE}/", PAGE, PAGE),
        (PAGE, "https://evil.example", None),
        (PAGE, f"{PAGE}.evil.example", None),
        (PAGE, "null", None),
        ("*", "https://anybody.example", "*"),
    ],
)
def test_only_named_origins_are_let_in(valkey: str, seaweedfs: S3, origins: str, origin: str, told: str | None) -> None:
    key = create_key(connect(valkey), "ann")
    client = create_app(settings_for(valkey, seaweedfs, cors_origins=origins)).test_client()
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    preflight = client.options("/v1/jobs", headers=asked)
    assert (preflight.status_code == 204) == (told is not None)
    made = client.post("/v1/jobs", json=job(), headers={"Origin": origin, "X-API-Key": key})
    refused = client.get("/v1/jobs", headers={"Origin": origin})
    assert (made.status_code, refused.status_code) == (202, 401)
    for answer in (preflight, made, refused):
        assert answer.headers.get("Access-Control-Allow-Origin") == told
        assert "Access-Control-Allow-Credentials" not in answer.headers
    if told:
        assert "X-API-Key" in preflight.headers["Access-Control-Allow-Headers"]
        assert "Location" in made.headers["Access-Control-Expose-Headers"]
        assert "Origin" in made.headers["Vary"]
