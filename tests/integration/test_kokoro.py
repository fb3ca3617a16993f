"""The real Kokoro: deterministic, understood by Whisper, mixed voices between their parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import ChorusError, InvalidRequest, ModelFailed, WeightsError
from models.base import Item, Speech, Transcript
from models.catalog import load_catalog
from models.kokoro.frontend import KokoroFrontend
from models.kokoro.model import RATE, KokoroModel
from models.weights import WeightsCache, files_of
from models.whisper.model import WhisperModel

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


def test_what_it_says_is_understood(model: KokoroModel, frontend: KokoroFrontend) -> None:
    import jiwer
    import soxr

    from core.settings import load_settings

    voices = ("jf_alpha", "jf_alpha:0.5+jm_kumo:0.5")
    pairs = [(text, voice) for text in TEXTS for voice in voices]
    spoken = [speech(o) for o in model.run([Item(frontend.inputs(text, voice, "en-US")) for text, voice in pairs])]
    spec = load_catalog().get("whisper-tiny.en")
    whisper = WhisperModel(spec, files_of(spec, WeightsCache(load_settings().cache)))
    whisper.load("cpu")
    heard = whisper.run([Item({"samples": soxr.resample(s.samples, RATE, 16_000), "rate": 16_000}) for s in spoken])
    texts = [transcript.text for transcript in heard if isinstance(transcript, Transcript)]
    rates = [jiwer.wer(_words(text), _words(said)) for (text, _), said in zip(pairs, texts, strict=True)]
    assert np.mean(rates) <= 0.15, texts


def _words(text: str) -> str:
    return re.sub(r"[^a-z ]", "", text.lower())


def test_the_same_item_gives_the_same_samples(model: KokoroModel, frontend: KokoroFrontend) -> None:
    first, other = (frontend.inputs(text, "jm_kumo", "en-US") for text in ("Yes.", "It is a juicy lemon."))
    alone = speech(model.run([Item(first, seed=1)])[0])
    together = [speech(o) for o in model.run([Item(other), Item(first, seed=2)])]
    assert np.array_equal(alone.samples, together[1].samples)


def test_durations_add_up_to_the_audio(model: KokoroModel, frontend: KokoroFrontend) -> None:
    inputs = frontend.inputs(TEXTS[0], "jf_alpha", "en-US")
    spoken = speech(model.run([Item(inputs)])[0])
    assert spoken.durations is not None
    assert len(spoken.durations) == len(inputs["tokens"])
    assert sum(spoken.durations) == pytest.approx(len(spoken.samples) / RATE, abs=1e-3)


def test_speed_changes_the_length(model: KokoroModel, frontend: KokoroFrontend) -> None:
    inputs = frontend.inputs("Yes, it is.", "jf_alpha", "en-US")
    slowest, slow, plain, fast, fastest = (
        len(speech(o).samples) for o in model.run([Item(inputs, {"speed": s}) for s in (0.25, 0.5, 1.0, 2.0, 4.0)])
    )
    assert slowest / slow == pytest.approx(2, rel=0.15)
    assert slow / plain == pytest.approx(2, rel=0.15)
    assert plain / fast == pytest.approx(2, rel=0.15)
    assert fast / fastest > 1.1  # a frame for each phoneme at least


def test_a_mix_is_its_own_voice(model: KokoroModel) -> None:
    parts = [model._style(Item({"voice": voice}), 10) for voice in ("jf_alpha", "jm_kumo")]
    mixed = model._style(Item({"voice": "jf_alpha:0.6+jm_kumo:0.4"}), 10)
    assert mixed == pytest.approx(0.6 * parts[0] + 0.4 * parts[1], abs=1e-6)
    assert not np.array_equal(parts[0], model._style(Item({"voice": "jf_alpha"}), 11))


def test_every_voice_of_the_catalog_is_there(model: KokoroModel) -> None:
    assert set(SPEC.voices) <= set(model.voices)


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
    for name, path in (
        ("model", other),
        ("vocab", other),
        ("voices", other),
        ("voices", tmp_path / "voices.npz"),
        ("voices", tmp_path / "pickled.npz"),
    ):
        with pytest.raises(WeightsError):
            KokoroModel(SPEC, lambda n, name=name, path=path: path if n == name else files(n)).load("cpu")
