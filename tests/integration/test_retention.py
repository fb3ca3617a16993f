"""How long things are kept: ceilings, records beside the audio, destinations, what goes and what stays."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.redis import connect
from core.settings import Settings
from core.work import ItemRef
from storage.access.keys import create_key
from storage.ledger.records import Outcome
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import job, settings_for
from tests.shared_data import ROOT, data_path
from workers.upkeep.reaper import Reaper
from workers.upkeep.sweep import Sweep


@pytest.fixture
def settings(valkey: str, seaweedfs: S3) -> Settings:
    found = settings_for(valkey, seaweedfs)
    return found.model_copy(update={"destinations": f"archive=s3://{seaweedfs.bucket}-archive/books, other=s3://other"})


@pytest.fixture
def line(settings: Settings) -> Iterator[CpuLine]:
    line = CpuLine(settings)
    objects = line.connections.objects
    objects.delete(*objects.names(""))
    yield line
    objects.delete(*objects.names(""))


@pytest.fixture
def app(line: CpuLine, settings: Settings, valkey: str) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings)


def created(client: FlaskClient, **changes: object) -> str:
    answer = client.post("/v1/jobs", json=job(**changes))
    assert answer.status_code == 202, answer.data
    return str(answer.get_json()["id"])


def spoken(line: CpuLine, job_id: str) -> None:
    """Lets a job of one utterance succeed: everything is real but the voice."""
    import numpy as np

    from audio.artifact import pack

    line.run(1)
    works, _ = line.connections.ledger.utterances(job_id)
    for index, work in enumerate(works):
        line.connections.objects.put(work.artifact, pack(np.full(8000, 0.1, np.float32), 22_050, {}), "audio/flac")
        ref = ItemRef(job_id, line_generation(line, job_id), 1, index)
        line.connections.ledger.advance([Outcome(ref=ref, station="piper-joe")])
    line.run()
    found = line.connections.ledger.get(job_id)
    assert found is not None and found.state == "succeeded", found


def line_generation(line: CpuLine, job_id: str) -> int:
    found = line.connections.ledger.get(job_id)
    assert found is not None
    return found.generation


def keys_of(line: CpuLine, word: str) -> list[bytes]:
    return [key for key in line.connections.redis.keys("ch:*") if word.encode() in key]  # type: ignore[union-attr]


def test_a_key_has_a_ceiling(app: Flask, valkey: str) -> None:
    with app.test_client() as client:
        client.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann", max_expires_in=3600)
        over = client.post("/v1/jobs", json=job(expires_in=3601))
        assert (over.status_code, over.get_json()["code"]) == (422, "expires_in_too_long")
        assert over.get_json()["errors"][0]["field"] == "expires_in"
        for changes in ({}, {"expires_in": 3600}):
            job_id = client.post("/v1/jobs", json=job(**changes)).get_json()["id"]
            assert float(connect(valkey).hget(f"ch:job:{job_id}", "keep")) == 3600  # type: ignore[arg-type]
        items = [{"custom_id": "a", "job": {"pipeline": "piper", "text": "Hello."}}]
        over = client.post("/v1/batches", json={"items": items, "expires_in": 4000})
        assert over.get_json()["code"] == "expires_in_too_long"


def test_a_record_beside_the_audio_outlives_the_ledger(client: FlaskClient, line: CpuLine) -> None:
    job_id = created(client, metadata={"title": "A book"})
    spoken(line, job_id)
    before = client.get(f"/v1/jobs/{job_id}").get_json()
    audio = client.get(f"/v1/jobs/{job_id}/audio").data
    line.connections.redis.flushall()
    client.environ_base["HTTP_X_API_KEY"] = create_key(line.connections.redis, "ann")
    after = client.get(f"/v1/jobs/{job_id}").get_json()
    for view in (before, after):  # these two are told at the last step, and not to the millisecond
        for name in ("ended", "expires", "progress"):
            view.pop(name)
        view["steps"][-1].pop("ended")
        for step in view["steps"]:
            step.pop("started")
    assert after == before
    assert client.get(f"/v1/jobs/{job_id}/audio").data == audio
    eve = {"X-API-Key": create_key(line.connections.redis, "eve")}
    assert client.get(f"/v1/jobs/{job_id}", headers=eve).status_code == 404
    # A sweep leaves it alone until its time is over; then it is gone for readers and from storage.
    Sweep(line.connections, 0).run()
    assert client.get(f"/v1/jobs/{job_id}").status_code == 200
    name = next(n for n in line.connections.objects.names("ann/jobs/") if n.endswith("job.json"))
    record = json.loads(line.connections.objects.get(name))
    line.connections.objects.put(name, json.dumps({**record, "expires": time.time() - 1}).encode(), "application/json")
    assert client.get(f"/v1/jobs/{job_id}").status_code == 404
    Sweep(line.connections, 0).run()
    assert not list(line.connections.objects.names("ann/jobs/"))


def test_after_expiry_nothing_of_a_job_is_left_but_what_another_claims(client: FlaskClient, line: CpuLine) -> None:
    short = created(client, text="Both say this.")
    line.connections.redis.hset(f"ch:job:{short}", "keep", 1)
    spoken(line, short)
    long = created(client, text="Both say this.")
    alone = created(client, text="Only one says this.")
    line.connections.redis.hset(f"ch:job:{alone}", "keep", 1)
    line.run()  # the utterance is there already: nothing is rendered
    spoken(line, alone)
    kept = {work.artifact for work in line.connections.ledger.utterances(long)[0]}
    assert line_state(line, long) == "succeeded"
    utterances = set(line.connections.objects.names("ann/utterances/"))
    assert len(utterances) == 2 and not kept
    time.sleep(1.2)
    Reaper(line.connections).delete_expired()
    for job_id in (short, alone):
        assert not keys_of(line, job_id)
        assert not [name for name in line.connections.objects.names("") if job_id in name]
        assert client.get(f"/v1/jobs/{job_id}").status_code == 404
    assert len(list(line.connections.objects.names("ann/utterances/"))) == 1
    assert client.get(f"/v1/jobs/{long}/audio").status_code == 200


def line_state(line: CpuLine, job_id: str) -> str:
    found = line.connections.ledger.get(job_id)
    assert found is not None
    return found.state.value


def test_a_recording_goes_with_the_last_job_that_needs_it(client: FlaskClient, line: CpuLine) -> None:
    recording = next(path for path in sorted(data_path("speakers").glob("*/*")))
    fields = {"pipeline": "embed"}
    jobs = []
    for _ in range(2):
        with recording.open("rb") as file:
            answer = client.post("/v1/jobs", data={**fields, "recording": (file, "a.wav")})
        jobs.append(answer.get_json()["id"])
    line.run()
    names = set(line.connections.objects.names("ann/recordings/"))
    assert len(names) == 2  # as it was brought, and its samples
    line.connections.redis.hset(f"ch:job:{jobs[0]}", "keep", 0)
    assert line.connections.ledger.cancel(jobs[0])
    Reaper(line.connections).delete_expired()
    assert set(line.connections.objects.names("ann/recordings/")) == names
    line.connections.redis.hset(f"ch:job:{jobs[1]}", "keep", 0)
    assert line.connections.ledger.cancel(jobs[1])
    line.connections.redis.zadd("ch:artifacts:ann", {name.removeprefix("ann/"): 1 for name in names})
    Reaper(line.connections).delete_expired()
    assert not list(line.connections.objects.names("ann/recordings/"))
    assert not line.connections.redis.exists("ch:inuse:ann")


def test_a_sweep_takes_what_nobody_needs_and_leaves_the_rest(client: FlaskClient, line: CpuLine) -> None:
    finished = created(client, text="This one is finished.")
    spoken(line, finished)
    running = created(client, text="A text that is long enough to lie in storage. " * 1000)
    upload = client.post("/v1/uploads").get_json()["id"]
    client.put(f"/v1/uploads/{upload}", data=b"bytes")
    objects = line.connections.objects
    good = set(objects.names(""))
    bad = {
        "ann/utterances/" + "0" * 40 + ".flac",
        "ann/recordings/" + "0" * 64,
        f"ann/jobs/{finished}/7/audio.wav",
        "ann/jobs/job_000000000000000000000000/1/audio.wav",
        "ann/uploads/up_000000000000000000000000",
        "ann/batches/ba_000000000000000000000000/items.jsonl",
        "ann/voices/vo_000000000000000000000000/recordings/abc",
    }
    for name in bad:
        objects.put(name, b"x", "text/plain")
    Sweep(line.connections, 3600).run()
    bad.remove("ann/uploads/up_000000000000000000000000")  # nothing may use it, however young it is
    assert set(objects.names("")) == good | bad  # too young
    counted = Sweep(line.connections, 0, delete=False).run()
    assert set(objects.names("")) == good | bad and sum(counted.orphans.values()) == len(bad)
    Sweep(line.connections, 0).run()
    assert set(objects.names("")) == good
    assert client.get(f"/v1/jobs/{running}").status_code == 200


def test_a_result_is_copied_to_a_named_destination(client: FlaskClient, line: CpuLine, seaweedfs: S3) -> None:
    bucket = f"{seaweedfs.bucket}-archive"
    line.connections.objects.client.create_bucket(Bucket=bucket)
    refused = client.post("/v1/jobs", json=job(output={"destination": "s3://theirs"}))
    assert (refused.status_code, refused.get_json()["code"]) == (422, "unknown_destination")
    job_id = created(client, output={"destination": "archive", "format": "flac"})
    spoken(line, job_id)
    copy = f"books/ann/{job_id}/{line_generation(line, job_id)}/audio.flac"
    where = client.get(f"/v1/jobs/{job_id}").get_json()["result"]["audio"]["destination"]
    assert where == f"s3://{bucket}/{copy}"
    copied = line.connections.objects.client.get_object(Bucket=bucket, Key=copy)["Body"].read()
    assert copied == client.get(f"/v1/jobs/{job_id}/audio").data


#: Uploads a file under a name once it is told to.
#: Uploads the file to each name that it is told, in a fork: fifty interpreters would take most of a minute to start.
UPLOADER = """
import os, sys
from pathlib import Path
from core.settings import load_settings
from storage.objects.objects import Objects

objects = Objects(load_settings())
print("ready", flush=True)
for name in sys.stdin:
    child = os.fork()
    if not child:
        objects.put_file(name.strip(), Path(sys.argv[1]), "audio/wav")
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


def test_an_upload_that_is_killed_leaves_no_half_object(line: CpuLine, settings: Settings, tmp_path: Path) -> None:
    """Fifty times: whatever moment the kill finds, the object is there whole or not at all."""
    data = os.urandom(24 * 2**20)
    path = tmp_path / "audio.wav"
    path.write_bytes(data)
    env = {
        **os.environ,
        "CHORUS_S3_ENDPOINT": str(settings.s3_endpoint),
        "CHORUS_S3_BUCKET": settings.s3_bucket,
        "CHORUS_S3_ACCESS_KEY": settings.s3_access_key,
        "CHORUS_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
    }
    objects = line.connections.objects
    seen = {"whole": 0, "none": 0}
    command = [sys.executable, "-c", UPLOADER, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, env=env, **pipes)
    assert process.stdin and process.stdout
    assert process.stdout.readline() == b"ready\n"
    for number in range(50):
        name = f"ann/jobs/job_{number:024}/1/audio.wav"
        process.stdin.write(f"{name}\n".encode())
        process.stdin.flush()
        child = int(process.stdout.readline())
        time.sleep(number * 0.006)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        assert process.stdout.readline() == b"ended\n"
        info = objects.head(name)
        seen["none" if info is None else "whole"] += 1
        assert info is None or info.size == len(data)
        if info is not None and number % 10 == 0:
            assert objects.get(name) == data
    process.communicate()
    assert seen["none"] > 5, seen
    Sweep(line.connections, 0).run()
    uploads = objects.client.list_multipart_uploads(Bucket=objects.bucket).get("Uploads", [])
    assert not uploads and not list(objects.names("ann/jobs/"))
