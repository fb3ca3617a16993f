"""What there is: ``/v1/pipelines``, ``/v1/models``, and the models' voices."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from api.context import context
from models.base import ModelSpec, Option, Voice
from pipelines.definitions import BROUGHT, Pipeline
from storage.ledger.registry import live_workers

routes = Blueprint("listing", __name__, url_prefix="/v1")


@routes.get("/pipelines")
def pipelines() -> Response:
    """Every pipeline: what it needs and gives, its options, languages and voices."""
    return jsonify({"object": "list", "data": [_pipeline_view(p) for p in context().pipelines.values()]})


@routes.get("/models")
def models() -> Response:
    """OpenAI's list of models, with our fields added."""
    serving: dict[str, int] = {}
    for worker in live_workers(context().redis):
        for station in worker["rooms"]:
            serving[station] = serving.get(station, 0) + 1
    data = [_model_view(m, serving.get(m.name, 0)) for m in context().catalog.models.values()]
    return jsonify({"object": "list", "data": data})


def stock_voices() -> list[dict[str, Any]]:
    """Every voice of a model, and the pipelines that can speak with it."""
    data: list[dict[str, Any]] = []
    for model in context().catalog.models.values():
        users = [p.name for p in context().pipelines.values() if model in _models_of(p)]
        data += [_voice_view(voice, model.name, users) for voice in model.voices.values()]
    return data


def _voice_view(voice: Voice, model: str, users: list[str]) -> dict[str, Any]:
    return {
        "id": voice.name,
        "object": "voice",
        "language": voice.language,
        "description": voice.description,
        "model": model,
        "pipelines": users,
    }


def _models_of(pipeline: Pipeline) -> list[ModelSpec]:
    return [model for step in pipeline.steps for model in context().catalog.of(step.role, step.type)]


def _pipeline_view(pipeline: Pipeline) -> dict[str, Any]:
    found = _models_of(pipeline)
    return {
        "id": pipeline.name,
        "object": "pipeline",
        "description": pipeline.description,
        "steps": [{"role": s.role.value, "type": s.type, "gives": s.gives.value} for s in pipeline.steps],
        "needs": sorted({g.value for s in pipeline.steps for g in s.needs if g in BROUGHT}),
        "gives": pipeline.gives.value,
        "options": {name: option_view(o) for model in found for name, o in model.options.items()},
        "languages": sorted({language for model in found for language in model.languages}),
        "voices": [voice for model in found for voice in model.voices],
        "models": [model.name for model in found],
    }


def _model_view(model: ModelSpec, workers: int) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "chorus",
        "type": model.type,
        "role": model.role.value,
        "languages": list(model.languages),
        "voices": list(model.voices),
        "options": {name: option_view(o) for name, o in model.options.items()},
        "sample_rate": model.sample_rate,
        "licence": model.licence,
        "workers": workers,
    }


def option_view(option: Option) -> dict[str, Any]:
    """An option as it is declared."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    view: dict[str, Any] = {"type": kinds[type(option.default)], "default": option.default}
    if option.minimum is not None:
        view["minimum"] = option.minimum
    if option.maximum is not None:
        view["maximum"] = option.maximum
    if option.choices:
        view["choices"] = list(option.choices)
    return {**view, "description": option.description}
