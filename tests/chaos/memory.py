"""A worker that renders thousands of utterances: how it grows, and what Redis holds of the job once it has expired."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.chaos.stack import ChaosStack
from tests.stack_access import StackAccess

#: Utterances after which a worker has grown as far as it should, and bytes that it may grow from then on.
SETTLED = 500
MAY_GROW = 50 * 2**20

#: Seconds that the results are kept: the least that the API takes, and what the clean-up may take on top.
KEEP = 60
CLEAN_UP = 30


@dataclass(slots=True)
class Grown:
    """Resident bytes of the worker, and the keys that were left once the job had expired."""

    utterances: int
    settled: int
    peak: int
    left: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.peak - self.settled < MAY_GROW and not self.left

    def text(self) -> str:
        """One line, and one more for each key that is left."""
        grown = (self.peak - self.settled) / 2**20
        line = f"{self.utterances} utterances: {self.settled / 2**20:.0f} MB after {SETTLED}, {grown:+.1f} MB since"
        return "\n".join([*(f"left in Redis: {key}" for key in self.left), line])


def render_many(home: Path, utterances: int) -> Grown:
    """Renders one job of so many utterances on one worker."""
    with ChaosStack(home, model_workers=1, cpu_workers=1) as stack:
        stack.wait_ready()
        with StackAccess(stack) as access:
            text = " ".join(
                f"Sentence {n} of a long book is as long as others are, more or less." for n in range(utterances)
            )
            options = {"batch_seconds": 0.01, "item_seconds": 0.0}
            job = access.submit({"pipeline": "sim", "text": text, "options": options, "expires_in": KEEP})["id"]
            worker = psutil.Process(stack.processes()["sim-1"]["pid"])
            settled = peak = 0

            def done() -> int:
                nonlocal settled, peak
                count = int(access.redis.hget(f"ch:job:{job}", "done") or 0)  # type: ignore[arg-type]
                if count >= SETTLED:
                    size = worker.memory_info().rss
                    settled, peak = settled or size, max(peak, size)
                return count

            _until(lambda: done() >= utterances, 600)
            assert access.wait(job, 300)["state"] == "succeeded"
            _until(lambda: not _keys(access, job), KEEP + CLEAN_UP)
            return Grown(utterances, settled, peak, _keys(access, job))


def _keys(access: StackAccess, job: str) -> list[str]:
    """Every key of Redis that is the job's or has it in it, but for the metrics."""
    found = [key.decode() for key in access.redis.scan_iter(f"*{job}*")]
    for key in access.redis.scan_iter("ch:*"):
        kind, name = access.redis.type(key), key.decode()
        if kind == b"zset" and access.redis.zscore(key, job) is not None:
            found.append(f"{name} has {job}")
        if name.startswith("ch:artifacts:") and access.redis.zcard(key):
            found.append(f"{name} has {access.redis.zcard(key)} entries")
    return found


def _until(check: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (over := check()) and time.monotonic() < end:
        time.sleep(0.2)
    return over
