"""Where the files of a model come from: a repository of the hub at one commit, or a folder of this machine."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.errors import WeightsError

MAX_SMALL = 8 * 2**20  #: bytes of a file that is read whole: a configuration, a vocabulary, a model card

#: A path inside a repository, as recipes take them: plain names with slashes between, none of which begins with a dot.
_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*/)*[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_MAX_PATH = 300

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One file of an origin: ``source`` and ``path`` name it as `models.base.Part` does; size in bytes."""

    source: str
    path: str
    bytes: int
    sha256: str

    def to_entry(self) -> dict[str, Any]:
        """Its weights in an entry of a models.yaml."""
        return {"source": self.source, "file": self.path, "sha256": self.sha256, "bytes": self.bytes}


class Origin(ABC):
    """A place that has files by path. All methods raise `core.errors.WeightsError`."""

    label: str  #: for people: ``rhasspy/piper-voices at 1a2b3c4``
    licence: str = ""  #: as its model card states it, in plain text; empty if it does not

    @abstractmethod
    def names(self) -> frozenset[str]:
        """The paths of its files. Those that are no plain paths are left out."""

    @abstractmethod
    def facts(self, paths: Iterable[str]) -> Mapping[str, FileFacts]:
        """Size and sha256 of files, by path."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The content of a small file, of which size and hash are checked."""

    def first(self, *paths: str) -> str:
        """The first of these paths that it has."""
        there = self.names()
        for path in paths:
            if path in there:
                return path
        raise WeightsError(f"{self.label} has no file {' or '.join(paths)}.")

    def json(self, path: str, shape: type[Read], what: str) -> Read:
        """A small file as ``shape``; ``what`` it should be."""
        try:
            return TypeAdapter(shape).validate_json(self.read(path))
        except ValidationError as error:
            told = plain("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3]), 300)
            raise WeightsError(f"{path} of {self.label} is not {what}: {told}") from error


def is_path(text: object) -> bool:
    """Whether a hub's text is a plain path."""
    return isinstance(text, str) and len(text) <= _MAX_PATH and bool(_PATH.fullmatch(text))


def plain(text: object, limit: int = 120) -> str:
    """A text of others for one line of a terminal or a file: without control characters and characters that reorder
    or hide text, each white space one space, at most ``limit`` characters."""
    words = "".join(
        " " if c.isspace() else c for c in str(text)[: limit * 4] if c.isspace() or unicodedata.category(c)[0] != "C"
    )
    short = " ".join(words.split())
    return short if len(short) <= limit else f"{short[: limit - 1]}…"
