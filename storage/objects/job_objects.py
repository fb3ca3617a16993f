"""What lies in storage of one job, below ``{owner}/jobs/{id}/``, and what of it a later job of the same id may lose.

What a generation gives lies below its number. A long text is written before the ledger decides whose the id is, so it
gets a name of its own that only its job's document tells: nobody overwrites it, and nobody else reads it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from storage.ledger.records import Job


def folder(owner: str, job: str) -> str:
    """What the names of a job's objects begin with."""
    return f"{owner}/jobs/{job}/"


def new_text_name(owner: str, job: str) -> str:
    """A name for a job's text that nobody else has."""
    return f"{folder(owner, job)}text-{secrets.token_hex(12)}.json"


def results_folder(owner: str, job: str, generation: int) -> str:
    """What the names of a generation's results begin with."""
    return f"{folder(owner, job)}{generation}/"


def generation_of(name: str) -> int | None:
    """The generation that an object came from, None where it is a text."""
    part = name.split("/")[3]
    return int(part) if part.isdigit() else None


def is_present(name: str, job: Job) -> bool:
    """Whether an object is of the job as it stands: its text, or a result of its present generation."""
    return name == job.document.text_object or generation_of(name) == job.generation


def up_to(names: Iterable[str], job: Job) -> list[str]:
    """Of ``names`` those of a job and of whatever had its id before, but not of what has it since."""
    text = job.document.text_object
    return [name for name in names if name == text or (generation_of(name) or job.generation + 1) <= job.generation]


def outlived(aged: Iterable[tuple[str, float]], expires: float) -> list[str]:
    """Of the objects of an id that no job has any more those that go with it: names, with when each was written.

    A text that was written since ``expires`` (Unix seconds; storage tells them whole) may be of a job that is about to
    be created."""
    return [name for name, written in aged if generation_of(name) is not None or written + 1 <= expires]
