"""No word is lost on its way to a voice: the real front ends of Piper and Kokoro, and what the ledger is told."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from audio.artifact import pack
from audio.join import CEILING, join, level_to
from audio.loudness import Meter
from core.names import Normalize
from core.redis import connect
from models.base import Frontend, Item, Speech
from models.catalog import frontend_class, load_catalog
from models.piper.model import PiperModel
from models.weights import WeightsCache, files_of
from storage.access.keys import create_key
from storage.ledger.documents import JobDocument
from storage.ledger.records import Outcome
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from text.utterances import CHAPTER_PAUSE, LINE_PAUSE, PARAGRAPH_PAUSE, SENTENCE_PAUSE
from workers.steps.utterances import Reader, Spoken, spoken

VOICES = {"piper-joe": "joe", "kokoro": "jf_alpha"}
ORDER = "Please take this down. Order 9780140449136, 9780140457055, 9780140464974, 9780140472893. Then close the book."
DENSE = "Call " + ", ".join(str(9_780_140_449 + n * 7_654_321) for n in range(13)) + " today."

#: A letter of old Korean, which espeak-ng passes over without a sound.
MUTE = "\ua960"

Speak = Callable[..., list[Spoken]]


def files(model: str) -> Any:
    from core.settings import load_settings

    return files_of(load_catalog().get(model), WeightsCache(load_settings().cache))


@pytest.fixture(scope="module")
def frontends() -> dict[str, Frontend]:
    specs = [load_catalog().get(name) for name in VOICES]
    return {spec.name: frontend_class(spec)(spec, files(spec.name)) for spec in specs}


@pytest.fixture(scope="module")
def speak(frontends: dict[str, Frontend]) -> Speak:
    def speak(model: str, *chapters: str, **options: float) -> list[Spoken]:
        # As it is written: espeak's readings of numbers are the longest.
        document = JobDocument(owner="ann", pipeline=model, language="en-US", options=options, normalize=Normalize.NONE)
        return spoken(Reader(document, VOICES[model], frontends[model]), chapters)

    return speak


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


@pytest.fixture
def line(valkey: str, seaweedfs: S3) -> CpuLine:
    return CpuLine(settings_for(valkey, seaweedfs))


@pytest.mark.parametrize("model", VOICES)
@pytest.mark.parametrize("text", [ORDER, DENSE])
def test_a_dense_sentence_is_cut_until_it_fits(speak: Speak, model: str, text: str) -> None:
    found = speak(model, text)
    assert not [f.error for f in found if f.error]
    assert " ".join(f.utterance.text for f in found) == text  # cut between words: no number is
    assert len(found) > (3 if text == DENSE or model == "kokoro" else 2)


def test_no_utterance_of_a_dense_sentence_is_too_long_for_piper(speak: Speak) -> None:
    model = PiperModel(load_catalog().get("piper-joe"), files("piper-joe"))
    model.load("cpu")
    for options in ({}, {"speed": 0.25}):
        longest = max(speak("piper-joe", DENSE, **options), key=lambda f: len(f.inputs["tokens"]))
        outcome = model.run([Item(longest.inputs, options, seed=1)])[0]
        assert isinstance(outcome, Speech), outcome
        assert len(outcome.samples) / outcome.rate < 45
    whole = Item({"tokens": [t for f in speak("piper-joe", DENSE) for t in f.inputs["tokens"]]}, {"speed": 0.5})
    failed = model.run([whole])[0]
    assert getattr(failed, "code", None) == "utterance_too_long"


@pytest.mark.parametrize("on_error", ["fail", "silence"])
def test_an_utterance_that_cannot_be_spoken_is_told_and_no_silence(
    client: FlaskClient, line: CpuLine, on_error: str
) -> None:
    body = {"pipeline": "piper", "text": f"One. Two {MUTE} two. Three.", "on_error": on_error}
    name = client.post("/v1/jobs", json=body).get_json()["id"]
    assert line.run(1) == 1
    spoken_to = []
    while refs := line.waiting("piper-joe"):
        spoken_to += [ref.index for ref in refs]
        assert all(line.connections.ledger.advance([Outcome(ref=r, station="piper-joe") for r in refs]))
    assert sorted(spoken_to) == [0, 2]
    job = client.get(f"/v1/jobs/{name}").get_json()
    assert [(e["utterance"], e["code"], e["step"]) for e in job["errors"]] == [(1, "invalid_text", "prepare")]
    assert job["state"] == ("failed" if on_error == "fail" else "running")
    if on_error == "fail":
        assert job["error"]["code"] == "invalid_text" and job["warnings"] == []
        client.post(f"/v1/jobs/{name}/retry")
        assert line.run(1) == 1
        assert [e["utterance"] for e in client.get(f"/v1/jobs/{name}").get_json()["errors"]] == [1]


def test_chapters_are_marked_and_parted(client: FlaskClient, line: CpuLine) -> None:
    """Two chapters with a silent one between them, rendered and assembled: where each starts, and the pause there."""
    chapters = [
        {"title": "First", "text": "One. Two.\n\nThree."},
        {"title": "Empty", "text": "---"},
        {"title": "Last", "text": "Heading\nFour."},
    ]
    body = {"pipeline": "piper", "chapters": chapters, "output": {"loudness": -16, "format": "flac"}}
    name = client.post("/v1/jobs", json=body).get_json()["id"]
    assert line.run(1) == 1
    pauses = [work.pause for work in line.connections.ledger.utterances(name)[0]]
    assert pauses == [SENTENCE_PAUSE, PARAGRAPH_PAUSE, CHAPTER_PAUSE, LINE_PAUSE, CHAPTER_PAUSE]
    rng = np.random.default_rng(1)
    while refs := line.waiting("piper-joe"):
        for ref in refs:
            work = line.connections.ledger.take("piper-joe", [ref])[0]
            assert work is not None and work.utterance is not None
            samples = (0.05 * rng.standard_normal(22_050)).astype(np.float32)
            samples[::5000] = 0.9
            line.connections.objects.put(work.utterance.artifact, pack(samples, 22_050, {}), "audio/flac")
        assert all(line.connections.ledger.advance([Outcome(ref=r, station="piper-joe") for r in refs]))
    assert line.run(1) == 1
    result = client.get(f"/v1/jobs/{name}").get_json()["result"]
    second = 3 + sum(pauses[:3])
    assert result["chapters"] == [
        {"title": "First", "start": 0.0},
        {"title": "Empty", "start": second},
        {"title": "Last", "start": second},
    ]
    assert result["audio"]["loudness"] == pytest.approx(-16, abs=0.5)
    audio, rate = soundfile.read(io.BytesIO(client.get(f"/v1/jobs/{name}/audio").data))
    assert pyloudnorm.Meter(rate).integrated_loudness(audio) == pytest.approx(-16, abs=0.5)


def test_piper_is_as_loud_as_was_asked(speak: Speak) -> None:
    model = PiperModel(load_catalog().get("piper-joe"), files("piper-joe"))
    model.load("cpu")
    texts = ("The birch canoe slid on the smooth planks.", "Glue the sheet to the dark blue background.", "Yes.")
    items = [Item(f.inputs, seed=1) for text in texts for f in speak("piper-joe", text)]
    pieces = [(partial(np.asarray, o.samples), 0.25) for o in model.run(items) if isinstance(o, Speech)]
    assert len(pieces) == len(texts)
    for target in (-23.0, -16.0):
        audio = np.concatenate(list(join(pieces, 22_050, level=level_to(target, pieces, 22_050))))
        assert pyloudnorm.Meter(22_050).integrated_loudness(audio.astype(float)) == pytest.approx(target, abs=0.5)
        meter = Meter(22_050)
        meter.add(audio)
        assert meter.true_peak() <= CEILING


def test_a_script_that_the_voice_cannot_read_is_refused_or_told(client: FlaskClient, line: CpuLine) -> None:
    japanese = "吾輩は猫である。名前はまだ無い。"
    body = {"pipeline": "kokoro", "voice": "jf_alpha", "text": japanese}
    refused = client.post("/v1/jobs", json=body)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "unspeakable_text")
    assert refused.get_json()["errors"][0]["field"] == "text"
    chapters = [{"text": "One."}, {"text": f"He wrote:\r\n{japanese} And died."}]
    made = client.post("/v1/jobs", json={"pipeline": "kokoro", "chapters": chapters})
    assert line.run(1) == 1
    job = client.get(f"/v1/jobs/{made.get_json()['id']}").get_json()
    [warning] = job["warnings"]
    assert (warning["code"], warning["chapter"]) == ("unspeakable_text", 1)
    assert chapters[1]["text"][warning["start"] : warning["end"]] == japanese[:-1]
    assert job["progress"]["total"] == 3


@pytest.mark.parametrize("model", VOICES)
@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The o\ufb03ce sta\ufb00 was e\ufb03cient.", "The office staff was efficient."),
        ("This is 𝐁𝐨𝐥𝐝, Ⓣⓗⓘⓢ is ｗｉｄｅ and ＴＨＩＳ is ②.", "This is Bold, This is wide and THIS is 2."),
        ("Nguyễn, Ștefan and ʜᴇʀ 20℃.", "Nguyen, Stefan and her 20°C."),
    ],
)
def test_letters_in_other_dresses_are_spoken_as_words(speak: Speak, model: str, text: str, plain: str) -> None:
    dressed, bare = speak(model, text), speak(model, plain)
    assert [f.inputs for f in dressed] == [f.inputs for f in bare]
    assert not [f.error for f in dressed if f.error]
