"""Make `melo_parity.npz`: what MeloTTS itself gives on the random checkpoints of `tests.checkpoints.melo`.

How the file was made: by hand, with ``melotts-plus`` 0.1.2 (MIT; its ``models.py`` is MeloTTS's) and transformers'
`BertForMaskedLM`, whose ``hidden_states[-3]`` are MeloTTS's features::

    pip download --no-deps melotts-plus==0.1.2
    unzip melotts_plus-0.1.2-py3-none-any.whl -d UPSTREAM
    python -m tests.checkpoints.make_melo_parity UPSTREAM

Upstream is not a dependency: only what ``models.py`` imports is needed, and its alignment for training is replaced by
an empty module. Checkpoints load strictly; noise is 0 everywhere. For ``N`` in 0, 1, 2 the file has:

- ``bert_N``: the features of ``LINES[N]``, float32 [pieces, 8]: every 96th number;
- ``melo_N_speedS_durations``: frames per token (``infer``, ``sdp_ratio`` 0.2, ``length_scale`` 1 / S, noise 0);
- ``melo_N_speedS_*``: its samples (`tests.checkpoints.parity.put`);
- ``melo_digest``, ``bert_digest``: of the state dicts (`tests.checkpoints.tensors.digest`);
- ``versions``: upstream's and torch's.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.checkpoints import melo_parity, parity
from tests.checkpoints.tensors import digest

UPSTREAM = "melotts-plus 0.1.2"
#: a predicted number of frames that is nearer to a whole number could be rounded up differently elsewhere
MARGIN = 1e-4


def main() -> None:
    models = upstream(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        made = figures(models, melo_parity.voice(Path(name) / "voice"), melo_parity.network(Path(name) / "bert"))
    made["versions"] = np.array(f"{UPSTREAM}, torch {torch.__version__}")
    np.savez_compressed(melo_parity.PATH, **made)
    print(f"{melo_parity.PATH.name}: {melo_parity.PATH.stat().st_size} bytes, {len(made)} arrays")


def upstream(folder: Path) -> Any:
    """Upstream's ``models.py``, without importing its package, which imports all languages."""
    package = types.ModuleType("meloplus")
    package.__path__ = [str(folder / "meloplus")]
    sys.modules["meloplus"] = package
    sys.modules["meloplus.monotonic_align"] = types.ModuleType("meloplus.monotonic_align")
    return importlib.import_module("meloplus.models")


def load_voice(models: Any, folder: Path) -> Any:
    """Upstream's network with the checkpoint of ``folder``."""
    config = json.loads((folder / "config.json").read_text())
    network = models.SynthesizerTrn(
        len(config["symbols"]),
        config["data"]["filter_length"] // 2 + 1,
        32,
        n_speakers=config["data"]["n_speakers"],
        num_tones=config["num_tones"],
        num_languages=config["num_languages"],
        **config["model"],
    )
    network.load_state_dict(torch.load(folder / "checkpoint.pth", weights_only=True)["model"], strict=True)
    return network.eval()


def load_bert(folder: Path) -> Any:
    """The whole BERT with its head, as upstream loads it."""
    from transformers import BertConfig, BertForMaskedLM

    network = BertForMaskedLM(BertConfig.from_json_file(folder / "config.json"))
    network.load_state_dict(torch.load(folder / "pytorch_model.bin", weights_only=True), strict=True)
    return network.eval()


def features_of(network: Any, pieces: list[int]) -> torch.Tensor:
    """What upstream's ``get_bert_feature`` takes, float32 [pieces, 768]."""
    hidden: torch.Tensor = network(torch.tensor([pieces]), output_hidden_states=True)["hidden_states"][-3][0]
    return hidden


def figures(models: Any, voice: Path, bert: Path) -> dict[str, Any]:
    network, language = load_voice(models, voice), load_bert(bert)
    made: dict[str, Any] = {
        "melo_digest": np.array(digest(network.state_dict())),
        "bert_digest": np.array(digest({k: v for k, v in language.state_dict().items() if v.is_floating_point()})),
    }
    logarithms: dict[str, torch.Tensor] = {}
    for part in ("sdp", "dp"):
        getattr(network, part).register_forward_hook(
            lambda _module, _inputs, output, part=part: logarithms.__setitem__(part, output)
        )
    for number, line in enumerate(melo_parity.LINES):
        features = features_of(language, line.inputs["pieces"])
        made[f"bert_{number}"] = features[:, ::96].numpy()
        for speed in melo_parity.SPEEDS:
            samples, path = speak(network, line, features, speed)
            frames = torch.exp(0.2 * logarithms["sdp"] + 0.8 * logarithms["dp"]) / speed
            margin = float((frames - frames.round()).abs().min())
            assert margin > MARGIN, f"line {number} at speed {speed}: {margin}"
            name = f"melo_{number}_speed{speed}"
            made[f"{name}_durations"] = path.sum(2)[0, 0].to(torch.int16).numpy()
            made.update(parity.put(name, samples[0, 0].numpy(), whole=False))
            print(f"{name}: {samples.shape[2]} samples, std {samples.std():.3f}, margin {margin:.1e}")
    return made


def speak(network: Any, line: melo_parity.Line, features: torch.Tensor, speed: float) -> tuple[Any, Any]:
    """What upstream's ``get_text_for_tts_infer`` and ``infer`` do with a line, at noise 0."""
    inputs = line.inputs
    tokens = torch.tensor([inputs["tokens"]])
    languages = torch.zeros_like(tokens)
    languages[:, 1::2] = inputs["language"]
    spread = features.repeat_interleave(torch.tensor(inputs["word2ph"]), dim=0).T[None]
    found = network.infer(
        tokens,
        torch.tensor([tokens.shape[1]]),
        torch.tensor([inputs["speaker"]]),
        torch.tensor([inputs["tones"]]),
        languages,
        torch.zeros(1, 1024, tokens.shape[1]),
        spread,
        sdp_ratio=0.2,
        noise_scale=0,
        noise_scale_w=0,
        length_scale=1 / speed,
    )
    return found[0], found[1]


if __name__ == "__main__":
    main()
