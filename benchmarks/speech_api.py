"""Latency of ``POST /v1/audio/speech`` for one sentence, compared with the same voice in a bare loop."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from audio.streaming import StreamEncoder, StreamFormat
from benchmarks.support.service import ENVIRONMENT, say, sentences
from cli.local.stack import Stack
from core.errors import ModelFailed
from core.settings import Settings
from models.base import Item, Speech
from models.catalog import frontend_class, load_catalog, model_class
from models.weights import WeightsCache, files_of
from text.speakable import clean

MODEL, VOICE, LANGUAGE = "piper-joe", "joe", "en-US"
ROUNDS = 30

#: Rounds that warm both sides up, and seconds before each request in which nothing is done.
WARM, PAUSE = 3, 0.3


def loop(peer: Connection) -> None:
    """The bare loop: a text comes in, an MP3 goes out, in one process that has the model loaded."""
    spec, cache = load_catalog().get(MODEL), WeightsCache(Settings().cache.expanduser())
    files = files_of(spec, cache)
    frontend, model = frontend_class(spec)(spec, files), model_class(spec)(spec, files)
    model.load("cpu")
    while (text := peer.recv()) is not None:
        (speech,) = model.run([Item(inputs=frontend.inputs(clean(text), VOICE, LANGUAGE))])
        if not isinstance(speech, Speech):
            raise ModelFailed(f"The bare loop does not speak: {speech}")
        with StreamEncoder(StreamFormat.MP3, speech.rate) as encoder:
            peer.send_bytes(encoder.header() + encoder.write(speech.samples) + encoder.close())


def bare(peer: Connection, text: str) -> float:
    """Seconds until the bare loop has answered."""
    begin = time.perf_counter()
    peer.send(text)
    peer.recv_bytes()
    return time.perf_counter() - begin


def requested(http: httpx.Client, text: str) -> tuple[float, float]:
    """Seconds until the first byte of the service's answer, and until its last."""
    begin, first = time.perf_counter(), 0.0
    body = {"model": MODEL, "voice": VOICE, "input": text, "response_format": "mp3"}
    with http.stream("POST", "/v1/audio/speech", json=body) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            first = first or (time.perf_counter() - begin if chunk else 0.0)
    return first, time.perf_counter() - begin


def run(arguments: argparse.Namespace) -> Mapping[str, float | int | str]:
    """Bare loop and service in turns, each with the same new sentence; one idle worker; medians over the rounds.

    ``speech_over_bare``: time to the last byte over that of the bare loop."""
    os.environ["OMP_NUM_THREADS"] = ENVIRONMENT["OMP_NUM_THREADS"]  # of the loop as of the service
    env = {name: value for name, value in ENVIRONMENT.items() if not name.endswith("_FILE")}
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=loop, args=(there,), daemon=True)
    process.start()
    alone: list[float] = []
    served: list[tuple[float, float]] = []
    with (
        tempfile.TemporaryDirectory(prefix="chorus-benchmark-") as folder,
        Stack(Path(folder) / "home", model_workers=1, models=[MODEL], env=env) as stack,
    ):
        stack.wait_ready()
        with httpx.Client(base_url=stack.url, headers={"X-API-Key": stack.api_key}, timeout=60) as http:
            for number, text in enumerate(sentences(ROUNDS + WARM)):
                time.sleep(PAUSE)
                taken = bare(here, text)
                time.sleep(PAUSE)
                answered = requested(http, text)
                say(f"bare {taken:.3f} s, first byte {answered[0]:.3f} s, last byte {answered[1]:.3f} s: {text}")
                if number >= WARM:
                    alone.append(taken)
                    served.append(answered)
    here.send(None)
    process.join(10)
    whole = [last for _, last in served]
    return {
        "speech_over_bare": round(statistics.median(whole) / statistics.median(alone), 3),
        "speech_over_bare_median_of_ratios": round(
            statistics.median(last / one for last, one in zip(whole, alone, strict=True)), 3
        ),
        "speech_s": round(statistics.median(whole), 4),
        "first_byte_s": round(statistics.median(first for first, _ in served), 4),
        "bare_s": round(statistics.median(alone), 4),
        "rounds": ROUNDS,
    }
