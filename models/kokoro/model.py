"""Kokoro on ONNX Runtime: tokens to audio, one utterance at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from core.errors import ChorusError, ModelFailed, WeightsError
from models.base import Item, Model, Output, Speech
from models.kokoro import FAMILY, MAX_TOKENS, parse_voice
from models.kokoro.frontend import read_vocabulary
from models.shared.failures import failure
from models.shared.onnx import RANDOM, open_session, read_graph
from models.shared.options import numbers

RATE = 24_000
STYLE = 256  #: numbers of one style

_HOP = 600  #: samples of one frame of the durations
_PAD = 0


class KokoroModel(Model):
    """A Kokoro model. Its items have ``tokens`` (list of int, without pads), ``voice`` (a name or a mix) and the
    option ``speed``. Nothing in its graph is random: ``seed`` changes nothing."""

    voices: Mapping[str, Samples]  #: float32 [510, 256] by name

    def load(self, device: str) -> None:
        """Raises `core.errors.WeightsError` if the files are not those of Kokoro,
        `core.errors.ConfigurationError` if ONNX Runtime has no such device."""
        self.bounds = self.spec.bounds(device)
        self.voices = _read_voices(self.files("voices"))
        for name in self.spec.voices:
            if name not in self.voices:
                raise WeightsError(f"{self.spec.name}: the voices file has no {name!r}.")
        self._ids = frozenset(read_vocabulary(self.files("vocab")).values())
        graph = _with_durations(read_graph(self.files("model"), self.spec.name), self.spec.name)
        self._session = open_session(graph, device, self.spec.name)
        names = {i.name for i in self._session.get_inputs()}
        if names != {"tokens", "style", "speed"}:
            raise WeightsError(
                f"{self.spec.name}: the model's inputs are {sorted(names)} instead of tokens, style and speed."
            )
        token = min(self._ids)
        spoken = self._run_one(Item({"tokens": [token] * 4, "voice": next(iter(self.voices))}))
        if not isinstance(spoken, Speech):
            raise WeightsError(f"{self.spec.name}: the model does not run: {spoken}")

    def cost(self, item: Item) -> int:
        """The number of tokens, divided by the speed."""
        speed = item.options.get("speed")
        slow = 1 / speed if isinstance(speed, int | float) and 0 < speed < 1 else 1.0
        return max(1, math.ceil(len(item.inputs.get("tokens", ())) * slow))

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """`models.base.Speech` per item, or why there is none: `core.errors.ModelFailed` or `OutOfMemory`."""
        return [self._run_one(item) for item in items]

    def _run_one(self, item: Item) -> Output | ChorusError:
        try:
            return self._speak(item)
        except Exception as error:  # ONNX Runtime's classes share no base but Exception
            return failure(error)

    def _speak(self, item: Item) -> Speech:
        tokens = self._tokens(item)
        speed = numbers(FAMILY.options, item.options).get("speed", 1.0)
        feeds = {
            "tokens": np.array([[_PAD, *tokens, _PAD]], np.int64),
            "style": self._style(item, len(tokens))[None],
            "speed": np.array([speed], np.float32),
        }
        audio, durations = self._session.run(None, feeds)
        return _speech(audio.reshape(-1), durations.reshape(-1), len(tokens))

    def _tokens(self, item: Item) -> list[int]:
        """The item's tokens, checked. Raises `core.errors.ModelFailed`."""
        tokens = item.inputs.get("tokens")
        if not isinstance(tokens, list | tuple) or not 1 <= len(tokens) <= MAX_TOKENS:
            raise ModelFailed(f"An item must have 1 to {MAX_TOKENS} tokens.")
        if not all(type(token) is int and token in self._ids for token in tokens):
            raise ModelFailed("Tokens must be ids of the model's vocabulary.")
        return list(tokens)

    def _style(self, item: Item, tokens: int) -> Samples:
        """The voice's style for an utterance of so many tokens: float32 [256]."""
        voice = item.inputs.get("voice")
        if not isinstance(voice, str):
            raise ModelFailed("An item must have a voice.")
        weights = parse_voice(voice, self.voices)
        styles = [weight * self.voices[name][tokens - 1].astype(np.float64) for name, weight in weights.items()]
        mixed: Samples = np.sum(styles, axis=0).astype(np.float32)
        return mixed


def _speech(audio: Samples, frames: NDArray[Any], tokens: int) -> Speech:
    """The audio with seconds per token; the pads at both ends count to the tokens beside them."""
    if not audio.size or not np.isfinite(audio).all():
        raise ModelFailed("The audio is not finite.")
    seconds: list[float] | None = None
    if frames.size == tokens + 2 and int(frames.sum()) * _HOP == audio.size:
        inner = frames[1:-1].astype(np.float64)
        inner[0] += frames[0]
        inner[-1] += frames[-1]
        seconds = [round(float(n) * _HOP / RATE, 6) for n in inner]
    return Speech(samples=audio.astype(np.float32), rate=RATE, durations=seconds)


def _read_voices(path: Any) -> dict[str, Samples]:
    try:
        with np.load(path, allow_pickle=False) as file:
            voices = {name: np.asarray(file[name], np.float32) for name in file.files}
    except Exception as error:  # zipfile and numpy raise classes of their own
        raise WeightsError(f"The voices file {path} cannot be read.") from error
    for name, styles in voices.items():
        if styles.size != MAX_TOKENS * STYLE or styles.shape[0] != MAX_TOKENS:
            raise WeightsError(f"{path}: voice {name!r} does not have the shape [{MAX_TOKENS}, 1, {STYLE}].")
    return {name: styles.reshape(MAX_TOKENS, STYLE) for name, styles in voices.items()}


def _with_durations(model: Any, name: str) -> bytes:
    """The graph, serialised, with the rounded durations (frames per token) as a second output.

    Raises `core.errors.WeightsError` if it is not Kokoro's, or draws noise."""
    from onnx import TensorProto, helper

    nodes = model.graph.node
    if any(node.op_type in RANDOM for node in nodes):
        raise WeightsError(f"{name} draws noise inside its graph: the same text would not sound the same")
    rounded = {made for node in nodes if node.op_type == "Round" for made in node.output}
    clipped = [node for node in nodes if node.op_type == "Clip" and node.input[0] in rounded]
    if len(clipped) != 1 or len(model.graph.output) != 1:
        raise WeightsError(f"{name}: the model is not the graph of Kokoro: it has no rounding of durations")
    model.graph.output.append(helper.make_tensor_value_info(clipped[0].output[0], TensorProto.FLOAT, None))
    graph: bytes = model.SerializeToString()
    return graph
