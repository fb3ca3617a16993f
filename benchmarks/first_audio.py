"""Time to the first audio of a long job, compared with a whole job of one sentence."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.support.service import ENVIRONMENT, say, sentences, wait_until
from cli.local.stack import Stack
from core.errors import ConfigurationError
from core.names import JobState

MODEL, PIPELINE = "piper-joe", "piper"
SENTENCES = 60
ROUNDS = 5

#: Characters of the longest text that a job may have.
HUGE = 2_000_000

#: Seconds before each job in which nothing is done.
PAUSE = 1.0

#: Bytes of the header that a streamed WAV begins with.
HEADER = 44


@dataclass(frozen=True, slots=True)
class Heard:
    """Seconds from the submission of a job to its first audio, and to the last."""

    first: float
    whole: float


def submit(http: httpx.Client, text: str) -> str:
    """Posts a job; its id."""
    return str(http.post("/v1/jobs", json={"pipeline": PIPELINE, "text": text}).raise_for_status().json()["id"])


def ended(http: httpx.Client, job: str) -> None:
    """Waits for a job's end, in short steps: the API's own ``Prefer: wait`` looks less often."""
    found: dict[str, Any] = {}

    def over() -> bool:
        found.update(http.get(f"/v1/jobs/{job}").raise_for_status().json())
        return JobState(found["state"]).ended

    wait_until("a job", over, every=0.01)
    if found["state"] != "succeeded":
        raise ConfigurationError(f"A job {found['state']}: {found.get('error')}", code="benchmark_failed")


def streamed(http: httpx.Client, text: str) -> Heard:
    """A job whose audio is streamed from the moment that it is accepted. Returns once the job has ended as well."""
    begin, first, size = time.monotonic(), 0.0, 0
    job = submit(http, text)
    with http.stream("GET", f"/v1/jobs/{job}/audio", params={"stream": 1, "format": "wav"}) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            size += len(chunk)
            if not first and size > HEADER:
                first = time.monotonic() - begin
    whole = time.monotonic() - begin
    ended(http, job)
    return Heard(first, whole)


def begun(http: httpx.Client, text: str) -> float:
    """Seconds from the submission of a long job to its first audio. The job is canceled and deleted then."""
    begin, size = time.monotonic(), 0
    job = submit(http, text)
    with http.stream("GET", f"/v1/jobs/{job}/audio", params={"stream": 1, "format": "wav"}) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > HEADER:
                break
    seconds = time.monotonic() - begin
    http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    http.delete(f"/v1/jobs/{job}").raise_for_status()
    return seconds


def downloaded(http: httpx.Client, text: str) -> float:
    """Seconds from the submission of a job to the last byte of its finished file."""
    begin = time.monotonic()
    job = submit(http, text)
    ended(http, job)
    http.get(f"/v1/jobs/{job}/audio").raise_for_status().read()
    return time.monotonic() - begin


def texts() -> Iterator[tuple[str, str, str]]:
    """For each round sixty sentences, a book of `HUGE` characters and one sentence, all of them different; one round
    more, to begin with."""
    found = iter(sentences((SENTENCES + 11) * (ROUNDS + 1)))
    for number in range(ROUNDS + 1):
        sixty = " ".join(next(found) for _ in range(SENTENCES))
        paragraph = " ".join(next(found) for _ in range(10))
        count = HUGE // (len(paragraph) + len("Day 100000. \n\n"))
        book = "\n\n".join(f"Day {number * count + n}. {paragraph}" for n in range(count))
        yield sixty, book, next(found)


def run(arguments: argparse.Namespace) -> Mapping[str, float | int | str]:
    """A streamed job and a short one in turns on one idle worker; medians over the rounds."""
    env = {name: value for name, value in ENVIRONMENT.items() if not name.endswith("_FILE")}
    long: list[Heard] = []
    huge: list[float] = []
    short: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="chorus-benchmark-") as folder,
        Stack(Path(folder) / "home", model_workers=1, models=[MODEL], env=env) as stack,
    ):
        stack.wait_ready()
        with httpx.Client(base_url=stack.url, headers={"X-API-Key": stack.api_key}, timeout=300) as http:
            for number, (sixty, book, one) in enumerate(texts()):
                time.sleep(PAUSE)
                heard = streamed(http, sixty)
                time.sleep(PAUSE)
                book_seconds = begun(http, book)
                time.sleep(PAUSE)
                seconds = downloaded(http, one)
                if number:  # the first warms both up
                    long.append(heard)
                    short.append(seconds)
                    huge.append(book_seconds)
                say(
                    f"first {heard.first:.3f} s, whole {heard.whole:.3f} s; first of a book {book_seconds:.3f} s; one"
                    f" sentence {seconds:.3f} s"
                )
    first, whole, huge_first, one_sentence = (
        statistics.median(heard.first for heard in long),
        statistics.median(heard.whole for heard in long),
        statistics.median(huge),
        statistics.median(short),
    )
    return {
        "first_audio_over_one_sentence": round(first / one_sentence, 3),
        "huge_first_audio_over_one_sentence": round(huge_first / one_sentence, 3),
        "whole_over_first_audio": round(whole / first, 2),
        "first_audio_s": round(first, 4),
        "huge_first_audio_s": round(huge_first, 4),
        "one_sentence_s": round(one_sentence, 4),
        "whole_s": round(whole, 3),
        "sentences": SENTENCES,
        "rounds": ROUNDS,
    }
