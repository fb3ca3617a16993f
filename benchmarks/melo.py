"""MeloTTS and its BERT on a CPU: a micro-batch against one by one as upstream does it."""

from __future__ import annotations

import argparse
import copy
import threading
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from transformers import BertForMaskedLM

from benchmarks.support.melo import afresh, context_of, cut_bert, rows_of, sentences, voices_on, whole_bert
from benchmarks.support.networks import random_network
from benchmarks.support.recordings import say
from benchmarks.vits import ROUNDS, in_turns
from models.base import Item, Speech
from models.melo.bert import Features
from models.melo.voices import MeloVoices
from models.shared.torch import open_device
from models.vits.network import Network
from models.vits.parts.packing import Packing
from models.vits.parts.text_encoder import Prosody

ITEMS = 16  #: ragged sentences of one micro-batch
THREADS = 2


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """``speedup_bert`` and ``speedup_melo``: CPU seconds of upstream's way (one by one, the whole BERT with its head,
    nothing kept, weight normalization computed in each pass, everything in float32) over those of a micro-batch, same
    weights, medians of rounds in turns. ``bert_forwards_per_batch``, ``bert_forwards_on_repeat``; ``bert_difference``
    of the features; ``bert_copies_of_8_threads``."""
    torch.set_num_threads(THREADS)
    device = open_device("cpu")
    whole, network, items = whole_bert(), random_network("melo"), sentences(ITEMS)
    former = unfolded(network)
    features = cut_bert(whole, device)
    voices = voices_on(network, features)
    say(f"BERT: {ITEMS} sentences")
    pieces = [tuple(item.inputs["pieces"]) for item in items]
    theirs = [hidden_of(whole, sentence) for sentence in pieces]
    ours = features.of(pieces)
    figures: dict[str, float | int | str] = {
        "threads": THREADS,
        "rounds": ROUNDS,
        "bert_difference": max(float((a - b).abs().max()) for a, b in zip(theirs, ours, strict=True)),
        "speedup_bert": in_turns(
            lambda: [hidden_of(whole, sentence) for sentence in pieces],
            lambda: Features(features.network, device).of(pieces),
        ),
    }
    say(f"MeloTTS: {ITEMS} sentences")
    figures["speedup_melo"] = in_turns(
        lambda: [as_upstream(whole, former, item) for item in items],
        lambda: spoken(afresh(voices), items),
    )
    voices = afresh(voices)
    spoken(voices, items)
    figures["bert_forwards_per_batch"] = voices.features.forwards
    spoken(voices, items)
    figures["bert_forwards_on_repeat"] = voices.features.forwards - int(figures["bert_forwards_per_batch"])
    figures["bert_copies_of_8_threads"] = copies_of_threads()
    return figures


def spoken(voices: MeloVoices, items: Sequence[Item]) -> None:
    assert all(isinstance(outcome, Speech) for outcome in voices.speak(rows_of(items)))


def unfolded(network: Network) -> Network:
    """A copy with the decoder's weights as magnitude and direction, in float32."""
    former = copy.deepcopy(network).eval()
    for part in (former.dec.ups, former.dec.resblocks):
        for layer in [layer for layer in part.modules() if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d)]:
            weight_norm(layer)
    return former.requires_grad_(False)


@torch.inference_mode()
def hidden_of(whole: BertForMaskedLM, pieces: Sequence[int]) -> Tensor:
    """What upstream takes of its BERT, float32 [pieces, 768]."""
    found: Tensor = whole(input_ids=torch.tensor([list(pieces)]), output_hidden_states=True).hidden_states[-3][0]
    return found


@torch.inference_mode()
def as_upstream(whole: BertForMaskedLM, network: Network, item: Item) -> Tensor:
    """One sentence: features repeated for each token, a projection of zeros for the slot that is not used."""
    context, count = context_of(item), len(item.inputs["tokens"])
    spread = hidden_of(whole, context.sentence)[torch.from_numpy(context.pieces)]
    network.enc_p.get_submodule("bert_proj")(torch.zeros(1, 1024, count))
    tones, languages = (torch.from_numpy(array)[None] for array in (context.tones, context.languages))
    prosody = Prosody(tones, languages, spread, "ja_bert_proj", torch.arange(count)[None])
    speaker = network.speaker(torch.tensor([item.inputs["speaker"]]))
    tokens, mask = torch.from_numpy(item.inputs["tokens"])[None], torch.ones(1, count)
    durations, mean, deviation = network.encode(tokens, mask, speaker, 0.8 * torch.randn(1, 2, count), 0.2, prosody)
    frames = torch.ceil(durations[0]).long()
    prior = mean[0].repeat_interleave(frames, 0)
    prior = prior + 0.6 * torch.randn_like(prior) * deviation[0].exp().repeat_interleave(frames, 0)
    return network.decode(prior.T[None], Packing([int(frames.sum())], network.gap, prior.device), speaker)


def copies_of_threads() -> int:
    """How many copies of a BERT are loaded by eight threads that open an entry at once."""
    import hashlib
    import tempfile
    from pathlib import Path

    from transformers import BertConfig

    from models.base import Bounds, ModelSpec, WeightsFile
    from models.melo import FAMILY
    from models.melo.loaded import open_features

    with tempfile.TemporaryDirectory() as name:
        config = BertConfig(vocab_size=100, num_hidden_layers=3, intermediate_size=64)
        files = {"bert": Path(name, "pytorch_model.bin"), "bert_config": Path(name, "config.json")}
        files["bert_config"].write_text(config.to_json_string())
        torch.save(BertForMaskedLM(config).state_dict(), files["bert"])
        weights = {
            key: WeightsFile(name=path.name, parts=(), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for key, path in files.items()
        }
        bounds = {"cpu": Bounds(items=1, cost=1)}
        spec = ModelSpec(
            name="melo", type="melo", role=FAMILY.role, weights=weights, languages=(), voices={}, options={},
            sample_rate=None, batch=bounds, batch_timeout=60,
        )  # fmt: skip
        found: list[Features] = []
        threads = [
            threading.Thread(target=lambda: found.append(open_features(spec, files.__getitem__, "cpu")))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return len({id(features) for features in found}) if len(found) == 8 else 0
