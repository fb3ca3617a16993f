"""Recordings on their way through a job: any container to mono FLAC, once for each rate, then to samples."""

from __future__ import annotations

import hashlib
import math
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from audio.artifact import ARTIFACT_BROKEN
from audio.decode import stream
from audio.encode import Encoder
from audio.samples import Samples
from core.errors import ArtifactMissing
from core.names import AudioFormat, Role
from core.work import ItemRef
from models.families import family_of
from pipelines.connections import Connections
from pipelines.intake import LIMITS, Intake
from storage.ledger.documents import RecordingDocument
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Work
from storage.objects.objects import Objects
from workers.recordings.long_decodes import is_long, turn
from workers.recordings.takes import fullest_part
from workers.retry import retry_until_available

#: The output that contains a recording decoded to a rate in Hz.
SAMPLES = {16_000: "samples", 22_050: "samples_22k"}

#: Steps that listen to the job's recording.
_LISTENING = frozenset({Role.VAD, Role.EMBED, Role.TRANSCRIBE})

#: Seconds and bytes that a recording behind a URL may take.
FETCH_SECONDS = 120.0

#: Seconds used of several recordings of one voice: in total, and at least of each.
_SHARED, _SHARE = 120.0, 10.0

#: Samples read at once where a recording is looked over.
_BLOCK = 1 << 20

#: Seconds of silence between them.
_GAP = 0.5


def fetch_recordings(connections: Connections, ref: ItemRef, work: Work) -> StepOutputs:
    """Decode the job's recordings: the one that its steps listen to, at each rate that they hear (``samples``,
    ``samples_22k``), and the one that is converted (``source``). Empty if it has none.

    Raises `InvalidAudio` if one is broken, too short or too long, what `Egress.get` raises, and `NoTurn` if it is
    long and others are being decoded.
    """
    document, outputs = work.document, StepOutputs()
    bill = _Bill(connections, ref)
    heard = _rates(connections, work)
    converting = work.plan.first_stage is not None and document.recording is not None
    listened = document.reference or (None if converting else document.recording)
    if listened is not None:
        name = "reference" if document.reference else "recording"
        digest, objects, brought = _decoded(connections, bill, work, name, listened, heard or {16_000})
        low, high = (objects.get(rate) for rate in SAMPLES)
        outputs = StepOutputs(samples=low, samples_22k=high, sha256=digest, recordings=brought)
    if converting and document.recording is not None:
        rate = connections.catalog.get(work.plan.stages[0].station).sample_rate or 0
        digest, objects, brought = _decoded(connections, bill, work, "recording", document.recording, {rate})
        both = [*(outputs.recordings or ()), *brought]
        outputs = replace(outputs, source=objects[rate], source_sha256=digest, recordings=both)
    return outputs


@dataclass(slots=True)
class _Bill:
    """Charges a job for its recordings when they are here; most were charged when it was created."""

    connections: Connections
    ref: ItemRef
    seconds: float = 0.0

    def add(self, recordings: Sequence[RecordingDocument]) -> None:
        """Raises `RateLimited` (``audio_seconds_limit``)."""
        self.seconds += sum(part.seconds for part in recordings)
        retry_until_available(lambda: self.connections.ledger.charge_audio(self.ref, self.seconds))


def _rates(connections: Connections, work: Work) -> set[int]:
    """The rates in Hz that the models of the job's steps hear."""
    known = connections.catalog.models
    listening = [known[s.station] for s in work.plan.steps if s.role in _LISTENING and s.station in known]
    return {family_of(spec.type).hears for spec in listening}


def folder_of(work: Work) -> str:
    """The prefix of all objects derived from the job's recording: the owner's objects, or a voice's."""
    enrolment = work.document.enrolment
    return enrolment.folder if enrolment else work.document.owner


def _fetched(
    connections: Connections, folder: str, name: str, part: RecordingDocument, place: Path
) -> RecordingDocument:
    """The stored recording; one behind a URL is fetched now."""
    if part.url is None:
        return part
    path = place / "fetched"
    intake, limit = Intake(connections), connections.settings.max_upload_bytes
    connections.egress.get(part.url, max_bytes=limit, timeout=FETCH_SECONDS, to=path)
    return retry_until_available(lambda: intake.keep(folder, name, path))


def _decoded(
    connections: Connections, bill: _Bill, work: Work, name: str, given: RecordingDocument, rates: Collection[int]
) -> tuple[str, dict[int, str], list[str]]:
    """A recording, or several concatenated, as one FLAC object for each rate: its sha256, the objects by rate, and the
    objects that they were decoded from, which are outputs too, so that the ledger tracks how long they are needed."""
    folder = folder_of(work)
    with tempfile.TemporaryDirectory(prefix="chorus-") as place:
        parts = [_fetched(connections, folder, name, part, Path(place)) for part in given.parts or (given,)]
        bill.add(parts)
        digests = [part.sha256 or "" for part in parts]
        digest = digests[0] if len(parts) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()
        objects = {rate: decoded_name(folder, digest, rate) for rate in sorted(rates)}
        for rate, target in objects.items():
            if retry_until_available(lambda target=target: connections.objects.head(target)) is None:  # type: ignore[misc]
                _decode(connections, bill.ref, work, name, parts, rate, target, Path(place))
    return digest, objects, [part.object or "" for part in parts]


def decoded_name(folder: str, sha256: str, rate: int) -> str:
    """The object of a recording that is decoded to ``rate`` Hz."""
    return f"{folder}/recordings/{sha256}.{rate / 1000:g}k.flac"


def _decode(
    connections: Connections,
    ref: ItemRef,
    work: Work,
    name: str,
    parts: Sequence[RecordingDocument],
    rate: int,
    target: str,
    place: Path,
) -> None:
    """Write the samples of recordings, concatenated, at one rate; in constant memory."""
    share = math.inf if len(parts) == 1 else max(_SHARE, _SHARED / len(parts))
    source, path = place / "recording", place / "samples.flac"
    long, owner = is_long(parts), work.document.owner
    with (
        turn(connections, owner, ref, long=long) as keep,
        Encoder(path, AudioFormat.FLAC, rate, limit=False) as encoder,  # a recording stays as it is
    ):
        written = 0
        for part in parts:
            retry_until_available(lambda part=part: connections.objects.get_file(part.object, source))  # type: ignore[misc]
            for samples in _heard(source, name, share, rate):
                encoder.write(samples)
                written += len(samples)
                keep(written / rate)
            if part is not parts[-1]:
                encoder.write(np.zeros(round(_GAP * rate), np.float32))
        encoder.close()
    retry_until_available(lambda: connections.objects.put_file(target, path, "audio/flac"))


def _heard(source: Path, name: str, share: float, rate: int) -> Iterator[Samples]:
    """A recording's samples: all, or those ``share`` seconds that have most sound in them (of a reference, that is
    bounded so that it fits into memory)."""
    limits = LIMITS[name]
    found = stream(source, rate, max_seconds=limits.most, min_seconds=limits.least)
    if math.isinf(share):
        yield from found
    else:
        yield fullest_part(np.concatenate(list(found)), share, rate)


class StoredRecording:
    """A decoded recording, float32 [n] mono at ``rate`` Hz, of which parts are read from a file on this machine."""

    def __init__(self, path: Path, rate: int = 16_000) -> None:
        """Raises `RuntimeError` where any of it cannot be read. The file may be unlinked then."""
        self._file = soundfile.SoundFile(path)
        self._lock = threading.Lock()  # one place in the file is read at a time
        read = sum(len(block) for block in self._file.blocks(_BLOCK, dtype="float32"))
        if read != self._file.frames or self._file.channels != 1 or self._file.samplerate != rate:
            raise soundfile.SoundFileRuntimeError("it is not what was written")

    def __len__(self) -> int:
        return int(self._file.frames)

    def __getitem__(self, part: slice) -> Samples:
        first, end, _ = part.indices(len(self))
        if first >= end:
            return np.zeros(0, np.float32)
        with self._lock:
            self._file.seek(first)
            return np.ascontiguousarray(self._file.read(end - first, dtype="float32"), dtype=np.float32)


def read_samples(objects: Objects, name: str, rate: int = 16_000) -> StoredRecording:
    """A recording decoded to ``rate`` Hz, read from a file that is deleted with it, so it takes little memory, however
    long it is.

    Raises `ArtifactMissing` if it is missing, or damaged (code ``artifact_broken``): it is deleted then, and a retry
    of the job decodes it again.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
            path = Path(folder) / "recording.flac"
            objects.get_file(name, path)
            return StoredRecording(path, rate)
    except RuntimeError as error:
        objects.delete(name)  # so that `prepare` makes it anew
        raise ArtifactMissing("A recording that this step needs is damaged.", code=ARTIFACT_BROKEN) from error
