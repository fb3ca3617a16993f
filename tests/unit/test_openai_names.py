"""OpenAI's names of models and voices, and what they stand for here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import ConfigurationError, InvalidRequest, NotFound
from core.names import Role
from models.base import ModelSpec, Voice
from models.catalog import Catalog, load_catalog
from pipelines.definitions import StepData, load_pipelines
from pipelines.openai_names import SPEECH_MODELS, TRANSCRIPTION_MODELS, VOICES, OpenAINames, Target

CATALOG, PIPELINES = load_catalog(), load_pipelines()
ALL = frozenset(CATALOG.models)
KOKORO = tuple(CATALOG.models["kokoro"].voices)


def names(models: str | None = None, voices: str = "", catalog: Catalog = CATALOG) -> OpenAINames:
    return OpenAINames.read(models, voices, catalog, PIPELINES)


def voice(found: OpenAINames, model: str, asked: str | None, live: frozenset[str] = ALL) -> tuple[str, str | None]:
    """The model and the voice that a request gets."""
    target, chosen = found.choose_voice(found.find(model, live), asked, live)
    return target.models.get(Role.SYNTHESIZE, ""), chosen


def amy() -> ModelSpec:
    return replace(CATALOG.models["piper-joe"], name="piper-amy", voices={"amy": Voice(name="amy", language="en-US")})


@pytest.mark.parametrize("model", SPEECH_MODELS)
def test_openais_models_speak_with_the_first_that_is_served(model: str) -> None:
    found = names()
    assert found.find(model, ALL).pipeline.name == "piper"
    assert found.find(model, frozenset({"kokoro"})).pipeline.name == "kokoro"
    assert found.find(model, frozenset()).pipeline.name == "piper"


@pytest.mark.parametrize("model", TRANSCRIPTION_MODELS)
def test_openais_models_transcribe(model: str) -> None:
    assert names().find(model, ALL, StepData.TRANSCRIPT).pipeline.name == "transcribe"
    with pytest.raises(InvalidRequest) as refused:
        names().find(model, ALL)
    assert refused.value.code == "unsuitable_model"


def test_a_table_replaces_the_default_one() -> None:
    found = names("tts-1 = kokoro | piper-joe, kokoro=piper,")
    assert found.find("tts-1", ALL).pipeline.name == "kokoro"
    second = found.find("tts-1", frozenset({"piper-joe"}))
    assert (second.pipeline.name, second.models) == ("piper", {Role.SYNTHESIZE: "piper-joe"})
    assert found.find("kokoro", ALL).pipeline.name == "piper"
    with pytest.raises(NotFound) as refused:
        found.find("tts-1-hd", ALL)
    assert refused.value.code == "model_not_found" and "tts-1" in refused.value.message
    assert names("").models == {}


@pytest.mark.parametrize(("model", "pipeline"), [("kokoro", "kokoro"), ("piper-joe", "piper"), ("piper", "piper")])
def test_names_of_ours_are_taken(model: str, pipeline: str) -> None:
    assert names().find(model, ALL).pipeline.name == pipeline


@pytest.mark.parametrize("model", ["", "gpt-4o", "tts-1 ", "TTS-1", "openvoice_v2", "x" * 1_000_000, "\0"])
def test_unknown_models_are_not_found(model: str) -> None:
    with pytest.raises(NotFound) as refused:
        names().find(model, ALL)
    assert len(refused.value.message) < 1000


@pytest.mark.parametrize("model", ["vad", "silero", "campplus", "whisper-tiny.en"])
def test_models_that_do_not_speak_are_unsuitable(model: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        names().find(model, ALL)
    assert refused.value.code == "unsuitable_model"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("tts-1", "name=one"),
        ("tts-1=", "name=one"),
        ("=piper", "name=one"),
        ("tts-1=piper|", "name=one"),
        ("tts-1=piper=kokoro", "name=one"),
        ("tts-1=pipper", "'pipper'"),
        ("tts-1=openvoice_v2", "'openvoice_v2'"),
        ("tts-1=piper,tts-1=kokoro", "twice"),
        (f"{'x' * 129}=piper", "name=one"),
    ],
)
def test_a_wrong_entry_stops_the_start(table: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        names(table)
    assert "CHORUS_OPENAI_MODELS" in refused.value.message and reason in refused.value.message


@pytest.mark.parametrize("table", ["alloy", "alloy=nobody", "alloy=jf_alpha:0.5+nobody", "alloy=jf_alpha:0", "a=vo_1"])
def test_a_wrong_voice_stops_the_start(table: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        names(voices=table)
    assert "CHORUS_OPENAI_VOICES" in refused.value.message


def test_openais_voices_are_the_models_by_turn() -> None:
    found = names()
    chosen = [voice(found, "kokoro", name)[1] for name in VOICES]
    assert chosen == [KOKORO[n % len(KOKORO)] for n in range(len(VOICES))]
    assert {voice(found, "tts-1", name) for name in VOICES} == {("piper-joe", "joe")}


def test_the_table_names_voices() -> None:
    found = names(voices="alloy=joe|jm_kumo,nova=jf_alpha:0.6+jm_kumo:0.4,narrator=jf_nezumi")
    assert voice(found, "tts-1", "alloy") == ("piper-joe", "joe")
    assert voice(found, "kokoro", "alloy") == ("kokoro", "jm_kumo")
    assert voice(found, "kokoro", "nova") == ("kokoro", "jf_alpha:0.6+jm_kumo:0.4")
    assert voice(found, "kokoro", "narrator") == ("kokoro", "jf_nezumi")
    with pytest.raises(InvalidRequest):
        voice(found, "tts-1", "narrator")


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ("jf_alpha", "jf_alpha"),
        ("jf_alpha+jm_kumo", "jf_alpha:0.5+jm_kumo:0.5"),
        ("jf_alpha(3)+jm_kumo(1)", "jf_alpha:0.75+jm_kumo:0.25"),
        ("jf_alpha:3+jm_kumo", "jf_alpha:0.75+jm_kumo:0.25"),
        ("jf_alpha(0.5) + jm_kumo", "jf_alpha:0.333333+jm_kumo:0.666667"),
        (None, "jf_alpha"),
        ("vo_0123", "vo_0123"),
    ],
)
def test_voices_of_ours_and_mixes(asked: str | None, chosen: str) -> None:
    assert voice(names(), "kokoro", asked)[1] == chosen


@pytest.mark.parametrize("asked", ["", "nobody", "Alloy", "alloy ", "joe", "jf_alpha(1)+nobody", "x" * 1_000_000, "\0"])
def test_unknown_voices_are_named(asked: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        voice(names(), "kokoro", asked)
    assert refused.value.code in ("unknown_voice", "invalid_voice_mix")
    assert [f.field for f in refused.value.fields] == ["voice"]
    assert len(refused.value.message) < 1000


@pytest.mark.parametrize("asked", ["jf_alpha(0)+jm_kumo(1)", "jf_alpha(x)+jm_kumo", "jf_alpha+jf_alpha", "jf_alpha+"])
def test_wrong_mixes_are_named(asked: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        voice(names(), "kokoro", asked)
    assert refused.value.code == "invalid_voice_mix"


def test_a_model_that_is_served_comes_before_one_that_is_not() -> None:
    found = names(catalog=Catalog({**CATALOG.models, "piper-amy": amy()}))
    assert voice(found, "tts-1", None) == ("piper-joe", "joe")
    assert voice(found, "tts-1", None, frozenset({"piper-amy"})) == ("piper-amy", "amy")
    assert voice(found, "tts-1", "ash", frozenset({"piper-joe", "piper-amy"})) == ("piper-amy", "amy")


def test_by_turn_no_voice_speaks_another_language() -> None:
    lea = replace(amy(), name="lea", languages=("fr-FR",), voices={"lea": Voice(name="lea", language="fr-FR")})
    found = names(catalog=Catalog({**CATALOG.models, "lea": lea}))
    target = found.find("tts-1", ALL)
    assert {found.choose_voice(target, name, ALL | {"lea"})[1] for name in VOICES} == {"joe"}
    assert {found.choose_voice(target, name, ALL | {"lea"}, "fr")[1] for name in VOICES} == {"lea"}


def test_a_target_is_what_a_job_names() -> None:
    assert names().find("piper", ALL) == Target(name="piper", pipeline=PIPELINES["piper"])
