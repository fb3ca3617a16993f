"""Recordings on their way through a job: any container to 16 kHz mono FLAC once, then to samples."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audio.decode import stream
from audio.encode import Encoder
from core.errors import ArtifactMissing
from core.names import AudioFormat
from models.base import Samples
from storage.objects import Objects
from workers.services import Services, patiently

#: Hz that everything that listens hears.
RATE = 16_000

#: Shortest and longest recording in seconds, as the API checked them already.
_LEAST = {"reference": 1.0, "recording": 0.1}
_MOST = {"reference": 600.0, "recording": 4 * 3600.0}


def decode_recording(services: Services, owner: str, name: str, recording: Mapping[str, Any]) -> str:
    """Decodes the ``reference`` or ``recording`` of a job once, in constant memory; the object name of its samples.

    Raises `InvalidAudio` where it is broken, too short or too long."""
    target = f"{owner}/recordings/{recording['sha256']}.16k.flac"
    if patiently(lambda: services.objects.head(target)) is not None:
        return target
    with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
        source, path = Path(folder) / "recording", Path(folder) / "samples.flac"
        patiently(lambda: services.objects.get_file(recording["object"], source))
        with Encoder(path, AudioFormat.FLAC, RATE) as encoder:
            for samples in stream(source, RATE, max_seconds=_MOST[name], min_seconds=_LEAST[name]):
                encoder.write(samples)
            encoder.close()
        patiently(lambda: services.objects.put_file(target, path, "audio/flac"))
    return target


def read_samples(objects: Objects, name: str) -> Samples:
    """The samples of a decoded recording: float32 [n] mono at 16 kHz."""
    try:
        samples, _ = soundfile.read(io.BytesIO(objects.get(name)), dtype="float32")
    except RuntimeError as error:
        raise ArtifactMissing("A recording that this step needs is damaged.", code="artifact_broken") from error
    return np.ascontiguousarray(samples, dtype=np.float32)
