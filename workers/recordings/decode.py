"""Recordings on their way through a job: any container to 16 kHz mono FLAC once, then to samples."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from audio.artifact import ARTIFACT_BROKEN
from audio.decode import stream
from audio.encode import Encoder
from audio.samples import Samples
from core.errors import ArtifactMissing
from core.names import AudioFormat
from core.work import ItemRef
from pipelines.connections import Connections
from pipelines.intake import LIMITS, Intake
from storage.ledger.documents import RecordingDocument
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Work
from storage.objects.objects import Objects
from workers.recordings.long_decodes import is_long, turn
from workers.recordings.takes import fullest_part
from workers.retry import retry_until_available

#: Sample rate in Hz for all models that process recordings.
RATE = 16_000

#: Seconds and bytes that a recording behind a URL may take.
FETCH_SECONDS = 120.0

#: Seconds used of several recordings of one voice: in total, and at least of each.
_SHARED, _SHARE = 120.0, 10.0

#: Samples read at once where a recording is looked over.
_BLOCK = 1 << 20

#: Seconds of silence between them.
_GAP = 0.5


def fetch_recordings(connections: Connections, ref: ItemRef, work: Work) -> StepOutputs:
    """Decode the job's recordings, once: ``samples``, ``sha256`` and ``recordings``. Empty if it has none.

    Raises `InvalidAudio` if one is broken, too short or too long, what `Egress.get` raises, and `NoTurn` if it is
    long and others are being decoded.
    """
    folder = folder_of(work)
    for name, given in (("reference", work.document.reference), ("recording", work.document.recording)):
        if given is not None:
            parts = given.parts or (given,)
            with tempfile.TemporaryDirectory(prefix="chorus-") as place:
                held = [_fetched(connections, folder, name, part, Path(place)) for part in parts]
                return _decoded(connections, ref, work, name, held, Path(place))
    return StepOutputs()


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
    connections: Connections, ref: ItemRef, work: Work, name: str, parts: Sequence[RecordingDocument], place: Path
) -> StepOutputs:
    """The samples of recordings, concatenated, as one FLAC object; in constant memory."""
    folder = folder_of(work)
    digests = [part.sha256 or "" for part in parts]
    digest = digests[0] if len(parts) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()
    target = f"{folder}/recordings/{digest}.16k.flac"
    # Their names are outputs too, so that the ledger tracks how long they are needed.
    brought = [part.object or "" for part in parts]
    outputs = StepOutputs(samples=target, sha256=digest, recordings=brought)
    if retry_until_available(lambda: connections.objects.head(target)) is not None:
        return outputs
    share = math.inf if len(parts) == 1 else max(_SHARE, _SHARED / len(parts))
    source, path = place / "recording", place / "samples.flac"
    long, owner = is_long(parts), work.document.owner
    with turn(connections, owner, ref, long=long) as keep, Encoder(path, AudioFormat.FLAC, RATE) as encoder:
        written = 0
        for part in parts:
            retry_until_available(lambda part=part: connections.objects.get_file(part.object, source))  # type: ignore[misc]
            for samples in _heard(source, name, share):
                encoder.write(samples)
                written += len(samples)
                keep(written / RATE)
            if part is not parts[-1]:
                encoder.write(np.zeros(round(_GAP * RATE), np.float32))
        encoder.close()
    retry_until_available(lambda: connections.objects.put_file(target, path, "audio/flac"))
    return outputs


def _heard(source: Path, name: str, share: float) -> Iterator[Samples]:
    """A recording's samples: all, or those ``share`` seconds that have most sound in them (of a reference, that is
    bounded so that it fits into memory)."""
    limits = LIMITS[name]
    found = stream(source, RATE, max_seconds=limits.most, min_seconds=limits.least)
    if math.isinf(share):
        yield from found
    else:
        yield fullest_part(np.concatenate(list(found)), share, RATE)


class StoredRecording:
    """A decoded recording, float32 [n] mono at 16 kHz, of which parts are read from a file on this machine."""

    def __init__(self, path: Path) -> None:
        """Raises `RuntimeError` where any of it cannot be read. The file may be unlinked then."""
        self._file = soundfile.SoundFile(path)
        read = sum(len(block) for block in self._file.blocks(_BLOCK, dtype="float32"))
        if read != self._file.frames or self._file.channels != 1 or self._file.samplerate != RATE:
            raise soundfile.SoundFileRuntimeError("it is not what was written")

    def __len__(self) -> int:
        return int(self._file.frames)

    def __getitem__(self, part: slice) -> Samples:
        first, end, _ = part.indices(len(self))
        if first >= end:
            return np.zeros(0, np.float32)
        self._file.seek(first)
        return np.ascontiguousarray(self._file.read(end - first, dtype="float32"), dtype=np.float32)


def read_samples(objects: Objects, name: str) -> StoredRecording:
    """A decoded recording, read from a file that is deleted with it, so it takes little memory, however long it is.

    Raises `ArtifactMissing` if it is missing, or damaged (code ``artifact_broken``): it is deleted then, and a retry
    of the job decodes it again.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
            path = Path(folder) / "recording.flac"
            objects.get_file(name, path)
            return StoredRecording(path)
    except RuntimeError as error:
        objects.delete(name)  # so that `prepare` makes it anew
        raise ArtifactMissing("A recording that this step needs is damaged.", code=ARTIFACT_BROKEN) from error
