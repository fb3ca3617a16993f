"""Planning: from what a job gave and what it wants to the steps that it needs.

A step whose gift is already there is skipped, so that with a reference the chain starts at voice activity
detection, with segments at the embedding, with an embedding at synthesis. What cannot be routed is
`Unroutable` and names what is missing: never a job that hangs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import FieldError, InvalidRequest, Unroutable
from core.names import Role, VadMode
from core.work import Plan, PlanStep
from models.base import ModelSpec, Option, Voice
from models.catalog import Catalog, resolve_voice, speaks
from pipelines.definitions import BRINGABLE, PER_UTTERANCE, SAID, Gift, Pipeline, PipelineStep, family_role

#: Every job that speaks takes a seed: the same job with the same seed gives the same audio.
SEED = Option(default=0, minimum=0, maximum=2**53, description="Seed of the noise generators")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What planning looks at in a request. ``given``: the gifts it brings, besides language and voice."""

    pipeline: Pipeline
    given: frozenset[Gift]
    language: str | None = None
    voice: str | None = None
    base_voice: str | None = None
    vad: VadMode = VadMode.SILERO
    models: Mapping[Role, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a job will be done; ``voice`` and ``language`` are those of the synthesizer, ``options`` those given."""

    plan: Plan
    gives: Gift
    voice: str | None = None
    language: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def route(wish: Wish, catalog: Catalog) -> Route:
    """Works out the steps, models, voice and options of a job.

    Raises `Unroutable` naming what is missing or of no use, or `InvalidRequest` with the code
    ``unknown_model``, ``unknown_language``, ``unknown_voice``, ``unknown_option`` or ``invalid_option``.
    """
    needed = needed_steps(wish.pipeline, _given(wish))
    _check_use(wish, needed)
    models = [_choose(step, wish, catalog) for step in needed]
    voice = next((v for v in (m[1] for m in models) if v), None)
    steps = [
        PlanStep(role=step.role, model=model.name, each=step.role in PER_UTTERANCE)
        for step, (model, _) in zip(needed, models, strict=True)
    ]
    return Route(
        plan=Plan(tuple(_with_cpu_steps(steps, wish))),
        gives=wish.pipeline.gives,
        voice=voice.name if voice else None,
        language=voice.language if voice else wish.language,
        options=_options(wish.options, [model for model, _ in models]),
    )


def _given(wish: Wish) -> frozenset[Gift]:
    given = set(wish.given)
    if wish.vad is VadMode.NONE:
        given.add(Gift.SEGMENTS)  # all of it counts as speech
    if wish.voice is not None:
        given.add(Gift.VOICE)
    return frozenset(given)


def needed_steps(pipeline: Pipeline, given: frozenset[Gift]) -> list[PipelineStep]:
    """The steps that lead from ``given`` to the pipeline's last gift. Raises `Unroutable`."""
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
    missing = sorted(wanted - given - SAID)
    if missing:
        fields = [FieldError(g.value, f"missing_{g.value}", f"{g.value} is missing.") for g in missing]
        names = " and ".join(g.value for g in missing)
        hint = _instead(pipeline, frozenset(missing))
        raise Unroutable(
            f"Pipeline {pipeline.name!r} needs {names}{hint}.", code=f"missing_{missing[0].value}", fields=fields
        )
    return chosen[::-1]


def _instead(pipeline: Pipeline, missing: frozenset[Gift]) -> str:
    """Which gifts of steps a client may bring instead of what is missing."""
    made = [s.gives.value for s in pipeline.steps[:-1] if missing & set(s.needs) and s.gives in BRINGABLE]
    return f" (or {' or '.join(made)})" if made else ""


def _check_use(wish: Wish, needed: Sequence[PipelineStep]) -> None:
    """What is given and of no use would be passed over in silence; it is refused instead."""
    used = {gift for step in needed for gift in step.needs}
    if Gift.VOICE not in used and wish.voice is not None:
        raise _invalid("voice", "unused_input", f"Pipeline {wish.pipeline.name!r} does not use a voice here.")
    if Gift.BASE_VOICE not in used and wish.base_voice is not None:
        raise _invalid("base_voice", "unused_input", f"Pipeline {wish.pipeline.name!r} does not use a base voice.")
    for gift in sorted(wish.given - used):
        raise _invalid(gift.value, "unused_input", f"Pipeline {wish.pipeline.name!r} does not use {gift.value} here.")
    for role in wish.models:
        if role not in {step.role for step in needed}:
            raise _invalid("models", "unknown_step", f"This job has no step {role.value!r}.", f"models.{role.value}")


def _candidates(step: PipelineStep, wish: Wish, catalog: Catalog) -> list[ModelSpec]:
    """The models that can do a step, in the order of the catalog."""
    if step.role is Role.VAD:
        return [model for model in catalog.models.values() if model.type == wish.vad.value]
    return catalog.of(family_role(step.role), step.type)


def _choose(step: PipelineStep, wish: Wish, catalog: Catalog) -> tuple[ModelSpec, Voice | None]:
    """The model of a step, and its voice where it speaks."""
    candidates = _candidates(step, wish, catalog)
    # An embedding is matched by the model that made it.
    asked = wish.models.get(step.role) or (wish.models.get(Role.EMBED) if step.role is Role.MATCH else None)
    if asked is not None:
        named = catalog.get(asked)
        if named not in candidates:
            field_name = f"models.{step.role.value}"
            raise _invalid(
                "models", "unsuitable_model", f"{asked!r} cannot be used for the step {step.role.value}.", field_name
            )
        candidates = [named]
    if not candidates:
        what = step.type or step.role.value
        raise Unroutable(f"The catalog has no model of type {what}.", code="no_model")
    if step.role is Role.TRANSCRIBE and wish.language is not None:
        candidates = _hearing(candidates, wish.language)
    if step.role is Role.SYNTHESIZE:
        base = Gift.BASE_VOICE in step.needs
        return _voice(candidates, wish.base_voice if base else wish.voice, wish, "base_voice" if base else "voice")
    return candidates[0], None


def _hearing(candidates: Sequence[ModelSpec], language: str) -> list[ModelSpec]:
    """The models that hear a language: those of its primary subtag, and those that name none."""
    asked = language.lower().replace("_", "-").split("-")[0]
    fitting = [m for m in candidates if not m.languages or asked in {own.lower().split("-")[0] for own in m.languages}]
    if not fitting:
        there = ", ".join(sorted({own for m in candidates for own in m.languages}))
        detail = f"No model understands {language!r}. Available: {there}."
        raise _invalid("language", "unknown_language", detail)
    return fitting


def _voice(candidates: Sequence[ModelSpec], asked: str | None, wish: Wish, field_name: str) -> tuple[ModelSpec, Voice]:
    """The first model with a voice that fits language and name. A name may be a family's mix of voices."""
    fitting = [(m, v) for m in candidates for v in m.voices.values()]
    if wish.language is not None:
        there = ", ".join(sorted({v.language for _, v in fitting}))
        fitting = [(m, v) for m, v in fitting if speaks(v.language, wish.language)]
        if not fitting:
            detail = f"No voice speaks {wish.language!r}. Available: {there}."
            raise _invalid("language", "unknown_language", detail)
    if asked is None:
        return fitting[0]
    for model, voice in fitting:
        if voice.name == asked:
            return model, voice
    for spec in {model.name: model for model, _ in fitting}.values():
        if mixed := resolve_voice(spec, asked):
            return spec, mixed
    there = ", ".join(v.name for _, v in fitting)
    raise _invalid(field_name, "unknown_voice", f"The voice {asked!r} is not available. Available: {there}.")


def _with_cpu_steps(steps: list[PlanStep], wish: Wish) -> list[PlanStep]:
    """Adds the CPU work: prepare in front, open where utterances do not follow on it, assemble behind them."""
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
    """Why ``value`` will not do for ``option``, None where it does."""
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
    if number and ((low is not None and value < low) or (high is not None and value > high)):
        return f"It must lie between {low:g} and {high:g}."
    return None


def _invalid(field_name: str, code: str, detail: str, path: str | None = None) -> InvalidRequest:
    return InvalidRequest(detail, code=code, fields=[FieldError(path or field_name, code, detail)])
