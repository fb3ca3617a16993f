"""Make `openvoice_parity.npz`: what OpenVoice itself gives on the random checkpoints of `tests.checkpoints.openvoice`.

How the file was made: by hand, with ``openvoice-cli`` 0.0.5 (MIT), whose ``models.py``, ``modules.py``,
``attentions.py`` and ``mel_processing.py`` are those of OpenVoice::

    pip download --no-deps openvoice-cli==0.0.5
    unzip openvoice_cli-0.0.5-py3-none-any.whl -d UPSTREAM
    python -m tests.checkpoints.make_openvoice_parity UPSTREAM

Upstream is not a dependency: only what these four modules import is needed, and librosa, which they import for mel
filters that nothing here uses, is replaced by an empty module. Checkpoints have full size and seed 0 and load strictly;
noise is 0 everywhere. For ``N`` in 0, 1, 2 the file has:

- ``base_N_speedS_durations``: frames per token of ``parity.LINES[N]`` (``infer``, upstream's default ``sdp_ratio`` 0.2,
  ``length_scale`` 1 / S, noise 0);
- ``base_N_speedS_*``: its samples (`tests.checkpoints.parity.put`);
- ``embedding_N``: ``ref_enc`` of the spectrogram of ``parity.recording(N)``, float32 [256];
- ``converted_V_N_*``: ``voice_conversion`` of that spectrogram, ``tau`` 0, version V of the converter;
- ``base_digest``, ``converter_digest``: of the state dicts (`tests.checkpoints.tensors.digest`);
- ``versions``: upstream's and torch's.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.checkpoints import parity
from tests.checkpoints.openvoice import openvoice_base, openvoice_converter, source_embedding
from tests.checkpoints.tensors import digest

UPSTREAM = "openvoice-cli 0.0.5"
#: a predicted number of frames that is nearer to a whole number could be rounded up differently elsewhere
MARGIN = 1e-4


def main() -> None:
    upstream(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        made: dict[str, Any] = {**base(Path(folder) / "base"), **converters(Path(folder))}
    made["versions"] = np.array(f"{UPSTREAM}, torch {torch.__version__}")
    np.savez_compressed(parity.PATH, **made)
    print(f"{parity.PATH.name}: {parity.PATH.stat().st_size} bytes, {len(made)} arrays")


def upstream(folder: Path) -> None:
    """Make ``openvoice_cli`` importable from ``folder``."""
    for name in ("librosa", "librosa.filters"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["librosa.filters"].mel = None  # type: ignore[attr-defined]
    sys.path.insert(0, str(folder))


def load(folder: Path) -> tuple[Any, str]:
    """Upstream's network with the checkpoint of ``folder``, and the digest of its tensors."""
    config = json.loads((folder / "config.json").read_text())
    network = importlib.import_module("openvoice_cli.models").SynthesizerTrn(
        len(config.get("symbols", [])),
        config["data"]["filter_length"] // 2 + 1,
        n_speakers=config["data"]["n_speakers"],
        **config["model"],
    )
    state = torch.load(folder / "checkpoint.pth", weights_only=True)["model"]
    network.load_state_dict(state, strict=True)
    return network.eval(), digest(state)


def base(folder: Path) -> dict[str, NDArray[Any]]:
    network, total = load(openvoice_base(folder))
    made: dict[str, NDArray[Any]] = {"base_digest": np.array(total)}
    logarithms: dict[str, torch.Tensor] = {}
    for part in ("sdp", "dp"):
        getattr(network, part).register_forward_hook(
            lambda _module, _inputs, output, part=part: logarithms.__setitem__(part, output)
        )
    for number, line in enumerate(parity.LINES):
        for speed in parity.SPEEDS:
            samples, path, _mask, _latent = network.infer(
                torch.tensor([line.tokens]),
                torch.tensor([len(line.tokens)]),
                sid=torch.tensor([line.speaker]),
                noise_scale=0,
                noise_scale_w=0,
                length_scale=1 / speed,
            )
            frames = torch.exp(0.2 * logarithms["sdp"] + 0.8 * logarithms["dp"]) / speed
            margin = float((frames - frames.round()).abs().min())
            assert margin > MARGIN, f"line {number} at speed {speed}: {margin}"
            name = f"base_{number}_speed{speed}"
            made[f"{name}_durations"] = path.sum(2)[0, 0].to(torch.int16).numpy()
            made.update(parity.put(name, samples[0, 0].numpy(), whole=number == 0 and speed == 1))
            tell(name, samples, f"{len(line.tokens)} tokens, margin {margin:.1e}")
    return made


def converters(folder: Path) -> dict[str, NDArray[Any]]:
    spectrogram = importlib.import_module("openvoice_cli.mel_processing").spectrogram_torch
    source = source_embedding(folder / "source_se.pth", parity.SOURCE_SEED)
    target = source_embedding(folder / "target_se.pth", parity.TARGET_SEED)
    made: dict[str, NDArray[Any]] = {}
    for version in parity.VERSIONS:
        network, total = load(openvoice_converter(folder / version, version=version))
        made["converter_digest"] = np.array(total)
        for number in range(len(parity.RECORDING_LENGTHS)):
            recording = torch.from_numpy(parity.recording(number))[None]
            heard = spectrogram(recording, 1024, parity.RATE, 256, 1024, center=False)
            made[f"embedding_{number}"] = network.ref_enc(heard.transpose(1, 2))[0].numpy()
            frames = torch.tensor([heard.shape[2]])
            samples = network.voice_conversion(heard, frames, sid_src=source, sid_tgt=target, tau=0)[0]
            name = f"converted_{version}_{number}"
            made.update(parity.put(name, samples[0, 0].numpy(), whole=number == 0))
            tell(name, samples, f"{frames.item()} frames")
    return made


def tell(name: str, samples: torch.Tensor, more: str) -> None:
    print(f"{name}: {samples.shape[2]} samples, std {samples.std():.3f}, peak {samples.abs().max():.3f}, {more}")


if __name__ == "__main__":
    main()
