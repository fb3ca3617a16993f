"""MeloTTS with random weights of full size, and sentences for it. Imports torch and transformers, and no pydantic."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertForMaskedLM, BertModel

from core.names import Precision
from models.base import Item
from models.melo.bert import UNUSED_LAYERS, Features
from models.melo.voices import MeloVoices
from models.shared.noise import noise_of
from models.vits.network import Network
from models.vits.parts.packed_attention import ATTENTION
from models.vits.rows import Context, Row, Voices

RATE = 44_100
PHONES_PER_WORD = 3
ENGLISH = 2


def whole_bert(seed: int = 0) -> BertForMaskedLM:
    """A BERT of the size of ``bert-base-uncased`` with its head, as upstream loads it."""
    torch.manual_seed(seed)
    return BertForMaskedLM(BertConfig()).eval().requires_grad_(False)


def cut_bert(whole: BertForMaskedLM, device: torch.device) -> Features:
    """The layers of ``whole`` that are used."""
    config = copy.deepcopy(whole.config)
    config.num_hidden_layers -= UNUSED_LAYERS
    config._attn_implementation = ATTENTION
    network = BertModel(config, add_pooling_layer=False)
    network.load_state_dict({k: v for k, v in whole.bert.state_dict().items() if k in network.state_dict()})
    return Features(network.eval().requires_grad_(False).to(device), device)


def voices_on(network: Network, features: Features, precision: Precision = Precision.FLOAT32) -> MeloVoices:
    """A copy of a network of MeloTTS on the device of its BERT."""
    voices = Voices(symbols=219, speakers=10, max_tokens=3072, rate=RATE, noise_scale=0.6, share=0.2)
    return MeloVoices(copy.deepcopy(network).settle(features.device, precision), voices, features.device, features)


def afresh(voices: MeloVoices) -> MeloVoices:
    """The voices with a BERT that has heard nothing yet."""
    voices.features = Features(voices.features.network, voices.device)
    return voices


def sentences(count: int, mean: float = 8.0) -> list[Item]:
    """Ragged items, of about ``mean`` words each, as the Harvard sentences: from half to one and a half times that."""
    rng = np.random.default_rng(7)
    counts = np.maximum(2, np.rint(mean * rng.uniform(0.5, 1.5, count)).astype(int)).tolist()
    return [_sentence(words, number) for number, words in enumerate(counts)]


def _sentence(words: int, number: int) -> Item:
    rng = np.random.default_rng(number)
    counts = [1, *rng.integers(1, 2 * PHONES_PER_WORD, words).tolist(), 1]
    word2ph = [2 * count for count in counts]
    word2ph[0] += 1
    tokens = rng.integers(1, 219, sum(word2ph))
    tokens[::2] = 0
    pieces = [101, *rng.integers(1000, 20_000, words).tolist(), 102]
    inputs = {"tokens": tokens, "tones": 7 + tokens % 4, "speaker": number % 10, "pieces": pieces, "word2ph": word2ph}
    return Item(inputs, seed=number)


def context_of(item: Item) -> Context:
    tokens: NDArray[np.int64] = item.inputs["tokens"]
    languages = np.where(np.arange(tokens.size) % 2, ENGLISH, 0)
    pieces = np.repeat(np.arange(len(item.inputs["pieces"])), item.inputs["word2ph"])
    return Context(item.inputs["tones"], languages, tuple(item.inputs["pieces"]), pieces)


def rows_of(items: Sequence[Item]) -> list[Row]:
    """The items as rows; a row can only be spoken once."""
    return [
        Row(
            tokens=item.inputs["tokens"],
            speaker=item.inputs["speaker"],
            length_scale=1.0,
            noise_scale=0.6,
            noise_w=0.8,
            noise=noise_of(item),
            context=context_of(item),
        )
        for item in items
    ]
