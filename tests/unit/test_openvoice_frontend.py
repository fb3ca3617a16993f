"""Text to the tokens of OpenVoice's base speakers."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InvalidRequest, InvalidText
from models.openvoice.english import english_symbols
from models.openvoice.frontend import OpenVoiceFrontend
from models.vits.rows import MAX_TOKENS
from tests.checkpoints.openvoice import SYMBOLS, openvoice_base
from tests.integration.vits_models import spec_of
from tests.shared_data import data_path
from text.phonemes import phonemize


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> OpenVoiceFrontend:
    folder = openvoice_base(tmp_path_factory.mktemp("base"), size="small")
    files = {"model": folder / "checkpoint.pth", "config": folder / "config.json"}
    return OpenVoiceFrontend(spec_of("openvoice_v1", files), lambda name: files[name])


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        # As eng_to_ipa writes the CMU dictionary's entries of these words.
        ("The birch canoe slid.", "ðə bəɹtʃ kəˈnu slɪd."),
        ("A nurse heard the button.", "ə nəɹs həɹd ðə ˈbətən."),
        ("Judges explained television.", "ˈdʒədʒɪz ɛkˈspleɪnd ˈtɛlɪˌvɪʒən."),
        ("a little bell", "ə ˈlɪtəɫ bɛɫ"),
    ],
)
def test_espeak_in_the_spelling_of_the_dictionary(text: str, symbols: str) -> None:
    assert english_symbols(phonemize(text, "en-us")) == symbols


def test_tokens_with_blanks(frontend: OpenVoiceFrontend) -> None:
    inputs = frontend.inputs("The birch.", "whispering", "en")
    assert inputs["speaker"] == 2
    assert inputs["tokens"][::2] == [0] * (len(inputs["tokens"]) // 2 + 1)
    assert "".join(SYMBOLS[token] for token in inputs["tokens"][1::2]) == "ðə bəɹtʃ."
    assert frontend.phonemes("The birch.", "whispering", "en") == "ðə bəɹtʃ."


def test_every_sentence_can_be_spoken(frontend: OpenVoiceFrontend) -> None:
    lines = Path(data_path("sentences/harvard.txt")).read_text(encoding="utf-8").splitlines()
    spoken = [frontend.inputs(line, "default", "en") for line in lines if line.strip()]
    assert len(spoken) >= 100
    # 4 to 20 sounds a second is how people speak; every other token is a blank.
    assert all(0.2 < frontend.seconds(inputs, {}) / (len(inputs["tokens"]) / 2 / 14) < 5 for inputs in spoken)


@pytest.mark.parametrize("text", ["", " ", "...", "\x00\x01", "\u200b"])
def test_what_cannot_be_spoken_is_an_error(frontend: OpenVoiceFrontend, text: str) -> None:
    with pytest.raises(InvalidText):
        frontend.inputs(text, "default", "en")


def test_bounds(frontend: OpenVoiceFrontend) -> None:
    with pytest.raises(InvalidText) as found:
        frontend.inputs("banana " * 600, "default", "en")
    assert found.value.code == "text_too_long"
    assert len(frontend.inputs("banana " * 100, "default", "en")["tokens"]) <= MAX_TOKENS
    with pytest.raises(InvalidRequest, match="no voice"):
        frontend.inputs("Hello.", "nobody", "en")
    with pytest.raises(InvalidRequest, match="does not speak"):
        frontend.inputs("Hello.", "default", "zh")
