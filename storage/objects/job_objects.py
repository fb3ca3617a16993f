"""The objects of one job, below ``{owner}/jobs/{id}/``, and which of them a later job with the same id may delete.

The results of a generation are stored below its number. A long text is written before the ledger decides who gets the
id, so it has a unique name that only its job's document contains: no other job overwrites or reads it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from storage.ledger.records import Job


def folder(owner: str, job: str) -> str:
    """The prefix of the names of a job's objects."""
    return f"{owner}/jobs/{job}/"


def new_text_name(owner: str, job: str) -> str:
    """A unique name for a job's text."""
    return f"{folder(owner, job)}text-{secrets.token_hex(12)}.json"


def results_folder(owner: str, job: str, generation: int) -> str:
    """The prefix of the names of a generation's results."""
    return f"{folder(owner, job)}{generation}/"


def generation_of(name: str) -> int | None:
    """The generation of an object; None if it is a text."""
    part = name.split("/")[3]
    return int(part) if part.isdigit() else None


def is_present(name: str, job: Job) -> bool:
    """Whether an object belongs to the current job: its text, or a result of its current generation."""
    return name == job.document.text_object or generation_of(name) == job.generation


def up_to(names: Iterable[str], job: Job) -> list[str]:
    """Of ``names``, those of a job and of earlier jobs with its id, but not those of later ones."""
    text = job.document.text_object
    return [name for name in names if name == text or (generation_of(name) or job.generation + 1) <= job.generation]


def outlived(aged: Iterable[tuple[str, float]], expires: float) -> list[str]:
    """Of the objects (name and time of writing) of an id without a job, those that may be deleted.

    A text written since ``expires`` (Unix seconds; the storage reports whole ones) may belong to a job that is about
    to be created.
    """
    return [name for name, written in aged if generation_of(name) is not None or written + 1 <= expires]
