"""Points at which a test can kill a process, to show that nothing is lost there.

A failpoint does nothing unless ``CHORUS_FAILPOINTS`` names a folder, which only tests set. A test arms a failpoint
with a file of its name in that folder. The first process that reaches it deletes the file and kills itself, as in a
power loss.
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
    """Arm ``name``: the next process that reaches it dies; only one whose command line contains ``program``, if
    given."""
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
