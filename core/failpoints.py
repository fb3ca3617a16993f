"""Points at which a test may have a process die, to show that nothing is lost there.

A point does nothing unless ``CHORUS_FAILPOINTS`` names a folder, which only tests do. A test arms a point by a
file of its name in there; the first process that reaches it takes the file away and is gone, as by a power loss.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

_folder = os.environ.get("CHORUS_FAILPOINTS")


def reach(name: str) -> None:
    """Ends this process by SIGKILL where the point ``name`` is armed for it; else nothing."""
    if _folder:
        _die_if_armed(Path(_folder) / name)


def arm(folder: Path, name: str, program: str = "") -> None:
    """Has the next process die that reaches ``name``; of those only whose command line has ``program`` in it."""
    draft = folder / f".{name}"
    draft.write_text(program)
    draft.replace(folder / name)


def armed(folder: Path, name: str) -> bool:
    """Whether no process has died at ``name`` yet."""
    return (folder / name).exists()


def _die_if_armed(file: Path) -> None:
    try:
        if file.read_text() not in " ".join(sys.argv):
            return
        file.unlink()  # of several processes that are here at once, one dies
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
