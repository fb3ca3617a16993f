"""Synthesis of one utterance: from the ledger's work to a model's item, from speech to an artifact."""

from __future__ import annotations

from audio.artifact import pack
from core.errors import ModelFailed
from models.base import Item, ModelSpec, Output, Speech
from pipelines.connections import Connections
from storage.ledger.records import Work
from workers.steps.base import Stored


class SynthesisStation:
    """Loads and stores the items of a synthesizer."""

    def __init__(self, connections: Connections) -> None:
        self._objects = connections.objects

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        """The model's item. Everything it needs stands in the ledger: nothing is fetched."""
        utterance = work.utterance
        if utterance is None:
            raise ModelFailed("The utterance has no work.")
        return Item(inputs=utterance.inputs, options=utterance.options, seed=utterance.seed)

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        """Writes the artifact; where it is there already the first write stays."""
        if not isinstance(output, Speech) or work.utterance is None:
            raise ModelFailed("The model returned no speech.")
        facts = {"seed": item.seed}
        if output.durations is not None:
            facts["durations"] = [round(float(d), 5) for d in output.durations]  # type: ignore[assignment]
        data = pack(output.samples, output.rate, facts)
        self._objects.put(work.utterance.artifact, data, "audio/flac", if_absent=True)
        return Stored(seconds=len(output.samples) / output.rate)
