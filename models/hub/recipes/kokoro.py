"""Kokoro-82M: hexgrad's checkpoint for torch, with all voices."""

from __future__ import annotations

import re

from core.errors import WeightsError
from models.hub.licences import Licence
from models.hub.recipes import Addition, Origins, Recipe, Wish, gathered, invalid, weights_of
from models.hub.recipes.names import entry_name
from models.kokoro.voices import LANGUAGES

REPOSITORY = "hexgrad/Kokoro-82M"
_RATE = 24_000
_GENDERS = {"f": "Female", "m": "Male"}
_VOICE = re.compile(r"voices/(([abefhijpz])([fm])_[a-z0-9]{1,40})\.pt")
_MODELS = ("kokoro-v1_0.pth", "kokoro-v1_1-zh.pth")


def _needs(wish: Wish) -> str:
    return f"kokoro-v1_0.pth, config.json and voices/*.pt of {wish.repository or REPOSITORY}"


def _build(wish: Wish, origins: Origins) -> Addition:
    if wish.what:
        raise invalid("Kokoro has one model: chorus models add kokoro.")
    origin = origins.open(wish.repository or REPOSITORY, wish.revision)
    files = {"model": origin.first(*([wish.file] if wish.file else _MODELS)), "vocab": origin.first("config.json")}
    voices = {}
    for path in sorted(origin.names()):
        if found := _VOICE.fullmatch(path):
            files[f"voice_{found[1]}"] = path
            voices[found[1]] = {"language": LANGUAGES[found[2]], "description": _GENDERS[found[3]]}
    if not voices:
        raise WeightsError(f"{origin.label} has no voices: voices/*.pt.")
    entry = {
        "type": "kokoro",
        "weights": weights_of(gathered(origin, files)),
        "languages": sorted({voice["language"] for voice in voices.values()}, key=list(LANGUAGES.values()).index),
        "voices": voices,
        "sample_rate": _RATE,
        "batch": {"cpu": {"items": 16, "cost": 8000}, "cuda": {"items": 64, "cost": 32000}},
        "batch_timeout": 600,
        "licence": origin.licence,
    }
    name = entry_name((wish.repository or REPOSITORY).split("/")[-1])
    return Addition(entries={name: entry}, licences=[Licence(origin.label, origin.licence)], origins=[origin.label])


RECIPE = Recipe(name="kokoro", build=_build, needs=_needs, usage="")
