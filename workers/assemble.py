"""``assemble``: a job's utterances to one file, in constant memory, on the CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audio.artifact import unpack
from audio.encode import CONTENT_TYPES, Encoder
from audio.join import join
from core.errors import ArtifactMissing
from core.names import AudioFormat
from core.work import ItemRef, UtteranceWork
from models.base import Samples
from storage.ledger import Outcome, Work
from workers.services import Services, patiently

#: Seconds of silence where a failed utterance is left out with ``on_error: silence``.
SILENCE = 0.5


def assemble(services: Services, ref: ItemRef, work: Work) -> Outcome:
    """Joins, encodes once and uploads; the result names the object."""
    request = work.document
    utterances, states = services.ledger.utterances(ref.job)
    rate = _sample_rate(services, work)
    output = request["output"]
    kind = AudioFormat(output["format"])
    name = f"{request['owner']}/jobs/{ref.job}/{ref.generation}/audio.{kind.value}"
    with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
        path = Path(folder) / f"audio.{kind.value}"
        with Encoder(path, kind, rate, output.get("sample_rate")) as encoder:
            for samples in join(_pieces(services, utterances, states, rate), rate, loudness=output.get("loudness")):
                encoder.write(samples)
            encoded = encoder.close()
        patiently(lambda: services.objects.put_file(name, path, CONTENT_TYPES[kind]))
    audio: dict[str, Any] = {
        "object": name,
        "format": kind.value,
        "duration": round(encoded.duration, 4),
        "sample_rate": encoded.sample_rate,
        "bytes": encoded.bytes,
        "sha256": encoded.sha256,
    }
    result = {"audio": audio, "characters": request["characters"], "seed": request["seed"]}
    return Outcome(ref=ref, station=work.plan.steps[ref.step].station, result=result)


def _sample_rate(services: Services, work: Work) -> int:
    """Hz of what the last utterance step gives."""
    last = [step for step in work.plan.steps if step.each][-1]
    rate = services.catalog.get(last.station).sample_rate
    if rate is None:
        raise ArtifactMissing(f"The catalog has no sample rate for {last.station}.")
    return rate


def _pieces(
    services: Services, utterances: list[UtteranceWork], states: str, rate: int
) -> list[tuple[Callable[[], Samples], float]]:
    def read(work: UtteranceWork) -> Callable[[], Samples]:
        return lambda: unpack(patiently(lambda: services.objects.get(work.artifact)))[0]

    def silent() -> Samples:
        return np.zeros(round(SILENCE * rate), np.float32)

    return [
        (read(work) if state == "Z" else silent, work.pause) for work, state in zip(utterances, states, strict=True)
    ]
