"""``Prefer: wait=N`` (RFC 7240): delay the response until the job has ended.

A waiting request occupies a thread. At most half of an API process's threads may wait, and a quarter for one owner;
further requests are answered at once, which the preference allows. So ``/healthz`` always has a thread.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter

from flask import request

from api.context import context
from storage.ledger.records import Job

#: Seconds that an answer waits at most.
LONGEST = 60.0

_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")
_lock = threading.Lock()
_waiting = 0
_owners: Counter[str] = Counter()


def wait_for_end(job: Job, default: float = 0.0) -> Job:
    """Return the job when it has ended, or after the request's waiting time, ``default`` seconds if it names none."""
    global _waiting
    match = _WAIT.search(request.headers.get("Prefer", ""))
    timeout = min(float(match[1]), LONGEST) if match else default
    if not timeout or job.state.ended:
        return job
    threads = context().settings.api_threads
    with _lock:
        if _waiting >= threads // 2 or _owners[job.owner] >= max(1, threads // 4):
            return job
        _waiting += 1
        _owners[job.owner] += 1
    try:
        return _poll(job, time.monotonic() + timeout)
    finally:
        with _lock:
            _waiting -= 1
            _owners[job.owner] -= 1


def _poll(job: Job, end: float) -> Job:
    pause = 0.05
    while not job.state.ended and time.monotonic() < end:
        time.sleep(min(pause, max(0.0, end - time.monotonic())))
        pause = min(0.5, pause * 1.3)
        job = context().ledger.get(job.id) or job
    return job
