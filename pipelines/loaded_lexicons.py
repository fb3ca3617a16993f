"""The lexicons of jobs as they are applied: read once a process, as far as memory allows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from pipelines.connections import Connections
from pipelines.lexicons import read_entries
from storage.ledger.documents import JobDocument
from text.lexicon import Entry, Lexicon

#: Characters of the lexicons that are kept, and what an entry counts for beside its own.
MAX_KEPT = 20_000_000
_ENTRY = 300


class LexiconCache:
    """The lexicons used last. Safe to share between threads."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], tuple[Lexicon, int]] = OrderedDict()
        self._size = 0

    def get(self, connections: Connections, objects: Sequence[str], language: str) -> Lexicon:
        """The lexicon of the entries in ``objects``, of which later ones override earlier ones."""
        key = (language, *objects)  # objects never change
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        layers = [read_entries(connections.objects.get(name)) for name in objects]
        made, size = Lexicon(*layers, language=language), sum(map(_size, layers))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made, size
                self._size += size
            while self._size > self._most:  # perhaps also what was just read, if it is too large
                self._size -= self._kept.popitem(last=False)[1][1]
        return made


def _size(entries: Sequence[Entry]) -> int:
    return sum(_ENTRY + len(entry.word) + len(entry.say or entry.ipa or "") for entry in entries)


_CACHE = LexiconCache()


def lexicon_of(connections: Connections, document: JobDocument) -> Lexicon | None:
    """How a job's words are said; None without lexicons. Raises `ArtifactMissing`."""
    if not document.lexicons:
        return None
    return _CACHE.get(connections, [one.object for one in document.lexicons], document.language or "")
