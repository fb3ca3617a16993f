"""The schema of requests for speech: what pydantic declares, narrowed by the models, voices and names there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from core import ids
from core.names import Role
from models.catalog import Catalog
from models.families import family_of
from pipelines.openai_names import VOICES, OpenAINames, speaks_text

Schema: TypeAlias = dict[str, Any]

#: A voice in a mix, with its weight as Chorus or as Kokoro-FastAPI writes it.
_MIXED = r"[^\s:+()]+(:[0-9.]+|\([0-9.]+\))?"

#: Fields that go with others only.
_RULES: list[Schema] = [
    {
        "not": {
            "required": ["allow_voice_tags"],
            "properties": {"allow_voice_tags": {"const": True}, "ssml": {"not": {"const": True}}},
        }
    },
    {
        "not": {
            "required": ["stream", "stream_format"],
            "properties": {"stream": {"const": False}, "stream_format": {"const": "sse"}},
        }
    },
]


def speech_schema(declared: Mapping[str, Any], catalog: Catalog, names: OpenAINames) -> Schema:
    """The component ``SpeechRequest``; ``declared``: as pydantic has it."""
    properties = dict(declared["properties"])
    properties["model"] = _narrowed(properties["model"], {"enum": _models(catalog, names)})
    properties["voice"] = _narrowed(
        properties["voice"], *_voices(catalog, names), {"$ref": "#/components/schemas/VoiceObject"}
    )
    return {**declared, "properties": properties, "allOf": _RULES}


def speech_example(names: OpenAINames) -> Schema | None:
    """A body that works; None where nothing speaks."""
    model = next(iter(names.models), None)
    return None if model is None else {"model": model, "voice": VOICES[0], "input": "Hello from Chorus."}


def _narrowed(declared: Mapping[str, Any], *ways: Schema) -> Schema:
    return {"anyOf": [*ways, {"type": "null"}], "default": None, "description": declared["description"]}


def _models(catalog: Catalog, names: OpenAINames) -> list[str]:
    """Every name of something that speaks."""
    known = dict.fromkeys([*names.models, *names.pipelines, *(spec.name for spec in catalog.of(Role.SYNTHESIZE))])
    return [name for name in known if any(speaks_text(target.pipeline) for target in names.alternatives(name))]


def _voices(catalog: Catalog, names: OpenAINames) -> list[Schema]:
    speaking = catalog.of(Role.SYNTHESIZE)
    known = dict.fromkeys([*(voice for spec in speaking for voice in spec.voices), *names.voices, *VOICES])
    ways: list[Schema] = [{"enum": list(known)}, {"type": "string", "pattern": f"^{ids.VOICE.pattern}$"}]
    if any(family_of(spec.type).voice for spec in speaking):
        ways.append(
            {"type": "string", "pattern": r"^[^\s:+]+(:[0-9.]+|\([0-9.]+\))?(\+[^\s:+]+(:[0-9.]+|\([0-9.]+\))?)+$"}
        )
    return ways
