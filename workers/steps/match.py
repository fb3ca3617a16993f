"""``match``: the stock voice that is nearest to an embedding. It matches, it does not clone."""

from __future__ import annotations

from core.errors import Unroutable
from core.names import Role
from models.base import Item, ModelSpec
from models.catalog import speaks
from pipelines.connections import Connections
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Work
from storage.ledger.registry import live_stations
from workers.steps.base import ModelStep, Stored
from workers.steps.listen import cosine, read_embedding
from workers.stock_voices.stock_voices import StockVoice, StockVoices, stock_voices


class MatchStep(ModelStep):
    """Compares; no model runs, so `load` answers by itself."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._stock = StockVoices(connections)

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        """The nearest voice that speaks the job's language and that a live worker serves."""
        embedding = read_embedding(self._connections, work)
        language = work.document.language or ""
        voices = self._candidates(language)
        if not voices:
            raise Unroutable(f"No live worker serves a voice that speaks {language!r}.", code="no_voice")
        scores = [cosine(embedding, known) for known in self._stock.embeddings(spec, voices)]
        similarity, (synthesizer, voice) = max(zip(scores, voices, strict=True), key=lambda entry: entry[0])
        match = {"voice": voice.name, "model": synthesizer.name, "similarity": round(similarity, 4)}
        plan = work.plan.with_model(Role.SYNTHESIZE, synthesizer.name)
        return Stored(outputs=StepOutputs(voice=voice.name, match=match), result=match, plan=plan)

    def _candidates(self, language: str) -> list[StockVoice]:
        served = live_stations(self._connections.redis)
        return [
            (model, voice)
            for model, voice in stock_voices(self._connections.catalog)
            if model.name in served and speaks(voice.language, language)
        ]
