"""The store stage as it was before: libFLAC's level 5 through a file object of Python's, and every PUT by boto3."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from audio.artifact import FULL_SCALE
from audio.samples import Samples
from core.errors import ModelFailed, StorageUnavailable
from models.base import Item, ModelSpec, Output, Speech
from storage.ledger.records import Work
from workers.steps.base import Stored
from workers.steps.speech import SynthesizeStep


class FormerStep(SynthesizeStep):
    """Synthesis whose artifacts are packed and written in the former way."""

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        """Write the artifact; if it exists already, the first write is kept."""
        if not isinstance(output, Speech) or work.utterance is None:
            raise ModelFailed("The model returned no speech.")
        facts: dict[str, Any] = {"seed": item.seed}
        if output.durations is not None:
            facts["durations"] = [round(float(d), 5) for d in output.durations]
        self._write(work.utterance.artifact, former_pack(output.samples, output.rate, facts))
        return Stored(seconds=len(output.samples) / output.rate)

    def _write(self, name: str, data: bytes) -> None:
        client = self._objects.client
        try:
            client.put_object(
                Bucket=self._objects.bucket, Key=name, Body=data, ContentType="audio/flac", IfNoneMatch="*"
            )
        except client.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (409, 412):
                raise StorageUnavailable from error


def former_pack(samples: Samples, rate: int, facts: dict[str, Any]) -> bytes:
    """What `audio.artifact.pack` did: `audio.artifact.unpack` reads it."""
    import soundfile

    if not np.isfinite(samples).all():
        raise ModelFailed("The model returned samples that are not finite.")
    scale = float(np.abs(samples).max(initial=0.0)) or 1.0
    comment = json.dumps({**facts, "scale": scale, "frames": len(samples)}, separators=(",", ":"), allow_nan=False)
    whole = np.rint(samples.astype(np.float64) * (FULL_SCALE / scale)).astype(np.int32) << 8
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, "PCM_24", format="FLAC") as file:
        file.comment = comment
        file.write(whole if len(whole) else np.zeros(1, np.int32))
    return buffer.getvalue()
