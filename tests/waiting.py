"""One way to wait: until a condition holds, and no longer than it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    condition: Callable[[], T | None], timeout: float, what: object | Callable[[], object], *, every: float = 0.05
) -> T:
    """Asks for ``condition`` every few milliseconds until it is true, and returns what it gave then.

    Args:
        condition: what is waited for. An exception of it ends the wait.
        timeout: seconds after which the test fails. The condition is asked at least once, and once more at the end.
        what: what is waited for, in words, or a function that says how things stand once the time is up.
        every: seconds between two questions.

    Raises:
        AssertionError: it did not come true in time.
    """
    end = time.monotonic() + timeout
    while True:
        last = time.monotonic() >= end
        if found := condition():
            return found
        assert not last, f"waited {timeout:g} s in vain: {what() if callable(what) else what}"
        time.sleep(every)
