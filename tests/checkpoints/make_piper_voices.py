"""Make ``piper_*.onnx.xz``: random Piper voices as Piper's own training code exports them, but with few channels.

How the files were made: by hand, with ``src/python/piper_train`` of ``rhasspy/piper`` at commit
73c04d81d5590ecc46e522de3601ce7fb29fc2be (MIT) and the torch that ``producer_version`` in each file names::

    git clone https://github.com/rhasspy/piper UPSTREAM
    python -m tests.checkpoints.make_piper_voices UPSTREAM/src/python

The networks are upstream's ``vits/models.py``. ``torch.onnx.export`` is called as in ``export_onnx.py`` (opset 15, no
weight norm in the decoder), which itself would need pytorch-lightning; newer versions of torch want ``dynamo=False``
with it. Weights are those of `tests.checkpoints.vits`, seed 0. `tests.checkpoints.piper` describes the voices.
"""

from __future__ import annotations

import importlib
import io
import lzma
import sys
import types
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tests.checkpoints import vits
from tests.checkpoints.piper import SYMBOLS, VOICES, PiperVoice, path_of
from tests.checkpoints.tensors import Tensors

OPSET_VERSION = 15
BINS = 513
DURATION_FILTERS = 16  # upstream's deterministic predictor has 256


def main() -> None:
    models = upstream(Path(sys.argv[1]))
    for name, voice in VOICES.items():
        exported = export(network(models, voice), voice)
        path_of(name).write_bytes(lzma.compress(exported, preset=9 | lzma.PRESET_EXTREME))
        print(f"{path_of(name).name}: {path_of(name).stat().st_size} bytes, {len(exported)} unpacked")


def upstream(folder: Path) -> Any:
    """``piper_train.vits.models`` from ``folder``, without what only training needs."""
    sys.modules["piper_train.vits.monotonic_align"] = types.ModuleType("monotonic_align")
    sys.path.insert(0, str(folder))
    return importlib.import_module("piper_train.vits.models")


def network(models: Any, voice: PiperVoice) -> Any:
    """Upstream's network for ``voice``, its weights set."""
    sizes = asdict(voice.shape)
    made = models.SynthesizerTrn(
        n_vocab=SYMBOLS,
        spec_channels=BINS,
        segment_size=32,
        inter_channels=sizes["inter"],
        hidden_channels=sizes["hidden"],
        filter_channels=sizes["filters"],
        n_heads=sizes["heads"],
        n_layers=sizes["layers"],
        kernel_size=sizes["kernel"],
        p_dropout=0.1,
        resblock=sizes["resblock"],
        resblock_kernel_sizes=sizes["resblock_kernels"],
        resblock_dilation_sizes=sizes["resblock_dilations"],
        upsample_rates=sizes["upsample_rates"],
        upsample_initial_channel=sizes["upsample_initial"],
        upsample_kernel_sizes=sizes["upsample_kernels"],
        n_speakers=voice.speakers,
        gin_channels=sizes["gin"],
        use_sdp=voice.stochastic,
    )
    if not voice.stochastic:
        made.dp = models.DurationPredictor(sizes["hidden"], DURATION_FILTERS, 3, 0.5, gin_channels=sizes["gin"])
    made.load_state_dict(weights(voice), strict=True)
    made.eval()
    with torch.no_grad():
        made.dec.remove_weight_norm()
    return made


def weights(voice: PiperVoice) -> dict[str, torch.Tensor]:
    shape, tensors = voice.shape, Tensors(seed=0)
    vits.text_encoder(tensors, shape, SYMBOLS)
    vits.decoder(tensors, shape)
    vits.posterior_encoder(tensors, shape, BINS)
    vits.flow(tensors, shape)
    if voice.stochastic:
        vits.stochastic_duration_predictor(tensors, shape.hidden, shape.gin, name="dp")
    else:
        vits.duration_predictor(tensors, shape.hidden, shape.gin, filters=DURATION_FILTERS)
    if voice.speakers > 1:
        tensors.put("emb_g.weight", (voice.speakers, shape.gin))
    return tensors.state


def export(made: Any, voice: PiperVoice) -> bytes:
    """As ``export_onnx.py`` does it."""

    def infer_forward(
        text: torch.Tensor, lengths: torch.Tensor, scales: torch.Tensor, sid: torch.Tensor | None = None
    ) -> torch.Tensor:
        audio: torch.Tensor = made.infer(
            text, lengths, noise_scale=scales[0], length_scale=scales[1], noise_scale_w=scales[2], sid=sid
        )[0].unsqueeze(1)
        return audio

    made.forward = infer_forward
    torch.manual_seed(1234)
    tokens = torch.randint(low=0, high=SYMBOLS, size=(1, 50), dtype=torch.long)
    speaker = torch.LongTensor([0]) if voice.speakers > 1 else None
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            made,
            (tokens, torch.LongTensor([tokens.size(1)]), torch.FloatTensor([0.667, 1.0, 0.8]), speaker),
            written,  # type: ignore[arg-type]
            opset_version=OPSET_VERSION,
            input_names=["input", "input_lengths", "scales", "sid"],
            output_names=["output"],
            dynamic_axes={
                "input": {0: "batch_size", 1: "phonemes"},
                "input_lengths": {0: "batch_size"},
                "output": {0: "batch_size", 1: "time"},
            },
            dynamo=False,
        )
    return written.getvalue()


if __name__ == "__main__":
    main()
