"""Request bodies as JSON Schema: what pydantic declares, narrowed by the catalog, and examples that work.

A job's fields depend on its pipeline, so that the schema of a job has one shape for each: which inputs it takes,
which voices, languages, options and models there are.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from api.openapi.output import output_rules
from api.openapi.speech import speech_example, speech_schema
from core import ids
from core.names import Role
from core.settings import Settings
from models.base import Option
from models.catalog import Catalog
from models.families import family_of
from pipelines.candidates import models_by_role
from pipelines.definitions import PER_UTTERANCE, Pipeline, StepData
from pipelines.enrolment import takes_stored_voices
from pipelines.openai_names import OpenAINames
from pipelines.plan import SEED
from pipelines.previews import MAX_CHARACTERS
from schemas.requests import MAX_RECORDINGS, TextRequest, exactly_one
from storage.objects.destinations import destinations

Schema: TypeAlias = dict[str, Any]

#: "Hello from Chorus.", spoken by piper-joe: Opus in Ogg, 1.1 seconds; as base64.
SAMPLE = b64encode((Path(__file__).parent / "assets" / "sample.ogg").read_bytes()).decode()

#: Fields of every job, whatever its pipeline.
_COMMON = (
    *("vad", "markup", "normalize", "clean", "emoji", "output", "priority", "on_error"),
    *("webhook", "metadata", "expires_in", "deadline"),
)

_STORED_VOICE: Schema = {"type": "string", "pattern": f"^{ids.VOICE.pattern}$"}
_NULL: Schema = {"type": "null"}

#: Request bodies of the endpoints that wait for a job's end, and the pipelines of those jobs.
SYNC_ENDPOINTS = {"EmbedRequest": "embed", "VadRequest": "vad", "TranscribeRequest": "transcribe"}


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def _nullable(*ways: Schema, about: str) -> Schema:
    return {"anyOf": [*ways, _NULL], "default": None, "description": about}


def _enum(values: Iterable[str]) -> Schema:
    return {"enum": list(values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSchemas:
    """Extends pydantic's schemas (``declared``, by component name) with the catalog and the settings."""

    declared: Mapping[str, Schema]
    catalog: Catalog
    pipelines: Mapping[str, Pipeline]
    settings: Settings

    def schemas(self) -> dict[str, Schema]:
        """Components by name, in place of those that are declared or beside them."""
        jobs = {_component(name): self._job(pipeline) for name, pipeline in self.pipelines.items()}
        sync = {
            name: self._sync_request(pipeline)
            for name, pipeline in SYNC_ENDPOINTS.items()
            if pipeline in self.pipelines
        }
        return {
            **jobs,
            **sync,
            "JobRequest": {
                "description": "One job. Its fields depend on the pipeline.",
                "oneOf": [ref(name) for name in jobs],
                "discriminator": {
                    "propertyName": "pipeline",
                    "mapping": {p: ref(_component(p))["$ref"] for p in self.pipelines},
                },
            },
            "JobForm": self._job_form(),
            **{f"{name.removesuffix('Request')}Form": self._recording_form() for name in sync},
            "Output": self._output(),
            "VoiceRequest": self._voice_request(),
            "VoiceForm": self._voice_form(),
            "PreviewRequest": self._preview(),
            "TextPreviewRequest": self._text_preview(),
            **{
                name: speech_schema(self.declared[name], self.catalog, self._names())
                for name in ("SpeechRequest", "CaptionedSpeechRequest")
                if name in self.declared
            },
        }

    def examples(self) -> dict[str, dict[str, Any]]:
        """By component, named examples that are accepted as they are; audio files of forms are not among them."""
        jobs = {name: self._example(pipeline) for name, pipeline in self.pipelines.items()}
        speaking = next((job for job in jobs.values() if "text" in job and len(job) == 2), None)
        found: dict[str, dict[str, Any]] = {"JobRequest": jobs}
        for name, pipeline in SYNC_ENDPOINTS.items():
            if pipeline in jobs:
                found[name] = {"recording": {key: v for key, v in jobs[pipeline].items() if key != "pipeline"}}
        if speaking:
            found["JobRequest"]["options"] = {
                **speaking,
                "output": {"format": "mp3", "loudness": -18},
                "options": {"seed": 7},
                "metadata": {"chapter": "1"},
            }
            items = [{"custom_id": f"l{n}", "job": {"text": text}} for n, text in enumerate(("One.", "Two."), 1)]
            found["BatchRequest"] = {"items": {"defaults": {"pipeline": speaking["pipeline"]}, "items": items}}
        if names := self._cloning():
            recordings = [{"base64": SAMPLE}]
            found["VoiceRequest"] = {"recording": {"name": "Ann", "pipelines": names, "recordings": recordings}}
        if sentence := speech_example(self._names()):
            found["SpeechRequest"] = found["CaptionedSpeechRequest"] = {"sentence": sentence}
        entries = [{"word": "Chorus", "ipa": "kˈɔːɹəs"}, {"word": "SQL", "say": "sequel", "case_sensitive": True}]
        found["LexiconRequest"] = {"names": {"name": "Names", "language": "en", "entries": entries}}
        found["LexiconChange"] = {"entries": {"entries": entries[:1]}}
        found["VoiceChange"] = {"name": {"name": "Ann, close to the microphone"}}
        found["PreviewRequest"] = {"sentence": {"text": "Hello."}}
        if speaking:
            text = "On 3/4/2025 Dr. Smith paid $5.50 [pause 1s] to St. John's Church."
            found["TextPreviewRequest"] = {"sentence": {**speaking, "text": text, "markup": "light"}}
        return found

    def _names(self) -> OpenAINames:
        settings = self.settings
        return OpenAINames.read(settings.openai_models, settings.openai_voices, self.catalog, self.pipelines)

    # -- jobs

    def _job(self, pipeline: Pipeline) -> Schema:
        declared = self.declared["JobRequest"]["properties"]
        properties = {"pipeline": {"const": pipeline.name, "description": pipeline.description}}
        properties |= {name: declared[name] for name in _inputs(pipeline)}
        if StepData.LANGUAGE in _needs(pipeline):
            properties["language"] = self._language(pipeline)
        if StepData.VOICE in _needs(pipeline):
            properties["voice"] = self._voice(pipeline)
        elif takes_stored_voices(pipeline):
            properties["voice"] = _nullable(_STORED_VOICE, about="A stored voice")
        if StepData.BASE_VOICE in _needs(pipeline):
            properties["base_voice"] = self._base_voice(pipeline)
        properties |= {name: declared[name] for name in _COMMON}
        properties["options"] = self._options(pipeline)
        properties["models"] = self._models(pipeline)
        properties["expires_in"] = _at_most(declared["expires_in"], self.settings.max_expires_in)
        required, ways = ["pipeline"], []
        if _takes(pipeline, StepData.TEXT):
            ways.append({"oneOf": exactly_one("text", "chapters")})
        if _takes_reference(pipeline):
            ways.append({"oneOf": exactly_one("reference", "voice")})
        if _takes(pipeline, StepData.RECORDING):
            properties["recording"] = ref("RecordingInput")
            required.append("recording")
        return {
            "type": "object",
            "title": f"Job of {pipeline.name}",
            "description": pipeline.description,
            "properties": properties,
            "required": required,
            "additionalProperties": False,
            **({"allOf": ways} if ways else {}),
        }

    def _sync_request(self, name: str) -> Schema:
        """A job of the pipeline ``name``, without its name."""
        job = self._job(self.pipelines[name])
        properties = {key: value for key, value in job["properties"].items() if key != "pipeline"}
        required = [key for key in job["required"] if key != "pipeline"]
        return {**job, "title": f"The body of /v1/{name}", "properties": properties, "required": required}

    def _voice(self, pipeline: Pipeline) -> Schema:
        names, mixed = self._model_voices(pipeline)
        ways = [_one_of(names, mixed)]
        if takes_stored_voices(pipeline) and not mixed:
            ways.append(_STORED_VOICE)
        return _nullable(*ways, about=f"One of {', '.join(names)}{', or a mix of them' if mixed else ''}")

    def _base_voice(self, pipeline: Pipeline) -> Schema:
        names, mixed = self._model_voices(pipeline)
        return _nullable(_one_of(names, mixed), about=f"The voice that is converted: one of {', '.join(names)}")

    def _model_voices(self, pipeline: Pipeline) -> tuple[list[str], bool]:
        """The voices of the models that a pipeline can speak with, and whether they can be mixed."""
        speaking = models_by_role(pipeline, self.catalog).get(Role.SYNTHESIZE, [])
        mixed = any(family_of(spec.type).voice for spec in speaking)
        return [voice for spec in speaking for voice in spec.voices], mixed

    def _language(self, pipeline: Pipeline) -> Schema:
        speaking = models_by_role(pipeline, self.catalog).get(Role.SYNTHESIZE, [])
        there = sorted({tag for spec in speaking for tag in spec.languages})
        ways = "|".join(dict.fromkeys(_tag_pattern(tag) for tag in there))
        tag = {"type": "string", "pattern": f"^(?:{ways})$", "examples": there}
        return _nullable(tag, about=f"BCP 47: {', '.join(there)}")

    def _options(self, pipeline: Pipeline) -> Schema:
        properties: dict[str, Schema] = {}
        for role, specs in models_by_role(pipeline, self.catalog).items():
            properties |= {name: _option(option) for spec in specs for name, option in spec.options.items()}
            if role in PER_UTTERANCE:
                properties["seed"] = _option(SEED)
        return {"type": "object", "properties": properties, "additionalProperties": False, "default": {}}

    def _models(self, pipeline: Pipeline) -> Schema:
        by_role = models_by_role(pipeline, self.catalog).items()
        return {
            "type": "object",
            "description": "The model for a step, by role; default: the first that fits",
            "properties": {role.value: {"enum": [spec.name for spec in specs]} for role, specs in by_role},
            "additionalProperties": False,
            "default": {},
        }

    def _example(self, pipeline: Pipeline) -> dict[str, Any]:
        job: dict[str, Any] = {"pipeline": pipeline.name}
        if _takes(pipeline, StepData.TEXT):
            job["text"] = "Hello from Chorus."
        for data in (StepData.REFERENCE, StepData.RECORDING):
            if _takes(pipeline, data):
                job[data.value] = {"base64": SAMPLE}
        return job

    # -- parts, and other requests

    def _narrowed(self, name: str, properties: Mapping[str, Schema], **more: Any) -> Schema:
        declared = self.declared[name]
        return {**declared, "properties": {**declared["properties"], **properties}, **more}

    def _output(self) -> Schema:
        places = destinations(self.settings.destinations)
        about = self.declared["Output"]["properties"]["destination"]["description"]
        place = _nullable(*([_enum(places)] if places else []), about=about)
        return self._narrowed("Output", {"destination": place}, allOf=output_rules())

    def _cloning(self) -> list[str]:
        return [name for name, pipeline in self.pipelines.items() if takes_stored_voices(pipeline)]

    def _voice_request(self) -> Schema:
        about = self.declared["VoiceRequest"]["properties"]["pipelines"]["description"]
        names = {"type": "array", "items": _enum(self._cloning()), "minItems": 1, "maxItems": 32}
        return self._narrowed("VoiceRequest", {"pipelines": _nullable(names, about=about)})

    def _preview(self) -> Schema:
        names = [name for name, pipeline in self.pipelines.items() if _takes(pipeline, StepData.TEXT)]
        about = "Default: the first pipeline that supports this voice"
        return self._narrowed("PreviewRequest", {"pipeline": _nullable(_enum(names), about=about)})

    def _text_preview(self) -> Schema:
        """For each pipeline that speaks a text, the fields of its jobs that concern the text."""
        speaking = [pipeline for pipeline in self.pipelines.values() if _takes(pipeline, StepData.TEXT)]
        return {
            "description": self.declared["TextPreviewRequest"]["description"],
            "oneOf": [self._text_preview_of(pipeline) for pipeline in speaking],
        }

    def _text_preview_of(self, pipeline: Pipeline) -> Schema:
        job = self._job(pipeline)
        properties = {name: schema for name, schema in job["properties"].items() if name in TextRequest.model_fields}
        ways: list[Schema] = [{**way, "maxLength": MAX_CHARACTERS} for way in properties["text"]["anyOf"]]
        properties["text"] = {**properties["text"], "anyOf": ways}
        way = {"allOf": [{"oneOf": exactly_one("text", "chapters")}]}
        return {**job, "title": f"Preview of {pipeline.name}", "properties": properties, **way}

    # -- forms

    def _form(self, name: str, fields: str, files: Mapping[str, Schema], **more: Schema) -> Schema:
        """A multipart body with some ``fields`` of the request ``name`` as they are declared."""
        declared = self.declared[name]["properties"]
        properties = {**more, **{field: declared[field] for field in fields.split()}, **files}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def _job_form(self) -> Schema:
        about = "All other fields together as JSON; alternatively, each as its own field"
        job: Schema = {"type": "string", "contentMediaType": "application/json", "description": about}
        files = {name: _file(name) for name in ("reference", "recording")}
        strings = {name: {"type": "string"} for name in ("text", "voice", "language")}
        more = {"job": job, "pipeline": _enum(self.pipelines), **strings}
        form = self._form("JobRequest", "vad markup priority on_error metadata", files, **more)
        return {**form, "anyOf": [{"required": ["job"]}, {"required": ["pipeline"]}]}

    def _recording_form(self) -> Schema:
        form = self._form("JobRequest", "vad priority metadata", {"recording": _file("recording")})
        return {**form, "required": ["recording"]}

    def _voice_form(self) -> Schema:
        files = {"type": "array", "items": _file("recording"), "minItems": 1, "maxItems": MAX_RECORDINGS}
        pipelines: Schema = {"type": "array", "items": _enum(self._cloning()), "maxItems": 32}
        consent = {"type": "string", "maxLength": 10_000, "description": "The speaker's consent, as text"}
        form = self._form("VoiceRequest", "name", {"files": files}, pipelines=pipelines, consent=consent)
        return {**form, "required": ["name", "files"]}


def _component(pipeline: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[_-]", pipeline)) + "Job"


def _needs(pipeline: Pipeline) -> set[StepData]:
    return {data for step in pipeline.steps for data in step.needs}


def _takes_reference(pipeline: Pipeline) -> bool:
    """Whether a reference may be given: as a recording, as an embedding, or as a stored voice."""
    return _takes(pipeline, StepData.REFERENCE) or takes_stored_voices(pipeline)


def _takes(pipeline: Pipeline, data: StepData) -> bool:
    return data in _needs(pipeline)


def _inputs(pipeline: Pipeline) -> list[str]:
    """The fields for a pipeline's inputs that none of its steps provides, and for segments, which are optional."""
    needs = _needs(pipeline)
    fields = ["text", "chapters", "lexicons"] if StepData.TEXT in needs else []
    fields += ["reference"] if _takes_reference(pipeline) else []
    fields += [data.value for data in (StepData.RECORDING, StepData.SEGMENTS) if data in needs]
    listening = any(step.role is Role.TRANSCRIBE for step in pipeline.steps)
    return [*fields, "language"] if listening else fields


def _one_of(names: list[str], mixed: bool) -> Schema:
    return {"type": "string", "examples": names} if mixed else _enum(names)


def _option(option: Option) -> Schema:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    schema: Schema = {"type": kinds[type(option.default)], "default": option.default}
    if option.choices:
        schema["enum"] = list(option.choices)
    most = "maxLength" if isinstance(option.default, str) else "maximum"
    bounds = {"minimum": option.minimum, most: option.maximum}
    return {**schema, **{key: n for key, n in bounds.items() if n is not None}, "description": option.description}


def _tag_pattern(tag: str) -> str:
    """What names a language: the whole tag or its beginning, in either case, ``-`` or ``_`` between its parts."""
    first, *others = [
        "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in part) for part in tag.split("-")
    ]
    return first + "".join(f"(?:[-_]{part}" for part in others) + ")?" * len(others)


def _at_most(schema: Schema, most: int) -> Schema:
    """A declared integer or null that may be ``most`` at most."""
    ways: Sequence[Schema] = schema["anyOf"]
    return {**schema, "anyOf": [{**way, "maximum": most} if way.get("type") == "integer" else way for way in ways]}


def _file(name: str) -> Schema:
    return {"type": "string", "format": "binary", "description": f"The {name}: an audio file"}
