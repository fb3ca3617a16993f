"""A folder of this machine that has the files of a repository: in its layout, or side by side."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from core.errors import WeightsError
from models.hub.origin import MAX_SMALL, FileFacts, Origin, is_path, plain

_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_LICENCE = re.compile(r"^license:[ \t]*(\S[^\n]*)$", re.MULTILINE)


class Folder(Origin):
    """The folder ``root`` as the repository ``name``. Its files lie in ``OWNER/REPO``, in ``REPO``, or, those of the
    ``first`` repository of a model, in the folder itself: with the paths that they have there, or side by side."""

    def __init__(self, root: Path, name: str, *, first: bool) -> None:
        self._root = root.expanduser().absolute()
        if not self._root.is_dir():
            raise WeightsError(f"The folder {self._root} does not exist.")
        if any(c in str(self._root) for c in "\n\r\0"):
            raise WeightsError("The name of the folder has a line break.")
        inner = [self._root / name, self._root / name.rsplit("/", maxsplit=1)[-1]]
        self._base = next((folder for folder in inner if folder.is_dir()), self._root if first else inner[1])
        self._name = name
        self.label = f"{self._base}"
        self.licence = self._stated()

    def names(self) -> frozenset[str]:
        return frozenset(path.relative_to(self._base).as_posix() for path in self._files())

    def first(self, *paths: str) -> str:
        for path in paths:
            if self._find(path) is not None:
                return path
        raise WeightsError(
            f"{self._base} has no file {' or '.join(paths)} of {self._name}. Put it there, or into "
            f"{self._root / self._name}."
        )

    def facts(self, paths: Iterable[str]) -> Mapping[str, FileFacts]:
        found = {}
        for path in paths:
            place = self._place(path)
            try:
                with place.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                inside = place.relative_to(self._base).as_posix()
                size = place.stat().st_size
            except OSError as error:
                raise WeightsError(f"{place} cannot be read: {error.strerror}.") from error
            found[path] = FileFacts(source=f"file:{self._base}", path=inside, bytes=size, sha256=digest)
        return found

    def read(self, path: str) -> bytes:
        place = self._place(path)
        try:
            with place.open("rb") as file:
                content = file.read(MAX_SMALL + 1)
        except OSError as error:
            raise WeightsError(f"{place} cannot be read: {error.strerror}.") from error
        if len(content) > MAX_SMALL:
            raise WeightsError(f"{place} is too long for a file of its kind.")
        return content

    def _place(self, path: str) -> Path:
        found = self._find(path)
        if found is None:
            self.first(path)  # raises
        assert found is not None
        return found

    def _find(self, path: str) -> Path | None:
        """A file of the repository: at its path, or by its name alone."""
        for place in (self._base / path, self._base / path.rsplit("/", 1)[-1]):
            if place.is_file():
                return place
        return None

    def _files(self) -> Iterable[Path]:
        """The files in this folder, as deep as any repository's lie."""
        if not self._base.is_dir():
            return
        for pattern in ("*", "*/*", "*/*/*", "*/*/*/*", "*/*/*/*/*"):
            for path in self._base.glob(pattern):
                if path.is_file() and is_path(path.relative_to(self._base).as_posix()):
                    yield path

    def _stated(self) -> str:
        """The licence in the head of its README.md."""
        card = self._base / "README.md"
        if not card.is_file():
            return ""
        front = _FRONT.match(self.read("README.md").decode("utf-8", "replace"))
        found = front and _LICENCE.search(front[1])
        return plain(found[1].strip("'\" "), 100) if found else ""
