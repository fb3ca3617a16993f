"""Jobs that speak, done in this process: their CPU steps and their models, for tests that need no queue."""

from __future__ import annotations

from collections.abc import Collection

from core.errors import ChorusError, ModelFailed
from core.settings import Settings
from core.settings import settings as own_settings
from core.work import ItemRef
from models.base import Item, Model
from models.catalog import model_class
from models.weights import WeightsCache, files_of
from storage.ledger.records import Outcome, Work
from tests.integration.cpu_line import CpuLine
from workers.steps.registry import model_steps

_LOADED: dict[str, Model] = {}  #: models are kept: to load one takes seconds


class SpokenLine(CpuLine):
    """Does the items of the CPU, and of models with their real weights. Utterances whose index is in ``failing``
    fail."""

    def __init__(self, settings: Settings, *models: str) -> None:
        super().__init__(settings)
        self.models = models
        self.steps = model_steps(self.connections)
        self.failing: Collection[int] = ()

    def speak(self) -> None:
        """Does all items that there are."""
        while self.run() + sum(map(self._station, self.models)):
            pass

    def _station(self, name: str) -> int:
        refs = self.waiting(name)
        works = self.connections.ledger.take(name, refs)
        outcomes = [self._outcome(name, ref, work) for ref, work in zip(refs, works, strict=True) if work]
        assert all(self.connections.ledger.advance(outcomes))
        return len(refs)

    def _outcome(self, name: str, ref: ItemRef, work: Work) -> Outcome:
        if ref.index in self.failing:
            return Outcome(ref=ref, station=name, error=ModelFailed())
        spec = self.connections.catalog.get(name)
        step = self.steps[spec.role]
        stored = step.load(spec, work)
        if isinstance(stored, Item):
            (output,) = self._loaded(name).run([stored])
            assert not isinstance(output, ChorusError), output
            stored = step.store(spec, work, stored, output)
        return Outcome(ref=ref, station=name, outputs=stored.outputs, result=stored.result, plan=stored.plan)

    def _loaded(self, name: str) -> Model:
        if name not in _LOADED:
            spec = self.connections.catalog.get(name)
            files = files_of(spec, WeightsCache(own_settings().cache.expanduser()))
            _LOADED[name] = model_class(spec)(spec, files)
            _LOADED[name].load("cpu")
        return _LOADED[name]
