"""An utterance's artifact: its samples and metadata in one object.

24-bit FLAC (RFC 9639) whose Vorbis comment holds a small JSON object, so that audio and metadata are written, read
and deleted together.
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from audio.samples import Samples
from core.errors import ArtifactMissing, InternalError, ModelFailed

FULL_SCALE = 2**23 - 1
#: libFLAC's level 2 of 8, as libsndfile counts. With the default, 5, Piper's artifacts are 3 % smaller and take 13 %
#: longer.
LEVEL = 2 / 8
#: Error code for an artifact that exists but cannot be read.
ARTIFACT_BROKEN = "artifact_broken"

MAX_RATE = 655_350  #: Hz, FLAC's own


def pack(samples: Samples, rate: int, facts: Mapping[str, Any]) -> bytes:
    """Encode samples (float32 [n], any scale) at ``rate`` Hz and ``facts`` (JSON values) as FLAC.

    Adds two facts: ``scale``, the value of full scale (the peak, so that samples beyond 1 survive), and ``frames``,
    n. The error is at most ``2**-23 * scale``. The same input gives the same bytes. Raises `ModelFailed` if samples
    are not finite, `InternalError` if facts are not JSON.
    """
    import soundfile

    if samples.ndim != 1 or not 0 < rate <= MAX_RATE:
        raise InternalError(f"Samples of shape {samples.shape} at {rate} Hz cannot be packed.")
    scale = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0))) or 1.0
    if not math.isfinite(scale):
        raise ModelFailed("The model returned samples that are not finite.")
    comment = _to_json({**facts, "scale": scale, "frames": len(samples)})
    exact = np.multiply(samples, FULL_SCALE / scale, dtype=np.float64)
    whole = np.rint(exact, out=exact).astype(np.int32)
    whole <<= 8
    with _memory_file() as buffer:
        with soundfile.SoundFile(
            buffer.fileno(), "w", rate, 1, "PCM_24", format="FLAC", closefd=False, compression_level=LEVEL
        ) as file:
            file.comment = comment  # before the first sample, or it is lost
            file.write(whole if len(whole) else np.zeros(1, np.int32))  # libsndfile writes no empty FLAC
        buffer.seek(0)
        return buffer.read()


def _memory_file() -> IO[bytes]:
    """A file without a name. libsndfile writes to its descriptor by itself; to an object of Python's it would write
    through a callback for each of a hundred frames, and each would wait for the interpreter's lock."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("artifact"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def unpack(data: bytes) -> tuple[Samples, int, dict[str, Any]]:
    """What `pack` was given: samples float32 [n], rate in Hz, facts (with ``scale`` and ``frames``).

    Raises `ArtifactMissing` (code ``artifact_broken``) where ``data`` is damaged or no artifact.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            facts = json.loads(file.comment)
            whole = file.read(dtype="int32")
            rate = int(file.samplerate)
        scale, frames = float(facts["scale"]), int(facts["frames"])
    except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
        raise _broken() from error
    if whole.ndim != 1 or len(whole) != max(frames, 1):
        raise _broken()
    return ((whole[:frames] >> 8) * (scale / FULL_SCALE)).astype(np.float32), rate, facts


def _to_json(facts: Mapping[str, Any]) -> str:
    try:
        return json.dumps(facts, separators=(",", ":"), allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise InternalError("The metadata of an artifact is not JSON.") from error


def _plain(value: object) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise InternalError(f"The metadata of an artifact contains a {type(value).__name__}, which is not JSON.")


def _broken() -> ArtifactMissing:
    return ArtifactMissing("An artifact that this step needs is damaged.", code=ARTIFACT_BROKEN)
