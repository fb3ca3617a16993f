"""The benchmarks' own arithmetic, and their command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.__main__ import benchmarks, main
from benchmarks.speakers import alike, equal_error_rate, read_trials
from benchmarks.store import CLIPS, RATE, SECONDS, SPEECH, speechlike, utterances
from benchmarks.support.recordings import read_manifest, spread
from benchmarks.timing import find
from benchmarks.vad import precision_and_recall, read_labels
from core.errors import ConfigurationError
from models.base import Item


def test_the_equal_error_rate_of_speakers_apart_is_none() -> None:
    rate, threshold = equal_error_rate([0.7, 0.8, 0.9], [0.1, 0.2, 0.5])
    assert rate == 0
    assert threshold == pytest.approx(0.6)


def test_the_equal_error_rate_counts_both_errors() -> None:
    assert equal_error_rate([0.9, 0.8, 0.7, 0.3], [0.1, 0.2, 0.25, 0.6])[0] == pytest.approx(0.25)
    assert equal_error_rate([0.1, 0.2], [0.8, 0.9])[0] == pytest.approx(1)
    assert equal_error_rate([0.5, 0.5], [0.5, 0.5])[0] == pytest.approx(0.5)


def test_the_equal_error_rate_lies_between_steps() -> None:
    # One of three refused, none of two accepted; then none and one: the lines cross at 1/5.
    assert 0 < equal_error_rate([0.4, 0.8, 0.9], [0.1, 0.5])[0] < 0.5


def test_a_word_is_found_in_a_file_by_its_samples(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 60 * 8000).astype(np.float32)
    soundfile.write(tmp_path / "a.flac", samples, 8000)
    template = samples[55 * 8000 + 17 : 56 * 8000]
    assert find(tmp_path / "a.flac", 8000, template, 60.0) == 55 + 17 / 8000


def test_precision_and_recall_count_frames() -> None:
    assert precision_and_recall([(1.0, 3.0)], [(2.0, 4.0)], 10) == (0.5, 0.5)
    assert precision_and_recall([(1.0, 2.0), (1.5, 3.0)], [(1.0, 3.0)], 10) == (1, 1)
    assert precision_and_recall([], [(1.0, 3.0)], 10) == (0, 0)
    assert precision_and_recall([(0.0, 99.0)], [(0.0, 5.0)], 10) == (0.5, 1)


def test_labels_are_segments_or_else_rttm(tmp_path: Path) -> None:
    recording = tmp_path / "talk.wav"
    assert read_labels(recording) is None
    (tmp_path / "talk.rttm").write_text("SPEAKER talk 1 1.5 2.0 <NA> <NA> a <NA> <NA>\n\n")
    assert read_labels(recording) == [(1.5, 3.5)]
    (tmp_path / "talk.segments.tsv").write_text("start_s\tend_s\n0.5\t1\n")
    assert read_labels(recording) == [(0.5, 1.0)]
    (tmp_path / "talk.segments.tsv").write_text("start_s\tend_s\nx\t1\n")
    with pytest.raises(ConfigurationError):
        read_labels(recording)


def test_a_manifest_names_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "here.wav").touch()
    (tmp_path / "manifest.tsv").write_text("file\tkind\nhere.wav\tvad_audio\ngone.wav\tvad_audio\n")
    assert [entry.file for entry in read_manifest(tmp_path)] == ["here.wav"]
    (tmp_path / "manifest.tsv").write_text("path\nhere.wav\n")
    with pytest.raises(ConfigurationError, match="file"):
        read_manifest(tmp_path)


def test_trials_need_both_kinds(tmp_path: Path) -> None:
    path = tmp_path / "trials.tsv"
    path.write_text("same\ta\tb\n1\tx\ty\n")
    with pytest.raises(ConfigurationError):
        read_trials(path)
    path.write_text("same\ta\tb\n1\tx\ty\n0\tx\tz\n")
    assert [trial.same for trial in read_trials(path)] == [True, False]


def test_a_batch_is_spread_over_all_recordings() -> None:
    assert spread([str(n) for n in range(64)], 4) == ["0", "16", "32", "48"]
    assert spread(["a", "b"], 4) == ["a", "a", "b", "b"]


def test_a_batch_of_like_lengths_comes_from_the_middle() -> None:
    items = [Item({"samples": np.zeros(n, np.float32)}) for n in (9, 1, 5, 4, 6, 8, 2)]
    assert [len(item.inputs["samples"]) for item in alike(items, 3)] == [4, 5, 6]
    assert [len(item.inputs["samples"]) for item in alike(items[:2], 3)] == [1, 9, 1]


def test_utterances_to_store_are_speech_where_there_is_some(tmp_path: Path) -> None:
    length = round(SECONDS * RATE)
    clips, source = utterances(tmp_path)
    assert source == "noise"
    assert len({clip.tobytes() for clip in clips}) == CLIPS
    assert {(clip.shape, clip.dtype.name) for clip in clips} == {((length,), "float32")}
    ramp = np.linspace(-0.9, 0.9, round(CLIPS * SECONDS * RATE / 4) + 100, dtype=np.float32)
    lines = ["file\tkind"]
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.wav", ramp, RATE, "FLOAT")
        lines.append(f"{number}.wav\t{SPEECH}")
    (tmp_path / "manifest.tsv").write_text("\n".join(lines))
    clips, source = utterances(tmp_path)
    assert source == "recordings"
    assert [len(clip) for clip in clips] == [length] * CLIPS
    assert np.allclose(clips[0], ramp[:length], atol=1e-3)
    (tmp_path / "manifest.tsv").write_text("\n".join(lines[:-1]))
    assert utterances(tmp_path)[1] == "noise", "three quarters of what is needed"


def test_noise_in_place_of_speech_has_its_spectrum() -> None:
    power = np.abs(np.fft.rfft(speechlike(RATE * 5, 1))) ** 2
    bands = [power[5 * low : 5 * high].mean() for low, high in ((100, 500), (1000, 2000), (4000, 8000))]
    assert bands[0] > 5 * bands[1] > 25 * bands[2]


def test_every_benchmark_says_what_it_is() -> None:
    found = benchmarks()
    assert {"speakers", "store", "vad"} <= set(found)
    assert "recordings" not in found
    assert all(found.values())


def test_json_is_one_flat_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["padding", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures
    assert all(isinstance(value, float | int | str) for value in figures.values())


def test_a_missing_folder_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speakers", "--json", "--data", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("configuration: ")
