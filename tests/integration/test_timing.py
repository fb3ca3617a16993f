"""Times and subtitles of real jobs, spoken with real weights in this process."""

from __future__ import annotations

import base64
import io
import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from audio.join import SILENCE
from core.redis import connect
from core.work import CPU
from storage.access.keys import create_key
from storage.ledger.registry import WorkerRecord, announce
from tests.conftest import S3
from tests.integration.spoken_line import SpokenLine
from tests.integration.test_api import settings_for
from tests.unit.test_subtitles import parse_srt, parse_vtt

RATE = 22_050
TEXT = (
    "On 3/4/2025 Dr. Smith paid $5.50 for 3 kg of the “best” apples.\n\nThe R&D team, of course, did not pay — at all."
)


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


@pytest.fixture
def line(valkey: str, seaweedfs: S3) -> SpokenLine:
    return SpokenLine(settings_for(valkey, seaweedfs), "piper-joe", "kokoro")


def spoken(client: FlaskClient, line: SpokenLine, **body: Any) -> dict[str, Any]:
    """The job that is done: as polled."""
    answer = client.post("/v1/jobs", json={"pipeline": "piper", **body})
    assert answer.status_code == 202, answer.text
    line.speak()
    found: dict[str, Any] = client.get(f"/v1/jobs/{answer.get_json()['id']}").get_json()
    assert found["state"] == "succeeded", found
    return found


def times_of(client: FlaskClient, job: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"/v1/jobs/{job['id']}/timestamps")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    stated = job["result"]["timestamps"]
    assert len(answer.data) == stated["bytes"] and stated["url"].endswith(f"/{job['id']}/timestamps")
    found: dict[str, Any] = answer.get_json()
    assert len(found["utterances"]) == stated["utterances"] and found["method"] == stated["method"]
    return found


def subtitles_of(client: FlaskClient, job: dict[str, Any]) -> str:
    answer = client.get(f"/v1/jobs/{job['id']}/subtitles")
    assert answer.status_code == 200
    assert len(answer.data) == job["result"]["subtitles"]["bytes"]
    return answer.get_data(as_text=True)


def audio_of(client: FlaskClient, job: dict[str, Any]) -> Any:
    samples, rate = soundfile.read(io.BytesIO(client.get(f"/v1/jobs/{job['id']}/audio").data), dtype="float32")
    assert rate == job["result"]["audio"]["sample_rate"]
    return samples


def test_each_word_of_the_source_has_its_time(client: FlaskClient, line: SpokenLine) -> None:
    job = spoken(client, line, text=TEXT, output={"timestamps": "word"})
    found, samples = times_of(client, job), audio_of(client, job)
    assert found["method"] == "durations"
    assert found["duration"] == pytest.approx(len(samples) / RATE, abs=1e-4)
    words = [word for one in found["utterances"] for word in one["words"]]
    assert [word["word"] for word in words] == [word for word in TEXT.split() if word != "—"]
    assert job["result"]["timestamps"]["words"] == len(words)
    assert all(TEXT[w["offset"] : w["offset"] + w["length"]] == w["word"] for w in words)
    for one in found["utterances"]:
        inside = one["words"]
        assert one["start"] <= inside[0]["start"] and inside[-1]["end"] <= one["end"]
        assert " ".join(TEXT[one["offset"] : one["offset"] + one["length"]].split()) == one["text"]
        for word, following in itertools.pairwise(inside):
            assert word["start"] < word["end"] <= following["start"]
    longest = max(words, key=lambda word: word["end"] - word["start"])
    assert longest["word"] == "3/4/2025"  # March fourth twenty twenty five
    # What sounds of an utterance begins and ends with its words; between two utterances nothing does.
    first, second = found["utterances"]
    loud = np.flatnonzero(np.abs(samples) > 0.01) / RATE
    assert loud[0] == pytest.approx(first["words"][0]["start"], abs=0.05)
    assert loud[-1] == pytest.approx(second["words"][-1]["end"], abs=0.08)
    assert second["start"] - first["end"] == pytest.approx(0.6, abs=1e-3)
    assert not np.any(samples[round(first["end"] * RATE) : round(second["start"] * RATE)])


def test_times_of_utterances_alone(client: FlaskClient, line: SpokenLine) -> None:
    chapters = [{"title": "One", "text": "First words."}, {"title": "Two", "text": "Second words. Third words."}]
    job = spoken(client, line, chapters=chapters, output={"timestamps": "utterance", "format": "mp3"})
    found = times_of(client, job)
    assert found["method"] is None and job["result"]["timestamps"]["words"] is None
    shown = [(one["chapter"], one["offset"], one["length"], one["text"]) for one in found["utterances"]]
    assert shown == [(0, 0, 12, "First words."), (1, 0, 13, "Second words."), (1, 14, 12, "Third words.")]
    starts = [one["start"] for one in found["utterances"]]
    assert [chapter["start"] for chapter in job["result"]["chapters"]] == pytest.approx(starts[:2], abs=1e-3)
    assert not any("words" in one for one in found["utterances"])


def test_an_utterance_that_is_left_out_is_silence_without_words(client: FlaskClient, line: SpokenLine) -> None:
    line.failing = {1}
    text = "First words. Second words. Third words."
    output = {"timestamps": "word", "subtitles": "srt", "loudness": -20}
    job = spoken(client, line, text=text, on_error="silence", output=output)
    first, second, third = times_of(client, job)["utterances"]
    assert second["left_out"] and second["words"] == [] and "left_out" not in first
    assert second["end"] - second["start"] == pytest.approx(SILENCE, abs=1e-3)
    samples = audio_of(client, job)
    assert not np.any(samples[round(first["end"] * RATE) : round(third["start"] * RATE)])
    assert [text for *_, text in parse_srt(subtitles_of(client, job))] == ["First words.", "Third words."]


def test_subtitles_show_the_source(client: FlaskClient, line: SpokenLine) -> None:
    text = "Is 3 < 4 & 5 --> 6? <b>Yes</b>, R&D says. " + "A sentence that goes on and on, as some do, " * 5
    for kind, read in (("srt", parse_srt), ("vtt", parse_vtt)):
        job = spoken(client, line, text=text, output={"subtitles": kind, "format": "opus"})
        assert job["result"]["timestamps"] is None
        cues = read(subtitles_of(client, job))
        assert len(cues) == job["result"]["subtitles"]["cues"] > 3
        shown = " ".join(cue[2].replace("\n", " ") for cue in cues)
        assert shown.startswith("Is 3 < 4 & 5") and "R&D says. A sentence" in shown
        assert all(len(row) <= 42 for cue in cues for row in cue[2].split("\n"))
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(cues))
        assert cues[-1][1] <= job["result"]["audio"]["duration"] + 0.01


def test_a_book_in_portions(client: FlaskClient, line: SpokenLine) -> None:
    """Offsets count from the beginning of the chapter, in whatever run an utterance is prepared. Equal utterances are
    rendered once."""
    text = "\n\n".join(["This paragraph is said again and again, as a book of many pages would be."] * 40)
    job = spoken(client, line, text=text, output={"timestamps": "word"})
    words = [word for one in times_of(client, job)["utterances"] for word in one["words"]]
    assert [word["word"] for word in words] == text.split()
    assert all(text[w["offset"] : w["offset"] + w["length"]] == w["word"] for w in words)
    assert all(one["end"] <= other["start"] for one, other in itertools.pairwise(words))


def test_kokoro(client: FlaskClient, line: SpokenLine) -> None:
    """The pads at both ends, which count to the tokens beside them, are no part of a word."""
    text = "Dr. Smith paid $5.50."
    job = spoken(client, line, pipeline="kokoro", text=text, output={"timestamps": "word"})
    [one] = times_of(client, job)["utterances"]
    loud = np.flatnonzero(np.abs(audio_of(client, job)) > 0.005) / job["result"]["audio"]["sample_rate"]
    assert one["method"] == "durations" and [word["word"] for word in one["words"]] == text.split()
    assert 0.1 < one["words"][0]["start"] == pytest.approx(loud[0], abs=0.1)
    assert one["words"][-1]["end"] == pytest.approx(loud[-1], abs=0.1) and one["words"][-1]["end"] < one["end"] - 0.1
    longest = max(one["words"], key=lambda word: word["end"] - word["start"])
    assert longest["word"] == "$5.50."


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_hostile_texts(client: FlaskClient, line: SpokenLine, kind: str) -> None:
    text = "Hi there\x00 --> all\u2028\n\n1\n00:00:01,000 --> 00:00:02,000\n\n"
    text += "NOTE\x85 \u202e{\\an8} <c.x> &lt; \ue000a\ue001"
    job = spoken(client, line, text=text, output={"timestamps": "word", "subtitles": kind})
    cues = (parse_srt if kind == "srt" else parse_vtt)(subtitles_of(client, job))
    assert cues and all(one[1] <= other[0] for one, other in itertools.pairwise(cues))
    assert "00:00:01,000" in " ".join(cue[2] for cue in cues)
    words = [word for one in times_of(client, job)["utterances"] for word in one["words"]]
    assert all(text[w["offset"] : w["offset"] + w["length"]] == w["word"] for w in words) and len(words) > 6


def test_times_of_another_owner_are_not_there(client: FlaskClient, line: SpokenLine, valkey: str) -> None:
    job = spoken(client, line, text="First words.", output={"timestamps": "word", "subtitles": "srt"})
    other = {"X-API-Key": create_key(connect(valkey), "bob")}
    for name in ("timestamps", "subtitles"):
        answer = client.get(f"/v1/jobs/{job['id']}/{name}", headers=other)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "job_not_found")
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert not list(line.connections.objects.names(f"ann/jobs/{job['id']}/"))


def test_a_part_of_the_file_and_what_is_not_there(client: FlaskClient, line: SpokenLine) -> None:
    job = spoken(client, line, text="First words.", output={"timestamps": "word"})
    own = f"/v1/jobs/{job['id']}"
    whole = client.get(f"{own}/timestamps")
    part = client.get(f"{own}/timestamps", headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.data) == (206, whole.data[2:10])
    again = client.get(f"{own}/timestamps", headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status_code == 304
    assert client.get(f"{own}/subtitles").get_json()["code"] == "no_subtitles"
    waiting = client.post("/v1/jobs", json={"pipeline": "piper", "text": "Hi.", "output": {"timestamps": "word"}})
    answer = client.get(f"/v1/jobs/{waiting.get_json()['id']}/timestamps")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "job_queued")


@pytest.mark.parametrize("field", [{"timestamps": "word"}, {"subtitles": "srt"}])
def test_what_speaks_no_text_has_no_times(client: FlaskClient, field: dict[str, str]) -> None:
    answer = client.post("/v1/jobs", json={"pipeline": "transcribe", "recording": {"base64": "AA=="}, "output": field})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "no_text")
    assert [one["field"] for one in answer.get_json()["errors"]] == [f"output.{next(iter(field))}"]


@pytest.fixture
def worker(line: SpokenLine) -> Iterator[SpokenLine]:
    """Workers that serve Piper, and no model that hears."""
    record = WorkerRecord(name="one", pid=os.getpid(), host="here", capacity={CPU: 4, "piper-joe": 4})
    announce(line.connections.redis, record)
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.01):
            line.speak()

    thread = threading.Thread(target=work)
    thread.start()
    yield line
    stop.set()
    thread.join()


CAPTIONED = {"model": "tts-1", "voice": "alloy", "input": "Hello — $5, world!", "response_format": "wav"}


@pytest.mark.usefixtures("worker")
def test_captions_need_no_model_that_hears(client: FlaskClient) -> None:
    found = client.post("/dev/captioned_speech", json=CAPTIONED).get_json()
    duration = soundfile.info(io.BytesIO(base64.b64decode(found["audio"]))).duration
    stamps = found["timestamps"]
    assert [stamp["word"] for stamp in stamps] == CAPTIONED["input"].split()
    times = [stamp[key] for stamp in stamps for key in ("start_time", "end_time")]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= duration
    lasting = {stamp["word"]: stamp["end_time"] - stamp["start_time"] for stamp in stamps}
    assert lasting["$5,"] > 0.5 > lasting["Hello"] > 0.1
    assert len(client.get("/v1/jobs").get_json()["data"]) == 1, "no other job transcribes it"


@pytest.mark.usefixtures("worker")
def test_captions_of_a_model_without_durations_need_one(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.piper.frontend.PiperFrontend.symbols", lambda *_: None)
    answer = client.post("/dev/captioned_speech", json=CAPTIONED)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "no_alignment_model")
    assert "whisper-tiny.en" in answer.get_json()["detail"]
