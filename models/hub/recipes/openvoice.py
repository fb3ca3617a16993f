"""OpenVoice V2: the tone encoder and converter, which have one checkpoint, and the embeddings of base voices."""

from __future__ import annotations

import re
from typing import Any

from models.hub.licences import Licence
from models.hub.recipes import Addition, Origins, Recipe, Wish, gathered, invalid, weights_of
from models.openvoice import RATE
from models.openvoice.config import Configuration

REPOSITORY = "myshell-ai/OpenVoiceV2"
_CHECKPOINT, _CONFIG = "converter/checkpoint.pth", "converter/config.json"
_SOURCE = re.compile(r"base_speakers/ses/([a-z0-9-]{1,40})\.pth")


def _needs(wish: Wish) -> str:
    return f"{_CHECKPOINT}, {_CONFIG} and base_speakers/ses/*.pth of {wish.repository or REPOSITORY}"


def _build(wish: Wish, origins: Origins) -> Addition:
    if wish.what:
        raise invalid("OpenVoice V2 has one model: chorus models add openvoice-v2.")
    origin = origins.open(wish.repository or REPOSITORY, wish.revision)
    origin.json(origin.first(_CONFIG), Configuration, "an OpenVoice configuration")
    tone = {"model": origin.first(_CHECKPOINT), "config": _CONFIG}
    found = ((_SOURCE.fullmatch(path), path) for path in sorted(origin.names()))
    sources = {f"source_{match[1].replace('-', '_')}": path for match, path in found if match}
    facts = gathered(origin, {**tone, **sources})
    entries: dict[str, dict[str, Any]] = {
        "openvoice-v2-encoder": {
            "type": "openvoice_v2_tone_encoder",
            "weights": weights_of({name: facts[name] for name in tone}),
            "batch": {"cpu": {"items": 16, "cost": 60000}, "cuda": {"items": 64, "cost": 240000}},
            "licence": origin.licence,
        },
        "openvoice-v2-converter": {
            "type": "openvoice_v2_tone_converter",
            "weights": weights_of(facts),
            "sample_rate": RATE,
            "batch": {"cpu": {"items": 16, "cost": 20000}, "cuda": {"items": 64, "cost": 80000}},
            "licence": origin.licence,
        },
    }
    return Addition(entries=entries, licences=[Licence(origin.label, origin.licence)], origins=[origin.label])


RECIPE = Recipe(name="openvoice-v2", build=_build, needs=_needs, usage="")
