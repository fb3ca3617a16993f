"""Items of a job in its present generation, whose number only the ledger knows."""

from __future__ import annotations

from core.work import WHOLE_JOB, ItemRef
from storage.ledger.ledger import Ledger


def generation(ledger: Ledger, job: str) -> int:
    """A job's present generation."""
    found = ledger.get(job)
    assert found is not None, job
    return found.generation


def item(ledger: Ledger, job: str, step: int = 0, index: int = WHOLE_JOB) -> ItemRef:
    """An item of a job as it stands."""
    return ItemRef(job, generation(ledger, job), step, index)
