"""Times of words: those of durations against what Whisper hears, and the last word of an hour of audio."""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import soxr
from numpy.typing import NDArray

from audio.decode import stream as decoded
from audio.encode import Encoder
from audio.join import join
from audio.samples import Samples
from benchmarks.support.recordings import say
from core.errors import ConfigurationError
from core.names import AudioFormat, Markup
from core.settings import settings
from core.work import UtteranceWork, WordPlaces
from models.base import Frontend, Item, Speech, Transcript
from models.catalog import load_catalog, model_class
from models.families import family_of
from models.weights import WeightsCache, files_of
from storage.ledger.documents import JobDocument
from storage.objects.objects import Objects
from text.captions.alignment import TimedWord, align
from workers.steps.utterances import Reader, Spoken, spoken
from workers.timing.files import write_json
from workers.timing.places import WordPlacer
from workers.timing.timeline import Timeline, word_samples

SPEAKING, VOICE, LANGUAGE = "piper-joe", "joe", "en-US"
HEARING = "whisper-tiny.en"
HEARD_RATE = 16_000

SENTENCES = 30  #: of the Harvard sentences
HOUR, MINUTE = 3600.0, 60.0  #: seconds
REPEATED = 12  #: sentences that long audio consists of
PAUSES = (0.25, 0.6, 0.45, 0.1, 1.2)  #: seconds, in turns; at 22,050 Hz some are no whole numbers of samples

#: The last words of long audio, which are said nowhere else in it.
LAST = "Finally, everybody applauded the extraordinary violinist."

#: Files of another rate than the voice's, so that all is resampled: one of an hour, the others of a minute.
LONG = (AudioFormat.M4A, 24_000)
SHORT = ((AudioFormat.MP3, 44_100), (AudioFormat.OPUS, 48_000), (AudioFormat.FLAC, 16_000))
SEARCHED = 40.0  #: seconds at the end of a file in which the last word is looked for
TEMPLATE = 0.6  #: seconds of speech from the beginning of the last word on


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence with its words, as it is spoken: ``durations`` in seconds a token."""

    said: Spoken
    places: WordPlaces
    samples: Samples
    durations: Sequence[float]


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """``word_time_median_s``: median distance of the beginnings of words, as Piper's durations have them, to those that
    Whisper hears; ``estimated_median_s``: the same without durations. ``drift_s_per_hour``: where the last word of an
    hour of audio is said to begin, against where its samples are found in the decoded file by correlation;
    ``off_s_FORMAT``: by how much later it is found in a file of a minute."""
    voice = _Voice()
    texts = (arguments.data / "sentences" / "harvard.txt").read_text(encoding="utf-8").splitlines()[:SENTENCES]
    say(f"{len(texts)} sentences spoken")
    utterances = [voice.speak(text) for text in texts]
    say("heard by Whisper")
    heard = _heard(utterances, texts, voice.rate)
    distances, estimated = (_distances(utterances, heard, voice.rate, known=known) for known in (True, False))
    figures: dict[str, float | int | str] = {
        "sentences": len(texts),
        "words": len(distances),
        "word_time_median_s": _rounded(np.median(np.abs(distances))),
        "word_time_p90_s": _rounded(np.quantile(np.abs(distances), 0.9)),
        "word_time_bias_s": _rounded(np.median(distances)),
        "estimated_median_s": _rounded(np.median(np.abs(estimated))),
    }
    said = [*utterances[:REPEATED], voice.speak(LAST)]
    for kind, rate in SHORT:
        minute = _Long(said, voice.rate, MINUTE)
        stated, found, seconds = minute.last_word(kind, rate)
        figures[f"off_s_{kind.value}"] = round(found - stated, 4) + 0.0  # no -0.0
    kind, rate = LONG
    say(f"an hour of {kind.value} at {rate} Hz")
    stated, found, seconds = _Long(said, voice.rate, HOUR).last_word(kind, rate)
    return {**figures, "hour_s": round(seconds, 3), "drift_s_per_hour": round(abs(found - stated) * HOUR / seconds, 4)}


class _Voice:
    """Piper's front end and network, on a CPU."""

    def __init__(self) -> None:
        spec = load_catalog().get(SPEAKING)
        files = files_of(spec, WeightsCache(settings().cache.expanduser()))
        self._frontend = _frontend(spec.type)(spec, files)
        self._model = model_class(spec)(spec, files)
        self._model.load("cpu")
        self.rate = spec.sample_rate or 0

    def speak(self, text: str) -> Utterance:
        """One sentence."""
        document = JobDocument(owner="", pipeline="piper", language=LANGUAGE, voice=VOICE)
        reader = Reader(document, VOICE, self._frontend)
        [said] = spoken(reader, [text])
        places = WordPlacer(reader, [text]).words(said)
        [speech] = self._model.run([Item(said.inputs, seed=7)])
        if places is None or not isinstance(speech, Speech) or speech.durations is None:
            raise ConfigurationError(f"A sentence was not spoken: {speech}", code="benchmark_failed")
        return Utterance(said, places, speech.samples, speech.durations)


def _frontend(family: str) -> Callable[..., Frontend]:
    module, _, name = (family_of(family).frontend or "").partition(":")
    return cast(Callable[..., Frontend], getattr(importlib.import_module(module), name))


def _heard(utterances: Sequence[Utterance], texts: Sequence[str], rate: int) -> list[list[TimedWord]]:
    """The words of each sentence where Whisper hears them."""
    spec = load_catalog().get(HEARING)
    model = model_class(spec)(spec, files_of(spec, WeightsCache(settings().cache.expanduser())))
    model.load("cpu")
    found = []
    for one, text in zip(utterances, texts, strict=True):
        samples = soxr.resample(one.samples, rate, HEARD_RATE).astype(np.float32)
        inputs = {"samples": samples, "rate": HEARD_RATE, "language": "en"}
        [transcript] = model.run([Item(inputs, options={"words": True})])
        if not isinstance(transcript, Transcript):
            raise ConfigurationError(f"A sentence was not heard: {transcript}", code="benchmark_failed")
        words = [word for segment in transcript.segments for word in segment.words or ()]
        heard = [TimedWord(word.start, word.end, word.word) for word in words]
        found.append(align(text, heard, len(one.samples) / rate))
    return found


def _distances(
    utterances: Sequence[Utterance], heard: Sequence[Sequence[TimedWord]], rate: int, *, known: bool
) -> NDArray[np.float64]:
    """The seconds by which each word begins later than it is heard; ``known``: by the durations, not estimated."""
    found: list[float] = []
    for one, words in zip(utterances, heard, strict=True):
        durations = np.asarray(one.durations) if known else None
        starts = word_samples(one.places, durations, one.samples, rate)[::2] / rate
        found += [start - word.start for start, word in zip(starts.tolist(), words, strict=True)]
    return np.asarray(found)


class _Long:
    """Long audio: sentences in turns with pauses, and one that is said at the end alone."""

    def __init__(self, utterances: Sequence[Utterance], rate: int, seconds: float) -> None:
        self._rate = rate
        *repeated, last = utterances
        self._said: list[Utterance] = []
        self._works: list[UtteranceWork] = []
        self._texts: list[str] = []
        samples = offset = 0
        while samples < seconds * rate - len(last.samples):
            number = len(self._said)
            offset, samples = self._add(repeated[number % len(repeated)], PAUSES[number % len(PAUSES)], offset, samples)
        self._add(last, 0.0, offset, samples)

    def _add(self, one: Utterance, pause: float, offset: int, samples: int) -> tuple[int, int]:
        source = (0, offset, offset + len(one.said.utterance.text))
        work = UtteranceWork.single(artifact="", inputs={}, options={}, seed=0, pause=pause)
        self._works.append(replace(work, source=source, words=one.places))
        self._said.append(one)
        self._texts.append(one.said.utterance.text)
        return source[2] + 1, samples + len(one.samples) + round(pause * self._rate)

    def last_word(self, kind: AudioFormat, rate: int) -> tuple[float, float, float]:
        """Where the last word begins in a file: as its times say, and as it is found in the decoded file;
        and the seconds of the file."""
        timeline = Timeline(cast(Objects, None), self._works, self._rate)  # nothing has to be fetched
        pieces = [
            (partial(_noted, timeline, index, one), work.pause)
            for index, (one, work) in enumerate(zip(self._said, self._works, strict=True))
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"audio.{kind.value}"
            with Encoder(path, kind, self._rate, rate) as encoder:
                for chunk in join(pieces, self._rate):
                    encoder.write(chunk)
                seconds = encoder.close().duration
            stated = self._stated(timeline, Path(folder) / "times.json")
            found = find(path, rate, self._template(rate), seconds)
        return stated, found, seconds

    def _stated(self, timeline: Timeline, path: Path) -> float:
        utterances = timeline.utterances([" ".join(self._texts)], Markup.NONE, LANGUAGE)
        duration = timeline.starts[-1] / self._rate
        write_json(path, utterances, self._rate, duration=duration, words=True, method=timeline.method, several=False)
        return float(json.loads(path.read_text())["utterances"][-1]["words"][-1]["start"])

    def _template(self, rate: int) -> Samples:
        """The beginning of the last word at ``rate`` Hz: what is looked for."""
        last = self._said[-1]
        start = int(word_samples(last.places, np.asarray(last.durations), last.samples, self._rate)[-2])
        whole: Samples = soxr.resample(last.samples, self._rate, rate).astype(np.float32)
        begin = round(start * rate / self._rate)
        return whole[begin : begin + round(TEMPLATE * rate)]


def _noted(timeline: Timeline, index: int, one: Utterance) -> Samples:
    timeline.note(index, one.samples, {"durations": list(one.durations)})
    return one.samples


def find(path: Path, rate: int, template: Samples, seconds: float) -> float:
    """Where ``template`` is found in the last seconds of a file, in seconds of the file: at the largest normalized
    cross-correlation. All samples before it are counted as they are decoded."""
    before, kept = 0, deque[Samples]()
    size = 0
    for chunk in decoded(path, rate, max_seconds=seconds + 60):
        kept.append(chunk)
        size += len(chunk)
        while size - len(kept[0]) >= SEARCHED * rate:
            size -= len(kept[0])
            before += len(kept.popleft())
    end = np.concatenate(kept).astype(np.float64)
    points = len(end) + len(template) - 1
    spectrum = np.fft.rfft(end, points) * np.conj(np.fft.rfft(template, points))
    matches = np.fft.irfft(spectrum, points)[: len(end) - len(template) + 1]
    energy = np.cumsum([0.0, *np.square(end)])
    norms = np.sqrt(np.maximum(energy[len(template) :] - energy[: -len(template)], 0.0)) + 1e-3
    return (before + int(np.argmax(matches / norms))) / rate


def _rounded(figure: np.floating[Any]) -> float:
    return round(float(figure), 4)
