"""A batch's audio as a ZIP, written while it is downloaded, with only one chunk in memory."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from core.errors import ArtifactMissing
from storage.ledger.batches import BatchEntry
from storage.objects.objects import Objects

_CHUNK = 256 * 1024

MANIFEST = "manifest.jsonl"


class _Pipe(io.RawIOBase):
    """The output file of `zipfile`. It cannot seek, so sizes follow after each file (APPNOTE 4.3.9)."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        """The bytes written since the last call."""
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken


def zip_stream(objects: Objects, entries: Iterable[tuple[BatchEntry, Mapping[str, Any]]]) -> Iterator[bytes]:
    """The bytes of the ZIP: an uncompressed file for each entry with audio, and the manifest at the end.

    ``entries``: each with its line of the manifest, whose ``url`` is left out here. A missing object is left out,
    which its line states.
    """
    pipe = _Pipe()
    lines: list[str] = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for entry, line in entries:
            told = {name: value for name, value in line.items() if name != "url"}
            if line["file"] and entry.job and entry.job.result:
                try:
                    yield from _file(archive, pipe, objects, line["file"], entry.job.result["audio"])
                except ArtifactMissing as error:
                    told |= {"file": None, "error": error.to_dict()}
            lines.append(json.dumps(told, ensure_ascii=False))
        archive.writestr(_info(MANIFEST, zipfile.ZIP_DEFLATED), "\n".join(lines) + "\n")
    yield pipe.take()


def _file(
    archive: zipfile.ZipFile, pipe: _Pipe, objects: Objects, name: str, audio: Mapping[str, Any]
) -> Iterator[bytes]:
    stream = objects.stream(audio["object"])
    info = _info(name, zipfile.ZIP_STORED)
    info.file_size = int(audio["bytes"])
    with archive.open(info, "w") as file:
        while chunk := stream.body.read(_CHUNK):
            file.write(chunk)
            yield pipe.take()


def _info(name: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, time.gmtime()[:6])
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    return info
