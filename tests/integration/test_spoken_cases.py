"""What people complain about in public trackers, spoken by Piper and read back by Whisper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soxr

from core.settings import load_settings
from models.base import Item, Speech, Transcript
from models.catalog import frontend_class, load_catalog
from models.piper.model import PiperModel
from models.weights import WeightsCache, files_of
from models.whisper.model import WhisperModel
from tests.hearing import heard_right
from tests.spoken_cases import Case, cases, utterances

HEARD_AT = 16_000


def _files(name: str) -> Any:
    return files_of(load_catalog().get(name), WeightsCache(load_settings().cache))


@pytest.mark.parametrize(
    ("every", "share"), [(12, 0.8), pytest.param(1, 0.97, marks=[pytest.mark.proof, pytest.mark.timeout(1200)])]
)
def test_it_is_understood(every: int, share: float) -> None:
    """Of the short form's ten cases two may be misheard."""
    catalog = load_catalog()
    frontend = frontend_class(catalog.get("piper-joe"))(catalog.get("piper-joe"), _files("piper-joe"))
    piper = PiperModel(catalog.get("piper-joe"), _files("piper-joe"))
    piper.load("cpu")
    whisper = WhisperModel(catalog.get("whisper-tiny.en"), _files("whisper-tiny.en"))
    whisper.load("cpu")

    def heard(case: Case) -> str:
        items = [Item(frontend.inputs(text, "joe", "en-US"), seed=1) for text in utterances(case.written)]
        spoken = [outcome for outcome in piper.run(items) if isinstance(outcome, Speech)]
        samples = np.concatenate([np.asarray(speech.samples) for speech in spoken])
        samples = soxr.resample(samples, spoken[0].rate, HEARD_AT)
        (transcript,) = whisper.run([Item({"samples": samples, "rate": HEARD_AT})])
        assert isinstance(transcript, Transcript), transcript
        return transcript.text

    told = cases()[::every]
    wrong = [(case.said, text) for case in told if not heard_right(case.said, text := heard(case))]
    assert len(wrong) <= (1 - share) * len(told), wrong
