"""A long text is prepared portion by portion: its first utterances are rendered meanwhile, and nothing is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from api.streaming.audio import _Following
from api.streaming.streams import Reader
from audio.artifact import pack
from core.redis import connect
from core.settings import Settings
from core.work import CPU
from storage.access.keys import create_key
from storage.ledger.records import Job, Outcome
from storage.objects.manifest import manifest_name, unpack_manifest
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from tests.integration.test_following import Listening, samples_of
from workers.steps.cpu import run_cpu_item
from workers.steps.registry import CPU_STEPS

RATE = 22_050
PARAGRAPHS = 120
TEXT = "\n\n".join(f"This is paragraph {n}. It has a second sentence, number {n} of all." for n in range(PARAGRAPHS))
SENTENCES = 2 * PARAGRAPHS


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions and runs as if texts were 40 times longer."""
    monkeypatch.setattr("text.portions.FIRST", 200)
    monkeypatch.setattr("text.portions.PORTION", 1_000)
    monkeypatch.setattr("workers.steps.laying.FIRST_RUN", 200)
    monkeypatch.setattr("workers.steps.laying.RUN", 1_000)


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


@pytest.fixture
def line(valkey: str, seaweedfs: S3) -> CpuLine:
    return CpuLine(settings_for(valkey, seaweedfs))


def create(client: FlaskClient, **fields: Any) -> str:
    answer = client.post("/v1/jobs", json={"pipeline": "piper", "text": TEXT, **fields})
    assert answer.status_code == 202, answer.data
    return str(answer.get_json()["id"])


def job_of(line: CpuLine, name: str) -> Job:
    job = line.connections.ledger.get(name)
    assert job is not None
    return job


def prepare(line: CpuLine) -> None:
    """One run of ``prepare``, although utterances wait as well."""
    [ref] = line.waiting()
    run_cpu_item(line.connections, str(ref))


def render(line: CpuLine, *, most: int = 10_000) -> int:
    """What a worker does: as many waiting utterances as are released, each a tenth of a second."""
    done = 0
    while done < most and (refs := line.waiting("piper-joe")[: most - done]):
        for ref, work in zip(refs, line.connections.ledger.take("piper-joe", refs), strict=True):
            assert work is not None and work.utterance is not None
            noise = np.random.default_rng(ref.index).uniform(-0.3, 0.3, RATE // 10).astype(np.float32)
            line.connections.objects.put(work.utterance.artifact, pack(noise, RATE, {}), "audio/flac")
        assert all(line.connections.ledger.advance([Outcome(ref=ref, station="piper-joe") for ref in refs]))
        done += len(refs)
    return done


def test_the_first_utterances_are_rendered_while_the_rest_is_prepared(client: FlaskClient, line: CpuLine) -> None:
    name = create(client)
    prepare(line)
    job = job_of(line, name)
    assert 0 < job.total < 20 and job.preparing
    assert [step.state.value for step in job.steps] == ["running", "waiting", "waiting"]
    load = job.load
    assert render(line) == job.total
    job = job_of(line, name)
    assert job.state.value == "running" and job.load == load, "it counts for what its text will come to"
    shown = client.get(f"/v1/jobs/{name}").get_json()
    assert shown["state"] == "running" and shown["step"] == "synthesize"
    totals = [job.total]
    while job_of(line, name).preparing:
        prepare(line)
        totals.append(job_of(line, name).total)
    assert totals[-1] == SENTENCES and len(totals) > 5 and all(a < b for a, b in pairwise(totals))
    assert job_of(line, name).load == SENTENCES - totals[0]
    works, _ = line.connections.ledger.utterances(name)
    assert [TEXT[start:end] for _, start, end in (work.source for work in works)][:3] == [
        "This is paragraph 0.",
        "It has a second sentence, number 0 of all.",
        "This is paragraph 1.",
    ]
    places = [work.source for work in works]
    assert places == sorted(set(places))
    render(line)
    assert line.run(1) == 1
    result = client.get(f"/v1/jobs/{name}").get_json()["result"]
    spoken = SENTENCES * 0.1 + sum(work.pause for work in works[:-1])
    assert result["audio"]["duration"] == pytest.approx(spoken, abs=0.01)


def test_a_portion_that_is_recorded_twice_or_not_at_all_changes_nothing(client: FlaskClient, line: CpuLine) -> None:
    """Two workers have the same portion; one is late, after the next portion has been laid down and rendered."""
    name, ledger = create(client), line.connections.ledger
    [ref] = line.waiting()
    early, late = ledger.take(CPU, [ref])[0], ledger.take(CPU, [ref])[0]
    assert early is not None and late is not None
    step = CPU_STEPS[early.plan.steps[0].role]
    assert ledger.advance([step(line.connections, ref, early)]) == [True]
    render(line)
    [again] = line.waiting()
    assert again == ref
    outcome = step(line.connections, ref, late)
    assert ledger.advance([outcome]) == [False]
    assert line.waiting() == [ref], "the next portion is still on its way"
    _, states = ledger.utterances(name)
    assert set(states) == {"Z"}, "and what was rendered stays so"
    while job_of(line, name).preparing:
        prepare(line)
        render(line)
    line.run()
    assert job_of(line, name).state.value == "succeeded" and job_of(line, name).total == SENTENCES


def test_a_run_that_dies_before_it_is_recorded_is_made_again(client: FlaskClient, line: CpuLine) -> None:
    name = create(client)
    prepare(line)
    known = job_of(line, name).total
    ref = line.waiting()[0]
    work = line.connections.ledger.take(CPU, [ref])[0]
    assert work is not None
    CPU_STEPS[work.plan.steps[0].role](line.connections, ref, work)  # written, and never recorded
    assert job_of(line, name).total == known
    assert len(line.connections.ledger.utterances(name)[0]) == known
    assert render(line) == known, "only what is laid down is rendered"
    while job_of(line, name).preparing:
        prepare(line)
    assert render(line) == SENTENCES - known


def test_chapters_warnings_and_failures_go_through_all_portions(client: FlaskClient, line: CpuLine) -> None:
    chapters = [
        {"title": "One", "text": TEXT[:3000]},
        {"title": "None", "text": "***"},
        {"title": "Two", "text": "\ua960. " + TEXT[3000:6000]},
    ]
    name = create(client, text=None, chapters=chapters, on_error="silence")
    while line.waiting():
        prepare(line)
        render(line)
        if not job_of(line, name).preparing:
            break
    line.run()
    shown = client.get(f"/v1/jobs/{name}").get_json()
    assert shown["state"] == "succeeded"
    found = shown["result"]["chapters"]
    assert [one["title"] for one in found] == ["One", "None", "Two"]
    assert found[1]["start"] == found[2]["start"] > found[0]["start"] == 0
    assert len(shown["errors"]) == 1


def test_a_text_that_fails_late_ends_its_job_and_a_retry_starts_anew(
    client: FlaskClient, line: CpuLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = create(client)
    prepare(line)
    rendered = render(line)
    settings: Settings = line.connections.settings
    monkeypatch.setattr(type(settings), "max_utterances", 30)
    line.run()
    job = job_of(line, name)
    assert job.state.value == "failed" and job.error and job.error["code"] == "text_too_long"
    assert line.waiting("piper-joe") == [] and job.load == 0
    monkeypatch.undo()
    monkeypatch.setattr("workers.steps.laying.FIRST_RUN", 200)
    assert client.post(f"/v1/jobs/{name}/retry").status_code == 202
    prepare(line)
    while job_of(line, name).preparing:
        prepare(line)
    assert render(line) == SENTENCES - rendered, "what was rendered is not rendered again"
    line.run()
    assert job_of(line, name).state.value == "succeeded"


def test_a_canceled_job_is_prepared_no_further(client: FlaskClient, line: CpuLine) -> None:
    name = create(client)
    prepare(line)
    assert client.post(f"/v1/jobs/{name}/cancel").status_code == 200
    total = job_of(line, name).total
    line.run()
    assert job_of(line, name).total == total and job_of(line, name).load == 0
    assert line.connections.ledger.utterances(name) == ([], "")


def test_a_stream_goes_on_over_portions(client: FlaskClient, line: CpuLine) -> None:
    name = create(client)
    prepare(line)
    render(line)
    listening = Listening(client.get(f"/v1/jobs/{name}/audio?stream=1"))
    listening.until(lambda data: len(data) > 10_000)
    while job_of(line, name).preparing:
        prepare(line)
        render(line)
    line.run()
    streamed = samples_of(listening.whole())
    finished = samples_of(client.get(f"/v1/jobs/{name}/audio").data)
    assert len(streamed) == len(finished)
    assert np.abs(streamed.astype(int) - finished).max() == 0


def test_a_stream_that_is_behind_at_the_end_reads_the_manifest(client: FlaskClient, line: CpuLine) -> None:
    name = create(client)
    prepare(line)
    render(line)
    following = _Following(line.connections, job_of(line, name), Reader(None))
    assert following.enqueued()
    pieces = following.pieces()
    first = next(pieces)
    while job_of(line, name).preparing:
        prepare(line)
        render(line)
    line.run()
    job = job_of(line, name)
    assert line.connections.ledger.utterances(name) == ([], "")
    heard = [first, *pieces]
    assert len(heard) == SENTENCES and all(len(read()) == RATE // 10 for read, _ in heard[:3] + heard[-3:])
    entries = unpack_manifest(line.connections.objects.get(manifest_name("ann", name, job.generation)))
    assert [entry.pause for entry in entries] == [pause for _, pause in heard]


def test_a_short_text_takes_one_run(client: FlaskClient, line: CpuLine) -> None:
    name = create(client, text="One. Two.")
    prepare(line)
    assert not job_of(line, name).preparing and job_of(line, name).total == 2
    render(line)
    line.run()
    job = job_of(line, name)
    assert not [n for n in line.connections.objects.names(f"ann/jobs/{name}/") if n.endswith(".msgpack")]
    assert job.state.value == "succeeded"
