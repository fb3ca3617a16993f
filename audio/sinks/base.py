"""What all sinks have in common."""

from __future__ import annotations

from typing import Protocol

from audio.samples import Samples


class Sink(Protocol):
    """Takes float32 [n] within -1 to 1 at the file's rate; raises `OSError`, `RuntimeError` or `ValueError`."""

    def write(self, samples: Samples) -> None:
        """Append samples."""

    def close(self) -> None:
        """End the file."""

    def abandon(self) -> None:
        """Give up the file, which need not be one then."""
