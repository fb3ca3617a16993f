"""Planning: from a job's inputs and the requested result to the steps that it needs.

A step whose output the job already has is skipped. So with a reference the chain starts at voice activity detection,
with segments at the embedding, with an embedding at synthesis. A request that cannot be planned is `Unroutable` and
names what is missing, so no job can wait forever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from core.errors import FieldError, InvalidRequest, Unroutable
from core.names import Role, VadMode
from core.work import Plan, PlanStep
from models.base import ModelSpec, Option, Voice
from models.catalog import Catalog, in_language, speaks, voice_of
from models.families import family_of
from pipelines.candidates import candidates
from pipelines.definitions import BRINGABLE, PER_UTTERANCE, SAID, Pipeline, PipelineStep, StepData

#: The option of every job that synthesizes: the same job with the same seed gives the same audio.
SEED = Option(default=0, minimum=0, maximum=2**53, description="Seed of the noise generators")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """The parts of a request that planning uses. ``given``: its inputs, except for language and voice."""

    pipeline: Pipeline
    given: frozenset[StepData]
    language: str | None = None
    voice: str | None = None
    base_voice: str | None = None
    vad: VadMode = VadMode.SILERO
    models: Mapping[Role, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    assumed: frozenset[StepData] = frozenset()  #: inputs that count as given where they are needed


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """How a job will be done; ``voice`` and ``language`` are those of the synthesizer, ``options`` those given."""

    plan: Plan
    gives: StepData
    encoder: str | None = None  #: the model whose speaker embedding it takes, where it takes one
    voice: str | None = None
    language: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def plan_job(request: PlanRequest, catalog: Catalog) -> PlannedJob:
    """Determine the steps, models, voice and options of a job.

    Raises `Unroutable` naming inputs that are missing or unused, or `InvalidRequest` with the code ``unknown_model``,
    ``unknown_language``, ``unknown_voice``, ``unknown_option`` or ``invalid_option``.
    """
    needed = needed_steps(request.pipeline, _given(request), request.assumed)
    _check_use(request, needed)
    models = [_choose(step, request, catalog) for step in needed]
    voice = next((v for v in (m[1] for m in models) if v), None)
    steps = [
        PlanStep(role=step.role, model=model.name, each=step.role in PER_UTTERANCE, inputs=shared_inputs(step))
        for step, (model, _) in zip(needed, models, strict=True)
    ]
    return PlannedJob(
        plan=Plan(tuple(_with_cpu_steps(steps, request))),
        gives=request.pipeline.gives,
        encoder=_encoder(request, needed, catalog),
        voice=voice.name if voice else None,
        language=_language(request, voice, models),
        options=_options(request.options, [model for model, _ in models]),
    )


def shared_inputs(step: PipelineStep) -> tuple[str, ...]:
    """The inputs that all utterances of a step share: the speaker embedding, if the step needs one."""
    takes = step.role in PER_UTTERANCE and StepData.EMBEDDING in step.needs
    return (StepData.EMBEDDING.value,) if takes else ()


def encoder_of(pipeline: Pipeline, catalog: Catalog, models: Mapping[Role, str] = MappingProxyType({})) -> ModelSpec:
    """The model whose speaker embeddings a pipeline uses, from a stored voice or from a client.

    ``models``: the models that a job requests, by role. Raises `InvalidRequest` or `Unroutable` if there is none.
    """
    user = pipeline.embedding_step
    if user is None:
        raise Unroutable(f"Pipeline {pipeline.name!r} does not use a speaker embedding.", code="no_encoder")
    asked = (models.get(Role.MATCH) if user.role is Role.MATCH else None) or models.get(Role.EMBED)
    step = PipelineStep(role=Role.EMBED, type=pipeline.encoder, needs=(), gives=StepData.EMBEDDING)
    request = PlanRequest(pipeline=pipeline, given=frozenset(), models={Role.EMBED: asked} if asked is not None else {})
    return _choose(step, request, catalog)[0]


def _encoder(request: PlanRequest, needed: Sequence[PipelineStep], catalog: Catalog) -> str | None:
    if not any(StepData.EMBEDDING in step.needs for step in needed):
        return None
    return encoder_of(request.pipeline, catalog, request.models).name


def _language(
    request: PlanRequest, voice: Voice | None, models: Sequence[tuple[ModelSpec, Voice | None]]
) -> str | None:
    """The language that is spoken, or that a recording is in."""
    if voice is not None:
        return voice.language
    speaking = next((model for model, _ in models if model.role is Role.SYNTHESIZE), None)
    if speaking is None or not speaking.languages:
        return request.language
    asked = request.language or speaking.languages[0]
    return next(own for own in speaking.languages if speaks(own, asked))


def _given(request: PlanRequest) -> frozenset[StepData]:
    given = set(request.given)
    if request.vad is VadMode.NONE:
        given.add(StepData.SEGMENTS)  # all of it counts as speech
    if request.voice is not None:
        given.add(StepData.VOICE)
    return frozenset(given)


def needed_steps(
    pipeline: Pipeline, given: frozenset[StepData], assumed: frozenset[StepData] = frozenset()
) -> list[PipelineStep]:
    """The steps that lead from ``given`` and what is ``assumed`` to the pipeline's result. Raises `Unroutable`."""
    wanted, chosen = {pipeline.gives}, []
    for step in reversed(pipeline.steps):
        if step.gives not in wanted or step.gives in given:
            continue
        chosen.append(step)
        wanted = (wanted - {step.gives}) | set(step.needs)
    if not chosen:
        raise Unroutable(
            f"There is nothing to do: the request already contains the result, {pipeline.gives.value}.",
            code="nothing_to_do",
        )
    missing = sorted(wanted - given - SAID - assumed)
    if missing:
        fields = [FieldError(g.value, f"missing_{g.value}", f"{g.value} is missing.") for g in missing]
        names = " and ".join(g.value for g in missing)
        hint = _instead(pipeline, frozenset(missing))
        raise Unroutable(
            f"Pipeline {pipeline.name!r} needs {names}{hint}.", code=f"missing_{missing[0].value}", fields=fields
        )
    return chosen[::-1]


def _instead(pipeline: Pipeline, missing: frozenset[StepData]) -> str:
    """The outputs of steps that a client may provide instead of the missing inputs."""
    made = [s.gives.value for s in pipeline.steps[:-1] if missing & set(s.needs) and s.gives in BRINGABLE]
    return f" (or {' or '.join(made)})" if made else ""


def _check_use(request: PlanRequest, needed: Sequence[PipelineStep]) -> None:
    """Reject unused inputs, which would otherwise be ignored silently."""
    used = {data for step in needed for data in step.needs}
    if StepData.VOICE not in used and request.voice is not None:
        raise _invalid("voice", "unused_input", f"Pipeline {request.pipeline.name!r} does not use a voice here.")
    if StepData.BASE_VOICE not in used and request.base_voice is not None:
        raise _invalid("base_voice", "unused_input", f"Pipeline {request.pipeline.name!r} does not use a base voice.")
    for data in sorted(request.given - used):
        raise _invalid(
            data.value, "unused_input", f"Pipeline {request.pipeline.name!r} does not use {data.value} here."
        )
    for role in request.models:
        if role not in {step.role for step in needed}:
            raise _invalid("models", "unknown_step", f"This job has no step {role.value!r}.", f"models.{role.value}")


def _choose(step: PipelineStep, request: PlanRequest, catalog: Catalog) -> tuple[ModelSpec, Voice | None]:
    """The model of a step, and its voice if it synthesizes."""
    possible = candidates(step, catalog, request.vad, matched=request.voice is None)
    # An embedding is matched by the model that computed it.
    asked = request.models.get(step.role) or (request.models.get(Role.EMBED) if step.role is Role.MATCH else None)
    if asked is not None:
        named = catalog.get(asked)
        if named not in possible:
            field_name = f"models.{step.role.value}"
            raise _invalid(
                "models", "unsuitable_model", f"{asked!r} cannot be used for the step {step.role.value}.", field_name
            )
        possible = [named]
    if not possible:
        what = f"of type {step.type!r}" if step.type else f"for the step {step.role.value!r}"
        raise Unroutable(f"The catalog has no model {what}.", code="no_model")
    if step.role is Role.TRANSCRIBE and request.language is not None:
        possible = _hearing(possible, request.language)
    if step.role is not Role.SYNTHESIZE:
        return possible[0], None
    if StepData.BASE_VOICE in step.needs:
        return _voice(possible, request.base_voice, request.language, "base_voice")
    if StepData.VOICE in step.needs:
        return _voice(possible, request.voice, request.language, "voice")
    return _speaking(possible, request.language)[0], None  # its voice is an embedding


def _speaking(models: Sequence[ModelSpec], language: str | None) -> list[ModelSpec]:
    """The models that speak a language in any voice."""
    fitting = [m for m in models if language is None or any(speaks(own, language) for own in m.languages)]
    if not fitting:
        raise _unknown_language(f"No voice speaks {language!r}", (own for m in models for own in m.languages))
    return fitting


def _hearing(models: Sequence[ModelSpec], language: str) -> list[ModelSpec]:
    fitting = [model for model in models if understands(model, language)]
    if not fitting:
        raise _unknown_language(f"No model understands {language!r}", (own for m in models for own in m.languages))
    return fitting


def understands(model: ModelSpec, language: str) -> bool:
    """Whether a model that listens understands a language: it has its primary subtag, or names no languages."""
    asked = language.lower().replace("_", "-").split("-")[0]
    return not model.languages or asked in {own.lower().split("-")[0] for own in model.languages}


def _voice(
    models: Sequence[ModelSpec], asked: str | None, language: str | None, field_name: str
) -> tuple[ModelSpec, Voice]:
    """The first model with a voice that fits language and name. A name may be a family's mix of voices."""
    found = [(m, v, in_language(m, v, language)) for m in models for v in m.voices.values()]
    fitting = [(m, as_spoken) for m, _, as_spoken in found if as_spoken]
    if not fitting:
        languages = (own for m, v, _ in found for own in (m.languages if family_of(m.type).polyglot else [v.language]))
        raise _unknown_language(f"No voice speaks {language!r}", languages)
    if asked is None:
        native = ((m, v) for m, v, as_spoken in found if v is as_spoken)
        return next(native, fitting[0])
    for model in {model.name: model for model, _ in fitting}.values():
        if (voice := voice_of(model, asked)) and (as_spoken := in_language(model, voice, language)):
            return model, as_spoken
    there = ", ".join(v.name for _, v in fitting)
    raise _invalid(field_name, "unknown_voice", f"The voice {asked!r} is not available. Available: {there}.")


def _unknown_language(what: str, there: Iterable[str]) -> InvalidRequest:
    return _invalid("language", "unknown_language", f"{what}. Available: {', '.join(sorted(set(there)))}.")


def _with_cpu_steps(steps: list[PlanStep], request: PlanRequest) -> list[PlanStep]:
    """Add the CPU steps: prepare at the start, open if utterances do not follow it directly, assemble at the end."""
    out = [PlanStep(role=Role.PREPARE)]
    opened = False
    for step in steps:
        if step.each and not opened:
            if out[-1].role is not Role.PREPARE:
                out.append(PlanStep(role=Role.OPEN))
            opened = True
        out.append(step)
    if opened:
        out.append(PlanStep(role=Role.ASSEMBLE))
    return out


def _options(given: Mapping[str, Any], models: Sequence[ModelSpec]) -> dict[str, Any]:
    declared: dict[str, Option] = {}
    for model in models:
        declared.update(model.options)
        if model.role in PER_UTTERANCE:
            declared["seed"] = SEED
    errors = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        option = declared.get(name)
        if option is None:
            there = ", ".join(sorted(declared)) or "none"
            errors.append(FieldError(f"options.{name}", "unknown_option", f"Unknown option. Available: {there}."))
        elif reason := wrong_option(option, value):
            errors.append(FieldError(f"options.{name}", "invalid_option", reason))
        else:
            values[name] = type(option.default)(value)
    if errors:
        raise InvalidRequest(f"{errors[0].field}: {errors[0].detail}", code=errors[0].code, fields=errors)
    return values


def wrong_option(option: Option, value: Any) -> str | None:
    """Why ``value`` is invalid for ``option``; None if it is valid."""
    kind = type(option.default)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int and not (number and float(value).is_integer()):
        return "It must be an integer."
    if kind is float and not number:
        return "It must be a number."
    if kind in (bool, str) and not isinstance(value, kind):
        return "It must be true or false." if kind is bool else "It must be a string."
    if option.choices and value not in option.choices:
        return f"It must be one of {', '.join(option.choices)}."
    low, high = option.minimum, option.maximum
    if isinstance(value, str) and high is not None and len(value) > high:
        return f"It may have at most {high:g} characters."
    if number and ((low is not None and value < low) or (high is not None and value > high)):
        return f"It must lie between {low:g} and {high:g}."
    return None


def _invalid(field_name: str, code: str, detail: str, path: str | None = None) -> InvalidRequest:
    return InvalidRequest(detail, code=code, fields=[FieldError(path or field_name, code, detail)])
