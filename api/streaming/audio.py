"""A job's audio as its utterances finish, or from its finished file."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from api.streaming.streams import RETRY_GAP, Outage, Reader, StreamCut, retry_until_available
from audio.artifact import unpack
from audio.decode import stream as decoded
from audio.join import Piece, join, left_out
from audio.samples import Samples
from audio.sinks.pcm import read_pcm
from audio.streaming import StreamEncoder, StreamFormat
from core.errors import ArtifactMissing, StorageUnavailable
from core.names import AudioFormat, JobState, SampleEncoding
from pipelines.connections import Connections
from storage.ledger.records import Job, UtteranceState
from storage.objects.manifest import ManifestEntry, manifest_name, unpack_manifest

#: Seconds between two looks at a job: the first, the longest, and by how much they grow.
_FIRST, _LONGEST, _GROWTH = 0.02, 0.25, 1.15

#: Bytes that are read of a finished file at once.
_PART = 2**20

Bytes = Generator[bytes, None, None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the stream is to be: ``rate`` in Hz, None for what follows from the source."""

    format: StreamFormat
    rate: int | None


def follow_audio(ctx: Connections, job: Job, wanted: Wanted, reader: Reader) -> Bytes:
    """The audio of an unfinished job, in order, each utterance when it is rendered.

    The utterances are joined as in `assemble`, but without loudness normalization, which needs the whole audio.
    Raises `StreamCut` if the job ends before its last utterance, and the error of storage or ledger if it is
    unavailable for too long.
    """
    following = _Following(ctx, job, reader)
    if not following.enqueued():
        yield from finished_audio(ctx, following.job, wanted, reader)
        return
    rate = ctx.catalog.sample_rate(following.job.plan)
    if rate is None:
        raise ArtifactMissing("The catalog has no sample rate for this job's last model.")
    with StreamEncoder(wanted.format, rate, wanted.rate) as encoder:
        yield encoder.header()
        for samples in join(following.pieces(), rate):
            yield encoder.write(samples)
        yield encoder.close()


def finished_audio(ctx: Connections, job: Job, wanted: Wanted, reader: Reader) -> Bytes:
    """The audio of a job that has succeeded: its file as it is, or in another format."""
    audio = (job.result or {}).get("audio")
    if not audio:
        raise StreamCut(f"the job is {job.state.value}")
    if is_streamed_as(audio, wanted.format):
        yield from _parts(ctx, audio, reader)
        return
    rate = int(audio["sample_rate"])
    with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
        path = Path(folder) / f"audio.{audio['format']}"
        with path.open("wb") as file:
            for part in _parts(ctx, audio, reader):
                file.write(part)
        with StreamEncoder(wanted.format, rate, wanted.rate) as encoder:
            yield encoder.header()
            for samples in _decoded(path, audio):
                yield encoder.write(samples)
            yield encoder.close()


def is_streamed_as(audio: Mapping[str, Any], format: StreamFormat) -> bool:
    """Whether a stream of ``format`` is the finished file as it is: in a stream, samples have 16 bits."""
    encoding = audio.get("encoding", SampleEncoding.PCM_S16)
    return bool(audio["format"] == format.value and encoding == SampleEncoding.PCM_S16)


def _decoded(path: Path, audio: Mapping[str, Any]) -> Iterator[Samples]:
    if audio["format"] == AudioFormat.PCM:
        return read_pcm(path, SampleEncoding(audio["encoding"]))
    return decoded(path, int(audio["sample_rate"]), max_seconds=float(audio["duration"]) + 60)


def _parts(ctx: Connections, audio: Mapping[str, Any], reader: Reader) -> Iterator[bytes]:
    """A finished file in parts, so that a slow client does not occupy a connection to the storage."""
    size = int(audio["bytes"])

    def part(at: int) -> bytes:
        stream = ctx.objects.stream(audio["object"], f"bytes={at}-{min(at + _PART, size) - 1}")
        try:
            return stream.body.read()
        except Exception as error:  # urllib3's and botocore's errors have no base in common
            raise StorageUnavailable from error

    for at in range(0, size, _PART):
        yield retry_until_available(partial(part, at), reader)


class _Gaps:
    """Growing pauses between two looks."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._gap = _FIRST

    def wait(self) -> None:
        self._reader.wait(self._gap)
        self._gap = min(_LONGEST, self._gap * _GROWTH)


class _Following:
    """A job that runs, looked at again and again. ``job`` is how it last stood when it was read in full."""

    def __init__(self, ctx: Connections, job: Job, reader: Reader) -> None:
        self.job = job
        self._ctx = ctx
        self._reader = reader
        self._silence = False  #: whether silence stands for an utterance that failed
        self._known: list[ManifestEntry] = []  #: the utterances so far

    def enqueued(self) -> bool:
        """Wait for the job's first utterances; False if it has succeeded meanwhile."""
        gaps = _Gaps(self._reader)
        while True:
            if self.job.state is JobState.SUCCEEDED:
                return False
            if self.job.state.ended:
                raise StreamCut(f"the job is {self.job.state.value}")
            if self.job.total and self._read_more():
                return True
            gaps.wait()
            self._read_job()

    def pieces(self) -> Iterator[Piece]:
        """Every utterance for `join`, which waits for the samples of one before it requests the next."""
        index = 0
        while index < len(self._known) or self._follows(index):
            yield partial(self._samples, index), self._known[index].pause
            index += 1

    def _read_more(self) -> bool:
        """Read the utterances behind those that are known; whether there are any."""
        read = partial(self._ctx.ledger.utterances, self.job.id, len(self._known))
        works, _ = retry_until_available(read, self._reader)
        self._known += [ManifestEntry(work.artifact, work.pause) for work in works]
        return bool(works)

    def _follows(self, index: int) -> bool:
        """Whether an utterance ``index`` follows; waits while the job's text is being prepared."""
        gaps = _Gaps(self._reader)
        while True:
            generation = self.job.generation
            self._read_job()
            if self.job.generation != generation:
                self._begin_anew(index)
            if self.job.state is JobState.SUCCEEDED:
                return index < self.job.total and self._read_manifest(index)
            if self.job.state.ended:
                raise StreamCut(f"the job is {self.job.state.value}")
            if self._read_more():
                return True
            if self.job.total and not self.job.preparing:
                return index < self.job.total
            gaps.wait()

    def _read_manifest(self, index: int) -> bool:
        """Read all utterances of a job that has succeeded before they were known; whether there is an ``index``."""
        name = manifest_name(self.job.owner, self.job.id, self.job.generation)
        data = retry_until_available(partial(self._ctx.objects.get, name), self._reader)
        self._known = unpack_manifest(data)
        return index < len(self._known)

    def _samples(self, index: int) -> Samples:
        """The samples of one utterance, once it has ended."""
        outage = Outage()
        while True:
            if not self._rendered(index, outage):
                rate = self._ctx.catalog.sample_rate(self.job.plan)
                return left_out(rate or 0)
            get = partial(self._ctx.objects.get, self._known[index].artifact)
            try:
                return unpack(retry_until_available(get, self._reader))[0]
            except ArtifactMissing as error:
                outage.failed(error)
            self._reader.wait(RETRY_GAP)

    def _rendered(self, index: int, outage: Outage) -> bool:
        """Wait for the end of one utterance; False if silence takes its place.

        ``outage``: of its artifact; it ends when `assemble` has the utterance rendered again.
        """
        gaps = _Gaps(self._reader)
        while True:
            state = self._state(index)
            if state is UtteranceState.RENDERED:
                return True
            if state is UtteranceState.FAILED:
                if not self._silence:
                    raise StreamCut(f"utterance {index} failed")
                return False
            outage.recovered()
            gaps.wait()

    def _state(self, index: int) -> UtteranceState | None:
        """How one utterance ended, None while it is on its way."""
        status = retry_until_available(partial(self._ctx.ledger.utterance_status, self.job.id, index), self._reader)
        if status is None:
            raise StreamCut("the job is gone")
        self._silence = status.silence
        if status.generation != self.job.generation:
            self._begin_anew(index)
            return None
        if status.job_state is JobState.SUCCEEDED:
            return self._state_at_end(index)
        if status.job_state.ended:
            raise StreamCut(f"the job is {status.job_state.value}")
        return status.utterance

    def _state_at_end(self, index: int) -> UtteranceState:
        if self.job.state is not JobState.SUCCEEDED:
            self._read_job()
        failed = any(error["utterance"] == index for error in self.job.errors)
        return UtteranceState.FAILED if failed else UtteranceState.RENDERED

    def _begin_anew(self, index: int) -> None:
        """Continue after a retry of the job: its utterances are the same, unless a voice or model has changed."""
        before, self._known = self._known, []
        self._read_job()
        self.enqueued()
        if self._known != before[: len(self._known)]:
            raise StreamCut(f"utterance {index} has changed")
        self._known += before[len(self._known) :]

    def _read_job(self) -> None:
        found = retry_until_available(partial(self._ctx.ledger.get, self.job.id), self._reader)
        if found is None or found.origin != self.job.origin:
            raise StreamCut("the job is gone")
        self.job = found
