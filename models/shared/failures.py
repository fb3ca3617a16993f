"""What became of items that a runtime failed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from core.errors import ChorusError, ModelFailed, OutOfMemory, Unavailable

Given = TypeVar("Given")
Made = TypeVar("Made")

#: ONNX Runtime, CTranslate2, CUDA and cuBLAS raise generic classes, so the message decides.
_TEXTS = ("out of memory", "out_of_memory", "allocate memory", "alloc_failed", "bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the host or of the device, in whatever runtime."""
    if isinstance(error, MemoryError | OutOfMemory) or type(error).__name__ == "OutOfMemoryError":  # torch's
        return True
    text = str(error).lower()
    return any(words in text for words in _TEXTS)


def failure(error: Exception) -> ChorusError:
    """The outcome of an item on which a runtime raised ``error``."""
    if is_out_of_memory(error):
        return OutOfMemory()
    return error if isinstance(error, ChorusError) else ModelFailed(f"{type(error).__name__}: {error}"[:500])


def together(items: Sequence[Given], run: Callable[[Sequence[Given]], Sequence[Made]]) -> list[Made | ChorusError]:
    """Run ``run`` on ``items``; return one outcome per item. If it raises, each item is run alone, so that one bad item
    does not fail the others.

    Raises only `core.errors.Unavailable`: the worker is stopping.
    """
    if not items:
        return []
    try:
        return list(run(items))
    except Unavailable:
        raise
    except Exception as error:  # whatever a runtime raises
        if len(items) == 1:
            return [failure(error)]
    # Outside of the handler, so that the exception's traceback no longer references memory.
    return [outcome for item in items for outcome in together([item], run)]
