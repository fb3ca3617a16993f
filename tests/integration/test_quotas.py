"""Limits on open jobs, characters and audio: exact under concurrency, refused before anything is written."""

from __future__ import annotations

import base64
import io
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.errors import InternalError, ModelFailed, RateLimited
from core.names import Priority
from core.redis import connect
from core.work import CPU, Plan
from pipelines.submission import Submitter
from schemas.requests import JobRequest
from storage.access.caller import Caller
from storage.access.charge import Charge
from storage.access.keys import create_key
from storage.access.limits import UNLIMITED, Limits, set_limits
from storage.access.usage import Usage, Use, total
from storage.ledger.batches import PLAN, Batches, job_of
from storage.ledger.documents import ItemsDocument, JobDocument
from storage.ledger.ledger import Ledger
from storage.ledger.records import NewJob, Outcome
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import job, settings_for
from tests.present import item

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def new_job(name: str, limits: Limits, *, by_key: bool = False, **changes: Any) -> NewJob:
    document = JobDocument(owner="ann", pipeline="sim", characters=changes.pop("characters", 0))
    charge = Charge(
        key="key_1",
        key_limits=limits if by_key else UNLIMITED,
        owner_limits=UNLIMITED if by_key else limits,
        characters=document.characters,
        audio_seconds=changes.pop("seconds", 0.0),
    )
    fields: dict[str, Any] = {
        "id": name,
        "owner": "ann",
        "priority": Priority.NORMAL,
        "plan": Plan.parse("prepare:cpu"),
        "document": document,
        "deadline": 60.0,
        "keep": 100.0,
        "charge": charge,
    }
    return NewJob(**{**fields, **changes})


def used(url: str, owner: str = "ann", clock: Any = None) -> Any:
    """What an owner used today."""
    usage = Usage(connect(url), clock)
    return total(usage.between(owner, usage.today(), usage.today()))


def at_once(url: str, jobs: list[NewJob]) -> list[str]:
    """Creates jobs from many threads, over ledgers with connections of their own; how each was answered."""
    ledgers = [Ledger(connect(url)) for _ in range(8)]
    start = threading.Barrier(len(jobs))

    def create(number: int) -> str:
        start.wait(30)
        try:
            return str(ledgers[number % len(ledgers)].create(jobs[number]))
        except RateLimited as error:
            return error.code

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(create, range(len(jobs))))


@pytest.mark.parametrize("by_key", [True, False])
def test_fifty_at_once_make_as_many_jobs_as_may_be_open(valkey: str, by_key: bool) -> None:
    limits = Limits(open_jobs=10)
    answers = at_once(valkey, [new_job(f"job_{n}", limits, by_key=by_key) for n in range(50)])
    assert (answers.count("True"), answers.count("open_jobs_limit")) == (10, 40)
    client = connect(valkey)
    assert len(client.keys("ch:job:*")) == 10  # type: ignore[arg-type]
    assert client.hgetall("ch:open") == {b"ann|*": b"10", b"ann|key_1": b"10"}
    assert used(valkey).jobs == 10


@pytest.mark.parametrize("by_key", [True, False])
def test_characters_are_counted_to_the_last(valkey: str, by_key: bool) -> None:
    limits = Limits(characters_per_day=100)
    answers = at_once(valkey, [new_job(f"job_{n}", limits, by_key=by_key, characters=7) for n in range(40)])
    assert (answers.count("True"), answers.count("characters_limit")) == (14, 26)
    assert used(valkey).characters == 98
    ledger = Ledger(connect(valkey))
    with pytest.raises(RateLimited, match="100 characters a day: 98 are used, and this needs 3 more") as refused:
        ledger.create(new_job("job_a", limits, by_key=by_key, characters=3))
    assert refused.value.retryable and 0 < (refused.value.retry_after or 0) <= 86_400
    assert ledger.create(new_job("job_b", limits, by_key=by_key, characters=2))
    assert ledger.create(new_job("job_c", limits, by_key=by_key))  # a job without text
    assert used(valkey).characters == 100


def test_audio_is_counted_to_the_millisecond(valkey: str) -> None:
    ledger, limits = Ledger(connect(valkey)), Limits(audio_seconds_per_day=10)
    assert ledger.create(new_job("job_1", limits, seconds=9.999))
    with pytest.raises(RateLimited) as refused:
        ledger.create(new_job("job_2", limits, seconds=0.002))
    assert refused.value.code == "audio_seconds_limit"
    assert ledger.create(new_job("job_3", limits, seconds=0.001))
    assert used(valkey).audio_seconds_in == 10.0


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, -0.5])
def test_what_is_no_duration_is_not_charged(valkey: str, seconds: float) -> None:
    ledger = Ledger(connect(valkey))
    with pytest.raises(InternalError):
        ledger.create(new_job("job_1", Limits(audio_seconds_per_day=10), seconds=seconds))
    assert ledger.create(new_job("job_1", Limits(audio_seconds_per_day=10), seconds=1))
    with pytest.raises(InternalError):
        ledger.charge_audio(item(ledger, "job_1"), seconds)
    assert used(valkey).audio_seconds_in == 1.0


def test_at_midnight_the_day_begins_anew(valkey: str) -> None:
    now = [NOON + 12 * 3600 - 10]
    ledger, limits = Ledger(connect(valkey), clock=lambda: now[0]), Limits(characters_per_day=10, open_jobs=2)
    assert ledger.create(new_job("job_1", limits, characters=10))
    with pytest.raises(RateLimited, match="in 0 h 0 min") as refused:
        ledger.create(new_job("job_2", limits, characters=1))
    assert refused.value.retry_after == 10
    now[0] += 9.9
    with pytest.raises(RateLimited):
        ledger.create(new_job("job_2", limits, characters=1))
    now[0] += 0.1
    assert ledger.create(new_job("job_2", limits, characters=10))
    with pytest.raises(RateLimited) as refused:  # open jobs stay open
        ledger.create(new_job("job_3", limits))
    assert refused.value.code == "open_jobs_limit"
    usage = Usage(connect(valkey), lambda: now[0])
    days = usage.between("ann", usage.today().replace(day=1), usage.today())
    assert [(str(one.date), one.use.characters) for one in days] == [("2026-03-01", 10), ("2026-03-02", 10)]
    assert 400 * 86_400 < connect(valkey).ttl("ch:usage:ann:20513") <= 401 * 86_400  # type: ignore[operator]


def test_deleted_and_canceled_jobs_give_no_characters_back(valkey: str) -> None:
    ledger, limits = Ledger(connect(valkey)), Limits(characters_per_day=10, open_jobs=1)
    assert ledger.create(new_job("job_1", limits, characters=10))
    for _ in range(5):  # and retries cost none
        assert ledger.cancel("job_1")
        assert ledger.retry("job_1", charge=Charge(key="key_1", owner_limits=limits))
    ledger.delete_now("job_1")
    with pytest.raises(RateLimited) as refused:
        ledger.create(new_job("job_1", limits, characters=1))
    assert refused.value.code == "characters_limit"
    assert (used(valkey).characters, used(valkey).jobs) == (10, 1)
    assert not connect(valkey).exists("ch:open")


def test_a_retry_counts_as_an_open_job_of_the_key_that_retries(valkey: str) -> None:
    ledger, limits = Ledger(connect(valkey)), Limits(open_jobs=1)
    assert ledger.create(new_job("job_1", limits, by_key=True))
    assert ledger.advance([Outcome(ref=item(ledger, "job_1"), station=CPU, error=ModelFailed())]) == [True]
    assert ledger.create(new_job("job_2", limits, by_key=True))
    before = connect(valkey).hgetall("ch:job:job_1")
    with pytest.raises(RateLimited) as refused:
        ledger.retry("job_1", charge=Charge(key="key_1", key_limits=limits))
    assert refused.value.code == "open_jobs_limit" and refused.value.retry_after == 5.0
    assert connect(valkey).hgetall("ch:job:job_1") == before
    assert ledger.retry("job_1", charge=Charge(key="key_2", key_limits=limits))
    assert connect(valkey).hgetall("ch:open") == {b"ann|*": b"2", b"ann|key_1": b"1", b"ann|key_2": b"1"}
    ledger.advance([Outcome(ref=item(ledger, "job_1"), station=CPU, result={"audio": {"duration": 2.5}})])
    usage = Usage(connect(valkey))
    by_key = {one.key: one.use for one in usage.between("ann", usage.today(), usage.today())}
    assert (by_key["key_1"].failed, by_key["key_1"].jobs) == (1, 2)
    assert (by_key["key_2"].succeeded, by_key["key_2"].audio_seconds_out, by_key["key_2"].jobs) == (1, 2.5, 0)


def test_many_retries_at_once_open_as_many_jobs_as_are_allowed(valkey: str) -> None:
    ledger, limits = Ledger(connect(valkey)), Limits(open_jobs=5)
    for n in range(30):
        assert ledger.create(new_job(f"job_{n}", UNLIMITED))
        assert ledger.cancel(f"job_{n}")
    charge = Charge(key="key_1", key_limits=limits)

    def retry(n: int) -> bool:
        try:
            return Ledger(connect(valkey)).retry(f"job_{n % 30}", charge=charge)
        except RateLimited:
            return False

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(retry, range(120))) == 5
    assert connect(valkey).hget("ch:open", "ann|*") == b"5"


def batch(name: str, items: int, limits: Limits, **changes: Any) -> NewJob:
    parts = ItemsDocument(count=items, object="ann/items.jsonl")
    document = JobDocument(owner="ann", pipeline="batch", items=parts)
    charge = new_job(name, limits, characters=changes.pop("characters", 0)).charge
    return new_job(name, limits, plan=PLAN, document=document, items=items, charge=charge, **changes)


def test_a_batch_that_is_retried_by_another_key_is_settled_with_the_first(valkey: str) -> None:
    ledger, name = Ledger(connect(valkey)), "ba_" + "0" * 24
    assert ledger.create(batch(name, 2, Limits(open_jobs=2), characters=10))
    assert ledger.cancel(name)
    assert not connect(valkey).exists("ch:open") and used(valkey).characters == 10
    charge = Charge(key="key_2", owner_limits=Limits(open_jobs=1))
    with pytest.raises(RateLimited):
        ledger.retry(name, charge=charge)
    assert ledger.retry(name, charge=replace(charge, owner_limits=Limits(open_jobs=2)))
    ref = item(ledger, name)
    made = new_job(job_of(name, 0), UNLIMITED, batch=ref, characters=4, charge=None)
    assert ledger.create(made)
    assert ledger.advance([Outcome(ref=ref, station=CPU, result={})]) == [True]
    assert connect(valkey).hgetall("ch:open") == {b"ann|*": b"1", b"ann|key_2": b"1"}
    usage = Usage(connect(valkey))
    by_key = {one.key: one.use for one in usage.between("ann", usage.today(), usage.today())}
    assert (by_key["key_1"].characters, by_key["key_2"].characters, by_key["key_2"].jobs) == (4, 0, 1)


def test_a_batch_retries_as_many_jobs_as_may_be_open(valkey: str) -> None:
    ledger, name = Ledger(connect(valkey)), "ba_" + "0" * 24
    assert ledger.create(batch(name, 4, UNLIMITED))
    ref = item(ledger, name)
    for n in range(4):
        assert ledger.create(new_job(job_of(name, n), UNLIMITED, batch=ref, charge=None))
    ledger.advance([Outcome(ref=ref, station=CPU, result={})])
    ledger.cancel_many([job_of(name, n) for n in range(4)])
    batches = Batches(ledger, None)  # type: ignore[arg-type]  # nothing here looks at storage
    with pytest.raises(RateLimited, match="Try again when jobs have ended"):
        batches.retry(batches.get("ann", name), 1, Charge(key="key_1", key_limits=Limits(open_jobs=3)))
    assert batches.get("ann", name).counts["queued"] == 3
    assert connect(valkey).hget("ch:open", "ann|key_1") == b"3"


# -- over the API


class Clients:
    """An app, and a client of the owner ``ann``, who has ``limits``."""

    def __init__(self, valkey: str, seaweedfs: S3, **settings: Any) -> None:
        self._redis = connect(valkey)
        self.settings = settings_for(valkey, seaweedfs, **settings)
        secret = create_key(self._redis, "ann")
        self.app: Flask = create_app(self.settings)
        self.client: FlaskClient = self.app.test_client()
        self.client.environ_base["HTTP_X_API_KEY"] = secret

    def limit(self, **limits: int) -> None:
        set_limits(self._redis, "ann", limits)


@pytest.fixture
def clients(valkey: str, seaweedfs: S3) -> Clients:
    return Clients(valkey, seaweedfs)


@pytest.fixture
def line(clients: Clients) -> CpuLine:
    return CpuLine(clients.settings)


def refused(answer: Any, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.get_json()
    assert (answer.status_code, problem["code"]) == (429, code), problem
    assert problem["error"]["code"] == code and problem["error"]["type"] == "rate_limit_error"
    return problem


def recording(seconds: float) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(7).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)
    soundfile.write(file, noise, 16_000, format="WAV")
    return file.getvalue()


def test_refusals_say_which_limit_and_when_it_ends(clients: Clients) -> None:
    clients.limit(open_jobs=1, characters_per_day=30)
    client = clients.client
    assert client.post("/v1/jobs", json=job(text="Twelve of it")).status_code == 202
    answer = client.post("/v1/jobs", json=job())
    problem = refused(answer, "open_jobs_limit")
    assert problem["retryable"] and answer.headers["Retry-After"] == "5"
    assert problem["detail"].startswith("The limit of this owner is 1 open jobs: 1 are used, and this needs 1 more.")
    clients.limit(characters_per_day=30)
    answer = client.post("/v1/jobs", json=job(text="This has 19 letters"))
    problem = refused(answer, "characters_limit")
    assert "00:00 UTC" in problem["detail"] and 0 < int(answer.headers["Retry-After"]) <= 86_400
    answer = client.post("/v1/jobs", json=job(text="This has more letters than all of it"))
    problem = refused(answer, "characters_limit")
    assert not problem["retryable"] and "Retry-After" not in answer.headers
    assert client.post("/v1/jobs", json=job(text="This has 18 letter")).status_code == 202


def test_markup_is_not_counted(clients: Clients, valkey: str) -> None:
    body = job(text='<speak>One <break time="1s"/>two.</speak>', markup="ssml")
    answer = clients.client.post("/v1/jobs", json=body)
    assert answer.status_code == 202
    assert 0 < used(valkey).characters < 12


def test_repeated_requests_are_counted_once(clients: Clients, valkey: str) -> None:
    clients.limit(open_jobs=2, characters_per_day=40)
    for _ in range(3):
        assert clients.client.put("/v1/jobs/mine", json=job(text="Hello there.")).status_code in (200, 202)
        answer = clients.client.post("/v1/jobs", json=job(text="Hello again."), headers={"Idempotency-Key": "one"})
        assert answer.status_code == 202
    assert (used(valkey).jobs, used(valkey).characters) == (2, 24)
    refused(clients.client.put("/v1/jobs/other", json=job()), "open_jobs_limit")
    # The key of a refused request is free again, and the refusal has written nothing.
    refused(clients.client.post("/v1/jobs", json=job(), headers={"Idempotency-Key": "two"}), "open_jobs_limit")
    assert clients.client.post("/v1/jobs/mine/cancel").status_code == 200
    answer = clients.client.post("/v1/jobs", json=job(), headers={"Idempotency-Key": "two"})
    assert answer.status_code == 202
    assert clients.client.delete("/v1/jobs/mine").status_code == 204
    assert clients.client.post(f"/v1/jobs/{answer.get_json()['id']}/cancel").status_code == 200
    refused(clients.client.put("/v1/jobs/mine", json=job(text="This is another.")), "characters_limit")


def test_a_request_that_dies_before_its_job_is_created_is_not_charged(clients: Clients, line: CpuLine) -> None:
    body = JobRequest.model_validate(job())
    assert Submitter(line.connections).prepare(body, "ann", None)
    assert not line.connections.redis.keys("ch:usage:*") and not line.connections.redis.exists("ch:open")


def test_a_batch_is_charged_for_its_texts_and_settled_when_it_opens(clients: Clients, line: CpuLine) -> None:
    clients.limit(open_jobs=3, characters_per_day=60)
    client, url = clients.client, clients.settings.redis_url
    items: list[dict[str, Any]] = [
        {"custom_id": "a", "job": {"text": "One two three."}},
        {"custom_id": "b", "job": {"text": "{one} two |0.5s|.", "voice": "nobody"}},
        {"custom_id": "c", "job": {"text": '<speak>One <break time="1s"/></speak>', "markup": "ssml"}},
    ]
    refused(client.post("/v1/batches", json={"defaults": {"pipeline": "piper"}, "items": items}), "characters_limit")
    clients.limit(open_jobs=3, characters_per_day=68)
    answer = client.post("/v1/batches", json={"defaults": {"pipeline": "piper"}, "items": items})
    assert answer.status_code == 202, answer.data
    assert used(url).characters == 14 + 17 + 37
    refused(client.post("/v1/jobs", json=job()), "open_jobs_limit")
    assert line.run(1) == 1
    assert line.connections.redis.hget("ch:open", "ann|*") == b"2"  # one item is invalid
    made = line.connections.ledger.get_many([job_of(answer.get_json()["id"], n) for n in range(3)])
    assert used(url).characters == sum(one.document.characters for one in made if one) < 20
    assert used(url).jobs == 2
    assert client.delete(f"/v1/batches/{answer.get_json()['id']}").status_code == 204
    assert not line.connections.redis.exists("ch:open")
    assert used(url).characters > 0


def test_a_batch_larger_than_a_limit_is_refused_as_a_whole(clients: Clients, valkey: str) -> None:
    items = [{"custom_id": str(n), "job": {"text": "Hello."}} for n in range(11)]
    body = {"defaults": {"pipeline": "piper"}, "items": items}
    objects = clients.app.extensions["chorus"].objects
    before = set(objects.names("ann/batches/"))
    clients.limit(open_jobs=10)
    problem = refused(clients.client.post("/v1/batches", json=body), "open_jobs_limit")
    assert not problem["retryable"] and "larger than the whole limit" in problem["detail"]
    clients.limit(characters_per_day=65)
    refused(clients.client.post("/v1/batches", json=body), "characters_limit")
    assert not connect(valkey).keys("ch:job:*") and not connect(valkey).exists("ch:open")
    assert used(valkey) == Use(requests=2)
    assert set(objects.names("ann/batches/")) == before


def test_recordings_are_charged_by_their_length(clients: Clients, valkey: str) -> None:
    clients.limit(audio_seconds_per_day=5)
    client = clients.client

    def send(seconds: float) -> Any:
        data = {"pipeline": "vad", "recording": (io.BytesIO(recording(seconds)), "a.wav")}
        return client.post("/v1/jobs", data=data, content_type="multipart/form-data")

    assert send(3.0).status_code == 202
    refused(send(2.5), "audio_seconds_limit")
    assert send(2.0).status_code == 202
    assert used(valkey).audio_seconds_in == 5.0


def test_a_voice_is_charged_once_and_leaves_nothing_if_it_is_refused(clients: Clients, valkey: str) -> None:
    clients.limit(audio_seconds_per_day=7)
    client, objects = clients.client, clients.app.extensions["chorus"].objects
    before = {name.split("/")[2] for name in objects.names("ann/voices/")}

    def send() -> Any:
        data = {"name": "Me", "files": [(io.BytesIO(recording(s)), "a.wav") for s in (1.5, 2.0)]}
        return client.post("/v1/voices", data=data, content_type="multipart/form-data")

    assert [send().status_code for _ in range(2)] == [202, 202]
    refused(send(), "audio_seconds_limit")
    use = used(valkey)
    assert (use.audio_seconds_in, use.jobs) == (7.0, 0)
    assert not connect(valkey).exists("ch:open")
    voices = {voice["id"] for voice in client.get("/v1/voices").get_json()["data"] if voice["id"].startswith("vo_")}
    assert len(voices) == 2
    assert {name.split("/")[2] for name in objects.names("ann/voices/")} - before == voices


@pytest.fixture
def address() -> Iterator[str]:
    """A URL of a recording of 3 s."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = recording(3.0)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/a.wav"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_recording_behind_a_url_is_charged_when_it_is_fetched(valkey: str, seaweedfs: S3, address: str) -> None:
    port = address.rpartition(":")[2].partition("/")[0]
    clients = Clients(valkey, seaweedfs, egress_allow=f"127.0.0.1:{port}", egress_ports=port)
    line = CpuLine(clients.settings)
    clients.limit(audio_seconds_per_day=5)
    body = {"pipeline": "vad", "recording": {"url": address}}
    first = clients.client.post("/v1/jobs", json=body).get_json()["id"]
    second = clients.client.post("/v1/jobs", json=body).get_json()["id"]
    assert used(valkey).audio_seconds_in == 0
    line.run()
    assert used(valkey).audio_seconds_in == 3.0
    found = {one.id: one for one in line.connections.ledger.get_many([first, second]) if one}
    [failed] = [one for one in found.values() if one.error]
    assert failed.error and failed.error["code"] == "audio_seconds_limit" and not failed.error["retryable"]
    assert failed.error["step"] == "prepare"
    # What was refused is charged with a retry, under the limits of the key that retries; what was charged is not again.
    clients.limit(audio_seconds_per_day=6)
    assert clients.client.post(f"/v1/jobs/{failed.id}/retry").status_code == 202
    line.run()
    assert used(valkey).audio_seconds_in == 6.0
    again = line.connections.ledger.get(failed.id)
    assert again is not None and again.error is None
    assert line.connections.ledger.cancel(failed.id) and line.connections.ledger.retry(failed.id)
    line.run()
    assert used(valkey).audio_seconds_in == 6.0


def test_recordings_in_a_batch_are_charged_as_they_are_prepared(clients: Clients, line: CpuLine) -> None:
    clients.limit(audio_seconds_per_day=4)
    data = base64.b64encode(recording(3.0)).decode()
    items = [{"custom_id": str(n), "job": {"recording": {"base64": data}}} for n in range(2)]
    answer = clients.client.post("/v1/batches", json={"defaults": {"pipeline": "vad"}, "items": items})
    assert answer.status_code == 202, answer.data
    line.run()
    assert used(clients.settings.redis_url).audio_seconds_in == 3.0
    jobs = line.connections.ledger.get_many([job_of(answer.get_json()["id"], n) for n in range(2)])
    assert sorted(one.error["code"] for one in jobs if one and one.error) == ["audio_seconds_limit"]


def test_what_is_left_of_the_limits(valkey: str) -> None:
    now = lambda: NOON  # noqa: E731
    ledger = Ledger(connect(valkey), clock=now)
    ledger.create(new_job("job_1", UNLIMITED, characters=7, seconds=2.5))
    caller = Caller(
        owner="ann",
        key="key_1",
        key_limits=Limits(characters_per_day=10, open_jobs=5),
        owner_limits=Limits(characters_per_day=100, open_jobs=1, audio_seconds_per_day=2),
    )
    left = [(one.name, one.limit, one.left, one.resets) for one in Usage(connect(valkey), now).allowances(caller)]
    assert left == [
        ("open_jobs", 1, 0, None),
        ("characters_per_day", 10, 3, 43_200),
        ("audio_seconds_per_day", 2, 0, 43_200),
    ]
    assert Usage(connect(valkey), now).allowances(Caller(owner="ann")) == []
