"""The second stage: the model, on one micro-batch after another."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from core.errors import ChorusError, ModelFailed, Unavailable
from core.failpoints import reach
from models.base import Item, Output
from models.shared.failures import failure, is_out_of_memory
from storage.ledger.ledger import Ledger
from workers.microbatch.entries import Entry, Finished, Served
from workers.microbatch.pieces import Pieces
from workers.retry import retry_until_available

log = logging.getLogger(__name__)

#: How many times the cost of another a lone item has that lets it go first, between two of its pieces.
LONG = 8


class Runner:
    """Runs micro-batches, each marked in the ledger as started while it runs."""

    def __init__(self, ledger: Ledger, pieces: Pieces, stopping: threading.Event) -> None:
        self._ledger = ledger
        self._pieces = pieces
        self._stopping = stopping

    def start(self, served: Served, taken: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Marks entries as started: those that are still wanted, and those that are not."""
        refs = [entry.ref for entry in taken]
        name, alone = served.model.spec.name, taken[0].suspect
        answers = retry_until_available(lambda: self._ledger.start(name, refs, alone=alone), self._stopping)
        wanted = [entry for entry, still in zip(taken, answers, strict=True) if still]
        return wanted, [entry for entry, still in zip(taken, answers, strict=True) if not still]

    def run(self, served: Served, entries: list[Entry]) -> Finished:
        """Runs started entries. Raises `Unavailable` where this worker stops between two pieces."""
        reach("model.started")
        spec, refs = served.model.spec, [entry.ref for entry in entries]
        yields_to = entries[0].cost // LONG if len(entries) == 1 else 0
        alone = entries[0].suspect
        try:
            with self._pieces.running(spec.name, spec.batch_timeout, yields_to=yields_to, alone=alone) as run:
                outputs = bisect(served, [entry.item for entry in entries])
                seconds = self._pieces.seconds(run)
        except Unavailable:  # it was told to stop between two pieces, and did not die of them
            self._ledger.clear_started(refs)
            raise
        with contextlib.suppress(Unavailable):  # a mark that stays costs its item no more than a run alone
            self._ledger.clear_started(refs)
        reach("model.ran")
        return Finished(served, entries, outputs, seconds)


def bisect(served: Served, items: Sequence[Item]) -> list[Output | ChorusError]:
    """Runs items together; where that fails, in halves, so that a bad item fails alone.

    Where memory ran out the bound on items is halved for good; an item that does not fit alone fails."""
    model = served.model
    try:
        outputs = model.run(items)
        if len(outputs) != len(items):
            raise ModelFailed(f"{model.spec.name} returned {len(outputs)} outputs for {len(items)} items.")
        return list(outputs)
    except Unavailable:
        raise
    except Exception as error:
        no_memory = is_out_of_memory(error)
        if len(items) == 1:
            log.warning("Model %s failed on an item", model.spec.name, exc_info=error)
            return [failure(error)]
        half = len(items) // 2
        if no_memory and half < served.bounds.items:
            log.warning("%s ran out of memory on %d items: at most %d from now on", model.spec.name, len(items), half)
            served.bounds = replace(served.bounds, items=half)
    # Outside of the handler, so that the exception's traceback holds no memory any more.
    return bisect(served, items[:half]) + bisect(served, items[half:])
