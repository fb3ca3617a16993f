"""The voices of MeloTTS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.errors import ModelFailed, WeightsError
from models.base import Item, Option
from models.melo.config import read_bert_configuration, read_configuration
from models.vits.rows import MAX_TOKENS, Context, Row, Voices
from models.vits.synthesizer import Speaking, VitsSynthesizer

#: Of the stochastic predictor in the durations: upstream's ``sdp_ratio``.
SHARE = 0.2


class MeloModel(VitsSynthesizer):
    """A voice of MeloTTS. Its items have ``tones`` (a number for each token), ``language`` (int), ``pieces`` (ids of
    BERT's tokens) and ``word2ph`` (how many tokens each piece has) besides."""

    def open(self, device: str) -> tuple[Speaking, Voices]:
        from models.melo.checkpoint import read_network
        from models.melo.loaded import open_features
        from models.melo.voices import MeloVoices
        from models.shared.torch import open_device

        self.config = read_configuration(self.files("config"))
        self.bert = read_bert_configuration(self.files("bert_config"))
        data = self.config.data
        if data.disable_bert:
            raise WeightsError(f"{self.spec.name}: voices without a BERT are not supported.")
        network, self.report = read_network(self.files("model"), self.config, self.spec.name)
        voices = Voices(
            symbols=len(self.config.symbols),
            speakers=data.n_speakers,
            max_tokens=MAX_TOKENS,
            rate=data.sampling_rate,
            noise_scale=0.6,
            noise_w=0.8,
            share=SHARE,
        )
        place = open_device(device)
        settled = network.settle(place, self.spec.precision_on(device))
        return MeloVoices(settled, voices, place, open_features(self.spec, self.files, device)), voices

    def first_inputs(self, tokens: list[int]) -> Mapping[str, Any]:
        count = len(tokens)
        return {"tokens": tokens, "tones": [0] * count, "language": 0, "pieces": [0, 1], "word2ph": [1, count - 1]}

    def read(self, item: Item, options: Mapping[str, Option]) -> Row:
        row = super().read(item, options)
        row.context = self._context(item.inputs, row.tokens.size)
        return row

    def _context(self, inputs: Mapping[str, Any], count: int) -> Context:
        """Raises `core.errors.ModelFailed`."""
        try:
            tones, pieces, word2ph = (np.asarray(inputs[name], np.int64) for name in ("tones", "pieces", "word2ph"))
            language = int(inputs["language"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelFailed(f"The item's inputs cannot be read: {error}") from error
        if tones.shape != (count,) or tones.min() < 0 or tones.max() >= self.config.num_tones:
            raise ModelFailed(f"An item must have a tone below {self.config.num_tones} for each of its {count} tokens.")
        if not 0 <= language < self.config.num_languages:
            raise ModelFailed(f"Languages must be between 0 and {self.config.num_languages - 1}.")
        if pieces.ndim != 1 or not 1 <= pieces.size <= self.bert.max_position_embeddings:
            raise ModelFailed(f"An item must have 1 to {self.bert.max_position_embeddings} pieces.")
        if pieces.min() < 0 or pieces.max() >= self.bert.vocab_size:
            raise ModelFailed(f"Pieces must be between 0 and {self.bert.vocab_size - 1}.")
        if word2ph.shape != pieces.shape or word2ph.min() < 0 or word2ph.max() > count or word2ph.sum() != count:
            raise ModelFailed("The pieces have another number of tokens than the item.")
        languages = np.full(count, language, np.int64)
        if self.config.data.add_blank:
            languages[::2] = 0  # upstream's blanks are of the language 0
        owners = np.repeat(np.arange(pieces.size), word2ph)
        return Context(tones, languages, tuple(pieces.tolist()), owners)
