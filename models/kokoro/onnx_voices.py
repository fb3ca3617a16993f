"""Kokoro's graph on ONNX Runtime: rows to speech, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import ChorusError, ModelFailed, WeightsError
from models.base import Speech
from models.kokoro.rows import Row
from models.shared.failures import failure
from models.shared.onnx import RANDOM, open_session


class OnnxVoices:
    """A graph with a batch of 1. Nothing in it is random: an item's seed changes nothing."""

    def __init__(self, model: Any, name: str, device: str) -> None:
        """``model``: an ``onnx.ModelProto``, which is changed. Raises `core.errors.WeightsError` if it is not Kokoro's,
        `core.errors.ConfigurationError` if ONNX Runtime has no such device."""
        self._session = open_session(_with_durations(model, name), device, name)
        names = {i.name for i in self._session.get_inputs()}
        if names != {"tokens", "style", "speed"}:
            raise WeightsError(f"{name}: the model's inputs are {sorted(names)} instead of tokens, style and speed.")

    def speak(self, rows: Sequence[Row]) -> list[Speech | ChorusError]:
        """One outcome per row, in order; a failure is that of its row alone."""
        return [self._outcome(row) for row in rows]

    def _outcome(self, row: Row) -> Speech | ChorusError:
        try:
            return self._speak(row)
        except Exception as error:  # ONNX Runtime's classes share no base but Exception
            return failure(error)

    def _speak(self, row: Row) -> Speech:
        feeds = {"tokens": row.tokens[None], "style": row.style[None], "speed": np.array([row.speed], np.float32)}
        audio, frames = self._session.run(None, feeds)
        if frames.size != row.tokens.size:
            raise ModelFailed("The model has another number of durations than of tokens.")
        row.last(frames.reshape(-1))
        return row.speech(audio.reshape(-1).astype(np.float32))


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
