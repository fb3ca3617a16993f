"""What markup, lexicons and foreign words do is heard: Piper speaks, its durations are measured, Whisper listens."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
import soxr

from audio.join import join
from audio.samples import Samples
from core.names import Markup
from core.settings import settings
from models.base import Frontend, Item, Speech, Transcript
from models.catalog import load_catalog, model_class
from models.piper.frontend import PiperFrontend
from models.piper.model import PiperModel
from models.weights import WeightsCache, files_of
from storage.ledger.documents import JobDocument
from text.lexicon.entries import Entry
from text.lexicon.matching import Lexicon
from text.sounds.learned import learned
from workers.steps.utterances import Reader, Spoken, spoken

RATE = 22_050
PLAIN = JobDocument(owner="ann", pipeline="piper", language="en-US", voice="joe")


@pytest.fixture(scope="module")
def cache() -> WeightsCache:
    return WeightsCache(settings().cache.expanduser())


@pytest.fixture(scope="module")
def frontend(cache: WeightsCache) -> PiperFrontend:
    spec = load_catalog().get("piper-joe")
    return PiperFrontend(spec, files_of(spec, cache))


@pytest.fixture(scope="module")
def piper(cache: WeightsCache) -> Iterator[PiperModel]:
    spec = load_catalog().get("piper-joe")
    model = PiperModel(spec, files_of(spec, cache))
    model.load("cpu")
    yield model


@pytest.fixture(scope="module")
def hear(cache: WeightsCache) -> Callable[[Samples], str]:
    spec = load_catalog().get("whisper-tiny.en")
    model = model_class(spec)(spec, files_of(spec, cache))
    model.load("cpu")

    def hear(samples: Samples) -> str:
        at_16k = soxr.resample(samples, RATE, 16_000).astype(np.float32)
        (found,) = model.run([Item(inputs={"samples": at_16k, "rate": 16_000})])
        assert isinstance(found, Transcript), found
        return found.text.lower()

    return hear


@pytest.fixture(scope="module")
def read(frontend: Frontend) -> Callable[..., list[Spoken]]:
    def read(text: str, lexicon: Lexicon | None = None, **fields: Any) -> list[Spoken]:
        document = dataclasses.replace(PLAIN, **fields)
        found = spoken(Reader(document, "joe", frontend, lexicon.rewrites if lexicon else None), [text])
        assert not [one.error for one in found if one.error]
        return found

    return read


def say(piper: PiperModel, found: list[Spoken], options: Mapping[str, Any] | None = None) -> Samples:
    """The utterances as a job would have them, with the same seed."""
    items = [Item(one.inputs, {**(options or {}), **one.options, "noise_scale": 0.0}, seed=1) for one in found]
    outputs = [out for out in piper.run(items) if isinstance(out, Speech)]
    assert len(outputs) == len(found)
    pieces = [(partial(np.asarray, out.samples), one.utterance.pause) for out, one in zip(outputs, found, strict=True)]
    return np.concatenate(list(join(pieces, RATE)))


def quiet(samples: Samples) -> float:
    """Seconds of the longest silence."""
    loud = np.flatnonzero(np.abs(samples) > 1e-4)
    return float(np.diff(loud).max() / RATE)


def test_pauses_are_as_long_as_they_are_asked_for(piper: PiperModel, read: Callable[..., list[Spoken]]) -> None:
    plain = quiet(say(piper, read("It was late. We left.")))
    for asked in (0.6, 1.5, 3.0):
        text = f"It was late. [pause {asked}s] We left."
        longer = quiet(say(piper, read(text, markup=Markup.LIGHT)))
        assert longer - plain == pytest.approx(asked - 0.25, abs=0.02)
    ssml = '<speak>It was late. <break time="800ms"/> We left.</speak>'
    assert quiet(say(piper, read(ssml, markup=Markup.SSML))) - plain == pytest.approx(0.8 - 0.25, abs=0.02)


def test_a_dash_and_an_ellipsis_are_heard(piper: PiperModel, read: Callable[..., list[Spoken]]) -> None:
    def longest(text: str) -> float:
        """Seconds of the longest stretch below a hundredth of full scale, without the ends."""
        samples = np.abs(say(piper, read(text)))
        loud = np.flatnonzero(samples > 0.01)
        return float(np.diff(loud).max() / RATE)

    pairs = [("It was cold", "but nobody cared about it."), ("She opened the door", "there was nothing inside.")]
    for first, second in pairs:
        assert longest(f"{first} — {second}") > longest(f"{first} {second}") + 0.1
        assert longest(f"{first}... {second}") > 0.5


def test_a_stretch_is_spoken_at_its_speed(piper: PiperModel, read: Callable[..., list[Spoken]]) -> None:
    sentence = "The birch canoe slid on the smooth planks."
    whole = len(say(piper, read(sentence)))
    slow = len(say(piper, read(f'<prosody rate="50%">{sentence}</prosody>', markup=Markup.SSML)))
    assert slow / whole == pytest.approx(2, rel=0.15)


def test_an_inline_phoneme_is_heard_and_leaks_into_nothing(
    piper: PiperModel, read: Callable[..., list[Spoken]], hear: Callable[[Samples], str]
) -> None:
    first, second = read("Please call [[Xqz|ˈɛləfənt]] now. The weather is fine today.", markup=Markup.LIGHT)
    assert second.inputs == read("The weather is fine today.")[0].inputs
    assert "elephant" in hear(say(piper, [first]))
    assert "xqz" not in hear(say(piper, [first])) and "weather is fine" in hear(say(piper, [second]))


def test_a_sound_that_the_voice_has_not_learned_is_heard_as_a_near_one(
    piper: PiperModel, read: Callable[..., list[Spoken]], hear: Callable[[Samples], str]
) -> None:
    """British phonemes in an American voice, whose own ``ɒ`` is noise."""
    said = hear(say(piper, read("My favorite word is [[Xqz|lɒks]].", markup=Markup.LIGHT)))
    assert "locks" in said or "lox" in said, said


def test_an_entry_of_a_lexicon_is_heard(
    piper: PiperModel, read: Callable[..., list[Spoken]], hear: Callable[[Samples], str]
) -> None:
    lexicon = Lexicon([Entry("SQL", say="sunflower"), Entry("Brzl", ipa="bənˈænə")])
    text = "We planted one SQL and ate one Brzl."
    heard = hear(say(piper, read(text, lexicon)))
    assert "sunflower" in heard and "banana" in heard
    assert "banana" not in hear(say(piper, read(text)))


HEARD = {
    "Москва": ("mosk", "musk", "moscow"),
    "Αθήνα": ("athen", "athin", "afin", "a thin", "atheen"),
    "すし": ("sushi",),
    "タワー": ("tow", "ta"),
    "서울": ("soul", "seoul"),
    "తెలుగు": ("telugu", "teloogoo"),
    "שָׁלוֹם": ("shalom",),
    "مُحَمَّد": ("muham", "moham"),
}


@pytest.mark.parametrize("word", HEARD)
def test_a_foreign_word_is_heard(
    piper: PiperModel, read: Callable[..., list[Spoken]], hear: Callable[[Samples], str], word: str
) -> None:
    [found] = read(f"My favorite word is {word}.")
    [without] = read("My favorite word is.")
    samples = say(piper, [found])
    assert 0.15 < (len(samples) - len(say(piper, [without]))) / RATE < 1.5
    said = hear(samples)
    assert "letter" not in said
    assert any(part in said for part in HEARD[word]), said


@pytest.mark.parametrize("word", ["田中", "東京タワー", "שלום", "ไทย", "Київ"])
def test_a_foreign_word_takes_its_time(piper: PiperModel, read: Callable[..., list[Spoken]], word: str) -> None:
    with_word, without = (say(piper, read(text)) for text in (f"We saw {word} again.", "We saw again."))
    assert 0.1 < (len(with_word) - len(without)) / RATE < 1.5


def test_the_sounds_of_a_voice_are_those_that_it_has_learned(cache: WeightsCache, frontend: PiperFrontend) -> None:
    """A phoneme that was in no training text has the vector that it was made with, which is smaller."""
    spec = load_catalog().get("piper-joe")
    graph = onnx.load(str(files_of(spec, cache)("model"))).graph
    ids = frontend.config.phoneme_id_map
    tables = (onnx.numpy_helper.to_array(t) for t in graph.initializer if list(t.dims) == [256, 192])
    spread = next(tables).std(axis=1)
    used = {letter for sound in learned("en-us") or () for letter in unicodedata.normalize("NFD", sound)}
    assert used <= set(ids)
    assert min(spread[ids[letter][0]] for letter in used) > 0.05
    assert max(spread[ids[letter][0]] for letter in "ɒɕɣħøœyɨɯʁʂʐχrq") < 0.035


def test_a_stretch_in_another_language_is_heard(
    piper: PiperModel, read: Callable[..., list[Spoken]], hear: Callable[[Samples], str]
) -> None:
    text = 'He only said <lang xml:lang="es">Buenos días, amigo</lang>.'
    assert "amigo" in hear(say(piper, read(text, markup=Markup.SSML)))
