"""Kokoro: tokens to audio, on torch or on ONNX Runtime."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from core.errors import ChorusError, WeightsError
from core.names import Runtime
from models.base import Item, Model, Output, Speech
from models.kokoro import FAMILY
from models.kokoro.frontend import read_vocabulary
from models.kokoro.rows import HOP, Row, read_row
from models.kokoro.styles import Styles, read_styles
from models.shared.devices import runtime_on
from models.shared.onnx import read_graph

STYLE = 256  #: numbers of one style of the published network


class Speaking(Protocol):
    """The network, in whatever runtime."""

    def speak(self, rows: Sequence[Row]) -> Sequence[Speech | ChorusError]:
        """One outcome per row, in order."""


class KokoroModel(Model):
    """A Kokoro model. Its items have ``tokens`` (list of int, without pads), ``voice`` (a name or a mix) and the
    option ``speed``."""

    styles: Styles
    voices: Speaking

    def load(self, device: str) -> None:
        """Read the weights and speak a few tokens.

        Raises `core.errors.WeightsError` if the files are not those of Kokoro, `core.errors.ConfigurationError` if the
        runtime has no such device."""
        self.bounds = self.spec.bounds(device)
        self._ids = frozenset(read_vocabulary(self.files("vocab")).values())
        self.voices, symbols, style = self._open(device)
        if max(self._ids) >= symbols:
            raise WeightsError(f"{self.spec.name}: the vocabulary has more tokens than the model.")
        self.styles = read_styles(self.spec, self.files, style)
        spoken = self.run([Item({"tokens": [min(self._ids)] * 4, "voice": next(iter(self.styles.voices))})])[0]
        if not isinstance(spoken, Speech):
            raise WeightsError(f"{self.spec.name}: the model does not run: {spoken}")

    def _open(self, device: str) -> tuple[Speaking, int, int]:
        """The voices in the runtime of ``device``, how many tokens there are, and the numbers of a style."""
        path, name = self.files("model"), self.spec.name
        graph = None if _is_checkpoint(path) else read_graph(path, name)
        if runtime_on(self.spec, device) is Runtime.ONNX:
            if graph is None:
                raise WeightsError(f"{name}: ONNX Runtime cannot run {path.name}, which is a checkpoint of torch.")
            from models.kokoro.onnx_voices import OnnxVoices

            return OnnxVoices(graph, name, device), max(self._ids) + 1, STYLE
        from models.kokoro.torch_voices import TorchVoices
        from models.shared.torch import open_device

        network = self._network(graph)
        if network.sizes.hop != HOP:
            raise WeightsError(f"{name}: a frame of the network has {network.sizes.hop} samples instead of {HOP}.")
        voices = TorchVoices(network, open_device(device), self.spec.precision_on(device))
        return voices, network.sizes.symbols, 2 * network.sizes.style

    def _network(self, graph: Any) -> Any:
        """The network, of the hub's checkpoint or of an ONNX file's ``graph``."""
        if graph is None:
            from models.kokoro.checkpoint import read_checkpoint

            network, self.report = read_checkpoint(self.files("model"), self.files("vocab"), self.spec.name)
        else:
            from models.kokoro.onnx_weights import read_network

            network, self.report = read_network(graph, self.spec.name)
        return network

    def cost(self, item: Item) -> int:
        """The number of tokens, divided by the speed."""
        speed = item.options.get("speed")
        slow = 1 / speed if isinstance(speed, int | float) and 0 < speed < 1 else 1.0
        return max(1, math.ceil(len(item.inputs.get("tokens", ())) * slow))

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """`models.base.Speech` per item, or why there is none: `core.errors.ModelFailed`, `InvalidRequest` or
        `OutOfMemory`."""
        outcomes: dict[int, Output | ChorusError] = {}
        rows: dict[int, Row] = {}
        for place, item in enumerate(items):
            try:
                rows[place] = read_row(item, self.styles, self._ids, FAMILY.options)
            except ChorusError as error:
                outcomes[place] = error
        outcomes.update(zip(rows, self.voices.speak(list(rows.values())), strict=True))
        return [outcomes[place] for place in range(len(items))]


def _is_checkpoint(path: Path) -> bool:
    """Whether a file is one of torch: a ZIP archive, or what pickle writes since its protocol 2."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError as error:
        raise WeightsError(f"The weights file {path} cannot be read.") from error
    return start in (b"PK", b"\x80\x02")
