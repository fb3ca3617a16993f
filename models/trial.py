"""Tries a loaded model: a synthesizer speaks, any other model gets a recording of speech. What it gives is checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audio.decode import decode
from audio.join import join
from audio.samples import Samples
from core.errors import ChorusError, ConfigurationError, InvalidRequest, InvalidText, ModelFailed
from core.names import Markup, Role
from models.base import Embedding, Frontend, Item, Model, ModelSpec, Output, Segments, Speech, Transcript, Voice
from models.catalog import frontend_class, resolve_voice, speaks
from models.families import family_of
from models.sentences import sentence_in
from models.shared.failures import failure
from models.shared.libraries import MISSING
from models.shared.recordings import RATE
from text.markup import parse
from text.reading import Manner, read_portion, said

#: What any model but a synthesizer is tried with: the voice of piper-joe, with a quarter of a second of silence before
#: and after it.
RECORDING = Path(__file__).with_name("assets") / "speech.opus"
SPOKEN = "The boy was there when the sun rose."  #: what it says: one of the Harvard sentences

SILENCE = 1e-3  #: peak below which speech is silent: -60 dBFS


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a model was given, what it made of that, and in how many ``seconds``."""

    summary: str  #: for people
    warnings: tuple[str, ...] = ()  #: what does not work on this machine, such as a language without its library
    facts: Mapping[str, Any]  #: for programs
    seconds: float
    speech: Speech | None = None


def try_model(model: Model, text: str | None = None, voice: str | None = None) -> Trial | None:
    """Run a loaded model. A synthesizer speaks ``text`` with ``voice``: by default a sentence in the language of its
    first voice; that the others have inputs too is checked, and a library that one of them lacks is a warning. None if
    the model needs an ``embedding`` and its family gives no example.

    Raises `core.errors.ChorusError` if the model fails, or gives what a sound model would not give."""
    clones = family_of(model.spec.type).clones
    if (clones or model.spec.role is Role.CONVERT) and "embedding" not in model.example():
        return None
    if model.spec.role is Role.SYNTHESIZE:
        begin = time.perf_counter()
        speech, warnings = _speak(model, text, voice)
        return replace(_speech_trial(speech, "spoke", time.perf_counter() - begin), warnings=warnings)
    inputs = {"rate": _rate(model.spec), **model.example()}
    recording = decode(RECORDING, inputs["rate"], max_seconds=60.0)
    begin = time.perf_counter()
    output = _run(model, Item({**inputs, "samples": recording}))
    return _trial(model.spec, output, len(recording) / inputs["rate"], time.perf_counter() - begin)


def _rate(spec: ModelSpec) -> int:
    """The rate of the recording, unless the family gives one."""
    same = spec.role in (Role.CONVERT, Role.RESTORE) and spec.sample_rate
    return same or RATE


def _trial(spec: ModelSpec, output: Output, given: float, seconds: float) -> Trial:
    """What the output for the recording, which has ``given`` seconds, says of the model."""
    if isinstance(output, Speech):
        return _speech_trial(_checked(output, spec), "gave", seconds)
    if isinstance(output, Segments):
        return _segments_trial(output, given, seconds)
    if isinstance(output, Embedding):
        return _embedding_trial(output, seconds)
    return _transcript_trial(spec, output, seconds)


def _speech_trial(speech: Speech, verb: str, seconds: float) -> Trial:
    spoken, peak = len(speech.samples) / speech.rate, float(np.abs(speech.samples).max())
    facts = {"audio_seconds": round(spoken, 3), "peak": round(peak, 4), "finite": True, "sample_rate": speech.rate}
    summary = f"{verb} {spoken:.2f} s of audio at {speech.rate} Hz, peak {peak:.2f}, all samples finite"
    return Trial(summary=summary, facts=facts, seconds=seconds, speech=speech)


def _segments_trial(output: Segments, given: float, seconds: float) -> Trial:
    if not output.segments:
        raise ModelFailed("The model finds no speech in a recording of speech.")
    first, last = output.segments[0].start, output.segments[-1].end
    if not 0 <= first < last <= given + 0.01:
        raise ModelFailed(f"The model finds speech from {first} s to {last} s in a recording of {given:.2f} s.")
    facts = {"segments": [segment.to_dict() for segment in output.segments]}
    summary = f"found speech from {first:.2f} s to {last:.2f} s in a recording of {given:.2f} s"
    return Trial(summary=summary, facts=facts, seconds=seconds)


def _embedding_trial(output: Embedding, seconds: float) -> Trial:
    vector = output.vector
    if not np.isfinite(vector).all() or not vector.any():
        raise ModelFailed("The embedding is not finite, or zero.")
    facts = {"dimensions": len(vector), "finite": True}
    return Trial(summary=f"gave an embedding of {len(vector)} finite numbers", facts=facts, seconds=seconds)


def _transcript_trial(spec: ModelSpec, output: Transcript, seconds: float) -> Trial:
    if not output.text and (not spec.languages or any(speaks(one, "en") for one in spec.languages)):
        raise ModelFailed(f"The model hears nothing in a recording that says {SPOKEN!r}")
    facts = {"text": output.text, "language": output.language}
    return Trial(summary=f"heard {output.text!r} ({output.language})", facts=facts, seconds=seconds)


# -- speaking


def _speak(model: Model, text: str | None, name: str | None) -> tuple[Speech, tuple[str, ...]]:
    """What the model says, and what other voices lack to speak."""
    frontend = frontend_class(model.spec)(model.spec, model.files)
    chosen = _voice(model.spec, name)
    lacking: dict[str, None] = {}
    for other in model.spec.voices.values():
        if other.name != chosen.name and (lack := _try_voice(frontend, other)):
            lacking[lack] = None
    pieces: list[tuple[Speech, float]] = []
    for inputs, pause in _inputs(frontend, chosen, sentence_in(chosen.language) if text is None else text):
        output = _run(model, Item({**inputs, **model.example()}))
        pieces.append((_checked(output, model.spec), pause))
    if not pieces:
        raise InvalidText("The text contains nothing to speak.")
    rate = pieces[0][0].rate
    joined = join([(partial(_samples, one), pause) for one, pause in pieces], rate)
    return replace(pieces[0][0], samples=np.concatenate(list(joined)), durations=None), tuple(lacking)


def _samples(speech: Speech) -> Samples:
    return speech.samples


def _voice(spec: ModelSpec, name: str | None) -> Voice:
    """The voice of that name, or the first. One without a name where the model clones."""
    if name is not None:
        found = spec.voices.get(name) or resolve_voice(spec, name)
        if found is None:
            there = ", ".join(spec.voices) or "none"
            raise InvalidRequest(f"There is no voice {name!r}. Available: {there}.", code="unknown_voice")
        return found
    return next(iter(spec.voices.values()), Voice(name="", language=next(iter(spec.languages), "en")))


def _try_voice(frontend: Frontend, voice: Voice) -> str | None:
    """Which library the language of a voice lacks, if one. Raises `ConfigurationError` if the voice has no inputs."""
    try:
        list(_inputs(frontend, voice, sentence_in(voice.language)))
        return None
    except ChorusError as error:
        if error.code == MISSING:
            return error.message
        raise ConfigurationError(f"Voice {voice.name!r}: {error.message}", code=error.code) from error


def _inputs(frontend: Frontend, voice: Voice, text: str) -> Iterator[tuple[Mapping[str, Any], float]]:
    """The model's inputs for each utterance of a text, and the pause after it in seconds."""
    manner = Manner(language=voice.language, limit=frontend.max_characters, readings=frontend.takes_phonemes)
    chapter, at = parse(text, Markup.NONE), 0
    while True:
        portion = read_portion(chapter, at, manner)
        for one in portion.utterances:
            words = said(one.written, manner).text
            yield frontend.inputs(words, voice.name, voice.language), one.utterance.pause
        if portion.next is None:
            return
        at = portion.next


def _run(model: Model, item: Item) -> Output:
    """The output for one item. Raises what became of it otherwise."""
    try:
        outcome = model.run([item])[0]
    except Exception as error:  # whatever a runtime raises
        raise failure(error) from error
    if isinstance(outcome, ChorusError):
        raise outcome
    return outcome


def _checked(output: Output, spec: ModelSpec) -> Speech:
    """Speech as a sound model gives it."""
    if not isinstance(output, Speech):
        raise ModelFailed(f"The model gives {type(output).__name__} instead of Speech.")
    if not output.samples.size or not np.isfinite(output.samples).all():
        raise ModelFailed("The audio is empty or not finite.")
    if output.rate != spec.sample_rate:
        raise ModelFailed(f"The model gives {output.rate} Hz; models.yaml says {spec.sample_rate} Hz.")
    if (peak := float(np.abs(output.samples).max())) < SILENCE:
        raise ModelFailed(f"The audio is silent: its peak is {peak:.6f}.")
    return output
