"""What the C library does with freed memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.shared_data import ROOT

#: Page faults of the second of two blocks of 64 MB, in a thread that starts after the call, as a model's does.
PROGRAM = """
import resource, sys, threading
from models.shared.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 2**26
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def work():
    faults()
    print(faults())

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_kept() -> None:
    counts = {}
    for how in ("plain", "kept"):
        command = [sys.executable, "-c", PROGRAM, how]
        counts[how] = int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert counts["kept"] < 100 < counts["plain"]
