"""Content to send to the API: the bytes of a path, an open file or a bytes object, readable more than once."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from chorus_client.errors import ChorusError

#: A file by its path, an open binary file (from its current position), or bytes.
Content = str | Path | bytes | BinaryIO

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """``size`` bytes that can be read again, should sending them break off."""

    size: int
    _origin: Path | BinaryIO | bytes
    _start: int = 0
    _around: tuple[bytes, bytes] = (b"", b"")

    def chunks(self) -> Iterator[bytes]:
        """All bytes from the beginning, piece by piece."""
        head, tail = self._around
        yield from (piece for piece in (head,) if piece)
        yield from self._inner()
        yield from (piece for piece in (tail,) if piece)

    def _inner(self) -> Iterator[bytes]:
        if isinstance(self._origin, bytes):
            yield from (piece for piece in (self._origin,) if piece)
        elif isinstance(self._origin, Path):
            with self._origin.open("rb") as file:
                yield from iter(lambda: file.read(_CHUNK), b"")
        else:
            self._origin.seek(self._start)
            yield from iter(lambda: self._origin.read(_CHUNK), b"")  # type: ignore[union-attr]

    def read(self) -> bytes:
        """All bytes at once."""
        return b"".join(self.chunks())

    def in_form(self, fields: Mapping[str, str], boundary: str) -> Source:
        """A form (``multipart/form-data``) of ``fields``, then these bytes as ``file``."""
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
        head = "".join(f"{part % (name, '')}{value}\r\n" for name, value in fields.items())
        around = (f"{head}{part % ('file', '; filename=upload')}".encode(), f"\r\n--{boundary}--\r\n".encode())
        return replace(self, size=self.size + sum(map(len, around)), _around=around)


def source_of(content: Content) -> Source:
    """The source of ``content``. A file that cannot seek, such as a pipe, is read into memory.

    Raises `ChorusError` for a file opened in text mode, or for another type.
    """
    if isinstance(content, str | Path):
        return Source(Path(content).stat().st_size, Path(content))
    if isinstance(content, bytes | bytearray | memoryview):
        return Source(len(bytes(content)), bytes(content))
    if isinstance(content, io.TextIOBase):
        raise ChorusError("The file must be opened in binary mode: open(path, 'rb').")
    if not is_file(content):
        raise ChorusError(f"Expected bytes, a path or an open binary file, not {type(content).__name__}.")
    if not content.seekable():
        whole = content.read()
        return Source(len(whole), whole)
    start = content.tell()
    size = content.seek(0, io.SEEK_END) - start
    content.seek(start)
    return Source(size, content, start)


def is_file(thing: object) -> bool:
    """Whether a thing is an open file."""
    return all(hasattr(thing, name) for name in ("read", "seek", "seekable"))
