"""Which models can do a step: the same answer for planning, for the catalog's views and for the description."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask import Flask

from api.routes.catalog import _pipeline_view, stock_voices
from core.names import Role, VadMode
from models.catalog import load_catalog
from pipelines.candidates import candidates, models_by_role
from pipelines.definitions import load_pipelines
from schemas import catalog_responses


def names(pipeline: str, role: Role, vad: VadMode | None = None) -> list[str]:
    [step] = [step for step in load_pipelines()[pipeline].steps if step.role is role]
    return [model.name for model in candidates(step, load_catalog(), vad)]


def test_the_job_says_how_speech_is_found() -> None:
    assert names("embed", Role.VAD, VadMode.SILERO) == ["silero"]
    assert names("embed", Role.VAD, VadMode.WHISPER) == ["whisper-tiny.en"]
    assert names("embed", Role.VAD) == ["silero", "whisper-tiny.en"]
    assert names("embed", Role.VAD, VadMode.NONE) == []


def test_an_encoder_matches_what_it_embeds() -> None:
    assert names("voice_match", Role.EMBED) == names("voice_match", Role.MATCH) == ["campplus"]


def test_any_model_of_the_role_will_do_where_no_type_is_named() -> None:
    assert names("embed", Role.EMBED) == ["campplus", "ge2e"]
    assert {"piper-joe", "kokoro"} <= set(names("voice_match", Role.SYNTHESIZE))


def test_each_role_has_its_models() -> None:
    found = models_by_role(load_pipelines()["voice_match"], load_catalog())
    assert list(found) == [Role.VAD, Role.EMBED, Role.MATCH, Role.SYNTHESIZE]
    assert [model.name for model in found[Role.MATCH]] == ["campplus"]


@pytest.fixture
def views() -> dict[str, catalog_responses.PipelineView]:
    app = Flask("catalog")
    app.extensions["chorus"] = SimpleNamespace(catalog=load_catalog(), pipelines=load_pipelines())
    with app.app_context():
        voices = {voice["id"]: voice["pipelines"] for voice in stock_voices()}
        found = {name: _pipeline_view(pipeline) for name, pipeline in load_pipelines().items()}
    assert voices["joe"] == [name for name, view in found.items() if "joe" in view["voices"]]
    return found


def test_a_pipeline_shows_every_model_that_it_can_use_once(views: dict[str, catalog_responses.PipelineView]) -> None:
    assert views["vad"]["models"] == ["silero", "whisper-tiny.en"]
    assert views["voice_match"]["models"][:3] == ["silero", "whisper-tiny.en", "campplus"]
    for view in views.values():
        assert len(set(view["models"])) == len(view["models"]), view["id"]
        assert len(set(view["voices"])) == len(view["voices"]), view["id"]


def test_the_languages_are_those_that_a_job_may_name(views: dict[str, catalog_responses.PipelineView]) -> None:
    assert views["embed"]["languages"] == views["vad"]["languages"] == []
    assert views["transcribe"]["languages"] == ["en"]
    assert "en-US" in views["piper"]["languages"]
