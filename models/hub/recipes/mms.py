"""MMS-TTS: facebook/mms-tts-LANGUAGE, and any repository with a checkpoint of transformers' ``VitsModel``."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field

from core.errors import WeightsError
from models.hub.licences import Licence
from models.hub.origin import plain
from models.hub.recipes import Addition, Origins, Recipe, Wish, gathered, invalid, weights_of
from models.hub.recipes.names import entry_name, short_language, speakers

_LANGUAGE = re.compile(r"([a-z]{3})(-(?:script|dialect)_[a-z0-9_]+)?")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Configuration(_Lenient):
    model_type: str = ""
    sampling_rate: int = Field(16_000, ge=8000, le=192_000)
    num_speakers: int = Field(1, ge=1, le=100_000)


class _Tokenizer(_Lenient):
    is_uroman: bool = False
    language: str | None = None


def _repository(wish: Wish) -> str:
    if wish.repository:
        return wish.repository
    if not _LANGUAGE.fullmatch(wish.what):
        raise invalid(f"{plain(wish.what, 60)!r} is no language of MMS: three letters of ISO 639-3, such as deu.")
    return f"facebook/mms-tts-{wish.what}"


def _needs(wish: Wish) -> str:
    return f"model.safetensors, config.json, vocab.json and tokenizer_config.json of {_repository(wish)}"


def _build(wish: Wish, origins: Origins) -> Addition:
    repository = _repository(wish)
    origin = origins.open(repository, wish.revision)
    config = origin.json(origin.first("config.json"), _Configuration, "the configuration of a VITS model")
    if config.model_type != "vits":
        raise WeightsError(f"{origin.label} has a model of type {plain(config.model_type, 40)!r} instead of 'vits'.")
    tokenizer = origin.json(origin.first("tokenizer_config.json"), _Tokenizer, "the configuration of a tokenizer")
    if tokenizer.is_uroman:
        raise WeightsError(f"{origin.label} reads romanized text, which is not supported.")
    code = _LANGUAGE.fullmatch(wish.what or tokenizer.language or repository.rsplit("-", 1)[-1])
    if code is None:
        raise WeightsError(f"{origin.label} does not say which language it speaks.")
    language = short_language(code[1])
    files = {
        "model": origin.first(*_WEIGHTS),
        "config": "config.json",
        "vocab": origin.first("vocab.json"),
        "tokenizer": "tokenizer_config.json",
    }
    voices = speakers({}, config.num_speakers, "mms")
    entry = {
        "type": "mms",
        "weights": weights_of(gathered(origin, files)),
        "languages": [language],
        "voices": {voice: {"language": language, "speaker": number} for voice, number in voices.items()},
        "sample_rate": config.sampling_rate,
        "batch": {"cpu": {"items": 16, "cost": 8000}, "cuda": {"items": 64, "cost": 32000}},
        "licence": origin.licence,
    }
    name = entry_name("mms", wish.what) if wish.what else entry_name(repository.split("/")[-1])
    return Addition(entries={name: entry}, licences=[Licence(repository, origin.licence)], origins=[origin.label])


RECIPE = Recipe(name="mms", build=_build, needs=_needs, usage="deu")
