"""Overhead of the whole service around Piper: 200 utterances, compared with a bare loop over the model."""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import httpx

from benchmarks.support.service import ENVIRONMENT, cpu_seconds, say, sentences, wait_until
from cli.local.layout import default_model_workers
from cli.local.stack import Stack
from core.errors import ConfigurationError
from core.names import JobState
from core.settings import Settings
from models.base import Item, Speech
from models.catalog import frontend_class, load_catalog, model_class
from models.weights import WeightsCache, files_of
from text.speakable import clean
from text.utterances import split

MODEL, VOICE, LANGUAGE = "piper-joe", "joe", "en-US"
ROUNDS = 3

#: Jobs and sentences in each: 200 utterances.
JOBS, SENTENCES = 20, 10


def texts() -> list[str]:
    """The jobs' texts."""
    all_of_them = sentences(JOBS * SENTENCES)
    return [" ".join(all_of_them[n * SENTENCES : (n + 1) * SENTENCES]) for n in range(JOBS)]


# -- the bare loop


def items() -> list[Item]:
    """What the service's model gets, made ahead."""
    spec, cache = load_catalog().get(MODEL), WeightsCache(Settings().cache.expanduser())
    frontend = frontend_class(spec)(spec, files_of(spec, cache))
    found = [u.text for text in texts() for u in split(clean(text), LANGUAGE, frontend.max_characters)]
    return [Item(inputs=frontend.inputs(t, VOICE, LANGUAGE), seed=n) for n, t in enumerate(found)]


def loop(work: Queue[Item | None], ends: Queue[tuple[float, float, float]], start: Barrier) -> None:
    """One process of the bare loop: its model, and utterances one by one until there are none left."""
    spec, cache = load_catalog().get(MODEL), WeightsCache(Settings().cache.expanduser())
    model = model_class(spec)(spec, files_of(spec, cache))
    model.load("cpu")
    start.wait()
    cpu = time.process_time()
    seconds = 0.0
    while (item := work.get()) is not None:
        (speech,) = model.run([item])
        if isinstance(speech, Speech):
            seconds += len(speech.samples) / speech.rate
    ends.put((time.time(), time.process_time() - cpu, seconds))


def bare(all_of_them: Sequence[Item], processes: int) -> dict[str, float]:
    """Every utterance in one process per core; loading is not counted."""
    context = multiprocessing.get_context("spawn")
    work: Any = context.Queue()
    ends: Any = context.Queue()
    start = context.Barrier(processes + 1)
    running = [context.Process(target=loop, args=(work, ends, start), daemon=True) for _ in range(processes)]
    for process in running:
        process.start()
    for item in [*all_of_them, *[None] * processes]:
        work.put(item)
    start.wait(120)
    begin = time.time()
    answers = [ends.get(timeout=600) for _ in running]
    for process in running:
        process.join()
    return {
        "seconds": max(end for end, _, _ in answers) - begin,
        "cpu": sum(cpu for _, cpu, _ in answers),
        "audio": sum(audio for _, _, audio in answers),
    }


# -- the service


def service(processes: int) -> dict[str, float]:
    """Every utterance as jobs over HTTP to a ``chorus up`` of its own, until the last audio is there."""
    with (
        tempfile.TemporaryDirectory(prefix="chorus-benchmark-") as folder,
        Stack(Path(folder) / "home", model_workers=processes, models=[MODEL], env=_environment()) as stack,
    ):
        stack.wait_ready()
        pids = {name: entry["pid"] for name, entry in stack.processes().items()}
        with httpx.Client(base_url=stack.url, headers={"X-API-Key": stack.api_key}, timeout=60) as http:
            before = {name: cpu_seconds([pid]) for name, pid in pids.items()}
            begin = time.time()
            jobs = [_post(http, text) for text in texts()]
            ended = [_wait(http, job) for job in jobs]
        cpu = {name: cpu_seconds([pid]) - before[name] for name, pid in pids.items()}
    say("CPU seconds: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in cpu.items()))
    return {
        "seconds": max(end for end, _ in ended) - begin,
        "utterances": float(sum(total for _, total in ended)),
        "cpu": sum(cpu.values()),
        "cpu_models": sum(seconds for name, seconds in cpu.items() if name.startswith(MODEL)),
    }


def _environment() -> dict[str, str]:
    return {name: value for name, value in ENVIRONMENT.items() if not name.endswith("_FILE")}


def _post(http: httpx.Client, text: str) -> str:
    body = {"pipeline": "piper", "text": text, "output": {"format": "flac"}}
    return str(http.post("/v1/jobs", json=body).raise_for_status().json()["id"])


def _wait(http: httpx.Client, job: str) -> tuple[float, int]:
    """When the job ended, as its client sees it, and its utterances."""
    found: dict[str, Any] = {}

    def over() -> bool:
        found.update(http.get(f"/v1/jobs/{job}").raise_for_status().json())
        return JobState(found["state"]).ended

    wait_until("a job", over, every=0.25)
    if found["state"] != "succeeded":
        raise ConfigurationError(f"A job {found['state']}: {found.get('error')}", code="benchmark_failed")
    return time.time(), int(found["progress"]["total"])


# -- the benchmark


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """Bare loop and service in turns on as many processes of the model; medians over the rounds."""
    processes = default_model_workers()
    all_of_them = items()
    loops, connections = [], []
    for _ in range(ROUNDS):
        loops.append(bare(all_of_them, processes))
        say(f"bare: {loops[-1]}")
        connections.append(service(processes))
        say(f"service: {connections[-1]}")
    rate_bare = statistics.median(len(all_of_them) / one["seconds"] for one in loops)
    rate_service = statistics.median(one["utterances"] / one["seconds"] for one in connections)
    cpu_bare = statistics.median(one["cpu"] / len(all_of_them) for one in loops)
    cpu_service = statistics.median(one["cpu"] / one["utterances"] for one in connections)
    return {
        "service_over_bare": round(rate_service / rate_bare, 3),
        "cpu_share_service": round(1 - cpu_bare / cpu_service, 3),
        "cpu_share_beside_models": round(statistics.median(1 - s["cpu_models"] / s["cpu"] for s in connections), 3),
        "utterances": len(all_of_them),
        "service_utterances_per_s": round(rate_service, 2),
        "bare_utterances_per_s": round(rate_bare, 2),
        "service_cpu_s_per_utterance": round(cpu_service, 4),
        "bare_cpu_s_per_utterance": round(cpu_bare, 4),
        "bare_audio_s_per_s": round(statistics.median(one["audio"] / one["seconds"] for one in loops), 1),
        "model_processes": processes,
        "rounds": ROUNDS,
    }
