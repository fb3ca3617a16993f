"""Requests for speech, as OpenAI's clients and other servers' documentation write them, and the jobs they become."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from api.speech.job import job_body, speech_fields
from api.speech.languages import language_of
from core.errors import InvalidRequest, NotFound, RequestError, Unroutable
from core.names import Role
from models.base import ModelSpec, Voice
from models.catalog import Catalog, load_catalog
from models.families import family_of
from pipelines.definitions import StepData, load_pipelines
from pipelines.openai_names import OpenAINames
from pipelines.plan import PlanRequest, plan_job
from schemas.requests import JobRequest
from schemas.speech_requests import SpeechRequest

CATALOG, PIPELINES = load_catalog(), load_pipelines()
LIVE = frozenset({"cpu", *CATALOG.models})
STORED = "vo_" + "0" * 24


class _Voices:
    def get(self, owner: str, voice: str) -> Any:
        if voice != STORED:
            raise NotFound("The voice does not exist.", code="voice_not_found")
        return SimpleNamespace(models={"voice_match": "campplus", "openvoice_v1": "openvoice_v1_tone_encoder"})


def context(catalog: Catalog) -> Any:
    names = OpenAINames.read("tts-1=piper|kokoro,tts-1-hd=kokoro,kokoro=kokoro", "", catalog, PIPELINES)
    return SimpleNamespace(catalog=catalog, pipelines=PIPELINES, openai_names=names, voices=_Voices())


CONTEXT = context(CATALOG)


def job(live: frozenset[str] = LIVE, ctx: Any = CONTEXT, **fields: Any) -> dict[str, Any]:
    """The job of a request, of which `JobRequest` has checked the shape."""
    with speech_fields():
        asked = SpeechRequest.model_validate({"input": "Hello world!"} | fields)
        body = job_body(asked, ctx, "ann", live, 86_400)
        JobRequest.model_validate(body)
    return body


def output(format: str, rate: int | None) -> dict[str, Any]:
    return {"format": format, "sample_rate": rate}


# As documented by OpenAI, Kokoro-FastAPI, speaches and vLLM-Omni, and as programs send it: what the job has of it.
TAKEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    # OpenAI
    ({"model": "tts-1", "voice": "alloy"}, {"pipeline": "piper", "voice": "joe", "priority": "interactive"}),
    ({"model": "tts-1", "voice": {"id": "joe"}}, {"voice": "joe"}),
    ({"model": "tts-1", "voice": "alloy", "response_format": "aac"}, {"output": output("flac", None)}),
    ({"model": "tts-1", "voice": "alloy", "response_format": "pcm"}, {"output": output("flac", 24_000)}),
    ({"model": "tts-1", "voice": "alloy", "speed": 0.25}, {"options": {"speed": 0.25}}),
    ({"model": "tts-1", "voice": "alloy", "speed": 1}, {"options": {}, "expires_in": 3600}),
    # epub_to_audiobook sends null for what is not set
    (
        {"model": "tts-1-hd", "voice": "nova", "speed": 1.0, "instructions": None, "response_format": "mp3"},
        {"pipeline": "kokoro", "output": {"format": "mp3", "sample_rate": None}},
    ),
    # Open WebUI, SillyTavern, Home Assistant
    ({"model": "tts-1", "voice": "alloy"}, {"voice": "joe"}),
    ({"model": "tts-1", "voice": "shimmer", "response_format": "mp3", "speed": 1}, {"voice": "joe"}),
    (
        {"model": "tts-1", "voice": "shimmer", "response_format": "opus", "speed": 1.0, "instructions": "Whisper."},
        {"output": output("opus", None)},
    ),
    # Kokoro-FastAPI
    ({"model": "kokoro", "voice": "jf_alpha+jm_kumo"}, {"voice": "jf_alpha:0.5+jm_kumo:0.5"}),
    ({"model": "kokoro", "voice": "jf_alpha(3)+jm_kumo(1)"}, {"voice": "jf_alpha:0.75+jm_kumo:0.25"}),
    ({"voice": "jf_alpha", "response_format": "pcm"}, {"pipeline": "kokoro"}),
    ({"model": "kokoro", "voice": "jf_alpha", "lang_code": "a"}, {"language": "en-US"}),
    (
        {"voice": "jf_alpha", "stream": False, "return_download_link": True, "download_format": "wav"},
        {"output": output("wav", None)},
    ),
    (
        {"voice": "jf_alpha", "volume_multiplier": 1.0, "normalization_options": {"normalize": False}},
        {"normalize": "none"},
    ),
    (
        {
            "model": "kokoro",
            "voice": "jf_alpha",
            "normalization_options": {"normalize": True, "unit_normalization": True, "url_normalization": True},
            "voice_aliases": {},
            "return_timing": False,
        },
        {"voice": "jf_alpha"},
    ),
    ({"model": "kokoro", "voice": "jf_alpha", "ssml": True, "allow_voice_tags": True}, {"markup": "ssml"}),
    # speaches
    (
        {"model": "kokoro", "voice": "jf_alpha", "response_format": "wav", "speed": 2.0, "sample_rate": 16000},
        {"output": output("wav", 16_000), "options": {"speed": 2.0}},
    ),
    ({"model": "kokoro", "voice": "jf_alpha", "stream_format": "audio"}, {"voice": "jf_alpha"}),
    # vLLM-Omni
    ({"voice": "joe", "language": "English"}, {"language": "en"}),
    ({"voice": "joe", "language": "Auto", "task_type": "CustomVoice", "max_new_tokens": 2048}, {"pipeline": "piper"}),
    (
        {"model": "voice_match", "ref_audio": "https://example.com/a.wav", "ref_text": "Hello.", "task_type": "Base"},
        {"pipeline": "voice_match", "reference": {"url": "https://example.com/a.wav"}},
    ),
    (
        {"model": "voice_match", "ref_audio": "data:audio/wav;base64,UklGRg==", "x_vector_only_mode": True},
        {"reference": {"base64": "data:audio/wav;base64,UklGRg=="}},
    ),
    ({"model": "voice_match", "ref_audio": "UklGRg=="}, {"reference": {"base64": "UklGRg=="}}),
    # Chorus
    (
        {"model": "piper-joe", "seed": 7, "expires_in": 60},
        {"options": {"seed": 7}, "expires_in": 60, "models": {"synthesize": "piper-joe"}},
    ),
    ({"model": "voice_match", "voice": STORED}, {"pipeline": "voice_match", "voice": STORED}),
]


@pytest.mark.parametrize(("fields", "expected"), TAKEN)
def test_a_request_becomes_a_job(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    body = job(**fields)
    assert {name: body.get(name) for name in expected} == expected
    assert body["text"] == "Hello world!"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"voice": "nobody"}, "unknown_voice", "voice"),
    ({"voice": ""}, "invalid_value", "voice"),
    ({"voice": {"id": "joe", "x": 1}}, "invalid_value", "voice"),
    ({"voice": ["joe"]}, "invalid_value", "voice"),
    ({"voice": "x" * 1_000_000}, "invalid_value", "voice"),
    ({"model": "whisper-tiny.en"}, "unsuitable_model", "model"),
    ({"model": 7}, "invalid_value", "model"),
    ({"speed": 0.2}, "invalid_value", "speed"),
    ({"speed": 4.1}, "invalid_value", "speed"),
    ({"speed": "1"}, "invalid_value", "speed"),
    ({"speed": True}, "invalid_value", "speed"),
    ({"speed": float("nan")}, "invalid_value", "speed"),
    ({"speed": float("inf")}, "invalid_value", "speed"),
    ({"response_format": "m4a"}, "invalid_value", "response_format"),
    ({"stream_format": "json"}, "invalid_value", "stream_format"),
    ({"stream": 1}, "invalid_value", "stream"),
    ({"sample_rate": 7999}, "invalid_value", "sample_rate"),
    ({"sample_rate": 22_051}, "unsupported_sample_rate", "sample_rate"),
    ({"sample_rate": 44_100, "response_format": "opus"}, "unsupported_sample_rate", "sample_rate"),
    ({"sample_rate": 15_000, "response_format": "aac"}, "unsupported_sample_rate", "sample_rate"),
    ({"lang_code": "xx"}, "unknown_language", "language"),
    ({"volume_multiplier": 2}, "invalid_value", "volume_multiplier"),
    ({"volume_multiplier": True}, "invalid_value", "volume_multiplier"),
    ({"return_timing": 0}, "invalid_value", "return_timing"),
    ({"return_timing": True}, "invalid_value", "return_timing"),
    ({"voice_aliases": {"narrator": "joe"}}, "invalid_value", "voice_aliases"),
    ({"allow_voice_tags": True}, "invalid_value", "body"),
    ({"language": "en", "lang_code": "a"}, "invalid_value", "body"),
    ({"normalization_options": {"url_normalization": False}}, "invalid_value", "normalization_options"),
    ({"normalization_options": {"phonemes": True}}, "unknown_field", "normalization_options.phonemes"),
    ({"task_type": "VoiceDesign"}, "invalid_value", "task_type"),
    ({"task_type": "Base"}, "missing_reference", "ref_audio"),
    ({"ref_audio": "UklGRg=="}, "no_cloning_model", "ref_audio"),
    ({"ref_audio": ""}, "invalid_value", "ref_audio"),
    ({"ref_audio": "file:///etc/passwd", "model": "voice_match"}, "invalid_value", "ref_audio"),
    ({"ref_audio": "ftp://example.com/a.wav", "model": "voice_match"}, "invalid_value", "ref_audio"),
    ({"ref_audio": "http://" + "x" * 2000, "model": "voice_match"}, "invalid_value", "ref_audio"),
    ({"voice": STORED}, "no_cloning_model", "voice"),
    ({"max_new_tokens": 0}, "invalid_value", "max_new_tokens"),
    ({"initial_codec_chunk_frames": 4}, "unknown_field", "initial_codec_chunk_frames"),
    ({"expires_in": 59}, "invalid_value", "expires_in"),
    ({"seed": -1}, "invalid_value", "seed"),
    ({"seed": 0.5}, "invalid_value", "seed"),
    ({"input": None}, "invalid_value", "input"),
    ({"input": 7}, "invalid_value", "input"),
]


@pytest.mark.parametrize(("fields", "code", "field"), REFUSED)
def test_what_is_not_done_is_refused_by_field(fields: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        job(**fields)
    assert refused.value.code == code
    assert refused.value.fields[0].field == field
    assert len(refused.value.message) < 1000


def test_the_input_is_required() -> None:
    with pytest.raises(RequestError) as refused, speech_fields():
        SpeechRequest.model_validate({"model": "tts-1", "voice": "alloy"})
    assert (refused.value.code, refused.value.fields[0].field) == ("missing_field", "input")


def test_an_unknown_model_is_not_found() -> None:
    for model in ("speaches-ai/Kokoro-82M-v1.0-ONNX", "gpt-4o-mini-tts", ""):
        with pytest.raises(NotFound) as refused:
            job(model=model, ref_audio="UklGRg==" if model else None)
        assert refused.value.code == "model_not_found"


def test_a_voice_or_a_language_selects_among_the_alternatives() -> None:
    assert job(model="tts-1", voice="jf_alpha")["pipeline"] == "kokoro"
    assert job(model="tts-1", voice="joe", live=frozenset({"kokoro"}))["pipeline"] == "piper"
    assert job(model="tts-1", voice="alloy", live=frozenset({"kokoro"}))["pipeline"] == "kokoro"


def test_without_a_cloning_model_nobody_gets_a_stock_voice_unasked() -> None:
    with pytest.raises(Unroutable) as refused:
        job(model="tts-1", voice="alloy", ref_audio="UklGRg==")
    assert "voice_match" in refused.value.message


def cloning(*versions: str) -> Any:
    """With OpenVoice installed: V1 speaks two languages, V2 three."""
    parts = {
        "v1": {"openvoice_v1": ("en", "zh"), "openvoice_v1_tone_encoder": (), "openvoice_v1_tone_converter": ()},
        "v2": {"melo": ("en-US", "es", "fr"), "openvoice_v2_tone_encoder": (), "openvoice_v2_tone_converter": ()},
    }
    models = dict(CATALOG.models)
    for version in versions:
        models |= {type: spec_of(type, languages) for type, languages in parts[version].items()}
    return context(Catalog(models))


def spec_of(type: str, languages: tuple[str, ...]) -> ModelSpec:
    voices = {f"{type}-{tag}": Voice(name=f"{type}-{tag}", language=tag) for tag in languages}
    return replace(
        CATALOG.models["piper-joe"], name=type, type=type, role=family_of(type).role, languages=languages, voices=voices
    )


@pytest.mark.parametrize(
    ("versions", "fields", "expected"),
    [
        (("v1",), {"ref_audio": "UklGRg=="}, {"pipeline": "openvoice_v1"}),
        (("v1", "v2"), {"ref_audio": "UklGRg=="}, {"pipeline": "openvoice_v2", "base_voice": None}),
        (("v1", "v2"), {"ref_audio": "UklGRg==", "model": "tts-1", "voice": "alloy"}, {"pipeline": "openvoice_v2"}),
        (("v1", "v2"), {"ref_audio": "UklGRg==", "model": "openvoice_v1"}, {"pipeline": "openvoice_v1"}),
        (("v2",), {"ref_audio": "UklGRg==", "voice": "melo-es", "language": "es"}, {"base_voice": "melo-es"}),
        (("v1", "v2"), {"voice": STORED}, {"pipeline": "openvoice_v1", "voice": STORED, "reference": None}),
        (("v2",), {"voice": STORED, "model": "tts-1", "task_type": "Base"}, {"pipeline": "openvoice_v2"}),
    ],
)
def test_a_reference_selects_what_clones(
    versions: tuple[str, ...], fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    ctx = cloning(*versions)
    body = job(frozenset({"cpu", *ctx.catalog.models}), ctx, **fields)
    assert {name: body.get(name) for name in expected} == expected
    given = {StepData.TEXT, StepData.REFERENCE if "ref_audio" in fields else StepData.EMBEDDING}
    wish = PlanRequest(
        pipeline=PIPELINES[body["pipeline"]],
        given=frozenset(given),
        language=body.get("language"),
        base_voice=body.get("base_voice"),
        models=body["models"],
    )
    assert plan_job(wish, ctx.catalog).plan.steps[-2].role is Role.CONVERT


def test_of_several_that_clone_the_one_that_is_served_is_taken() -> None:
    live = frozenset({"cpu", "openvoice_v1", "openvoice_v1_tone_encoder", "openvoice_v1_tone_converter"})
    assert job(live, cloning("v1", "v2"), ref_audio="UklGRg==")["pipeline"] == "openvoice_v1"


def test_what_has_no_effect_is_named() -> None:
    asked = SpeechRequest(input="Hi.", instructions="Sing.", ref_text="", x_vector_only_mode=False, max_new_tokens=9)
    assert asked.ignored == ["instructions", "max_new_tokens", "x_vector_only_mode"]
    assert SpeechRequest(input="Hi.", instructions="").ignored == []


def test_an_event_stream_is_not_a_whole_file() -> None:
    with pytest.raises(ValidationError):
        SpeechRequest.model_validate({"input": "Hi.", "stream": False, "stream_format": "sse"})


@pytest.mark.parametrize(
    ("written", "tag"),
    [(None, None), ("Auto", None), ("z", "zh"), ("English", "en"), ("en-us", "en-us"), ("pt-BR", "pt-BR"), ("x", "x")],
)
def test_languages(written: str | None, tag: str | None) -> None:
    assert language_of(written) == tag
