"""Artifacts that are there and cannot be read: each is made anew, and none is sent back and forth for ever."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from audio.artifact import pack
from core.errors import ArtifactMissing
from core.names import JobState, Role
from core.redis import connect
from core.work import ItemRef, Plan, PlanStep
from models.base import Embedding, Item, Segment, Segments, Speech
from pipelines.connections import Connections
from storage.access.keys import create_key
from storage.ledger.documents import JobDocument, RecordingDocument
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Outcome, Work
from tests.conftest import S3
from tests.integration.test_api import settings_for
from tests.integration.test_following import RATE, STATION, Hand
from workers.recordings.decode import read_samples
from workers.steps.cpu import run_cpu_item
from workers.steps.listen import EmbedStep, VadStep
from workers.steps.speech import SynthesizeStep


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


@pytest.fixture
def connections(valkey: str, seaweedfs: S3) -> Connections:
    return Connections.connect(settings_for(valkey, seaweedfs))


def damage(connections: Connections, name: str) -> None:
    data = connections.objects.get(name)
    connections.objects.put(name, data[: len(data) // 2], "audio/flac")


def synthesize(connections: Connections, hand: Hand, *indices: int) -> None:
    """What a worker does, with the samples that the test has made."""
    spec = connections.catalog.get(STATION)
    station = SynthesizeStep(connections)
    works = hand.ledger.take(STATION, [hand.ref(1, index) for index in indices])
    for index, work in zip(indices, works, strict=True):
        assert work is not None
        station.store(spec, work, Item(inputs={}), Speech(hand.samples[index], RATE))
    hand.advance([_done(hand.ref(1, index)) for index in indices])


def _done(ref: ItemRef) -> Any:
    return Outcome(ref=ref, station=STATION)


def test_damaged_utterances_are_rendered_again_once(connections: Connections, client: FlaskClient) -> None:
    hand = Hand(connections, client)
    hand.lay(5)
    synthesize(connections, hand, 0, 1, 2, 3, 4)
    for index in (1, 3):
        damage(connections, hand.works[index].artifact)
    connections.objects.delete(hand.works[4].artifact)
    run_cpu_item(connections, str(hand.ref(2)))
    assert [work is not None for work in hand.ledger.take(STATION, [hand.ref(1, n) for n in range(5)])] == [
        False, True, False, True, True]  # fmt: skip
    synthesize(connections, hand, 1, 3, 4)
    run_cpu_item(connections, str(hand.ref(2)))
    job = hand.ledger.get(hand.id)
    assert job is not None and job.state is JobState.SUCCEEDED
    expected = sum(map(len, hand.samples)) + round(0.5 * RATE)
    assert len(hand.finished()) == pytest.approx(expected, abs=3)


def test_what_does_not_last_ends_the_job_with_a_clear_error(connections: Connections, client: FlaskClient) -> None:
    hand = Hand(connections, client)
    hand.lay(2)
    synthesize(connections, hand, 0, 1)
    for _ in range(20):
        damage(connections, hand.works[1].artifact)
        run_cpu_item(connections, str(hand.ref(2)))
        job = hand.ledger.get(hand.id)
        assert job is not None
        if job.state.ended:
            break
        synthesize(connections, hand, 1)
    assert job.state is JobState.FAILED
    assert job.error is not None and (job.error["code"], job.error["step"]) == ("artifacts_lost", "assemble")
    assert job.error["retryable"] is False


def listening_work(role: Role, outputs: StepOutputs) -> Work:
    plan = Plan((PlanStep(role=role, model="m"),))
    document = JobDocument(owner="ann", pipeline="embed", recording=RecordingDocument())
    return Work(document=document, plan=plan, outputs=outputs.joined(StepOutputs(sha256="ab" * 32)))


def test_damaged_segments_and_embeddings_are_made_anew(connections: Connections) -> None:
    samples = "ann/recordings/damaged.16k.flac"
    connections.objects.put(samples, pack(np.zeros(16_000, np.float32), 16_000, {}), "audio/flac")
    silero, encoder = connections.catalog.get("silero"), connections.catalog.get("ge2e")
    vad, embed = VadStep(connections), EmbedStep(connections)
    work = listening_work(Role.VAD, StepOutputs(samples=samples))
    stored = vad.store(silero, work, Item(inputs={"samples": np.zeros(16_000)}), Segments((Segment(0.1, 0.9),), 1.0))
    name = str(stored.outputs.segments_object)
    assert stored.outputs.segments == [(0.1, 0.9)]
    for bad in (b"", b"[1", b"[]", b'{"segments": 3, "duration": 1}', b'{"segments": [{"start": null}]}', b"\xff"):
        connections.objects.put(name, bad, "application/json")
        assert isinstance(vad.load(silero, work), Item), bad
        vad.store(silero, work, Item(inputs={"samples": np.zeros(16_000)}), Segments((Segment(0.1, 0.9),), 1.0))
        assert not isinstance(vad.load(silero, work), Item), bad

    work = listening_work(Role.EMBED, StepOutputs(samples=samples, segments=[(0.1, 0.9)]))
    vector = Embedding(np.ones(4, np.float32) / 2, "ge2e")
    name = str(embed.store(encoder, work, Item(inputs={}), vector).outputs.embedding)
    for bad in (b"", b"x" * 100, connections.objects.get(name)[:-3]):
        connections.objects.put(name, bad, "application/octet-stream")
        assert isinstance(embed.load(encoder, work), Item), bad
        embed.store(encoder, work, Item(inputs={}), vector)
        assert not isinstance(embed.load(encoder, work), Item), bad


def test_a_damaged_recording_is_deleted_so_that_it_is_decoded_again(connections: Connections) -> None:
    name = "ann/recordings/broken.16k.flac"
    connections.objects.put(name, b"fLaC and no more", "audio/flac")
    with pytest.raises(ArtifactMissing) as error:
        read_samples(connections.objects, name)
    assert error.value.code == "artifact_broken"
    assert connections.objects.head(name) is None
