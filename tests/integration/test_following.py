"""Streamed audio and events over WSGI, on real servers; the test is the worker and ends utterances as it likes."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import redis
import soundfile
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import create_app
from api.streaming import streams
from api.streaming.streams import StreamCut
from audio.artifact import pack
from audio.decode import decode
from audio.sinks.pcm import to_pcm16
from core.errors import ModelFailed
from core.names import JobState
from core.redis import connect
from core.work import CPU, ItemRef, UtteranceWork
from pipelines.connections import Connections
from storage.access.keys import create_key
from storage.ledger.ledger import Ledger
from storage.ledger.records import Outcome
from tests import present
from tests.chaos.proxy import FaultProxy
from tests.conftest import S3
from tests.integration.test_api import job, settings_for
from tests.waiting import wait_for
from workers.steps.assemble import assemble

RATE = 22_050
STATION = "piper-joe"
PATIENCE = 30.0


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs, api_streams=3))


@pytest.fixture
def client(app: Flask, valkey: str) -> FlaskClient:
    found = app.test_client()
    found.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann")
    return found


@pytest.fixture
def connections(valkey: str, seaweedfs: S3) -> Connections:
    return Connections.connect(settings_for(valkey, seaweedfs))


class Hand:
    """A job whose steps are done by hand."""

    def __init__(self, connections: Connections, client: FlaskClient, **fields: Any) -> None:
        self.connections = connections
        self.ledger: Ledger = connections.ledger
        self.client = client
        self.samples: list[np.ndarray] = []
        self.works: list[UtteranceWork] = []
        answer = client.post("/v1/jobs", json=job(**fields))
        assert answer.status_code == 202, answer.data
        self.id = str(answer.get_json()["id"])
        self.generation = present.generation(self.ledger, self.id)

    @property
    def url(self) -> str:
        return f"/v1/jobs/{self.id}"

    def ref(self, step: int, index: int = -1) -> ItemRef:
        return ItemRef(self.id, self.generation, step, index)

    def lay(self, count: int) -> None:
        """`prepare`: lays noise of different lengths down as utterances."""
        noise = np.random.default_rng(1)
        self.samples = [noise.uniform(-0.5, 0.5, 9_000 + 1_000 * n).astype(np.float32) for n in range(count)]
        self.works = [
            UtteranceWork.single(
                inputs={},
                options={},
                seed=n,
                artifact=f"ann/utterances/{self.id[4:]}{n:04x}.flac",
                pause=0.25 if n % 2 else 0.0,
            )
            for n in range(count)
        ]
        assert self.ledger.take(CPU, [self.ref(0)])[0]
        assert self.ledger.enqueue_utterances(self.ref(0), 1, self.works, [False] * count)
        self.ledger.advance([Outcome(ref=self.ref(0), station=CPU)])

    def render(self, *indices: int) -> None:
        for index in indices:
            data = pack(self.samples[index], RATE, {})
            self.connections.objects.put(self.works[index].artifact, data, "audio/flac")
        self.ledger.take(STATION, [self.ref(1, index) for index in indices])
        self.advance([Outcome(ref=self.ref(1, index), station=STATION) for index in indices])

    def fail(self, index: int) -> None:
        self.advance([Outcome(ref=self.ref(1, index), station=STATION, error=ModelFailed("No."))])

    def assemble(self) -> None:
        (work,) = self.ledger.take(CPU, [self.ref(2)])
        assert work is not None
        self.advance([assemble(self.connections, self.ref(2), work)])

    def advance(self, outcomes: list[Outcome]) -> None:
        assert all(self.ledger.advance(outcomes))

    def finished(self) -> np.ndarray:
        answer = self.client.get(f"{self.url}/audio")
        assert answer.status_code == 200
        return soundfile.read(io.BytesIO(answer.data), dtype="int16")[0]


class Listening:
    """A streamed answer, read by a thread of its own as it comes."""

    def __init__(self, answer: TestResponse) -> None:
        self.answer = answer
        self.data = bytearray()
        self.error: BaseException | None = None
        self._came: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for chunk in self.answer.response:
                self.data += chunk  # type: ignore[arg-type]
        except (StreamCut, OSError) as error:
            self.error = error
        finally:
            self.answer.close()

    def until(self, enough: Callable[[bytes], bool]) -> bytes:
        def came() -> bool:
            alive = self._thread.is_alive()
            there = enough(bytes(self.data))
            assert there or alive, self.error
            return there

        wait_for(came, PATIENCE, lambda: f"more than {len(self.data)} bytes", every=0.01)
        return bytes(self.data)

    def whole(self) -> bytes:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"{len(self.data)} bytes came, and no end"
        if self.error is not None:
            raise self.error
        return bytes(self.data)


def listen(hand: Hand, query: str = "") -> Listening:
    answer = hand.client.get(f"{hand.url}/audio?stream=1{query}")
    assert answer.status_code == 200, answer.data
    return Listening(answer)


def samples_of(wav: bytes) -> np.ndarray:
    if wav.startswith(b"fLaC"):  # libsndfile reads no FLAC that does not say how many samples there are
        return to_pcm16(decode(wav, RATE, max_seconds=60))
    samples: np.ndarray = soundfile.read(io.BytesIO(wav), dtype="int16")[0]
    return samples


# -- audio


@pytest.mark.parametrize("output", [{}, {"sample_rate": 16_000}, {"format": "flac"}])
def test_the_streamed_wav_is_the_finished_one(
    client: FlaskClient, connections: Connections, output: dict[str, Any]
) -> None:
    hand = Hand(connections, client, output=output)
    listening = listen(hand)  # while it is queued
    hand.lay(5)
    for index in range(5):
        hand.render(index)
    streamed = listening.whole()  # before `assemble`
    assert hand.client.get(hand.url).get_json()["step"] == "assemble"
    hand.assemble()
    finished = hand.finished()
    heard = samples_of(streamed)
    assert len(heard) == len(finished)
    # The resampler rounds differently where chunks begin elsewhere.
    assert np.abs(heard.astype(int) - finished).max() <= (1 if "sample_rate" in output else 0)
    assert listening.answer.headers["Content-Type"] == f"audio/{output.get('format', 'wav')}"
    assert listening.answer.headers["Chorus-Loudness"] == "none"
    assert samples_of(listen(hand, "&format=wav").whole()).tolist() == finished.tolist()


def test_order_is_kept_although_utterances_end_out_of_order(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    hand.lay(4)
    listening = listen(hand)
    listening.until(lambda data: len(data) == 44)
    hand.render(3, 1)
    time.sleep(0.6)  # more than two of the longest gaps
    assert len(listening.data) == 44, "what comes later is not sent first"
    hand.render(0)
    both = 44 + 2 * (len(hand.samples[0]) + len(hand.samples[1]) + round(0.25 * RATE))
    held = 2 * round(0.01 * RATE)  # at most, by the limiter, which looks ahead
    listening.until(lambda data: len(data) > both - held)
    assert len(listening.data) <= both
    hand.render(2)
    heard = samples_of(listening.whole())
    at = 0
    for index, samples in enumerate(hand.samples):
        middle = slice(200, len(samples) - 200)  # behind the fades
        assert np.abs(heard[at:][: len(samples)][middle] / 32768 - samples[middle]).max() <= 2 / 32768, index
        at += len(samples) + (round(hand.works[index].pause * RATE) if index < 3 else 0)
    assert at == len(heard)


def test_an_utterance_is_heard_as_soon_as_it_is_there(client: FlaskClient, connections: Connections) -> None:
    for kind in ("wav", "mp3", "opus", "pcm"):
        hand = Hand(connections, client, text=f"Hello in {kind}.")
        hand.lay(3)
        listening = listen(hand, f"&format={kind}")
        hand.render(0, 1)
        expected = (len(hand.samples[0]) + len(hand.samples[1])) / RATE

        def heard(data: bytes, kind: str = kind, expected: float = expected) -> bool:
            if kind == "pcm":
                return len(data) / 2 / RATE >= expected
            # The pause behind the second one has driven all of its samples out of the encoder.
            return len(data) > 2000 and len(decode(data, RATE, max_seconds=10)) / RATE >= expected

        listening.until(heard)
        hand.render(2)
        listening.whole()


@pytest.mark.parametrize("when", ["live", "finished"])
@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("wav", "audio/wav"),
        ("mp3", "audio/mpeg"),
        ("opus", "audio/ogg; codecs=opus"),
        ("pcm", "audio/pcm; rate=22050; channels=1; bits=16"),
    ],
)
def test_every_format_has_the_same_length(
    client: FlaskClient, connections: Connections, kind: str, content_type: str, when: str
) -> None:
    hand = Hand(connections, client, output={"format": "flac"})
    hand.lay(4)
    hand.render(*range(4))
    if when == "finished":
        hand.assemble()
    listening = listen(hand, f"&format={kind}")
    assert listening.answer.headers["Content-Type"] == content_type
    data = listening.whole()
    length = sum(map(len, hand.samples)) / RATE + sum(work.pause for work in hand.works[:-1])
    got = len(data) / 2 / RATE if kind == "pcm" else len(decode(data, RATE, max_seconds=60)) / RATE
    assert got == pytest.approx(length, abs=0.12 if kind in ("mp3", "opus") else 0.001)


def test_the_finished_file_of_the_same_format_comes_as_it_is(client: FlaskClient, connections: Connections) -> None:
    for kind in ("mp3", "opus"):
        hand = Hand(connections, client, text=f"Once in {kind}.", output={"format": kind, "loudness": -20})
        hand.lay(4)
        hand.render(*range(4))
        hand.assemble()
        listening = listen(hand)
        whole = hand.client.get(f"{hand.url}/audio").data
        assert listening.whole() == whole
        assert listening.answer.headers["Content-Length"] == str(len(whole))
        assert listening.answer.headers["Chorus-Loudness"] == "-20 LUFS"


def test_a_stream_goes_on_behind_the_end_of_its_job(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client, on_error="silence")
    hand.lay(4)
    answer = hand.client.get(f"{hand.url}/audio?stream=1")
    chunks = iter(answer.response)
    hand.render(0, 3)
    first = b"".join(next(chunks) for _ in range(3))  # nothing, header, the first utterance
    hand.fail(1)
    hand.render(2)
    hand.assemble()
    assert connections.redis.exists(f"ch:utt:{hand.id}") == 0
    heard = samples_of(first + b"".join(chunks))  # type: ignore[arg-type]
    answer.close()
    assert heard.tolist() == hand.finished().tolist()


def test_a_failed_utterance_is_silence_or_the_end(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client, on_error="silence")
    hand.lay(3)
    hand.render(0)
    hand.fail(1)
    listening = listen(hand)
    hand.render(2)
    heard = samples_of(listening.whole())
    begin = len(hand.samples[0])
    assert not heard[begin : begin + RATE // 2].any()
    assert len(heard) == begin + len(hand.samples[2]) + RATE // 2 + round(0.25 * RATE)
    hand = Hand(connections, client, text="Another one.")
    hand.lay(3)
    hand.render(0)
    hand.fail(1)
    with pytest.raises(StreamCut, match="utterance 1 failed"):
        listen(hand).whole()


@pytest.mark.parametrize("end", ["cancel", "delete", "fail"])
@pytest.mark.parametrize("laid", [True, False])
def test_a_job_that_ends_early_cuts_its_stream(
    client: FlaskClient, connections: Connections, end: str, laid: bool
) -> None:
    hand = Hand(connections, client)
    if laid:
        hand.lay(3)
        hand.render(0)
    listening = listen(hand)
    listening.until(lambda data: len(data) > 44 or not laid)
    if end == "fail" and laid:
        hand.fail(1)
    elif end == "fail":
        hand.ledger.advance([Outcome(ref=hand.ref(0), station=CPU, error=ModelFailed())])
    else:
        answer = client.post(f"{hand.url}/cancel") if end == "cancel" else client.delete(hand.url)
        assert answer.status_code in (200, 204)
    with pytest.raises(StreamCut):
        listening.whole()
    assert streams.PLACES.open == 0


def test_a_retried_job_goes_on(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    hand.lay(3)
    hand.render(0)
    answer = hand.client.get(f"{hand.url}/audio?stream=1")
    chunks = iter(answer.response)
    data = b"".join(next(chunks) for _ in range(3))
    # Between two looks of the stream, which come only when it is read on.
    assert client.post(f"{hand.url}/cancel").status_code == 200
    assert client.post(f"{hand.url}/retry").status_code == 202
    hand.generation = present.generation(hand.ledger, hand.id)
    hand.lay(3)
    rendering = threading.Timer(0.3, hand.render, (1, 0, 2))
    rendering.start()
    data += b"".join(chunks)  # type: ignore[arg-type]
    rendering.join()
    answer.close()
    hand.assemble()
    assert samples_of(data).tolist() == hand.finished().tolist()


def address(url: str) -> tuple[str, int]:
    found = urlsplit(url)
    return str(found.hostname), int(found.port or 0)


def test_ledger_and_storage_may_be_away_for_a_moment(valkey: str, seaweedfs: S3, connections: Connections) -> None:
    key = create_key(connect(valkey), "ann")
    with FaultProxy(address(valkey)) as ledger, FaultProxy(address(seaweedfs.endpoint)) as storage:
        behind = replace(seaweedfs, endpoint=f"http://127.0.0.1:{storage.port}")
        client = create_app(settings_for(f"redis://127.0.0.1:{ledger.port}/0", behind)).test_client()
        client.environ_base["HTTP_X_API_KEY"] = key
        hand = Hand(connections, client)
        hand.lay(4)
        hand.render(0)
        sounding, told = listen(hand), Listening(follow(hand))
        sounding.until(lambda data: len(data) > 44)
        for away in (ledger, storage):
            away.refuse()
            index = 1 if away is ledger else 2
            hand.render(index)
            so_far = len(sounding.data)
            time.sleep(1.2)
            assert len(sounding.data) == so_far
            away.pass_on()
            sounding.until(lambda data, so_far=so_far: len(data) > so_far)  # type: ignore[misc]
        hand.render(3)
        assert len(samples_of(sounding.whole())) == sum(map(len, hand.samples)) + round(0.25 * RATE)
        hand.assemble()
        assert b"event: job.succeeded" in told.whole()


def test_a_look_whose_answer_is_lost_is_made_anew(
    client: FlaskClient, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py empties a pipeline whose connection broke: the next try has to say again what it asks."""
    hand = Hand(connections, client)
    hand.lay(2)
    hand.render(0)
    execute, lost = redis.client.Pipeline.execute, []

    def breaks_once(pipe: redis.client.Pipeline, raise_on_error: bool = True) -> list[object]:
        if not lost and any("GETRANGE" in command[0] for command in pipe.command_stack):
            lost.append(pipe)
            pipe.reset()
            raise redis.exceptions.ConnectionError
        found: list[object] = execute(pipe, raise_on_error)
        return found

    monkeypatch.setattr(redis.client.Pipeline, "execute", breaks_once)
    listening = listen(hand)
    hand.render(1)
    assert len(samples_of(listening.whole())) == sum(map(len, hand.samples))
    assert lost


def test_an_artifact_that_is_gone_is_waited_for(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    hand.lay(3)
    hand.render(0, 1, 2)
    connections.objects.delete(hand.works[1].artifact)
    listening = listen(hand)
    listening.until(lambda data: len(data) > 44)
    hand.ledger.take(CPU, [hand.ref(2)])
    assert hand.ledger.render_again(hand.ref(2), [1])  # as `assemble` does
    hand.render(1)
    assert len(samples_of(listening.whole())) == sum(map(len, hand.samples)) + round(0.25 * RATE)


def test_what_is_away_for_long_cuts_the_stream(
    client: FlaskClient, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "OUTAGE_TIMEOUT", 1.0)
    hand = Hand(connections, client)
    hand.lay(2)
    hand.advance([Outcome(ref=hand.ref(1, 0), station=STATION)])  # without an artifact
    begin = time.monotonic()
    with pytest.raises(StreamCut, match="artifact_missing"):
        listen(hand).whole()
    assert time.monotonic() - begin >= 1.0


def test_what_has_no_audio_is_refused(client: FlaskClient, connections: Connections) -> None:
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(8000, np.float32), 8000, format="WAV")
    recording = base64.b64encode(silence.getvalue()).decode()
    vad = client.post("/v1/jobs", json={"pipeline": "vad", "recording": {"base64": recording}}).get_json()
    answer = client.get(f"/v1/jobs/{vad['id']}/audio?stream=1")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "no_audio")
    hand = Hand(connections, client)
    wrong = client.get(f"{hand.url}/audio?stream=1&format=m4a")
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "invalid_value")
    client.post(f"{hand.url}/cancel")
    canceled = client.get(f"{hand.url}/audio?stream=1")
    assert (canceled.status_code, canceled.get_json()["code"]) == (409, "job_canceled")
    assert client.get("/v1/jobs/job_000000000000000000000000/audio?stream=1").status_code == 404
    assert streams.PLACES.open == 0


def test_head_says_what_get_would(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    live = client.head(f"{hand.url}/audio?stream=1&format=opus")
    assert (live.status_code, live.data) == (200, b"")
    assert live.headers["Content-Type"] == "audio/ogg; codecs=opus"
    assert client.head(f"{hand.url}/events").headers["Content-Type"] == "text/event-stream"
    assert streams.PLACES.open == 0
    hand.lay(2)
    hand.render(0, 1)
    hand.assemble()
    head = client.head(f"{hand.url}/audio?stream=1")
    assert int(head.headers["Content-Length"]) == len(client.get(f"{hand.url}/audio").data)


# -- events


def messages(text: str) -> list[dict[str, Any]]:
    """Server-sent events; comments and ``retry`` are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append({"id": fields.get("id"), "type": fields["event"], "data": json.loads(fields["data"])})
    return found


def follow(hand: Hand, last: str | None = None) -> TestResponse:
    return hand.client.get(f"{hand.url}/events", headers={"Last-Event-ID": last} if last is not None else {})


def test_events_from_the_first_to_the_last(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    answer = follow(hand)
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    listening = Listening(answer)
    assert listening.until(lambda data: b"job.queued" in data).startswith(b"retry: 2000\n\n")
    hand.lay(2)
    hand.render(0)
    listening.until(lambda data: b'{"done":1,"total":2,' in data)
    hand.render(1)
    hand.assemble()
    told = messages(listening.whole().decode())
    numbered = [m for m in told if m["id"]]
    steps = ["step.running", "step.done"] * 3
    assert [m["type"] for m in numbered] == ["job.queued", "job.running", *steps, "job.succeeded"]
    assert [m["id"] for m in numbered] == [f"{hand.id}:{hand.generation}:{n}" for n in range(1, len(numbered) + 1)]
    assert numbered[-1]["type"] == "job.succeeded"
    assert numbered[-1]["data"] == client.get(hand.url).get_json()
    step = next(m for m in numbered if m["type"] == "step.done")
    assert step["data"] == {"name": "prepare", "model": None, "state": "done"}
    progress = [m["data"] for m in told if m["type"] == "progress"]
    assert progress[-1] == {"done": 2, "total": 2, "eta": None}
    assert told[-1] == numbered[-1]


def test_events_resume_behind_the_last_one(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    hand.lay(1)
    hand.render(0)
    hand.assemble()
    everything = messages(Listening(follow(hand)).whole().decode())
    assert len(everything) >= 6
    for position in (0, 3, len(everything) - 2):
        rest = messages(Listening(follow(hand, everything[position]["id"])).whole().decode())
        assert rest == everything[position + 1 :]
    assert follow(hand, everything[-1]["id"]).status_code == 204
    assert messages(Listening(follow(hand, "")).whole().decode()) == everything
    other = Hand(connections, client, text="Another one.")
    ours, later = f"{hand.id}:{hand.generation}", f"{hand.id}:{hand.generation + 1}"
    for wrong in (f"{other.id}:{other.generation}:1", "1", ours, f"{ours}:x", f"{later}:1", f"{ours}:-1", "é"):
        answer = follow(hand, wrong)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_event_id"), wrong
    assert streams.PLACES.open == 0


def test_a_new_generation_is_told_from_its_beginning(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    hand.lay(1)
    client.post(f"{hand.url}/cancel")
    before = messages(Listening(follow(hand)).whole().decode())
    assert before[-1]["type"] == "job.canceled"
    client.post(f"{hand.url}/retry")
    second = present.generation(hand.ledger, hand.id)
    listening = Listening(follow(hand, before[-1]["id"]))
    listening.until(lambda data: b"job.queued" in data)
    client.post(f"{hand.url}/cancel")
    after = messages(listening.whole().decode())
    assert [m["id"] for m in after] == [f"{hand.id}:{second}:1", f"{hand.id}:{second}:2"]
    assert [m["type"] for m in after] == ["job.queued", "job.canceled"]


def test_events_end_where_the_job_is_deleted(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    listening = Listening(follow(hand))
    listening.until(lambda data: b"job.queued" in data)
    client.delete(hand.url)
    listening.whole()
    assert follow(hand).status_code == 404


def test_a_quiet_stream_shows_that_it_lives(
    client: FlaskClient, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.streaming import events as follow_events

    monkeypatch.setattr(follow_events, "_KEEP_ALIVE", 0.6)
    hand = Hand(connections, client)
    listening = Listening(follow(hand))
    listening.until(lambda data: data.count(b": keep-alive\n\n") >= 2)
    client.post(f"{hand.url}/cancel")
    listening.whole()


def test_a_job_that_only_its_record_tells_of(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    hand.lay(2)
    hand.render(0, 1)
    hand.assemble()
    finished = hand.finished()
    hand.ledger.delete_now(hand.id)
    (end,) = messages(Listening(follow(hand)).whole().decode())
    assert (end["type"], end["data"]["state"]) == ("job.succeeded", "succeeded")
    assert follow(hand, end["id"]).status_code == 204
    assert follow(hand, f"{hand.id}:{hand.generation}:9").status_code == 204  # of the time before
    assert samples_of(listen(hand).whole()).tolist() == finished.tolist()


# -- places


def test_streams_have_places_of_their_own(client: FlaskClient, connections: Connections) -> None:
    hand = Hand(connections, client)
    with contextlib.ExitStack() as held:
        for n in range(3):
            answer = follow(hand) if n else hand.client.get(f"{hand.url}/audio?stream=1")
            held.callback(answer.close)
            next(iter(answer.response))
        refused = follow(hand)
        assert (refused.status_code, refused.get_json()["code"]) == (503, "too_many_streams")
        assert int(refused.headers["Retry-After"]) > 0
        assert client.head(f"{hand.url}/events").status_code == 200
        assert client.get(hand.url).get_json()["state"] == JobState.QUEUED
    assert streams.PLACES.open == 0
    answer = follow(hand)
    assert answer.status_code == 200
    answer.close()  # before anything was read
    assert streams.PLACES.open == 0


def test_a_stream_has_a_longest_life(
    client: FlaskClient, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LONGEST", 0.5)
    hand = Hand(connections, client)
    assert b"job.queued" in Listening(follow(hand)).whole()
    with pytest.raises(StreamCut):
        listen(hand).whole()
    assert streams.PLACES.open == 0


def test_streams_end_with_their_process(
    client: FlaskClient, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(connections, client)
    quiet, sounding = Listening(follow(hand)), listen(hand)
    quiet.until(lambda data: b"job.queued" in data)
    monkeypatch.setattr(streams, "_stopping", lambda: True)
    quiet.whole()
    with pytest.raises(StreamCut):
        sounding.whole()
