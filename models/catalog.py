"""The catalog: all models of ``models.yaml``, and those of the installation's own file, described without loading them.

The own file (`core.settings.Settings.own_models`) has the same form. Its entries follow those of ``models.yaml``, or
replace those of the same name.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from core.errors import ConfigurationError, InvalidRequest
from core.names import Precision, Role, Runtime
from core.settings import settings
from core.work import Plan
from core.yamlfile import YamlFile
from models.base import Bounds, Family, Frontend, Model, ModelSpec, Part, Voice, WeightsFile
from models.families import family_at, family_of
from models.shared.devices import Placement

DEFAULT_FILE = Path(__file__).parent / "models.yaml"

KINDS = ("cpu", "cuda")  #: of devices

_STRICT = ConfigDict(extra="forbid")
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class _PartEntry(BaseModel):
    model_config = _STRICT
    source: Annotated[str, Field(pattern=r"^(pypi|hf|s3|file):.+$")]
    file: str


class _WeightsEntry(BaseModel):
    model_config = _STRICT
    name: str | None = None
    source: str | None = None
    file: str | None = None
    parts: list[_PartEntry] = []
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: int | None = Field(None, ge=0)


class _VoiceEntry(BaseModel):
    model_config = _STRICT
    language: str
    speaker: int = 0
    description: str = ""
    source: str = ""


class _BoundsEntry(BaseModel):
    model_config = _STRICT
    items: int = Field(ge=1, le=4096)
    cost: int = Field(ge=1)
    padded: bool = True


class _ModelEntry(BaseModel):
    model_config = _STRICT
    type: str
    weights: dict[str, _WeightsEntry] = {}
    languages: list[str] = []
    voices: dict[str, _VoiceEntry] = {}
    sample_rate: int | None = Field(None, ge=8000, le=192_000)
    batch: dict[str, _BoundsEntry]
    batch_timeout: float = Field(300.0, gt=0)
    voice_match: bool = False
    per_core: bool = False
    licence: str = ""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")] | None = None
    precision: Precision | dict[Literal["cpu", "cuda"], Precision] = Precision.FLOAT32
    runtime: Runtime | None = None


class _File(BaseModel):
    model_config = _STRICT
    models: dict[_Name, _ModelEntry]


class _OwnFile(BaseModel):
    """As `_File`, but all entries may have been removed."""

    model_config = _STRICT
    models: dict[_Name, _ModelEntry] | None = None


def _attribute(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def model_class(spec: ModelSpec) -> type[Model]:
    """The class that runs ``spec``; heavy imports wait for its `load`."""
    return cast(type[Model], _attribute(family_of(spec.type).model))


def load_model(spec: ModelSpec, files: Callable[[str], Path], device: str) -> Model:
    """The model of ``spec``, loaded on ``device`` (``cpu``, ``cuda``, ``cuda:1``). Raises what `Model.load` raises."""
    model = model_class(spec)(spec, files)
    model.device, model.bounds = device, spec.bounds(device)
    model.load(device)
    return model


def placed(spec: ModelSpec, placement: Placement) -> str:
    """Where a model runs, for people: ``on cuda with torch in bfloat16``. Float32 is not mentioned."""
    precision = spec.precision_on(placement.device)
    runtime = f" with {placement.runtime}" if placement.runtime else ""
    return f"on {placement.device}{runtime}{'' if precision is Precision.FLOAT32 else f' in {precision}'}"


def frontend_class(spec: ModelSpec) -> type[Frontend]:
    """The class that converts text to inputs for ``spec``. Raises `ConfigurationError` if the family has none."""
    target = family_of(spec.type).frontend
    if target is None:
        raise ConfigurationError(f"Models of type {spec.type} do not synthesize text.")
    return cast(type[Frontend], _attribute(target))


def resolve_voice(spec: ModelSpec, name: str) -> Voice | None:
    """The voice for ``name`` in a family that can mix voices; None if there is none."""
    target = family_of(spec.type).voice
    return cast(Voice | None, _attribute(target)(spec, name)) if target else None


def voice_of(spec: ModelSpec, name: str) -> Voice | None:
    """A voice of a model, or a mix of its voices; None if it lacks one. Raises `InvalidRequest` for what is no mix."""
    if name in spec.voices:
        return spec.voices[name]
    try:
        return resolve_voice(spec, name)
    except InvalidRequest as error:
        if error.code == "unknown_voice":  # of this model: another may have it
            return None
        raise


def in_language(spec: ModelSpec, voice: Voice, language: str | None) -> Voice | None:
    """A voice of a model as it speaks ``language``; None if it does not. None is its own language."""
    if language is None or speaks(voice.language, language):
        return voice
    own = next((one for one in spec.languages if speaks(one, language)), None)
    return replace(voice, language=own) if own is not None and family_of(spec.type).polyglot else None


def speaks(language: str, asked: str) -> bool:
    """Whether a model's ``language`` serves the one ``asked`` for: ``en-US`` serves ``en`` and ``en-US``."""
    have, want = language.lower().replace("_", "-"), asked.lower().replace("_", "-")
    return have == want or have.startswith(want + "-")


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models, in the order of the file: the first that fits is taken."""

    models: Mapping[str, ModelSpec]

    def get(self, name: str) -> ModelSpec:
        """The model of that name. Raises `InvalidRequest` (``unknown_model``) naming those there are."""
        if name not in self.models:
            raise InvalidRequest(
                f"The model {name!r} does not exist. Available: {_listed(self.models)}.", code="unknown_model"
            )
        return self.models[name]

    def sample_rate(self, plan: Plan) -> int | None:
        """The rate in Hz of a plan's utterances: that of their last stage. None if it has none."""
        return self.get(plan.stages[-1].station).sample_rate if plan.stages else None

    def of(self, role: Role, model_type: str | None = None) -> list[ModelSpec]:
        """The models of a role and, where given, a type."""
        return [m for m in self.models.values() if m.role is role and model_type in (None, m.type)]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _weights(name: str, entry: _WeightsEntry) -> WeightsFile:
    parts = tuple(Part(source=p.source, file=p.file) for p in entry.parts)
    if not parts:
        parts = (Part(source=entry.source or "", file=entry.file or ""),)
    own = entry.name or Path(parts[0].file).name or name
    return WeightsFile(name=own, parts=parts, sha256=entry.sha256, bytes=entry.bytes)


def _check_weights(yaml: YamlFile, name: str, entry: _ModelEntry, family: Family) -> None:
    where = ("models", name)
    for needed in family.weights:
        if needed not in entry.weights:
            raise yaml.error((*where, "weights"), f"models.{name}: a {entry.type} needs weights {needed!r}")
    for key, weights in entry.weights.items():
        at = (*where, "weights", key)
        if not any(fnmatchcase(key, known) for known in (*family.weights, *family.more_weights)):
            raise yaml.error(at, f"models.{name}: a {entry.type} has no weights {key!r}")
        if bool(weights.parts) == bool(weights.source and weights.file):
            raise yaml.error(at, f"models.{name}: weights {key!r} need either source and file, or parts")
        if weights.source and not re.match(r"^(pypi|hf|s3|file):.+$", weights.source):
            raise yaml.error((*at, "source"), f"{weights.source!r} is no pypi:, hf:, s3: or file: source")


def _check_voices_and_bounds(yaml: YamlFile, name: str, entry: _ModelEntry, family: Family) -> None:
    where = ("models", name)
    if "cpu" not in entry.batch:
        raise yaml.error((*where, "batch"), f"models.{name}: batch has no bounds for cpu")
    for kind in entry.batch:
        if kind not in KINDS:
            raise yaml.error((*where, "batch", kind), f"{kind!r} is no kind of device: cpu or cuda")
    for voice, item in entry.voices.items():
        if item.language not in entry.languages:
            at = (*where, "voices", voice, "language")
            raise yaml.error(at, f"voice {voice!r} speaks {item.language!r}, which languages do not name")
    if family.role is Role.SYNTHESIZE and not (entry.languages and entry.sample_rate):
        raise yaml.error(where, f"models.{name}: a synthesizer needs languages and sample_rate")
    if family.role is Role.SYNTHESIZE and not (entry.voices or family.clones):
        raise yaml.error(where, f"models.{name}: a synthesizer needs voices")
    if family.role is Role.CONVERT and not entry.sample_rate:
        raise yaml.error(where, f"models.{name}: a converter needs sample_rate")
    if entry.voice_match and not entry.voices:
        raise yaml.error((*where, "voice_match"), f"models.{name} has no voices to match")


def _precision(entry: _ModelEntry) -> dict[str, Precision]:
    """The precision by kind of device: the entry's one is that of both."""
    asked = entry.precision
    return {str(kind): one for kind, one in asked.items()} if isinstance(asked, dict) else dict.fromkeys(KINDS, asked)


def _check_runtime(yaml: YamlFile, name: str, entry: _ModelEntry, family: Family) -> None:
    where = ("models", name)
    for precision in _precision(entry).values():
        if precision not in family.precisions:
            there = ", ".join(family.precisions)
            raise yaml.error((*where, "precision"), f"models.{name}: a {entry.type} runs in {there}, not {precision}")
    runtimes = [one for one in (family.runtime, family.cuda_runtime, *family.more_runtimes) if one]
    if entry.runtime is not None and entry.runtime not in runtimes:
        there = " or ".join(runtimes) or "no runtime that can be chosen"
        raise yaml.error((*where, "runtime"), f"models.{name}: a {entry.type} runs on {there}, not {entry.runtime}")


def _spec(yaml: YamlFile, name: str, entry: _ModelEntry) -> ModelSpec:
    where = ("models", name)
    family = family_at(yaml, (*where, "type"), entry.type)
    _check_weights(yaml, name, entry, family)
    _check_voices_and_bounds(yaml, name, entry, family)
    _check_runtime(yaml, name, entry, family)
    return ModelSpec(
        name=name,
        type=entry.type,
        role=family.role,
        weights={key: _weights(key, w) for key, w in entry.weights.items()},
        languages=tuple(entry.languages),
        voices={
            key: Voice(name=key, language=v.language, speaker=v.speaker, description=v.description, source=v.source)
            for key, v in entry.voices.items()
        },
        options=family.options,
        sample_rate=entry.sample_rate,
        batch={k: Bounds(items=b.items, cost=b.cost, padded=b.padded) for k, b in entry.batch.items()},
        batch_timeout=entry.batch_timeout,
        voice_match=entry.voice_match,
        per_core=entry.per_core,
        licence=entry.licence,
        device=entry.device,
        precision=_precision(entry),
        runtime=entry.runtime,
    )


def read_catalog(path: Path) -> Catalog:
    """Reads and checks a ``models.yaml``. Raises `ConfigurationError` with file, line and reason."""
    yaml = YamlFile(path)
    entries = yaml.parse(_File).models
    return Catalog({name: _spec(yaml, name, entry) for name, entry in entries.items()})


def read_own_models(path: Path, text: str | None = None) -> Catalog:
    """Reads and checks the file of an installation's own models, or the ``text`` that it will have; a file that does
    not exist has no models. Raises as `read_catalog`."""
    if text is None and not path.exists():
        return Catalog({})
    yaml = YamlFile(path, text)
    if yaml.data is None:  # nothing but comments
        return Catalog({})
    entries = yaml.parse(_OwnFile).models or {}
    return Catalog({name: _spec(yaml, name, entry) for name, entry in entries.items()})


@lru_cache(maxsize=1)
def load_catalog() -> Catalog:
    """The catalog of this process, read once."""
    given = read_catalog(settings().models_file or DEFAULT_FILE)
    return Catalog({**given.models, **read_own_models(settings().own_models).models})
