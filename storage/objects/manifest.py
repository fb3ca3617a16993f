"""The utterances of a finished job in order: which artifact each is, and the pause behind it.

The ledger deletes a job's utterances when it ends. A reader that follows the audio of a long text may be far behind
then, so `assemble` writes this list beside the audio: ``{owner}/jobs/{id}/{generation}/utterances.msgpack``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgpack

from core.work import UtteranceWork
from storage.objects.job_objects import results_folder


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One utterance: its artifact's object name and the seconds of silence between it and the next."""

    artifact: str
    pause: float


def manifest_name(owner: str, job: str, generation: int) -> str:
    """The object name of a job's manifest."""
    return f"{results_folder(owner, job, generation)}utterances.msgpack"


def pack_manifest(utterances: Iterable[UtteranceWork]) -> bytes:
    """The manifest of a job's utterances."""
    packed: bytes = msgpack.packb([[work.artifact, work.pause] for work in utterances])
    return packed


def unpack_manifest(data: bytes) -> list[ManifestEntry]:
    """The entries that `pack_manifest` was given."""
    return [ManifestEntry(artifact, pause) for artifact, pause in msgpack.unpackb(data)]
