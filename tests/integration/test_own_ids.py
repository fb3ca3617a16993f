"""Jobs under ids of the client's own, used by several at once and used again: no job gets what is another's."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from audio.artifact import pack
from core.names import EventType
from core.redis import connect
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from pipelines.submission import TEXT_IN_LEDGER, Submitter
from schemas.views import Views
from storage.access.keys import create_key
from storage.ledger.batches import Batches
from storage.ledger.documents import JobDocument
from storage.ledger.records import Job, Outcome, Work
from storage.objects.job_objects import folder
from storage.webhooks.deliveries import Delivery
from tests import present
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import job, settings_for
from workers.steps.assemble import assemble
from workers.steps.cpu import run_cpu_item
from workers.steps.prepare import prepare
from workers.upkeep.reaper import Reaper
from workers.upkeep.sweep import Sweep
from workers.webhooks.body import body_of

MINE = "/v1/jobs/mine"


@pytest.fixture
def line(valkey: str, seaweedfs: S3) -> Iterator[CpuLine]:
    line = CpuLine(settings_for(valkey, seaweedfs))
    objects = line.connections.objects
    objects.delete(*objects.names(""))
    yield line
    objects.delete(*objects.names(""))


@pytest.fixture
def app(line: CpuLine, valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


def put(client: FlaskClient, text: str = "Hello there.", **changes: Any) -> str:
    answer = client.put(MINE, json=job(text=text, **changes))
    assert answer.status_code == 202, answer.data
    return str(answer.get_json()["id"])


def long(word: str) -> str:
    """A text that is kept in storage."""
    return f"{word}. " * (TEXT_IN_LEDGER // len(word))


def found(connections: Connections, job_id: str) -> Job:
    there = connections.ledger.get(job_id)
    assert there is not None
    return there


def texts(connections: Connections, job_id: str) -> list[str]:
    return [name for name in connections.objects.names(folder("ann", job_id)) if "/text" in name]


def kept_text(connections: Connections, document: JobDocument) -> list[str]:
    """What a job's document names as its text, by chapter."""
    return [str(chapter["text"]) for chapter in json.loads(connections.objects.get(document.text_object or ""))]


def taken(line: CpuLine) -> tuple[ItemRef, Work]:
    """What a CPU worker has taken and begun."""
    [ref] = line.waiting()
    [work] = line.connections.ledger.take(CPU, [ref])
    assert work is not None and line.connections.ledger.start(CPU, [ref]) == [True]
    return ref, work


def speak(line: CpuLine, job_id: str, level: float = 0.1) -> None:
    """Renders every utterance, as loud as that."""
    works, _ = line.connections.ledger.utterances(job_id)
    for index, work in enumerate(works):
        line.connections.objects.put(work.artifact, pack(np.full(8000, level, np.float32), 22_050, {}), "audio/flac")
        ref = present.item(line.connections.ledger, job_id, 1, index)
        line.connections.ledger.advance([Outcome(ref=ref, station="piper-joe")])


# -- who wins an id


def test_of_several_texts_put_at_once_the_winners_is_kept(app: Flask, line: CpuLine, valkey: str) -> None:
    key = create_key(connect(valkey), "ann")
    barrier = threading.Barrier(3)

    def race(word: str) -> tuple[int, str]:
        barrier.wait()
        answer = app.test_client().put(url, json=job(text=long(word)), headers={"X-API-Key": key})
        return answer.status_code, answer.get_json().get("id", "")

    with ThreadPoolExecutor(3) as pool:
        for turn in range(5):
            words, url = [f"{word}{turn}" for word in ("Ada", "Bea", "Cid")], f"/v1/jobs/own-{turn}"
            answers = dict(zip(words, pool.map(race, words), strict=True))
            [(word, (_, job_id))] = [pair for pair in answers.items() if pair[1][0] == 202]
            assert sorted(status for status, _ in answers.values()) == [202, 409, 409]
            document = found(line.connections, job_id).document
            assert kept_text(line.connections, document) == [long(word)]
            assert texts(line.connections, job_id) == [document.text_object]


def test_a_text_whose_job_was_refused_does_not_stay(client: FlaskClient, app: Flask, line: CpuLine) -> None:
    app.extensions["chorus"].ledger._bounds = (1, 1)
    put(client)
    refused = client.put("/v1/jobs/other", json=job(text=long("Never")))
    assert (refused.status_code, refused.get_json()["code"]) == (503, "overloaded")
    assert not list(line.connections.objects.names("ann/jobs/"))


def test_a_create_whose_answer_was_lost_keeps_its_text(line: CpuLine) -> None:
    from schemas.requests import JobRequest

    submitter = Submitter(line.connections)
    new = submitter.prepare(JobRequest.model_validate(job(text=long("Twice"))), "ann", None, "job_" + "0" * 24)
    create = line.connections.ledger.create

    class Lossy:
        """A ledger whose connection is lost behind the first call; the client's retry makes it once more."""

        def create(self, job: Any, *, release: bool) -> bool:
            create(job, release=release)
            return create(job, release=release)

        get = staticmethod(line.connections.ledger.get)

    from dataclasses import replace

    assert not Submitter(replace(line.connections, ledger=Lossy())).create(new)  # type: ignore[arg-type]
    assert texts(line.connections, new.id) == [found(line.connections, new.id).document.text_object]


def test_a_batch_that_is_expanded_twice_leaves_one_text_each(client: FlaskClient, line: CpuLine) -> None:
    from workers.steps.expand import expand

    items = [{"custom_id": n, "job": {"pipeline": "piper", "text": long(n)}} for n in ("Ada", "Bea")]
    batch = client.post("/v1/batches", json={"items": items}).get_json()["id"]
    ref, work = taken(line)
    outcomes = [expand(line.connections, ref, work) for _ in range(2)]
    assert line.connections.ledger.advance(outcomes) == [True, False]
    jobs = Batches(line.connections.ledger, line.connections.objects).get("ann", batch).jobs()
    for job_id, item in zip(jobs, items, strict=True):
        document = found(line.connections, job_id).document
        assert texts(line.connections, job_id) == [document.text_object]
        assert kept_text(line.connections, document) == [item["job"]["text"]]  # type: ignore[index]


def test_a_strict_batch_that_is_refused_leaves_no_text(client: FlaskClient, line: CpuLine) -> None:
    items = [{"custom_id": "a", "job": {"pipeline": "piper", "text": long("Ada")}}, {"custom_id": "b", "job": {}}]
    assert client.post("/v1/batches", json={"items": items, "strict": True}).status_code == 202
    line.run()
    assert not list(line.connections.objects.names("ann/jobs/"))


def test_a_sweep_takes_the_text_of_a_loser_that_died(client: FlaskClient, line: CpuLine) -> None:
    job_id = put(client, long("Winner"))
    kept = texts(line.connections, job_id)
    line.connections.objects.put(f"{folder('ann', job_id)}text-{'0' * 24}.json", b"[]", "application/json")
    Sweep(line.connections, 0).run()
    assert texts(line.connections, job_id) == kept


# -- an id that is used again


def test_an_id_that_is_used_again_gets_nothing_of_the_job_before(client: FlaskClient, line: CpuLine) -> None:
    job_id = put(client, "One sentence. " * 40)
    ref, work = taken(line)
    assert client.delete(MINE).status_code == 204
    assert put(client, "Only one.") == job_id
    outcome = prepare(line.connections, ref, work)  # the slow worker's
    assert line.connections.ledger.advance([outcome]) == [False]
    line.run()
    assert found(line.connections, job_id).total == 1
    speak(line, job_id)
    line.run()
    assert found(line.connections, job_id).state == "succeeded"


@pytest.mark.parametrize("lost", ["deleted", "expired", "flushed"])
def test_no_generation_comes_twice(client: FlaskClient, line: CpuLine, lost: str) -> None:
    job_id = put(client)
    first = found(line.connections, job_id)
    assert client.post(f"{MINE}/cancel").status_code == 200
    assert found(line.connections, job_id).generation == first.generation
    assert client.post(f"{MINE}/retry").status_code == 202
    retried = found(line.connections, job_id)
    assert retried.generation > first.generation and retried.origin == first.origin == first.generation
    redis = line.connections.redis
    if lost == "deleted":
        client.delete(MINE)
    elif lost == "expired":
        redis.delete(f"ch:job:{job_id}", f"ch:doc:{job_id}")
    else:
        redis.flushall()
        client.environ_base["HTTP_X_API_KEY"] = create_key(redis, "ann")
    assert put(client, "Another one.") == job_id
    again = found(line.connections, job_id)
    assert again.generation > retried.generation and again.origin == again.generation
    assert again.generation < 2**53


def test_a_clock_that_is_set_back_gives_no_generation_twice(client: FlaskClient, line: CpuLine) -> None:
    line.connections.redis.set("ch:generation", 2**52)
    job_id = put(client)
    assert found(line.connections, job_id).generation == 2**52 + 1
    client.post(f"{MINE}/cancel")
    client.post(f"{MINE}/retry")
    assert found(line.connections, job_id).generation == 2**52 + 2
    assert line.waiting()[-1].generation == 2**52 + 2


def test_what_a_slow_worker_makes_of_a_deleted_job_goes_again(client: FlaskClient, line: CpuLine) -> None:
    """`assemble` ends after its job was deleted: no record tells of it, and no audio stays."""
    job_id = put(client)
    line.run(1)
    speak(line, job_id)
    ref, work = taken(line)
    outcome = assemble(line.connections, ref, work)
    assert client.delete(MINE).status_code == 204
    # The same once more, up to the call that records it, as where the worker was slower than the deletion.
    line.connections.ledger.take, take = lambda *_: [work], line.connections.ledger.take  # type: ignore[method-assign]
    line.connections.ledger.start, start = lambda *_: [True], line.connections.ledger.start  # type: ignore[method-assign]
    line.connections.objects.put(str(outcome.result["audio"]["object"]), b"late", "audio/wav")  # type: ignore[index]
    try:
        put(client, "Another one.")
        run_cpu_item(line.connections, str(ref))
    finally:
        line.connections.ledger.take, line.connections.ledger.start = take, start  # type: ignore[method-assign]
    assert not list(line.connections.objects.names(folder("ann", job_id)))
    assert client.get(MINE).get_json()["state"] == "queued"


def test_a_deletion_leaves_what_a_later_job_has(client: FlaskClient, line: CpuLine) -> None:
    job_id = put(client, long("First"))
    before = found(line.connections, job_id)
    client.delete(MINE)
    put(client, long("Second"))
    after = found(line.connections, job_id)
    from storage.objects.job_objects import up_to

    late = f"{folder('ann', job_id)}{after.generation}/audio.wav"
    names = [late, f"{folder('ann', job_id)}{before.generation}/audio.wav", *texts(line.connections, job_id)]
    assert up_to(names, before) == [names[1]]
    assert set(up_to(names, after)) == set(names)


def test_a_job_under_the_id_of_one_that_expired_is_kept(client: FlaskClient, line: CpuLine) -> None:
    job_id = put(client, long("First"))
    old = texts(line.connections, job_id)
    client.post(f"{MINE}/cancel")
    line.connections.redis.delete(f"ch:job:{job_id}", f"ch:doc:{job_id}")  # as by their own time
    line.connections.redis.zadd("ch:expires", {f"ann/{job_id}": time.time() - 0.01})
    put(client, long("Second"))
    Reaper(line.connections).delete_expired()
    document = found(line.connections, job_id).document
    assert kept_text(line.connections, document) == [long("Second")]
    # Before the reaper came, what is left of the first one is the sweep's.
    Sweep(line.connections, 0).run()
    assert texts(line.connections, job_id) == [document.text_object] != old


def test_what_has_expired_goes_with_its_text(client: FlaskClient, line: CpuLine) -> None:
    job_id = put(client, long("First"))
    client.post(f"{MINE}/cancel")
    line.connections.redis.zadd("ch:expires", {f"ann/{job_id}": time.time() + 1.2})
    line.connections.redis.delete(f"ch:job:{job_id}", f"ch:doc:{job_id}")
    time.sleep(1.3)
    Reaper(line.connections).delete_expired()
    assert not texts(line.connections, job_id)


def test_an_event_of_a_deleted_job_shows_nothing_of_a_later_one(client: FlaskClient, line: CpuLine) -> None:
    job_id = put(client)
    event = f"{job_id}:{found(line.connections, job_id).generation}:1"
    client.delete(MINE)
    put(client, "Another one.", metadata={"whose": "another"})
    kind = EventType.JOB_CANCELED.value
    delivery = Delivery(
        id="de_1",
        event=event,
        owner="ann",
        destination="we_1",
        type=kind,
        at=1.0,
        state="waiting",
        attempts=0,  # type: ignore[arg-type]
    )
    assert json.loads(body_of(line.connections, delivery))["data"] == {"id": job_id, "state": "canceled"}
    assert Views("", line.connections.objects).job(found(line.connections, job_id), None)["metadata"] == {
        "whose": "another"
    }


# -- an Idempotency-Key


@pytest.mark.parametrize("url", ["/v1/jobs", "/v1/batches"])
def test_a_key_whose_body_was_refused_is_free_at_once(client: FlaskClient, url: str) -> None:
    began = time.monotonic()
    for body in ({"pipeline": "piper", "text": 7}, {"pipeline": "piper", "text": "…"}, {"items": []}, {"nothing": 1}):
        for _ in range(2):
            answer = client.post(url, json=body, headers={"Idempotency-Key": "k"})
            assert (answer.status_code, "idempotency" in answer.get_json()["code"]) == (422, False)
    assert time.monotonic() - began < 5
    assert client.post("/v1/jobs", json=job(), headers={"Idempotency-Key": "k"}).status_code == 202


def test_a_key_whose_job_was_deleted_creates_it_again_at_once(client: FlaskClient) -> None:
    def create() -> str:
        answer = client.post("/v1/jobs", json=job(), headers={"Idempotency-Key": "k"})
        assert answer.status_code == 202
        return str(answer.get_json()["id"])

    job_id = create()
    assert create() == job_id
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    began = time.monotonic()
    assert create() == job_id
    assert time.monotonic() - began < 5
    assert client.get(f"/v1/jobs/{job_id}").get_json()["state"] == "queued"
