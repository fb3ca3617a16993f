"""What all families of VITS synthesizers have in common. Imports no runtime: a family imports it with its model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from core.errors import ChorusError, WeightsError
from models.base import Item, Model, Option, Output, Speech
from models.families import family_of
from models.vits.rows import Row, Voices, read_row


class Speaking(Protocol):
    """A network that speaks, in whatever runtime."""

    @property
    def hop(self) -> int:
        """Samples per frame."""

    def speak(self, rows: Sequence[Row]) -> Sequence[Speech | ChorusError]:
        """One outcome per row, in order."""


class VitsSynthesizer(Model):
    """A VITS synthesizer. Its items have ``tokens`` (list of int), ``speaker`` (int) and the options of the family.

    Noise comes from each item's own generator, rhythm first, then frame by frame, so an item depends neither on other
    items nor on the device."""

    voices: Voices
    network: Speaking

    @abstractmethod
    def open(self, device: str) -> tuple[Speaking, Voices]:
        """Read the weights onto ``device``. Raises `core.errors.WeightsError`."""

    def load(self, device: str) -> None:
        """Read the weights and speak a short utterance, which also proves that frames and samples are in step.

        Raises `core.errors.WeightsError`, `core.errors.ConfigurationError` if the runtime has no such device."""
        self.bounds = self.spec.bounds(device)
        self.network, self.voices = self.open(device)
        spoken = self.run([Item(self.first_inputs([min(3 + i, self.voices.symbols - 1) for i in range(16)]))])[0]
        if not isinstance(spoken, Speech):
            raise WeightsError(f"{self.spec.name}: the voice does not run: {spoken}")
        frames = round(sum(spoken.durations or ()) * self.voices.rate / self.network.hop)
        if spoken.samples.size != frames * self.network.hop:
            raise WeightsError(f"{self.spec.name}: the length of the voice's audio does not match its durations.")

    def first_inputs(self, tokens: list[int]) -> Mapping[str, Any]:
        """Inputs of an item with these tokens, to try the network with."""
        return {"tokens": tokens}

    def read(self, item: Item, options: Mapping[str, Option]) -> Row:
        """The item, checked; ``options`` are the family's. Raises `core.errors.ModelFailed`."""
        return read_row(item, self.voices, options)

    def cost(self, item: Item) -> int:
        """Tokens."""
        return max(1, len(item.inputs.get("tokens", ())))

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """`models.base.Speech` per item, or why there is none: `core.errors.ModelFailed` or `OutOfMemory`."""
        outcomes: dict[int, Output | ChorusError] = {}
        rows: dict[int, Row] = {}
        options = family_of(self.spec.type).options
        for place, item in enumerate(items):
            try:
                rows[place] = self.read(item, options)
            except ChorusError as error:
                outcomes[place] = error
        outcomes.update(zip(rows, self.network.speak(list(rows.values())), strict=True))
        return [outcomes[place] for place in range(len(items))]
