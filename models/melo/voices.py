"""The network of a voice of MeloTTS with its BERT. Imports torch: only `Model.load` may import this module."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from core.errors import ChorusError, WeightsError
from models.base import Speech
from models.melo.bert import Features
from models.shared.failures import together
from models.vits.network import Network
from models.vits.parts.packing import to_device
from models.vits.parts.text_encoder import Prosody
from models.vits.rows import Context, Row, Voices
from models.vits.speaking import TorchVoices

#: The projections of features, and how many numbers each has: BERTs of 1,024 and of 768 numbers have one each.
PROJECTIONS = {"bert_proj": 1024, "ja_bert_proj": 768}


class MeloVoices(TorchVoices):
    """Speaks rows that have a context."""

    def __init__(self, network: Network, voices: Voices, device: torch.device, features: Features) -> None:
        """Raises `core.errors.WeightsError` if the network has no projection for a BERT of this size."""
        super().__init__(network, voices, device)
        self.features = features
        self.projection = next((name for name, size in PROJECTIONS.items() if size == features.size), "")
        if not self.projection:
            sizes = " or ".join(str(size) for size in PROJECTIONS.values())
            raise WeightsError(f"The BERT gives {features.size} numbers, and not {sizes}.")

    def speak(self, rows: Sequence[Row]) -> list[Speech | ChorusError]:
        """As `TorchVoices.speak`; the distinct sentences of all rows go through BERT in one pass before."""
        sentences = list({_context(row).sentence for row in rows})
        found = dict(zip(sentences, together(sentences, self.features.of), strict=True))
        outcomes: dict[int, Speech | ChorusError] = {}
        heard: list[int] = []
        for place, row in enumerate(rows):
            features = found[_context(row).sentence]
            if isinstance(features, ChorusError):
                outcomes[place] = features
            else:
                _context(row).features = features
                heard.append(place)
        outcomes.update(zip(heard, super().speak([rows[place] for place in heard]), strict=True))
        return [outcomes[place] for place in range(len(rows))]

    def prosody(self, rows: Sequence[Row], longest: int) -> Prosody:
        """Tones, languages and features of the rows' tokens. Rows with the same sentence share its features."""
        tones, languages, pieces = (np.zeros((len(rows), longest), np.int64) for _ in range(3))
        starts: dict[tuple[int, ...], int] = {}
        features: list[Tensor] = []
        count = 0
        for i, context in enumerate(map(_context, rows)):
            if context.sentence not in starts:
                starts[context.sentence] = count
                features.append(context.features)
                count += len(context.sentence)
            tones[i, : context.tones.size] = context.tones
            languages[i, : context.languages.size] = context.languages
            pieces[i, : context.pieces.size] = context.pieces + starts[context.sentence]
        place: Callable[[np.ndarray], Tensor] = lambda array: to_device(array, self.device)  # noqa: E731
        return Prosody(place(tones), place(languages), torch.cat(features), self.projection, place(pieces))


def _context(row: Row) -> Context:
    assert row.context is not None, "MeloModel.read gives every row one"
    return row.context
