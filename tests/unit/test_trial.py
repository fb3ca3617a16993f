"""What a trial says of models that give what a sound model would not give."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from audio.samples import Samples
from core.errors import ChorusError, ConfigurationError, InvalidRequest, ModelFailed, OutOfMemory
from core.names import Role
from models.base import Bounds, Embedding, Item, Model, ModelSpec, Output, Segment, Segments, Speech, Transcript, Voice
from models.sentences import SENTENCES, sentence_in
from models.shared.libraries import MISSING
from models.trial import try_model

RATE = 8_000
TONE = np.sin(np.arange(RATE, dtype=np.float32) / 5) / 2


class Canned(Model):
    """Gives what it is told to."""

    given: Item

    def __init__(self, spec: ModelSpec, output: Any, example: Mapping[str, Any] | None = None) -> None:
        super().__init__(spec, pytest.fail)
        self._output, self._example = output, example or {}

    def load(self, device: str) -> None:
        """There is nothing to load."""

    def example(self) -> Mapping[str, Any]:
        return self._example

    def cost(self, item: Item) -> int:
        return 1

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        (self.given,) = items
        if isinstance(self._output, Exception) and not isinstance(self._output, ChorusError):
            raise self._output
        return [self._output]


SPEAKER = ModelSpec(
    name="m",
    type="simulated",
    role=Role.SYNTHESIZE,
    weights={},
    languages=("en",),
    voices={"one": Voice(name="one", language="en"), "two": Voice(name="two", language="de")},
    options={},
    sample_rate=RATE,
    batch={"cpu": Bounds(items=1, cost=1)},
    batch_timeout=1,
)
CONVERTER = dataclasses.replace(SPEAKER, type="openvoice_v2_tone_converter", role=Role.CONVERT, voices={})


def listener(role: Role, *languages: str) -> ModelSpec:
    return dataclasses.replace(SPEAKER, type="silero", role=role, voices={}, languages=languages, sample_rate=None)


def speech(samples: Samples, rate: int = RATE) -> Speech:
    return Speech(samples=samples.astype(np.float32), rate=rate)


def test_a_synthesizer_that_speaks() -> None:
    found = try_model(Canned(SPEAKER, speech(TONE)), "Two sentences. And a pause.")
    assert found is not None and found.speech is not None
    assert found.facts["peak"] == pytest.approx(0.5, abs=0.01) and found.facts["sample_rate"] == RATE
    assert len(found.speech.samples) > 2 * RATE, "both, with the pause between them"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (speech(np.where(TONE > 0.49, np.nan, TONE)), "not finite"),
        (speech(np.full(9, np.inf)), "not finite"),
        (speech(np.zeros(0)), "empty"),
        (speech(TONE * 1e-4), "silent"),
        (speech(TONE, 16_000), "gives 16000 Hz; models.yaml says 8000 Hz"),
        (Segments((), 1.0), "gives Segments instead of Speech"),
        (ModelFailed("It fell over."), "It fell over"),
        (RuntimeError("index out of range"), "RuntimeError: index out of range"),
    ],
)
def test_a_synthesizer_that_does_not(output: Any, reason: str) -> None:
    with pytest.raises(ModelFailed, match=reason):
        try_model(Canned(SPEAKER, output))


def test_memory_that_runs_out_is_told_as_such() -> None:
    with pytest.raises(OutOfMemory):
        try_model(Canned(SPEAKER, MemoryError()))


def test_each_voice_of_an_entry_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.simulated.frontend import SimulatedFrontend

    asked: list[tuple[str, str]] = []
    code: str | None = None
    inputs = SimulatedFrontend.inputs

    def watched(self: SimulatedFrontend, text: str, voice: str, language: str) -> dict[str, Any]:
        asked.append((voice, text))
        if voice == "three":
            raise ConfigurationError("It has no speaker 3.", code=code)
        return inputs(self, text, voice, language)

    monkeypatch.setattr(SimulatedFrontend, "inputs", watched)
    try_model(Canned(SPEAKER, speech(TONE)))
    assert asked == [("two", SENTENCES["de"]), ("one", SENTENCES["en"])]
    asked.clear()
    try_model(Canned(SPEAKER, speech(TONE)), "Hello.", "two")
    assert asked == [("one", SENTENCES["en"]), ("two", "Hello.")]
    three = {**SPEAKER.voices, "three": Voice(name="three", language="en", speaker=3)}
    with pytest.raises(ConfigurationError, match=r"Voice 'three': It has no speaker 3\."):
        try_model(Canned(dataclasses.replace(SPEAKER, voices=three), speech(TONE)))
    code = MISSING
    trial = try_model(Canned(dataclasses.replace(SPEAKER, voices=three), speech(TONE)))
    assert trial is not None and trial.warnings == ("It has no speaker 3.",), "a library that others do without"
    with pytest.raises(InvalidRequest, match=r"no voice 'four'. Available: one, two"):
        try_model(Canned(SPEAKER, speech(TONE)), voice="four")


def test_a_converter_is_tried_with_the_embedding_that_its_family_gives() -> None:
    assert try_model(Canned(CONVERTER, speech(TONE))) is None
    model = Canned(CONVERTER, speech(TONE), {"embedding": np.ones(3, np.float32)})
    found = try_model(model)
    assert found is not None and found.summary.startswith("gave 1.00 s of audio at 8000 Hz")
    assert model.given.inputs["rate"] == RATE and model.given.inputs["embedding"].size == 3
    assert len(model.given.inputs["samples"]) == pytest.approx(2.406 * RATE, abs=10)


def test_what_listens_is_given_its_rate() -> None:
    model = Canned(listener(Role.EMBED), Embedding(np.ones(4, np.float32), "m"), {"rate": 22_050})
    found = try_model(model)
    assert found is not None and found.facts["dimensions"] == 4, "not of unit length: that is the family's affair"
    assert model.given.inputs["rate"] == 22_050 and len(model.given.inputs["samples"]) > 2 * 22_050


@pytest.mark.parametrize(
    ("role", "output", "reason"),
    [
        (Role.EMBED, Embedding(np.array([1, np.nan], np.float32), "m"), "not finite"),
        (Role.EMBED, Embedding(np.zeros(3, np.float32), "m"), "zero"),
        (Role.VAD, Segments((), 2.4), "no speech"),
        (Role.VAD, Segments((Segment(0.2, 9.0),), 9.0), "to 9.0 s in a recording of 2.41 s"),
        (Role.TRANSCRIBE, Transcript("", "en", ()), "hears nothing"),
    ],
)
def test_a_model_that_hears_what_there_is_not(role: Role, output: Output, reason: str) -> None:
    with pytest.raises(ModelFailed, match=reason):
        try_model(Canned(listener(role), output))


def test_a_model_of_another_language_need_not_understand_the_recording() -> None:
    found = try_model(Canned(listener(Role.TRANSCRIBE, "de"), Transcript("", "de", ())))
    assert found is not None and found.facts == {"text": "", "language": "de"}


@pytest.mark.parametrize(
    ("language", "own"), [("de-AT", "de"), ("pt_BR", "pt"), ("nb-NO", "no"), ("cmn", "zh"), ("tlh", "en"), ("", "en")]
)
def test_a_sentence_for_each_language(language: str, own: str) -> None:
    assert sentence_in(language) == SENTENCES[own]
