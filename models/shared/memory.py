"""Memory of a process that computes on a CPU."""

from __future__ import annotations

import ctypes

#: glibc's names, of ``malloc.h``.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

#: Bytes: a larger block, or more than that free at the end of the heap, goes back to the system.
KEPT = 256 * 2**20


def keep_freed_memory() -> bool:
    """Let the C library keep freed blocks of up to `KEPT` bytes for the next one; False if it is not glibc.

    By default glibc returns blocks above 32 MB, such as a decoder's tensors, to the system at once, and each new one
    begins with a page fault for every 4 kB: a quarter of the time of a large pack. All threads share one heap, because
    that of a thread cannot contain such blocks. To be called before threads start.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    settings = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, KEPT), (_TRIM_THRESHOLD, KEPT))
    return all(bool(mallopt(name, value)) for name, value in settings)
