"""Make `kokoro_parity.npz`: what Kokoro itself gives on the random checkpoint of `tests.checkpoints.kokoro`.

How the file was made: by hand, with the modules of ``kokoro`` 0.9.4 (Apache-2.0)::

    pip download --no-deps kokoro==0.9.4
    unzip kokoro-0.9.4-py3-none-any.whl -d UPSTREAM
    python -m tests.checkpoints.make_kokoro_parity UPSTREAM

Upstream is not a dependency. Its modules compute in float64 here, with weights of float32 and the noise that Chorus
draws. Its decoder, whose
width is fixed, gets narrower blocks of its own classes. The spectrum of the source is rounded as ours is, since at an
item's borders a phase is π or -π by a rounding. For ``N`` in 0, 1, 2 the file has:

- ``kokoro_N_durations``: frames per token, pads counted;
- ``kokoro_N_*``: its samples (`tests.checkpoints.parity.put`);
- ``digest``: of the state dicts (`tests.checkpoints.tensors.digest`);
- ``versions``: upstream's and torch's.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.kokoro.network.source import QUANTUM
from models.shared.noise import noise_of
from tests.checkpoints import kokoro, kokoro_parity, parity
from tests.checkpoints.tensors import digest

UPSTREAM = "kokoro 0.9.4"
HOP = 600
#: a predicted number of frames that is nearer to a half could be rounded the other way elsewhere
MARGIN = 1e-4


def main() -> None:
    modules, decoder = upstream(Path(sys.argv[1]))
    state = {part: {k[7:]: v for k, v in own.items()} for part, own in kokoro.kokoro_state(0).items()}
    with torch.inference_mode(), in_float64():
        network = build(modules, decoder)
        for part, tensors in state.items():
            missing, unexpected = network.get_submodule(part).load_state_dict(tensors, strict=False)
            assert all(".norm." in name for name in missing), missing
            assert unexpected in ([], ["embeddings.position_ids"]), unexpected
        fold(network)
        made = figures(network.double().eval())
    flat = {f"{part}.{key}": tensor for part, own in state.items() for key, tensor in own.items()}
    made["digest"] = np.array(digest({key: t for key, t in flat.items() if t.is_floating_point()}))
    made["versions"] = np.array(f"{UPSTREAM}, torch {torch.__version__}")
    np.savez_compressed(kokoro_parity.PATH, **made)
    print(f"{kokoro_parity.PATH.name}: {kokoro_parity.PATH.stat().st_size} bytes, {len(made)} arrays")


def upstream(folder: Path) -> tuple[Any, Any]:
    """Upstream's ``modules.py`` and ``istftnet.py``, without importing its package, which imports all languages."""
    package = types.ModuleType("kokoro")
    package.__path__ = [str(folder / "kokoro")]
    sys.modules["kokoro"] = package
    modules, decoder = importlib.import_module("kokoro.modules"), importlib.import_module("kokoro.istftnet")
    decoder.TorchSTFT.transform, decoder.TorchSTFT.inverse = _transform, _inverse
    decoder.SineGen._f02uv = lambda self, f0: (f0 > self.voiced_threshold).to(f0.dtype)
    return modules, decoder


def _transform(self: Any, samples: Tensor) -> tuple[Tensor, Tensor]:
    window = torch.hann_window(self.win_length, dtype=samples.dtype)
    found = torch.stft(samples, self.filter_length, self.hop_length, self.win_length, window, return_complex=True)
    real, imaginary = (torch.round(part / QUANTUM) * QUANTUM + 0.0 for part in (found.real, found.imag))
    return torch.hypot(real, imaginary), torch.atan2(imaginary, real)


def _inverse(self: Any, magnitudes: Tensor, phases: Tensor) -> Tensor:
    window = torch.hann_window(self.win_length, dtype=magnitudes.dtype)
    spectrum = torch.polar(magnitudes, phases)
    return torch.istft(spectrum, self.filter_length, self.hop_length, self.win_length, window).unsqueeze(-2)


@contextmanager
def in_float64() -> Iterator[None]:
    """Tensors that upstream makes, by whatever constructor, are of float64."""
    constructor = torch.FloatTensor
    torch.set_default_dtype(torch.float64)
    torch.FloatTensor = lambda rows: torch.tensor([[list(row) for row in rows[0]]], dtype=torch.float64)  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        torch.FloatTensor = constructor  # type: ignore[misc]
        torch.set_default_dtype(torch.float32)


def build(modules: Any, decoder: Any) -> nn.Module:
    """Upstream's network in the sizes of the random checkpoint."""
    from transformers import AlbertConfig

    config = kokoro.CONFIG
    hidden, style, head = config["hidden_dim"], config["style_dim"], config["istftnet"]
    block, given = decoder.AdainResBlk1d, kokoro.WIDTH + kokoro.RESIDUAL + 2
    whole = decoder.Decoder(dim_in=512, style_dim=style, dim_out=80, **{**head, "upsample_initial_channel": 512})
    whole.encode = block(hidden + 2, kokoro.WIDTH, style)
    blocks = [block(given, kokoro.WIDTH, style) for _ in range(3)]
    whole.decode = nn.ModuleList([*blocks, block(given, kokoro.CHANNELS, style, upsample=True)])
    whole.asr_res = nn.Sequential(decoder.weight_norm(nn.Conv1d(hidden, kokoro.RESIDUAL, 1)))
    whole.generator = decoder.Generator(style, **head)
    network = nn.Module()
    network.bert = modules.CustomAlbert(AlbertConfig(vocab_size=config["n_token"], **config["plbert"]))
    network.bert_encoder = nn.Linear(network.bert.config.hidden_size, hidden)
    network.predictor = modules.ProsodyPredictor(style, hidden, config["n_layer"], config["max_dur"])
    network.text_encoder = modules.TextEncoder(hidden, 5, config["n_layer"], config["n_token"])
    network.decoder = whole
    return network


def fold(network: nn.Module) -> None:
    """Weight normalization into weights of float32, as ours are: the phase of the source shows what they differ by."""
    for module in network.modules():
        if hasattr(module, "weight_g"):
            nn.utils.remove_weight_norm(module)
            module.weight.copy_(module.weight.float())


def figures(network: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for number, line in enumerate(kokoro_parity.LINES):
        durations, pitch, samples = speak(network, line)
        margin = float((durations - durations.floor() - 0.5).abs().min())
        assert margin > MARGIN, f"line {number}: {margin}"
        name = f"kokoro_{number}"
        made[f"{name}_durations"] = durations.round().clamp(min=1).to(torch.int16).numpy()
        made.update(parity.put(name, samples.float().numpy(), whole=False))
        print(
            f"{name}: {len(samples)} samples, std {samples.std():.3f}, pitch {pitch.min():.0f} to {pitch.max():.0f} Hz"
        )
    return made


def speak(network: Any, line: kokoro_parity.Line) -> tuple[Tensor, Tensor, Tensor]:
    """What upstream's ``forward_with_tokens`` does with a line: durations, not rounded, pitch and samples."""
    ids = torch.tensor([[0, *line.tokens, 0]])
    lengths, mask = torch.tensor([ids.shape[1]]), torch.zeros(ids.shape, dtype=torch.bool)
    style = kokoro.style(line.voice)[len(line.tokens) - 1].double()
    of_decoder, of_prosody = style[:, : kokoro.STYLE], style[:, kokoro.STYLE :]
    read = network.bert_encoder(network.bert(ids, attention_mask=(~mask).int())).transpose(-1, -2)
    encoded = network.predictor.text_encoder(read, of_prosody, lengths, mask)
    recurred, _ = network.predictor.lstm(encoded)
    durations = torch.sigmoid(network.predictor.duration_proj(recurred)).sum(-1)[0] / line.speed
    tokens = torch.arange(ids.shape[1]).repeat_interleave(durations.round().clamp(min=1).long())
    pitch, energy = network.predictor.F0Ntrain(encoded[:, tokens].transpose(1, 2), of_prosody)
    text = network.text_encoder(ids, lengths, mask)[:, :, tokens]
    with noise_of_line(network, line, len(tokens) * HOP):
        samples = network.decoder(text, pitch, energy, of_decoder)
    return durations, pitch[0], samples.flatten()


@contextmanager
def noise_of_line(network: Any, line: kokoro_parity.Line, count: int) -> Iterator[None]:
    """Upstream draws a noise for each sine and mixes them; we draw the mixture: shared out so that they mix to it."""
    drawn = torch.from_numpy(noise_of(line.item()).standard_normal(count, np.float32)).double()
    weight = network.decoder.generator.m_source.l_linear.weight[0]
    shares = drawn[None, :, None] * weight / torch.linalg.vector_norm(weight)
    original = torch.randn_like
    torch.randn_like = lambda like: shares if like.shape == shares.shape else torch.zeros_like(like)  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.randn_like = original


if __name__ == "__main__":
    main()
