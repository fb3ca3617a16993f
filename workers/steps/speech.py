"""``synthesize`` and ``convert``: the stages of an utterance, each from the ledger's work to an artifact."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np

from audio.artifact import pack
from audio.samples import Samples
from core.errors import ArtifactMissing, ModelFailed
from core.work import StageWork
from models.base import Item, ModelSpec, Output, Speech
from pipelines.connections import Connections
from storage.ledger.records import Work
from storage.objects.embeddings import unpack_embedding
from workers.artifacts import read_speech
from workers.recordings.decode import decoded_name, read_samples
from workers.steps.base import ModelStep, SourceMissing, Stored

#: Recordings that a worker holds open, for the jobs whose pieces it converts.
_RECORDINGS = 4

#: Speaker embeddings cached by a worker, for the jobs whose utterances it renders.
_CACHED = 256


class SynthesizeStep(ModelStep):
    """An utterance's text to speech, in a voice of the model's own or that of a speaker embedding."""

    def __init__(self, connections: Connections) -> None:
        self._objects = connections.objects
        self._embedding = lru_cache(_CACHED)(self._read_embedding)

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        """The model's item: the frontend's inputs, and the speaker embedding if the step needs one."""
        stage = _stage(work)
        if self._is_rendered(work):
            return Stored()
        return Item(inputs={**stage.inputs, **self._shared(work)}, options=stage.options, seed=stage.seed)

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        """Write the artifact; if it exists already, the first write is kept."""
        if not isinstance(output, Speech):
            raise ModelFailed("The model returned no speech.")
        facts: dict[str, Any] = {"seed": item.seed}
        if output.durations is not None:
            facts["durations"] = np.round(np.asarray(output.durations, np.float64), 5).tolist()
        data = pack(output.samples, output.rate, facts)
        self._objects.put(_stage(work).artifact, data, "audio/flac", if_absent=True)
        return Stored(seconds=len(output.samples) / output.rate)

    def _is_rendered(self, work: Work) -> bool:
        """Whether another job has rendered this stage, if it is not the last one, which the ledger checks itself."""
        utterance = work.utterance
        if utterance is None or work.stage == len(utterance.stages) - 1:
            return False
        return self._objects.head(utterance.stages[work.stage].artifact) is not None

    def _shared(self, work: Work) -> dict[str, Samples]:
        """What all utterances of the step are given: the speaker embedding, or nothing."""
        if not work.inputs:
            return {}
        name = work.inputs[0]
        if name is None:
            raise ArtifactMissing("The job has no speaker embedding.")
        return {"embedding": self._embedding(name)}

    def _read_embedding(self, name: str) -> Samples:
        return unpack_embedding(self._objects.get(name)).vector


class ConvertStep(SynthesizeStep):
    """Converts speech to the voice of an embedding: the audio of the previous stage, or a piece of a recording."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self._recording = lru_cache(_RECORDINGS)(partial(read_samples, connections.objects))

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        """The model's item: ``samples`` (float32 [n]), ``rate`` (Hz) and ``embedding``; of a piece of a recording also
        the ``recording`` and its name. Raises `SourceMissing`."""
        stage = _stage(work)
        if self._is_rendered(work):
            return Stored()
        speech = self._piece(spec, work, stage) if work.stage == 0 else self._rendered(work, stage)
        return Item(inputs={**speech, **self._shared(work)}, options=stage.options, seed=stage.seed)

    def _rendered(self, work: Work, stage: StageWork) -> dict[str, Any]:
        assert work.utterance is not None
        try:
            samples, rate = read_speech(self._objects, work.utterance.stages[work.stage - 1].artifact)
        except ArtifactMissing as error:
            raise SourceMissing(error.message) from error
        return {**stage.inputs, "samples": samples, "rate": rate}

    def _piece(self, spec: ModelSpec, work: Work, stage: StageWork) -> dict[str, Any]:
        rate = spec.sample_rate
        if rate is None or "start" not in stage.inputs:
            raise ModelFailed("There is nothing to convert.")
        owner = stage.artifact.partition("/")[0]  # the names of all objects begin with it
        name = decoded_name(owner, stage.inputs["recording"], rate)
        recording = self._recording(name, rate)
        samples = recording[stage.inputs["start"] : stage.inputs["end"]]
        return {"samples": samples, "rate": rate, "recording": recording, "recording_name": name}


def _stage(work: Work) -> StageWork:
    if work.utterance is None:
        raise ModelFailed("The utterance has no work.")
    return work.utterance.stages[work.stage]
