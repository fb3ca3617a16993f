"""The store stage of a model worker: CPU time of our processes for an utterance, beside the way it was before."""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import SecretStr

from audio.artifact import pack, unpack
from audio.decode import decode
from audio.samples import Samples
from benchmarks.support.former_store import FormerStep, former_pack
from benchmarks.support.recordings import read_manifest
from benchmarks.support.service import FOLDER, Site, cpu_seconds, say, site, works
from core.errors import ChorusError, ConfigurationError
from core.names import Role
from core.settings import Settings
from core.work import ItemRef
from models.base import Item, Speech
from models.catalog import model_class, read_catalog
from pipelines.connections import Connections
from storage.ledger.records import Work
from workers.microbatch.entries import Entry, Finished, Served
from workers.microbatch.storing import Storer
from workers.steps.speech import SynthesizeStep

#: Utterances: seconds, Hz, and how many different ones.
SECONDS, RATE, CLIPS = 5.0, 22_050, 32

#: Micro-batches of a round and way, their items, and the worker's threads.
BATCHES, ITEMS, THREADS = 8, 16, 8
ROUNDS = 9

#: Recordings of this kind are spoken sentences.
SPEECH = "speaker_utt"

CORES = 8


@dataclass(slots=True)
class Cost:
    """What one round of one way took, for each utterance: ms of our CPU, of SeaweedFS's, and on the clock."""

    ours: float
    server: float
    wall: float


class Stage:
    """One way to store: the worker's own stage around a step."""

    def __init__(self, step: SynthesizeStep, clips: Sequence[Samples], io: ThreadPoolExecutor, server: int) -> None:
        spec = read_catalog(FOLDER / "models.yaml").get("sim")
        model = model_class(spec)(spec, Path)
        self._served = Served(model=model, bounds=spec.bounds("cpu"))
        self._storer = Storer({Role.SYNTHESIZE: step}, io, threading.Event())
        self._outputs = [Speech(samples, RATE, durations=[0.07] * 70) for samples in clips]
        self._server = server

    def round(self, batches: int) -> Cost:
        """Stores micro-batches, one after another as the worker does. Raises what became of an utterance."""
        finished = [self._finished() for _ in range(batches)]
        count = batches * ITEMS
        wall, server, ours = time.perf_counter(), cpu_seconds([self._server]), time.process_time()
        for one in finished:
            for stored in self._storer.store(one):
                if isinstance(stored, ChorusError):
                    raise stored
        ours = time.process_time() - ours
        server, wall = cpu_seconds([self._server]) - server, time.perf_counter() - wall
        return Cost(*(seconds / count * 1000 for seconds in (ours, server, wall)))

    def _finished(self) -> Finished:
        entries = [
            Entry(ItemRef("job_store", 1, 1, index), "sim", [], Work(utterance=work), item=Item({}, seed=index))
            for index, work in enumerate(works("store", ITEMS))
        ]
        self._outputs.append(self._outputs.pop(0))
        return Finished(self._served, entries, list(self._outputs[:ITEMS]), 0.0)


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """``cpu_ms_per_utterance``, ``utterances_per_s_per_core`` and eight times that of the store stage, ``today_...`` of
    the former one; ``today_over_new_cpu``; ``pack_ms`` and ``put_ms`` of one thread without company."""
    clips, source = utterances(arguments.data)
    say(f"{len(clips)} utterances of {SECONDS:.0f} s from {source}")
    with site(storage=True) as here, ThreadPoolExecutor(THREADS, thread_name_prefix="io") as io:
        connections = Connections.connect(_settings(here))
        server = here.servers["seaweedfs"]
        new = Stage(SynthesizeStep(connections), clips, io, server)
        former = Stage(FormerStep(connections), clips, io, server)
        costs: dict[str, list[Cost]] = {"new": [], "former": []}
        for stage in (new, former):
            stage.round(2)
        for number in range(ROUNDS):
            turns = [("new", new), ("former", former)]
            for name, stage in turns[:: -1 if number % 2 else 1]:
                costs[name].append(stage.round(BATCHES))
            say(f"round {number + 1}: {costs['new'][-1].ours:.2f} ms, before {costs['former'][-1].ours:.2f} ms")
        packed = [pack(clip, RATE, {"seed": 1}) for clip in clips]
        names = iter(work.artifact for work in works("store", 4 * CLIPS))
        put = _cpu_ms(lambda n: connections.objects.put(next(names), packed[n], "audio/flac", if_absent=True))
    ours, before = (statistics.median(cost.ours for cost in costs[name]) for name in ("new", "former"))
    return {
        "cpu_ms_per_utterance": ours,
        "today_cpu_ms_per_utterance": before,
        "today_over_new_cpu": statistics.median(
            old.ours / cost.ours for cost, old in zip(costs["new"], costs["former"], strict=True)
        ),
        "utterances_per_s_per_core": 1000 / ours,
        "today_utterances_per_s_per_core": 1000 / before,
        "utterances_per_s_8_cores": CORES * 1000 / ours,
        "today_utterances_per_s_8_cores": CORES * 1000 / before,
        "pack_ms": _cpu_ms(lambda n: pack(clips[n], RATE, {"seed": 1})),
        "today_pack_ms": _cpu_ms(lambda n: former_pack(clips[n], RATE, {"seed": 1})),
        "put_ms": put,
        "bytes_per_utterance": statistics.mean(map(len, packed)),
        "today_bytes_per_utterance": statistics.mean(len(former_pack(clip, RATE, {"seed": 1})) for clip in clips),
        "same_samples": int(all(_same(clip, data) for clip, data in zip(clips, packed, strict=True))),
        "server_cpu_ms_per_utterance": statistics.median(cost.server for cost in costs["new"]),
        "today_server_cpu_ms_per_utterance": statistics.median(cost.server for cost in costs["former"]),
        "wall_ms_per_utterance": statistics.median(cost.wall for cost in costs["new"]),
        "today_wall_ms_per_utterance": statistics.median(cost.wall for cost in costs["former"]),
        "utterances_of": source,
        "rounds": ROUNDS,
    }


def _settings(here: Site) -> Settings:
    env = here.env
    return Settings(
        redis_url=here.redis_url,
        s3_endpoint=env["CHORUS_S3_ENDPOINT"],
        s3_bucket=env["CHORUS_S3_BUCKET"],
        s3_access_key=env["CHORUS_S3_ACCESS_KEY"],
        s3_secret_key=SecretStr(env["CHORUS_S3_SECRET_KEY"]),
    )


def _cpu_ms(call: Callable[[int], object], laps: int = 3) -> float:
    """CPU milliseconds of a call on one thread, the median over all utterances; called for each by its number."""
    taken = []
    for _ in range(laps):
        for number in range(CLIPS):
            begin = time.thread_time()
            call(number)
            taken.append(time.thread_time() - begin)
    return statistics.median(taken) * 1000


def _same(clip: Samples, data: bytes) -> bool:
    """Whether an artifact holds the samples that the former way's holds."""
    return bool(np.array_equal(unpack(data)[0], unpack(former_pack(clip, RATE, {}))[0]))


# -- what is stored


def utterances(data: Path) -> tuple[list[Samples], str]:
    """`CLIPS` utterances and where they are from: spoken sentences of a data folder, one after another and cut; noise
    where there is none."""
    length = round(SECONDS * RATE)
    try:
        files = [row.file for row in read_manifest(data) if row.kind == SPEECH]
    except ConfigurationError:
        files = []
    spoken, seconds = [], 0.0
    for file in files:
        if seconds >= SECONDS * CLIPS:
            break
        spoken.append(decode(data / file, RATE, max_seconds=60))
        seconds += len(spoken[-1]) / RATE
    if seconds < SECONDS * CLIPS:
        return [speechlike(length, number) for number in range(CLIPS)], "noise"
    whole = np.concatenate(spoken)
    return [whole[start:end] for start, end in pairwise(range(0, (CLIPS + 1) * length, length))], "recordings"


def speechlike(length: int, seed: int) -> Samples:
    """Noise with the long-term spectrum of speech (about -12 dB an octave above 500 Hz) and its dynamics (40 dB, from
    one eighth of a second to the next): float32 [length]. As FLAC it has as many bytes as Piper's speech."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / RATE)
    spectrum *= np.minimum(1.0, frequency / 100) * np.maximum(frequency / 500, 1.0) ** -2
    turns = np.arange(0, length + RATE, RATE // 8)
    level = np.interp(np.arange(length), turns, random.random(len(turns)))
    sound = np.fft.irfft(spectrum, length) * 10 ** (2 * (level - 1))
    return np.asarray(0.7 * sound / np.abs(sound).max(), np.float32)
