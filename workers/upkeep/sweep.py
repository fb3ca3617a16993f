"""The sweep: deletes objects that no record refers to, or that have expired.

Objects are normally deleted with their job, voice or retention; the sweep finds those that a crash, a lost ledger or
a race left behind. It deletes only objects older than ``CHORUS_ORPHAN_AGE``, so that running work is safe; uploads
are deleted when they expire.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from core.errors import ArtifactMissing
from pipelines.connections import Connections
from storage.lexicons import is_record
from storage.objects.job_objects import is_present
from storage.objects.job_record import RECORD, unpack_record

log = logging.getLogger(__name__)

#: Object names per call to the ledger.
_PORTION = 500

#: An object's name and when it was written (Unix seconds).
Aged = tuple[str, float]


@dataclass(slots=True)
class Swept:
    """The result of a sweep: objects checked, and those that were deleted (or would be) by kind."""

    looked_at: int = 0
    orphans: dict[str, int] = field(default_factory=dict)
    uploads: int = 0  #: uploads in parts that never ended


class Sweep:
    """One pass over the bucket."""

    def __init__(self, connections: Connections, age: float, *, delete: bool = True) -> None:
        self._connections = connections
        self._upkeep = connections.ledger.upkeep
        self._before = time.time() - age
        self._delete = delete
        self.swept = Swept()

    def run(self) -> Swept:
        """Looks at every object of every owner. Raises `LedgerUnavailable`, `StorageUnavailable`."""
        kinds: Mapping[str, Callable[[str, Iterator[Aged]], Iterator[str]]] = {
            "utterances": self._unused,
            "recordings": self._unused,
            "segments": self._unused,
            "embeddings": self._unused,
            "covers": self._unused,
            "uploads": self._uploads,
            "jobs": self._jobs,
            "batches": self._batches,
            "voices": self._voices,
            "lexicons": self._lexicons,
        }
        for owner in self._connections.objects.folders():
            for folder in self._connections.objects.folders(owner):
                kind = folder.removeprefix(owner).rstrip("/")
                if look := kinds.get(kind):
                    self._drop(kind, look(owner.rstrip("/"), self._ages(folder)))
        if self._delete:
            self.swept.uploads = self._connections.objects.abort_uploads(self._before)
        return self.swept

    def _ages(self, folder: str) -> Iterator[Aged]:
        for aged in self._connections.objects.ages(folder):
            self.swept.looked_at += 1
            yield aged

    def _drop(self, kind: str, names: Iterator[str]) -> None:
        orphans = list(names)
        if orphans:
            self.swept.orphans[kind] = self.swept.orphans.get(kind, 0) + len(orphans)
            if self._delete:
                self._connections.objects.delete(*orphans)

    def _old(self, objects: Iterator[Aged]) -> Iterator[str]:
        return (name for name, written in objects if written < self._before)

    def _unused(self, owner: str, objects: Iterator[Aged]) -> Iterator[str]:
        """Artifacts and recordings that no job of the ledger's needs."""
        portion: list[str] = []
        for name in self._old(objects):
            portion.append(name)
            if len(portion) == _PORTION:
                yield from self._upkeep.unknown(owner, portion)
                portion = []
        yield from self._upkeep.unknown(owner, portion)

    def _uploads(self, owner: str, objects: Iterator[Aged]) -> Iterator[str]:
        """Uploads that are not in the ledger, whatever their age: nothing may use them any more."""
        for name, _ in objects:
            if not self._connections.uploads.exists(name.rpartition("/")[2]):
                yield name

    def _jobs(self, owner: str, objects: Iterator[Aged]) -> Iterator[str]:
        """Abandoned generations, and jobs that are not in the ledger, unless their record says that they must be
        kept."""
        for job, group in groupby(objects, key=lambda aged: aged[0].split("/")[2]):
            found = list(group)
            known = self._connections.ledger.get(job)
            if known is not None:
                yield from self._old(aged for aged in found if not is_present(aged[0], known))
            elif not self._recorded([name for name, _ in found]):
                yield from self._old(iter(found))

    def _recorded(self, names: list[str]) -> bool:
        """Whether a record among ``names`` says that its job must still be kept."""
        for name in names:
            if name.endswith(f"/{RECORD}"):
                try:
                    if (unpack_record(self._connections.objects.get(name)).expires or 0.0) > time.time():
                        return True
                except (ArtifactMissing, KeyError, TypeError, json.JSONDecodeError):
                    continue
        return False

    def _batches(self, owner: str, objects: Iterator[Aged]) -> Iterator[str]:
        for name in self._old(objects):
            if not self._connections.ledger.exists(name.split("/")[2]):
                yield name

    def _voices(self, owner: str, objects: Iterator[Aged]) -> Iterator[str]:
        """The objects of voices that were deleted while they were prepared: those without a record anywhere."""
        for voice, group in groupby(objects, key=lambda aged: aged[0].split("/")[2]):
            found = list(group)
            recorded = any(name.endswith("/voice.json") for name, _ in found)
            if not recorded and not self._connections.voices.exists(voice):
                yield from self._old(iter(found))

    def _lexicons(self, owner: str, objects: Iterator[Aged]) -> Iterator[str]:
        """Versions that neither their lexicon nor a job needs. A lexicon whose record is there, but not in the ledger,
        was lost with the ledger: its objects are kept."""
        for lexicon, group in groupby(objects, key=lambda aged: aged[0].split("/")[2]):
            found = list(group)
            recorded = any(is_record(name) for name, _ in found)
            if not recorded or self._connections.lexicons.exists(lexicon):
                yield from self._unused(owner, (aged for aged in found if not is_record(aged[0])))


def sweep_when_due(connections: Connections) -> None:
    """Sweep if no process has done so for ``CHORUS_SWEEP_INTERVAL`` seconds."""
    interval = connections.settings.sweep_interval
    if connections.ledger.upkeep.claim_sweep(interval):
        swept = Sweep(connections, connections.settings.orphan_age).run()
        if swept.orphans or swept.uploads:
            log.warning("Deleted unused objects: %s, and %d unfinished uploads", swept.orphans, swept.uploads)
