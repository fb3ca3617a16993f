"""``Prefer: wait=N`` (RFC 7240): delay the response until the job has ended.

A waiting request occupies a thread. At most half of an API process's threads may wait, and a quarter for one owner;
further requests are answered at once, which the preference allows. So ``/healthz`` always has a thread.
"""

from __future__ import annotations

import re
import time

from flask import request

from api.context import context, key_check, owner
from api.http.capacity import Place, Places
from core.errors import Overloaded, Unauthorized
from storage.ledger.records import Job

#: Seconds that an answer waits at most.
LONGEST = 60.0

#: Seconds between two looks at a job: the first ones, and the longest.
_PAUSE, _LONGEST_PAUSE = 0.05, 0.5

#: Seconds after which a waiting request looks again at whether its key is valid.
_RECHECK = 0.3

_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")

PLACES = Places("waiting requests", again=1)


def wait_for_end(job: Job, default: float = 0.0) -> Job:
    """Return the job when it has ended, or after the request's waiting time, ``default`` seconds if it names none."""
    match = _WAIT.search(request.headers.get("Prefer", ""))
    timeout = min(float(match[1]), LONGEST) if match else default
    if not timeout or job.state.ended:
        return job
    try:
        place = waiting_place()
    except Overloaded:
        return job
    try:
        return look_until_end(job, timeout)
    finally:
        place.leave()


def waiting_place() -> Place:
    """A place for the present request to wait. Raises `Overloaded` (``too_many_waiting_requests``)."""
    threads = context().settings.api_threads
    return PLACES.take(owner(), threads // 2, max(1, threads // 4))


def look_until_end(job: Job, seconds: float, pause: float = _PAUSE, longest: float = _LONGEST_PAUSE) -> Job:
    """The job when it has ended, or after some seconds; ``pause``: those between two looks at it, at first.

    Raises `Unauthorized` once the request's key has been revoked or has expired."""
    valid, checked = key_check(), time.monotonic()
    end = time.monotonic() + seconds
    while not job.state.ended and time.monotonic() < end:
        time.sleep(min(pause, max(0.0, end - time.monotonic())))
        pause = min(longest, pause * 1.3)
        if time.monotonic() - checked >= _RECHECK:
            checked = time.monotonic()
            if not valid():
                raise Unauthorized
        job = context().ledger.get(job.id) or job
    return job
