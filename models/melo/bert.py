"""Features of text for MeloTTS: the hidden states of a BERT (Devlin et al. 2018, arXiv:1810.04805), on the device.

Upstream takes the output of the last layer but two (``hidden_states[-3]``), so the layers after it and the head that
predicts words are not loaded. The sentences of a micro-batch go through in one pass, end to end in one row, so nothing
is padded but the attention within them. Imports torch: only `Model.load` may import this module.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import BertModel

from models.vits.parts.packing import Rows, to_device

#: Layers at the end whose output nothing uses.
UNUSED_LAYERS = 2
#: Pieces whose features are kept: 768 numbers of 4 bytes each.
KEPT_PIECES = 20_000


class Features:
    """A BERT on one device, for all threads. ``forwards`` counts its passes."""

    def __init__(self, network: BertModel, device: torch.device) -> None:
        self.network, self.device = network, device
        self.size = int(network.config.hidden_size)
        self.forwards = 0
        self._kept: OrderedDict[tuple[int, ...], Tensor] = OrderedDict()
        self._pieces = 0
        self._lock = threading.Lock()

    def of(self, sentences: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """The features float32 [pieces, size] of each sentence, which is given by the ids of its pieces, ``[CLS]`` and
        ``[SEP]`` among them. Those that are not kept from earlier calls go through the network in one pass."""
        with self._lock:
            found = {sentence: self._kept[sentence] for sentence in sentences if sentence in self._kept}
            if new := sorted({*sentences} - found.keys(), key=len, reverse=True):
                found |= zip(new, self._through(new), strict=True)
            for sentence in found:
                self._keep(sentence, found[sentence])
        return [found[sentence] for sentence in sentences]

    @torch.inference_mode()
    def _through(self, sentences: Sequence[tuple[int, ...]]) -> Iterable[Tensor]:
        self.forwards += 1
        lengths = [len(sentence) for sentence in sentences]
        ids = np.fromiter((piece for sentence in sentences for piece in sentence), np.int64, sum(lengths))
        positions = np.concatenate([np.arange(length) for length in lengths])
        starts = np.cumsum(lengths) - lengths
        hidden = self.network(
            input_ids=to_device(ids, self.device)[None],
            position_ids=to_device(positions, self.device)[None],
            rows=Rows(starts.tolist(), lengths, self.device),
        ).last_hidden_state[0]
        return (part.clone() for part in hidden.split(lengths))

    def _keep(self, sentence: tuple[int, ...], features: Tensor) -> None:
        if sentence not in self._kept:
            self._pieces += len(sentence)
        self._kept[sentence] = features
        self._kept.move_to_end(sentence)
        while self._pieces > KEPT_PIECES:
            self._pieces -= len(self._kept.popitem(last=False)[0])
