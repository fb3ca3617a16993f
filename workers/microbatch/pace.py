"""How long micro-batches take: seconds per item, and the seconds in which the process had something to do."""

from __future__ import annotations

import threading
import time


class Pace:
    """What one process measures of its own work. Safe to share between threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}  #: by model: what an item takes, as of late
        self._lock = threading.Lock()
        self._busy_since: float | None = None
        self._counted = 0.0

    def note(self, model: str, seconds: float) -> None:
        """Notes what an item took. A moving mean, so that one odd micro-batch says little. Called by one thread."""
        before = self.seconds.get(model)
        self.seconds[model] = seconds if before is None else 0.8 * before + 0.2 * seconds

    def begin(self) -> None:
        """The process holds an item from now on."""
        with self._lock:
            if self._busy_since is None:
                self._busy_since = time.monotonic()

    def rest(self) -> None:
        """The process holds none any more."""
        with self._lock:
            if self._busy_since is not None:
                self._counted += time.monotonic() - self._busy_since
                self._busy_since = None

    def busy_seconds(self) -> float:
        """Seconds in which at least one item was held, since this was last asked."""
        with self._lock:
            busy, self._counted = self._counted, 0.0
            if self._busy_since is not None:
                now = time.monotonic()
                busy, self._busy_since = busy + now - self._busy_since, now
            return busy
