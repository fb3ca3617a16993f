"""OpenAI's names of models and voices, and the pipelines, models and voices of ours that they stand for.

The tables are the settings ``openai_models`` and ``openai_voices``: ``tts-1=piper|kokoro,whisper-1=transcribe`` and
``alloy=joe,nova=jf_alpha:0.6+jm_kumo:0.4``. Of several alternatives the first that live workers serve is taken.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from core import ids
from core.errors import ConfigurationError, FieldError, InvalidRequest, NotFound
from core.names import Role
from models.base import ModelSpec, Voice
from models.catalog import Catalog, speaks, voice_of
from pipelines.candidates import available, candidates
from pipelines.definitions import PER_UTTERANCE, Pipeline, PipelineStep, StepData

#: Names that OpenAI's clients send by default, with those of dated versions (openai-python, types/audio).
SPEECH_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")
TRANSCRIPTION_MODELS = (
    *("whisper-1", "gpt-transcribe", "gpt-4o-transcribe"),
    *("gpt-4o-mini-transcribe", "gpt-4o-mini-transcribe-2025-12-15"),
)
VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "nova"),
    *("onyx", "sage", "shimmer", "verse", "marin", "cedar"),
)

_LONGEST = 128  #: characters of a name in a table
_NAME = re.compile(r"[^\s,|=]([^,|=]*[^\s,|=])?")

#: Steps whose models work for every job of a pipeline, whatever the job brings.
_ALWAYS = (*PER_UTTERANCE, Role.TRANSCRIBE)

#: Kokoro-FastAPI's weight of a voice in a mix, ``af_bella(2)``, which is ``af_bella:2`` here.
_WEIGHT = re.compile(r"\(\s*([0-9.]{1,17})\s*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a name of a model stands for: a pipeline, and for some of its steps the model, as in a job."""

    name: str
    pipeline: Pipeline
    models: Mapping[Role, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenAINames:
    """The tables, checked. Safe to share between threads."""

    catalog: Catalog
    pipelines: Mapping[str, Pipeline]
    models: Mapping[str, tuple[str, ...]]  #: by OpenAI's name, names of pipelines and models of ours
    voices: Mapping[str, tuple[str, ...]]  #: by OpenAI's name, voices of ours

    @staticmethod
    def read(models: str | None, voices: str, catalog: Catalog, pipelines: Mapping[str, Pipeline]) -> OpenAINames:
        """Read the two settings; ``models`` None: `default_models`.

        Raises `ConfigurationError` naming the entry.
        """
        pipelines = available(pipelines, catalog)
        names = OpenAINames(catalog, pipelines, default_models(pipelines), {})
        if models is not None:
            names = replace(names, models=dict(_read_table("CHORUS_OPENAI_MODELS", models)))
            for name, alternatives in names.models.items():
                for one in alternatives:
                    if names._own(one) is None:
                        raise _wrong("CHORUS_OPENAI_MODELS", name, f"{one!r} is no pipeline and no model in use.")
        table = dict(_read_table("CHORUS_OPENAI_VOICES", voices))
        for name, alternatives in table.items():
            for one in alternatives:
                if not _is_voice(one, catalog):
                    raise _wrong("CHORUS_OPENAI_VOICES", name, f"{one!r} is no voice of a model.")
        return replace(names, voices=table)

    def find(self, model: str, live: Collection[str], gives: StepData | None = StepData.SPEECH) -> Target:
        """What the ``model`` of a request stands for. ``live``: the stations that workers serve.

        The first alternative that workers serve; if they serve none, the first. Raises `NotFound`
        (``model_not_found``) for an unknown name, `InvalidRequest` (``unsuitable_model``) if its result is not
        ``gives``; None: any result.
        """
        found = self.alternatives(model)
        if not found:
            there = ", ".join(dict.fromkeys([*self.models, *self.pipelines]))
            detail = f"The model {model[:100]!r} does not exist. Available: {there}."
            raise NotFound(detail, code="model_not_found", fields=[FieldError("model", "model_not_found", detail)])
        fitting = [target for target in found if gives in (None, target.pipeline.gives)]
        if not fitting and gives:
            raise _invalid("model", "unsuitable_model", f"The result of {model[:100]!r} is not {gives.value}.")
        return next((target for target in fitting if self.served(target, live)), fitting[0])

    def speaker(
        self, model: str | None, voice: str | None, live: Collection[str], language: str | None = None
    ) -> tuple[Target, str | None]:
        """What speaks a request, and its voice; ``model`` None: OpenAI's first name.

        The first alternative of ``model`` that has the voice and the language, those that workers serve before
        others. Raises what `find` and `choose_voice` raise.
        """
        name = next(iter(self.models), "") if model is None else model
        best = self.find(name, live)
        others = [target for target in self.alternatives(name) if target.pipeline.gives is StepData.SPEECH]
        others.sort(key=lambda target: not self.served(target, live))
        refusal: InvalidRequest | None = None
        for target in (best, *others):
            try:
                return self.choose_voice(target, voice, live, language)
            except InvalidRequest as error:
                refusal = refusal or error
        raise refusal or NotFound(code="model_not_found")

    def alternatives(self, model: str) -> list[Target]:
        """All that a name stands for, in the order of preference; empty for an unknown one.

        The table comes before names of ours, so ``kokoro=piper`` can serve clients that always say ``kokoro``.
        """
        names = self.models.get(model, (model,))
        return [target for target in map(self._own, names) if target is not None]

    def served(self, target: Target, live: Collection[str]) -> bool:
        """Whether live workers serve the steps that every job of ``target`` has."""
        steps = [step for step in target.pipeline.steps if step.role in _ALWAYS]
        return all(any(m.name in live for m in self._candidates(target, step)) for step in steps)

    def choose_voice(
        self, target: Target, asked: str | None, live: Collection[str], language: str | None = None
    ) -> tuple[Target, str | None]:
        """The voice of ours that ``asked`` stands for, and ``target`` with the model that has it.

        A voice of the model's own comes first, then the table, then, for OpenAI's names, the model's voices by turn.
        An id of a stored voice is returned as it is; None is the model's first voice. Raises `InvalidRequest`
        (``unknown_language``, ``unknown_voice``, ``invalid_voice_mix``).
        """
        step = next((s for s in target.pipeline.steps if s.role is Role.SYNTHESIZE), None)
        if asked is not None and ids.VOICE.begins(asked):
            return target, asked
        if step is None or StepData.VOICE not in step.needs:
            return target, asked
        specs = self._candidates(target, step)
        specs = [spec for spec in specs if spec.name in live] or specs
        first = next(_speaking(specs, language), None)
        if language is not None and first is None:
            raise _invalid("language", "unknown_language", f"No voice of {target.name!r} speaks {language!r}.")
        found = first if asked is None else self._named_voice(specs, asked, language)
        if found is None:
            there = ", ".join(v for spec in specs for v in spec.voices)
            detail = f"The voice {(asked or '')[:100]!r} is not available. Available: {there}."
            raise _invalid("voice", "unknown_voice", detail)
        spec, voice = found
        return replace(target, models={**target.models, Role.SYNTHESIZE: spec.name}), voice

    def _named_voice(self, specs: list[ModelSpec], asked: str, language: str | None) -> tuple[ModelSpec, str] | None:
        for name in (_written_mix(asked), *self.voices.get(asked, ())):
            for spec in specs:
                if voice := _voice_of(spec, name):
                    return spec, voice.name
        if asked not in VOICES:
            return None
        speaking = list(_speaking(specs, language))
        return speaking[VOICES.index(asked) % len(speaking)] if speaking else None

    def _own(self, name: str) -> Target | None:
        """The target of a name of ours: a pipeline, or a model in the pipeline that needs least beside it."""
        if name in self.pipelines:
            return Target(name=name, pipeline=self.pipelines[name])
        spec = self.catalog.models.get(name)
        if spec is None:
            return None
        for pipeline in sorted(self.pipelines.values(), key=lambda pipeline: len(pipeline.steps)):
            for step in pipeline.steps:
                if step.role is spec.role and spec in candidates(step, self.catalog):
                    return Target(name=name, pipeline=pipeline, models={step.role: name})
        return None

    def _candidates(self, target: Target, step: PipelineStep) -> list[ModelSpec]:
        found = candidates(step, self.catalog)
        return [spec for spec in found if spec.name == target.models.get(step.role, spec.name)]


def default_models(pipelines: Mapping[str, Pipeline]) -> dict[str, tuple[str, ...]]:
    """OpenAI's names for the pipelines that speak a text in a voice of their own, and for those that transcribe."""
    speaking = tuple(name for name, pipeline in pipelines.items() if _has_voices(pipeline))
    hearing = tuple(name for name, pipeline in pipelines.items() if pipeline.gives is StepData.TRANSCRIPT)
    found = dict.fromkeys(SPEECH_MODELS, speaking) | dict.fromkeys(TRANSCRIPTION_MODELS, hearing)
    return {name: targets for name, targets in found.items() if targets}


def speaks_text(pipeline: Pipeline) -> bool:
    """Whether it speaks a text, in a voice of its own or in that of a reference."""
    return pipeline.gives is StepData.SPEECH and any(StepData.TEXT in step.needs for step in pipeline.steps)


def _has_voices(pipeline: Pipeline) -> bool:
    needs = {data for step in pipeline.steps for data in step.needs}
    return speaks_text(pipeline) and StepData.VOICE in needs and StepData.EMBEDDING not in needs


def _speaking(specs: Iterable[ModelSpec], language: str | None) -> Iterator[tuple[ModelSpec, str]]:
    """The voices that speak a language; by default that of the first model's first voice."""
    voices = [(spec, voice) for spec in specs for voice in spec.voices.values()]
    if voices and language is None:
        language = voices[0][1].language.split("-")[0]
    return ((spec, voice.name) for spec, voice in voices if language is None or speaks(voice.language, language))


def _is_voice(name: str, catalog: Catalog) -> bool:
    try:
        return any(_voice_of(spec, name) for spec in catalog.models.values())
    except InvalidRequest:
        return False


def _voice_of(spec: ModelSpec, name: str) -> Voice | None:
    """A voice of a model, or a mix of its voices. Raises `InvalidRequest` where it is a wrong mix of its voices."""
    try:
        return voice_of(spec, name) if spec.role is Role.SYNTHESIZE else None
    except InvalidRequest as error:
        error.fields = error.fields or (FieldError("voice", error.code, error.message),)
        raise


def _written_mix(voice: str) -> str:
    """Kokoro-FastAPI's ``af_bella(2)+af_sky(1)`` as ``af_bella:2+af_sky:1``."""
    return _WEIGHT.sub(r":\1", voice) if len(voice) <= 1000 else voice


def _read_table(setting: str, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The entries ``name=first|second`` of a table. Raises `ConfigurationError`."""
    seen = set()
    for entry in text.split(","):
        if not entry.strip():
            continue
        name, _, right = entry.partition("=")
        name, alternatives = name.strip(), tuple(one.strip() for one in right.split("|"))
        if not all(_NAME.fullmatch(one) and len(one) <= _LONGEST for one in (name, *alternatives)):
            raise _wrong(setting, entry.strip(), "An entry is written name=one or name=one|other.")
        if name in seen:
            raise _wrong(setting, name, "The name is there twice.")
        seen.add(name)
        yield name, alternatives


def _wrong(setting: str, entry: str, detail: str) -> ConfigurationError:
    return ConfigurationError(f"{setting}, entry {entry[:200]!r}: {detail}")


def _invalid(field_name: str, code: str, detail: str) -> InvalidRequest:
    return InvalidRequest(detail, code=code, fields=[FieldError(field_name, code, detail)])
