"""Lexicons: named lists of how words are said, in versions that never change.

A lexicon's record is in Redis, with what is known of its latest versions. The entries of each version are an object
below ``{owner}/lexicons/{id}/`` with a name of its own. The ledger counts the lexicon and each unfinished job as a user
of that object, so that a job keeps its version when the lexicon changes or is deleted. A copy of the record is stored
beside the versions, for the case that the ledger is lost.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import redis

from core import ids
from core.errors import Conflict, NotFound, PreconditionFailed, StorageUnavailable
from core.redis import redis_errors
from storage.ledger.keys import key
from storage.ledger.scripts import Scripts
from storage.objects.objects import Objects

#: Lexicons that an owner may have, and versions of each that are kept.
MOST = 100
KEPT = 50

#: Seconds that a version is kept once its lexicon does not need it, for jobs that are being submitted with it.
GRACE = 3600

_RECORD = "lexicon.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLexicon:
    """One version of a lexicon, without its entries; times are Unix seconds."""

    id: str
    owner: str
    name: str
    language: str  #: BCP 47; of jobs in this language, or in a more special one
    version: int  #: from 1
    entries: int
    object: str  #: has the entries
    sha256: str  #: of the entries
    created: float  #: the lexicon
    updated: float  #: this version


@dataclass(frozen=True, slots=True, kw_only=True)
class LexiconContent:
    """What a version of a lexicon consists of. ``data``: its entries; ``entries``: their number."""

    name: str
    language: str
    entries: int
    data: bytes
    sha256: str


def lexicon_folder(owner: str, lexicon: str) -> str:
    """The prefix of the names of a lexicon's objects."""
    return f"{owner}/lexicons/{lexicon}/"


def is_record(name: str) -> bool:
    """Whether an object is the copy of a lexicon's record."""
    return name.endswith(f"/{_RECORD}")


class Lexicons:
    """The lexicons. Methods raise `LedgerUnavailable` and `StorageUnavailable`."""

    def __init__(self, client: redis.Redis, objects: Objects) -> None:
        self._redis = client
        self._scripts = Scripts(client)
        self._objects = objects

    def create(self, owner: str, content: LexiconContent) -> StoredLexicon:
        """A new lexicon. Raises `Conflict` (``too_many_lexicons``)."""
        lexicon = ids.LEXICON.new()
        with redis_errors():
            if int(self._redis.zcard(key("lexicons", owner))) >= MOST:
                raise _too_many()
        return self._save(owner, lexicon, content, 0)

    def get(self, owner: str, lexicon: str, version: int | None = None) -> StoredLexicon:
        """A version of an owner's lexicon, by default the latest. Raises `NotFound` (``lexicon_not_found``)."""
        record = self._read([lexicon])[0] if ids.LEXICON.matches(lexicon) else {}
        if not record or record["owner"] != owner:
            raise NotFound("The lexicon does not exist.", code="lexicon_not_found")
        found = _version(lexicon, record, version or int(record["version"]))
        if found is None:
            raise NotFound(f"The lexicon has no version {version}.", code="lexicon_not_found")
        return found

    def exists(self, lexicon: str) -> bool:
        """Whether a lexicon with this id exists, of any owner."""
        with redis_errors():
            return bool(self._redis.exists(key("lexicon", lexicon)))

    def of(self, owner: str) -> list[StoredLexicon]:
        """All lexicons of an owner in their latest versions, oldest first."""
        with redis_errors():
            names = [n.decode() for n in self._redis.zrange(key("lexicons", owner), 0, -1)]  # type: ignore[union-attr]
        records = zip(names, self._read(names), strict=True)
        latest = (_version(name, record, int(record["version"])) for name, record in records if record)
        return [found for found in latest if found]

    def data(self, lexicon: StoredLexicon) -> bytes:
        """The entries of a version. Raises `ArtifactMissing`."""
        return self._objects.get(lexicon.object)

    def change(self, owner: str, lexicon: str, content: LexiconContent, expected: int | None = None) -> StoredLexicon:
        """Add a version; nothing if the latest one has this very content.

        Raises `NotFound`, and `PreconditionFailed` if ``expected`` is not the latest version.
        """
        latest = self.get(owner, lexicon)
        if expected is not None and latest.version != expected:
            raise _changed(latest.version)
        if (latest.name, latest.language, latest.sha256) == (content.name, content.language, content.sha256):
            return latest
        return self._save(owner, lexicon, content, expected)

    def delete(self, owner: str, lexicon: str) -> None:
        """Delete a lexicon. Its versions are deleted `GRACE` seconds later, or with the last job that needs them.
        Raises `NotFound`."""
        self.get(owner, lexicon)
        # First the copy: as long as there is one, the sweep takes a lexicon that the ledger does not know for lost.
        self._objects.delete(f"{lexicon_folder(owner, lexicon)}{_RECORD}")
        self._scripts.run("delete_lexicon", lexicon=lexicon, owner=owner, kept=KEPT, expires=time.time() + GRACE)

    def _save(self, owner: str, lexicon: str, content: LexiconContent, expected: int | None) -> StoredLexicon:
        now = time.time()
        # Its own name: no version overwrites another, and none is deleted with another.
        name = f"{lexicon_folder(owner, lexicon)}{secrets.token_hex(12)}.json"
        document = {
            "name": content.name,
            "language": content.language,
            "entries": content.entries,
            "sha256": content.sha256,
            "object": name,
            "updated": now,
        }
        self._objects.put(name, content.data, "application/json")
        version = self._scripts.run(
            "save_lexicon",
            lexicon=lexicon,
            owner=owner,
            expected=expected,
            document=json.dumps(document),
            object=name,
            now=now,
            most=MOST,
            kept=KEPT,
            expires=now + GRACE,
        )
        if version < 0:
            self._objects.delete(name)
            if version == -2:
                raise _too_many()
            raise _changed(self.get(owner, lexicon).version)  # or it has been deleted
        with contextlib.suppress(StorageUnavailable):  # the version is there all the same
            self._copy_record(owner, lexicon)
        return self.get(owner, lexicon, version)

    def _copy_record(self, owner: str, lexicon: str) -> None:
        copy = f"{lexicon_folder(owner, lexicon)}{_RECORD}"
        self._objects.put(copy, json.dumps(self._read([lexicon])[0]).encode(), "application/json")
        if not self.exists(lexicon):  # deleted in the meantime
            self._objects.delete(copy)

    def _read(self, lexicons: Sequence[str]) -> list[dict[str, str]]:
        pipe = self._redis.pipeline(transaction=False)
        for lexicon in lexicons:
            pipe.hgetall(key("lexicon", lexicon))
        with redis_errors():
            records = pipe.execute() if lexicons else []
        return [{name.decode(): value.decode() for name, value in record.items()} for record in records]


def _version(lexicon: str, record: Mapping[str, str], version: int) -> StoredLexicon | None:
    document = record.get(f"v{version}")
    if document is None:
        return None
    return StoredLexicon(
        id=lexicon, owner=record["owner"], version=version, created=float(record["created"]), **json.loads(document)
    )


def _too_many() -> Conflict:
    return Conflict(f"You already have {MOST} lexicons, the maximum.", code="too_many_lexicons")


def _changed(version: int) -> PreconditionFailed:
    return PreconditionFailed(f"The lexicon has changed: its latest version is {version}.", code="lexicon_changed")
