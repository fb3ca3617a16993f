"""The answer to a request for speech: audio from its first bytes on, a whole file, or server-sent events.

The first audio is waited for before the answer begins, so that a failure is an answer of its own.
"""

from __future__ import annotations

import base64
import json
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

from api.http.problems import openai_error
from api.speech.failures import failure_of
from api.streaming.audio import Bytes, Wanted, finished_audio, follow_audio
from api.streaming.streams import Reader, StreamCut, retry_until_available
from core.errors import ChorusError, Unavailable
from pipelines.connections import Connections
from storage.ledger.records import Job

log = logging.getLogger(__name__)

#: Bytes of audio in one event: whole groups of base64.
EVENT_BYTES = 48 * 1024

#: Seconds between two looks at a job whose whole audio is waited for: the first, the longest, and their growth.
_FIRST, _LONGEST, _GROWTH = 0.02, 0.25, 1.15

_CHUNK = 64 * 1024


@dataclass(slots=True)
class Speech:
    """The audio of one job on its way to one client, who is the only one to want it if ``own``."""

    ctx: Connections
    job: Job
    wanted: Wanted
    own: bool
    _done: bool = False
    _first: list[bytes] = field(default_factory=list)
    _rest: Bytes | None = None
    _file: IO[bytes] | None = None

    def begin(self, reader: Reader) -> None:
        """Wait for the first audio.

        Raises why there is none: the job's failure, or `Unavailable` (``interrupted``) if the client has left or this
        process is stopping."""
        self._rest = follow_audio(self.ctx, self.job, self.wanted, reader)
        with self._explained():
            for chunk in self._rest:
                self._first.append(chunk)
                if chunk and len(self._first) > 1:  # the first of all is the header
                    return

    def fetch(self, reader: Reader) -> int:
        """Wait for all of the audio, to be sent by `file`; its size in bytes. Raises as `begin`."""
        self._file = tempfile.TemporaryFile(prefix="chorus-")  # noqa: SIM115 - closed by `close`
        with self._explained():
            for part in finished_audio(self.ctx, self._ended(reader), self.wanted, reader):
                self._file.write(part)
        size = self._file.tell()
        self._file.seek(0)
        return size

    def file(self) -> Bytes:
        """What `fetch` has fetched."""
        assert self._file is not None
        while chunk := self._file.read(_CHUNK):
            yield chunk
        self._done = True

    def audio(self) -> Bytes:
        """The audio from its start. Raises `StreamCut`."""
        first, self._first = self._first, []
        yield from first
        if self._rest is not None:
            yield from self._rest
        self._done = True

    def events(self) -> Bytes:
        """Server-sent events with the audio, and one at the end that says whether it is complete."""
        try:
            for part in _parts(self.audio()):
                yield _event("speech.audio.delta", audio=base64.b64encode(part).decode())
        except StreamCut as cut:
            error = self._failure()
            if error is None:
                raise
            log.info("A stream of speech ends early: %s", cut.strerror)
            yield _event("speech.audio.error", error=openai_error(error))
            return
        # Nothing here counts in tokens.
        usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "characters": self.job.document.characters}
        yield _event("speech.audio.done", usage=usage)

    def close(self) -> None:
        """The answer is over. A job whose audio nobody waits for any longer is canceled."""
        if self._rest is not None:
            with suppress(ChorusError, OSError, ValueError):  # ValueError: it runs in the thread that is being left
                self._rest.close()
        if self._file is not None:
            self._file.close()
        done, self._done = self._done, True
        if self.own and not done:
            with suppress(ChorusError):
                self.ctx.ledger.cancel(self.job.id)

    def _ended(self, reader: Reader) -> Job:
        """The job, once it has ended."""
        job, gap = self.job, _FIRST
        while not job.state.ended:
            reader.wait(gap)
            gap = min(_LONGEST, gap * _GROWTH)
            found = retry_until_available(partial(self.ctx.ledger.get, job.id), reader)
            if found is None or found.origin != job.origin:
                raise StreamCut("the job is gone")
            job = found
        return job

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raises what made the stream end, in place of `StreamCut`."""
        try:
            yield
        except StreamCut as cut:
            error = self._failure() or Unavailable(f"The request was interrupted: {cut.strerror}.", code="interrupted")
            raise error from cut

    def _failure(self) -> ChorusError | None:
        """What went wrong with the job, if anything has."""
        job = self.ctx.ledger.get(self.job.id)
        return None if job is None else failure_of(job)


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), EVENT_BYTES):
            yield chunk[at : at + EVENT_BYTES]


def _event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: {data}\n\n".encode()
