"""The real Kokoro: the same in any company, understood by Whisper, as ONNX Runtime speaks, mixed voices between their
parts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ChorusError, InvalidRequest, ModelFailed, WeightsError
from core.names import Runtime
from models.base import Item, Speech, Transcript
from models.catalog import load_catalog
from models.kokoro.frontend import KokoroFrontend
from models.kokoro.model import STYLE, KokoroModel
from models.kokoro.rows import HOP, RATE
from models.kokoro.styles import read_styles
from models.kokoro.torch_voices import TorchVoices
from models.weights import WeightsCache, files_of
from models.whisper.model import WhisperModel
from tests.integration.vits_models import TOLERANCE
from tests.shared_data import data_path

SPEC = load_catalog().get("kokoro")
TEXTS = ("It is easy to tell the depth of a well.", "The juice of lemons makes fine punch.")

Files = Callable[[str], Path]


@pytest.fixture(scope="module")
def files() -> Files:
    from core.settings import load_settings

    return files_of(SPEC, WeightsCache(load_settings().cache))


@pytest.fixture(scope="module")
def model(files: Files) -> KokoroModel:
    model = KokoroModel(SPEC, files)
    model.load("cpu")
    return model


@pytest.fixture(scope="module")
def frontend(files: Files) -> KokoroFrontend:
    return KokoroFrontend(SPEC, files)


def speech(outcome: object) -> Speech:
    assert isinstance(outcome, Speech), outcome
    assert outcome.rate == RATE
    assert outcome.samples.dtype == np.float32
    assert np.isfinite(outcome.samples).all()
    return outcome


@pytest.fixture(scope="module")
def whisper() -> WhisperModel:
    from core.settings import load_settings

    spec = load_catalog().get("whisper-tiny.en")
    whisper = WhisperModel(spec, files_of(spec, WeightsCache(load_settings().cache)))
    whisper.load("cpu")
    return whisper


def words_wrong(whisper: WhisperModel, spoken: Sequence[Speech], texts: Sequence[str]) -> float:
    """The share of words that Whisper hears wrong."""
    import jiwer
    import soxr

    heard = whisper.run([Item({"samples": soxr.resample(s.samples, RATE, 16_000), "rate": 16_000}) for s in spoken])
    said = [transcript.text for transcript in heard if isinstance(transcript, Transcript)]
    return float(jiwer.wer([_words(text) for text in texts], [_words(text) for text in said]))


def _words(text: str) -> str:
    return re.sub(r"[^a-z ]", "", text.lower())


def test_a_mix_is_understood(model: KokoroModel, frontend: KokoroFrontend, whisper: WhisperModel) -> None:
    items = [Item(frontend.inputs(text, "jf_alpha:0.5+jm_kumo:0.5", "en-US")) for text in TEXTS]
    assert words_wrong(whisper, [speech(outcome) for outcome in model.run(items)], TEXTS) <= 0.15


@pytest.mark.parametrize("count", [2, pytest.param(40, marks=[pytest.mark.proof, pytest.mark.timeout(3600)])])
def test_torch_speaks_as_onnx_runtime_does(
    model: KokoroModel, frontend: KokoroFrontend, whisper: WhisperModel, files: Files, count: int
) -> None:
    """The int8 graph rounds what its layers are given, has no noise and is louder by its transform's 1.5."""
    texts = data_path("sentences/harvard.txt").read_text(encoding="utf-8").splitlines()[:count]
    voices = sorted(SPEC.voices)
    items = [Item(frontend.inputs(text, voices[i % len(voices)], "en-US"), seed=i) for i, text in enumerate(texts)]
    on_onnx = KokoroModel(dataclasses.replace(SPEC, runtime=Runtime.ONNX), files)
    on_onnx.load("cpu")
    theirs = [speech(outcome) for outcome in on_onnx.run(items)]
    wrong = words_wrong(whisper, theirs, texts)
    ours_wrong = words_wrong(whisper, [speech(outcome) for outcome in model.run(items)], texts)
    assert ours_wrong <= wrong + 0.01
    assert isinstance(model.voices, TorchVoices)
    model.voices.noisy = False
    try:
        ours = [speech(outcome) for outcome in model.run(items)]
    finally:
        model.voices.noisy = True
    pairs = [_same_tokens(one, other) for one, other in zip(ours, theirs, strict=True)]
    share = sum(len(same) for same, _ in pairs) / sum(tokens for _, tokens in pairs)
    assert share >= 0.95
    apart = [_apart(one, other, same) for one, other, (same, _) in zip(ours, theirs, pairs, strict=True)]
    print(f"words wrong {ours_wrong:.3f}, on ONNX Runtime {wrong:.3f}; tokens {share:.3f}; {np.mean(apart):.2f} dB")
    assert np.mean(apart) <= 3.0, "decibels"


def _frames(spoken: Speech) -> NDArray[np.int64]:
    """The frames of each token."""
    assert spoken.durations is not None
    return np.rint(np.array(spoken.durations) * RATE / HOP).astype(np.int64)


def _same_tokens(one: Speech, other: Speech) -> tuple[list[tuple[int, int, int]], int]:
    """Where tokens that last as long in both begin in each, and how long they last, in frames; and how many tokens
    there are."""
    lasting, others = _frames(one), _frames(other)
    starts, begins = (np.cumsum(frames) - frames for frames in (lasting, others))
    rows = zip(starts.tolist(), begins.tolist(), lasting.tolist(), others.tolist(), strict=True)
    return [(start, begin, length) for start, begin, length, other in rows if length == other], len(lasting)


def _apart(one: Speech, other: Speech, tokens: Sequence[tuple[int, int, int]]) -> float:
    """The mean difference of the mel spectra, in decibels, over these tokens."""
    ours, theirs = _mel(one.samples), _mel(other.samples / 1.5)
    apart = [np.abs(ours[start : start + length] - theirs[begin : begin + length]) for start, begin, length in tokens]
    return float(np.concatenate(apart).mean())


def _mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """In decibels, at least -60: float32 [frames, 80]."""
    import torch
    from torchaudio.functional import melscale_fbanks

    window = torch.hann_window(1024)
    padded = torch.nn.functional.pad(torch.from_numpy(samples), (512, 512))
    power = torch.stft(padded, 1024, HOP, window=window, center=False, return_complex=True).abs().square()
    mel = power.T @ melscale_fbanks(513, 0.0, RATE / 2, 80, RATE)
    decibels: NDArray[np.float32] = (10 * torch.log10(mel.clamp(min=1e-6))).numpy()
    return decibels


def test_an_item_is_the_same_in_any_company(model: KokoroModel, frontend: KokoroFrontend) -> None:
    text = "It is easy to tell the depth of a well, and harder to climb out."
    tokens = frontend.inputs(text, "jm_kumo", "en-US")["tokens"]
    voices = sorted(SPEC.voices)
    items = [
        Item({"tokens": tokens[:count], "voice": voices[i % len(voices)]}, {"speed": 2.0}, seed=i)
        for i, count in enumerate((1, 21, 3, 8))
    ]
    together = [speech(outcome).samples for outcome in model.run(items)]
    for item, samples in zip(items, together, strict=True):
        alone = speech(model.run([item])[0]).samples
        assert alone.shape == samples.shape
        assert np.abs(alone - samples).max() <= TOLERANCE


def test_durations_add_up_to_the_audio(model: KokoroModel, frontend: KokoroFrontend) -> None:
    inputs = frontend.inputs(TEXTS[0], "jf_alpha", "en-US")
    spoken = speech(model.run([Item(inputs)])[0])
    assert spoken.durations is not None
    assert len(spoken.durations) == len(inputs["tokens"])
    assert sum(spoken.durations) == pytest.approx(len(spoken.samples) / RATE, abs=1e-3)


def test_speed_changes_the_length(model: KokoroModel, frontend: KokoroFrontend) -> None:
    """The slowest speed, whose audio is the longest, is tried with the small network of test_kokoro_network.py."""
    inputs = frontend.inputs("Yes, it is.", "jf_alpha", "en-US")
    slow, plain, fast, fastest = (
        len(speech(o).samples) for o in model.run([Item(inputs, {"speed": s}) for s in (0.5, 1.0, 2.0, 4.0)])
    )
    assert slow / plain == pytest.approx(2, rel=0.15)
    assert plain / fast == pytest.approx(2, rel=0.15)
    assert fast / fastest > 1.1  # a frame for each phoneme at least


def test_a_mix_is_its_own_voice(model: KokoroModel) -> None:
    parts = [model.styles.of(voice, 10) for voice in ("jf_alpha", "jm_kumo")]
    mixed = model.styles.of("jf_alpha:0.6+jm_kumo:0.4", 10)
    assert mixed == pytest.approx(0.6 * parts[0] + 0.4 * parts[1], abs=1e-6)
    assert not np.array_equal(parts[0], model.styles.of("jf_alpha", 11))


def test_every_voice_of_the_catalog_is_there(model: KokoroModel) -> None:
    assert set(SPEC.voices) <= set(model.styles.voices)


@pytest.mark.parametrize(
    ("inputs", "options", "kind"),
    [
        ({"tokens": [], "voice": "jf_alpha"}, {}, ModelFailed),
        ({"tokens": [50] * 511, "voice": "jf_alpha"}, {}, ModelFailed),
        ({"tokens": [50, 100_000], "voice": "jf_alpha"}, {}, ModelFailed),
        ({"tokens": [50, 0], "voice": "jf_alpha"}, {}, ModelFailed),
        ({"tokens": [50, -1], "voice": "jf_alpha"}, {}, ModelFailed),
        ({"tokens": ["a"], "voice": "jf_alpha"}, {}, ModelFailed),
        ({"tokens": [50]}, {}, ModelFailed),
        ({"tokens": [50], "voice": "nobody"}, {}, InvalidRequest),
        ({"tokens": [50], "voice": "jf_alpha"}, {"speed": 0.1}, ModelFailed),
        ({"tokens": [50], "voice": "jf_alpha"}, {"speed": float("nan")}, ModelFailed),
    ],
)
def test_a_bad_item_fails_by_itself(
    model: KokoroModel, inputs: dict[str, object], options: dict[str, object], kind: type[ChorusError]
) -> None:
    assert isinstance(model.run([Item(inputs, options)])[0], kind)


def test_cost_is_tokens(model: KokoroModel) -> None:
    assert model.cost(Item({"tokens": [50] * 7})) == 7
    assert model.cost(Item({"tokens": [50] * 7}, {"speed": 0.5})) == 14


def test_other_files_are_refused(files: Files, tmp_path: Path) -> None:
    other = tmp_path / "file"
    np.savez(tmp_path / "voices.npz", jf_alpha=np.zeros((10, 1, 256), np.float32))
    np.savez(tmp_path / "pickled.npz", jf_alpha=np.array([{}], dtype=object))
    other.write_bytes(b"nothing")

    def instead(name: str, path: Path) -> Files:
        return lambda asked: path if asked == name else files(asked)

    for name, path in (("model", other), ("vocab", other), ("voices", tmp_path / "voices.npz")):
        with pytest.raises(WeightsError):
            KokoroModel(SPEC, instead(name, path)).load("cpu")
    for path in (other, tmp_path / "pickled.npz"):
        with pytest.raises(WeightsError):
            read_styles(SPEC, instead("voices", path), STYLE)
