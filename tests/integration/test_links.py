"""Where clients get audio from: presigned under the address that they see, or through the API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from flask.testing import FlaskClient

from api import create_app
from core.redis import connect
from core.settings import Settings
from schemas.views import LINK_SECONDS
from storage.access.keys import create_key
from storage.objects.objects import Objects
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from tests.integration.test_retention import created, spoken
from tests.shared_data import data_path
from tests.waiting import wait_for


@pytest.fixture
def public(seaweedfs: S3) -> str:
    """Another name for the storage than its servers use: what clients see."""
    return seaweedfs.endpoint.replace("127.0.0.1", "localhost")


@pytest.fixture
def settings(valkey: str, seaweedfs: S3, public: str) -> Settings:
    return settings_for(valkey, seaweedfs, s3_public_url=public)


@pytest.fixture
def line(settings: Settings) -> CpuLine:
    return CpuLine(settings)


@pytest.fixture
def client(settings: Settings, valkey: str) -> Iterator[FlaskClient]:
    create_key(connect(valkey), "ann")
    with create_app(settings).test_client() as found:
        found.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann")
        yield found


def test_a_presigned_link_needs_no_key_and_bears_no_change(client: FlaskClient, line: CpuLine, public: str) -> None:
    job_id = created(client, text="Both ways.", output={"format": "flac"})
    spoken(line, job_id)
    audio = client.get(f"/v1/jobs/{job_id}").get_json()["result"]["audio"]
    assert audio["url"].startswith(f"{public}/")
    assert int(parse_qs(urlsplit(audio["url"]).query)["X-Amz-Expires"][0]) == LINK_SECONDS
    got = httpx.get(audio["url"])
    assert got.status_code == 200 and hashlib.sha256(got.content).hexdigest() == audio["sha256"]
    assert got.headers["Content-Type"] == "audio/flac"
    assert f"{job_id}.flac" in got.headers["Content-Disposition"]
    part = httpx.get(audio["url"], headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, got.content[4:8])
    other = audio["url"].replace(job_id, "job_" + "0" * 24)
    assert httpx.get(other).status_code == 403
    assert httpx.put(audio["url"], content=b"mine").status_code == 403
    assert httpx.get(audio["url"].partition("?")[0]).status_code == 403
    # The API's own address gives the same bytes.
    assert client.get(f"/v1/jobs/{job_id}/audio").data == got.content


def test_a_presigned_link_ends(client: FlaskClient, line: CpuLine, settings: Settings) -> None:
    objects = Objects(settings)
    objects.put("ann/short.txt", b"short", "text/plain")
    link = objects.link("ann/short.txt", seconds=2, filename="short.txt")
    assert link is not None and httpx.get(link).text == "short"
    assert wait_for(lambda: httpx.get(link).status_code != 200, 10, "the link to end", every=0.2)
    assert httpx.get(link).status_code == 403


def test_a_presigned_upload_is_used_like_any_other(client: FlaskClient, line: CpuLine, public: str) -> None:
    recording = next(iter(sorted(data_path("speakers").glob("*/*.flac"))))
    place = client.post("/v1/uploads").get_json()
    assert place["url"].startswith(f"{public}/") and place["method"] == "POST"
    early = client.post("/v1/jobs", json={"pipeline": "vad", "recording": {"upload": place["id"]}})
    assert (early.status_code, early.get_json()["code"]) == (422, "upload_empty")
    posted = httpx.post(place["url"], data=place["fields"], files={"file": recording.read_bytes()})
    assert posted.status_code == 204
    answer = client.post("/v1/jobs", json={"pipeline": "vad", "recording": {"upload": place["id"]}})
    assert answer.status_code == 202, answer.data


def test_links_of_a_batch_are_presigned_as_well(client: FlaskClient, line: CpuLine, public: str) -> None:
    items = [{"custom_id": "one", "job": {"pipeline": "piper", "text": "In a batch."}}]
    batch = client.post("/v1/batches", json={"items": items}).get_json()["id"]
    line.run(1)
    [job] = client.get(f"/v1/jobs?batch={batch}").get_json()["data"]
    spoken(line, job["id"])
    entry = json.loads(client.get(f"/v1/batches/{batch}/manifest").get_data(as_text=True))
    assert entry["url"].startswith(f"{public}/") and httpx.get(entry["url"]).status_code == 200


def test_through_the_api_with_parts_and_etag(line: CpuLine, valkey: str, seaweedfs: S3) -> None:
    """Where storage is private: ranges, conditional requests, and a resumed download that notices a change."""
    create_key(connect(valkey), "ann")
    with create_app(settings_for(valkey, seaweedfs)).test_client() as client:
        client.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann")
        job_id = created(client, text="Through the API.")
        spoken(line, job_id)
        audio = client.get(f"/v1/jobs/{job_id}").get_json()["result"]["audio"]
        url = f"/v1/jobs/{job_id}/audio"
        assert audio["url"] == f"http://localhost{url}"
        whole = client.get(url)
        etag = whole.headers["ETag"]
        assert etag == f'"{audio["sha256"]}"' and whole.headers["Accept-Ranges"] == "bytes"
        parts = {
            "bytes=10-19": whole.data[10:20],
            "bytes=-5": whole.data[-5:],
            f"bytes={len(whole.data) - 3}-": whole.data[-3:],
        }
        for asked, wanted in parts.items():
            part = client.get(url, headers={"Range": asked, "If-Range": etag})
            assert (part.status_code, part.data, part.headers["ETag"]) == (206, wanted, etag)
        changed = client.get(url, headers={"Range": "bytes=10-19", "If-Range": '"another"'})
        assert (changed.status_code, changed.data) == (200, whole.data)
        assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
        behind = client.get(url, headers={"Range": f"bytes={len(whole.data)}-"})
        assert (behind.status_code, behind.headers["Content-Range"]) == (416, f"bytes */{len(whole.data)}")
        assert client.head(url).headers["Content-Length"] == str(len(whole.data))
