"""Dense numbers, dates, names and addresses through the front ends of both voices: no word is in no utterance.

Forty texts in each run of the tests, five hundred in ``make proof``.
"""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.errors import InvalidText
from core.names import Clean
from core.redis import connect
from models.base import Frontend, Item, Speech
from models.catalog import frontend_class, load_catalog, model_class
from models.kokoro import MAX_TOKENS
from models.weights import WeightsCache, files_of
from storage.access.keys import create_key
from storage.ledger.documents import JobDocument
from storage.ledger.records import Outcome
from tests.conftest import S3
from tests.dense_texts import dense_texts
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from text.scripts import unreadable, without
from text.sounds.foreign import is_sayable
from text.speakable import clean, has_word
from workers.steps.utterances import Reader, Spoken, spoken

VOICES = {"piper-joe": "joe", "kokoro": "jf_alpha"}
LANGUAGE = "en-US"

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module", params=[40, pytest.param(500, marks=pytest.mark.proof)], ids=["forty", "five hundred"])
def texts(request: pytest.FixtureRequest) -> list[str]:
    return dense_texts(request.param)


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


def files(model: str) -> Any:
    from core.settings import load_settings

    return files_of(load_catalog().get(model), WeightsCache(load_settings().cache))


def frontend_of(model: str) -> Frontend:
    spec = load_catalog().get(model)
    return frontend_class(spec)(spec, files(model))


def said(model: str, frontend: Frontend, text: str) -> list[Spoken]:
    document = JobDocument(owner="ann", pipeline=model, language=LANGUAGE, clean=Clean.NONE)  # HTML in it is text, too
    return spoken(Reader(document, VOICES[model], frontend), [text])


def letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


class Heard:
    """Whether a word has a sound by itself, each asked once."""

    def __init__(self, model: str, frontend: Frontend) -> None:
        self._voice, self._frontend = VOICES[model], frontend
        self._known: dict[str, bool] = {}

    def __call__(self, word: str) -> bool:
        if word not in self._known:
            try:
                self._known[word] = bool(self._frontend.inputs(word, self._voice, LANGUAGE)["tokens"])
            except InvalidText as error:
                self._known[word] = error.code == "text_too_long"
        return self._known[word]


@pytest.mark.parametrize("model", VOICES)
def test_every_word_is_in_an_utterance_that_fits(model: str, texts: list[str]) -> None:
    frontend = frontend_of(model)
    heard = Heard(model, frontend)
    for text in texts:
        cleaned, found = clean(text), said(model, frontend, text)
        told = unreadable(cleaned, LANGUAGE)
        assert "".join(
            letters(without(u.text, unreadable(u.text, LANGUAGE))) for u in (f.utterance for f in found)
        ) == (letters(without(cleaned, told))), text
        assert [letters(text[s.start : s.end]) for s in unreadable(text, LANGUAGE)] == [
            letters(cleaned[s.start : s.end]) for s in told
        ], text
        for part in (f for f in found if f.error is None):
            read = without(part.utterance.text, unreadable(part.utterance.text, LANGUAGE))
            assert part.inputs["tokens"] and frontend.seconds(part.inputs, {}) <= frontend.max_seconds, part
            assert model != "kokoro" or len(part.inputs["tokens"]) <= MAX_TOKENS
            assert [word for word in read.split() if has_word(word) and not heard(word)] == [], part


def test_a_job_that_lost_a_word_does_not_succeed(
    client: FlaskClient, valkey: str, seaweedfs: S3, texts: list[str]
) -> None:
    """Each text as a job: its utterances, its errors and its end are those that its words ask for."""
    line, frontend = CpuLine(settings_for(valkey, seaweedfs)), frontend_of("piper-joe")
    states = set()
    for text in texts if len(texts) > 100 else texts[:20]:
        answer = client.post("/v1/jobs", json={"pipeline": "piper", "text": text, "clean": "none"})
        found = said("piper-joe", frontend, text)
        if answer.status_code == 422:
            assert found == [], (text, answer.get_json())
            continue
        name = answer.get_json()["id"]
        while line.run(1) and (at := line.connections.ledger.get(name)) and at.preparing:
            pass  # the next portion of its text
        while refs := line.waiting("piper-joe"):
            line.connections.ledger.advance([Outcome(ref=ref, station="piper-joe") for ref in refs])
        failed = {n: f.error.code for n, f in enumerate(found) if f.error is not None}
        job = client.get(f"/v1/jobs/{name}").get_json()
        if job["state"] == "running":
            line.end(name)
            job = client.get(f"/v1/jobs/{name}").get_json()
        states.add(job["state"])
        assert job["state"] == ("failed" if failed or not found else "succeeded"), (text, job)
        assert {error["utterance"]: error["code"] for error in job["errors"]} == failed
        assert not found or job["progress"]["total"] == len(found)
        silent = {part for part in unreadable(text, LANGUAGE) if not is_sayable(text[part.start : part.end], LANGUAGE)}
        assert len(job["warnings"]) >= min(20, len(silent)), text
    assert "succeeded" in states


@pytest.mark.parametrize("count", [6, pytest.param(500, marks=pytest.mark.proof)])
@pytest.mark.parametrize("model", VOICES)
def test_the_longest_of_them_are_spoken(model: str, count: int) -> None:
    """Of a few texts at twice the speed, which takes half the time and as many tokens."""
    speed = 2.0 if count < 100 else 1.0
    spec, frontend = load_catalog().get(model), frontend_of(model)
    found = [f for text in dense_texts(count) for f in said(model, frontend, text) if f.error is None]
    found.sort(key=lambda f: len(f.inputs["tokens"]))
    loaded = model_class(spec)(spec, files(model))
    loaded.load("cpu")
    for part in (found[0], found[-1]):
        [outcome] = loaded.run([Item(part.inputs, {"speed": speed}, seed=1)])
        assert isinstance(outcome, Speech), (part, outcome)
        assert 0.05 < speed * len(outcome.samples) / outcome.rate < 60
