"""Downloads and events: the state that both clients keep from one connection to the next."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx

from chorus_client.errors import BadDownload, ChorusError, ConnectionFailed
from chorus_client.models import Audio, Event
from chorus_client.protocol import Call, EventReader


@contextmanager
def arriving(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write to; at the end it becomes ``target``, or nothing where something is raised."""
    part = target.with_name(f".chorus-{uuid.uuid4().hex}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


class Download:
    """The download of a job's audio into ``file``: resumed if the connection breaks, and verified at the end."""

    def __init__(self, audio: Audio, file: BinaryIO, told: Callable[[int, int], None] | None = None) -> None:
        self._audio = audio
        self._file = file
        self._told = told
        self._digest = hashlib.sha256()
        self._done = self._most = 0

    @property
    def complete(self) -> bool:
        """Whether all bytes have arrived."""
        return self._done >= self._audio.bytes

    def call(self) -> Call:
        """The request for the missing bytes, without content encoding, since compressed data could not be resumed."""
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={self._done}-"} if self._done else {})}
        return Call("GET", self._audio.url, headers=headers)

    def begins(self, answer: httpx.Response) -> None:
        """Start over if the response is the whole file instead of the requested range."""
        rest = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {self._done}-")
        if self._done and not rest:
            self._file.seek(0)
            self._file.truncate()
            self._digest = hashlib.sha256()
            self._done = 0

    def take(self, chunk: bytes) -> bool:
        """Whether it is further than it ever was. Raises `BadDownload` where more comes than the audio has bytes."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self._done += len(chunk)
        if self._done > self._audio.bytes:
            raise BadDownload("The download is larger than the audio.")
        if self._told:
            self._told(self._done, self._audio.bytes)
        further = self._done > self._most
        self._most = max(self._most, self._done)
        return further

    def ends(self) -> None:
        """Raises `ConnectionFailed` if the response ended too early."""
        if not self.complete:
            raise ConnectionFailed(f"Only {self._done} of {self._audio.bytes} bytes arrived.")

    def check(self) -> None:
        """Raises `BadDownload` if the sha256 of the audio does not match the job's."""
        if self._digest.hexdigest() != self._audio.sha256:
            raise BadDownload("The sha256 of the audio does not match the job's.")


def events_in(reader: EventReader, chunk: bytes) -> Iterator[Event]:
    """The events that ``chunk`` completes. Raises `ChorusError` if they are not valid."""
    for kind, data, identity in reader.feed(chunk):
        try:
            yield Event(kind, json.loads(data), identity)
        except ValueError as error:
            raise ChorusError("An event is not JSON.") from error
