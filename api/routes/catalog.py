"""``/v1/pipelines``, ``/v1/models``, and the model voices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain

from flask import Blueprint, Response, jsonify

from api.context import context
from api.openapi.operation import ResponseSpec, operation
from core.names import Role
from models.base import ModelSpec, Option
from pipelines.candidates import available, models_by_role
from pipelines.definitions import BROUGHT, Pipeline
from schemas import catalog_responses, responses
from storage.ledger.registry import live_workers

routes = Blueprint("catalog", __name__, url_prefix="/v1")

#: Roles whose model depends on a job's language.
_OF_LANGUAGE = (Role.SYNTHESIZE, Role.TRANSCRIBE)


@routes.get("/pipelines")
@operation("listPipelines", {200: catalog_responses.PipelineList})
def pipelines() -> Response:
    """List pipelines with their inputs, results, options, languages and voices: those whose models are served."""
    data = [_pipeline_view(pipeline) for pipeline in available(context().pipelines, context().catalog).values()]
    return jsonify(catalog_responses.PipelineList(object="list", data=data))


@routes.get("/models")
@operation("listModels", {200: catalog_responses.ModelList})
def models() -> Response:
    """List models, and OpenAI's names for them, in OpenAI's format with additional fields."""
    live, names = serving(), context().openai_names.models
    ours = [_model_view(m, live[m.name]) for m in context().catalog.models.values() if m.name not in names]
    named = [named_model(name, live) for name in names]
    return jsonify(catalog_responses.ModelList(object="list", data=[*named, *ours]))


@routes.get("/models/<path:model>")
@operation(
    "getModel",
    {
        200: ResponseSpec(
            (catalog_responses.ModelView, catalog_responses.NamedModel), "The model, or what a name maps to."
        )
    },
)
def model(model: str) -> Response:
    """Retrieve one model, by its name or by a name that stands for it."""
    names, live = context().openai_names, serving()
    if model in names.models or model not in context().catalog.models:
        names.find(model, live, None)
        return jsonify(named_model(model, live))
    return jsonify(_model_view(context().catalog.models[model], live[model]))


def serving() -> Counter[str]:
    """The number of live worker processes by station."""
    return Counter(station for worker in live_workers(context().redis) for station in worker["capacity"])


def named_model(name: str, live: Mapping[str, int]) -> catalog_responses.NamedModel:
    """What a name stands for; ``live`` as from `serving`."""
    names = context().openai_names
    targets = names.alternatives(name)
    return catalog_responses.NamedModel(
        id=name,
        object="model",
        created=0,
        owned_by="chorus",
        maps_to=[target.name for target in targets],
        serving=next((target.name for target in targets if names.served(target, live)), None),
    )


def stock_voices() -> list[responses.StockVoice]:
    """Every model voice, and the pipelines that support it."""
    usable = {name: _models_of(pipeline) for name, pipeline in context().pipelines.items()}
    return [
        responses.StockVoice(
            id=voice.name,
            object="voice",
            language=voice.language,
            description=voice.description,
            model=model.name,
            pipelines=[name for name, found in usable.items() if model.name in found],
        )
        for model in context().catalog.models.values()
        for voice in model.voices.values()
    ]


def _models_of(pipeline: Pipeline) -> dict[str, ModelSpec]:
    """The models that a pipeline can use, by name."""
    found = models_by_role(pipeline, context().catalog)
    return {model.name: model for model in chain.from_iterable(found.values())}


def _pipeline_view(pipeline: Pipeline) -> catalog_responses.PipelineView:
    by_role, found = models_by_role(pipeline, context().catalog), _models_of(pipeline)
    return catalog_responses.PipelineView(
        id=pipeline.name,
        object="pipeline",
        description=pipeline.description,
        steps=[
            catalog_responses.PipelineStepView(role=s.role, type=s.type, gives=s.gives.value) for s in pipeline.steps
        ],
        needs=sorted({g.value for s in pipeline.steps for g in s.needs if g in BROUGHT}),
        gives=pipeline.gives.value,
        options={name: option_view(o) for model in found.values() for name, o in model.options.items()},
        languages=sorted({tag for role in _OF_LANGUAGE for m in by_role.get(role, ()) for tag in m.languages}),
        voices=[voice for model in found.values() for voice in model.voices],
        models=list(found),
    )


def _model_view(model: ModelSpec, workers: int) -> catalog_responses.ModelView:
    return catalog_responses.ModelView(
        id=model.name,
        object="model",
        created=0,
        owned_by="chorus",
        type=model.type,
        role=model.role,
        languages=list(model.languages),
        voices=list(model.voices),
        options={name: option_view(o) for name, o in model.options.items()},
        sample_rate=model.sample_rate,
        licence=model.licence,
        workers=workers,
    )


def option_view(option: Option) -> catalog_responses.OptionView:
    """An option as it is declared."""
    kinds: dict[type, catalog_responses.OptionType] = {bool: "boolean", int: "integer", float: "number", str: "string"}
    view = catalog_responses.OptionView(
        type=kinds[type(option.default)], default=option.default, description=option.description
    )
    if option.minimum is not None:
        view["minimum"] = option.minimum
    if option.maximum is not None and isinstance(option.default, str):
        view["max_length"] = int(option.maximum)
    elif option.maximum is not None:
        view["maximum"] = option.maximum
    if option.choices:
        view["choices"] = list(option.choices)
    return view
