"""The pulse: a file that a process touches to show its supervisor that it is running.

A process that is stopped, or whose main loop hangs, has not exited, so nothing would restart it. ``CHORUS_PULSE``
names the file; if it is not set, there is no pulse.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

#: Seconds between two beats, and for which a main loop may be silent before it is taken to hang: it waits for
#: Redis now and then, and that waits for its timeouts.
BEAT = 1.0
HANGS = 30.0

VARIABLE = "CHORUS_PULSE"


class Pulse:
    """Touches the file every second from its own thread, while the main loop runs (once it has called `tick`)."""

    def __init__(self, *, beat: float = BEAT, hangs: float = HANGS) -> None:
        name = os.environ.get(VARIABLE)
        self._file = Path(name) if name else None
        self._beat = beat
        self._hangs = hangs
        self._ticked: float | None = None

    def start(self) -> None:
        if self._file is not None:
            threading.Thread(target=self._go_on, args=(self._file,), name="pulse", daemon=True).start()

    def tick(self) -> None:
        """The main loop has come round; from now on it must again and again."""
        self._ticked = time.monotonic()

    def rest(self) -> None:
        """The main loop is not watched until its next `tick`."""
        self._ticked = None

    def _go_on(self, file: Path) -> None:
        while True:
            ticked = self._ticked
            if ticked is None or time.monotonic() - ticked < self._hangs:
                with contextlib.suppress(OSError):
                    file.touch()
            time.sleep(self._beat)
