"""Piper: the voices of rhasspy/piper-voices, and any repository with a ``.onnx`` and its ``.onnx.json``."""

from __future__ import annotations

import re

from core.errors import WeightsError
from models.hub.licences import Licence
from models.hub.origin import Origin, plain
from models.hub.recipes import Addition, Origins, Recipe, Wish, gathered, invalid, weights_of
from models.hub.recipes.names import entry_name, speakers
from models.piper.config import VoiceConfig

REPOSITORY = "rhasspy/piper-voices"
_QUALITIES = "x_low|low|medium|high"
_KEY = re.compile(rf"(?P<lang>[a-z]{{2,3}})_(?P<region>[A-Z]{{2}})-(?P<name>[A-Za-z0-9_]+)-(?P<quality>{_QUALITIES})")
_LICENCE = re.compile(r"^\s*[*-]\s*Licen[cs]e\s*:\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_SHOWN = 12  #: voices of a language that an error lists


def _graph(wish: Wish) -> str:
    """Where a voice lies in the repository of all voices: ``en/en_GB/alba/medium/en_GB-alba-medium.onnx``."""
    found = _KEY.fullmatch(wish.what)
    if found is None:
        raise invalid(f"{plain(wish.what, 60)!r} is no voice of Piper, such as en_GB-alba-medium.")
    lang, region, name, quality = found["lang"], found["region"], found["name"], found["quality"]
    return f"{lang}/{lang}_{region}/{name}/{quality}/{wish.what}.onnx"


def _needs(wish: Wish) -> str:
    if wish.repository:
        return f"the .onnx and .onnx.json of {wish.repository}"
    graph = _graph(wish)
    return f"{graph} and {graph.rsplit('/', 1)[-1]}.json of {REPOSITORY}"


def _build(wish: Wish, origins: Origins) -> Addition:
    origin = origins.open(wish.repository or REPOSITORY, wish.revision)
    graph = _chosen(wish, origin) if wish.repository else _known(wish, origin)
    config = origin.json(origin.first(f"{graph}.json"), VoiceConfig, "a Piper voice configuration")
    stem = graph.rsplit("/", 1)[-1].removesuffix(".onnx")
    key = _KEY.fullmatch(stem)
    language = f"{key['lang']}-{key['region']}" if key else _language(config, origin)
    voices = speakers(dict(config.speaker_id_map), config.num_speakers, key["name"] if key else stem)
    licence = _licence(origin, graph, wish)
    entry = {
        "type": "piper",
        "weights": weights_of(gathered(origin, {"model": graph, "config": f"{graph}.json"})),
        "languages": [language],
        "voices": {voice: {"language": language, "speaker": number} for voice, number in voices.items()},
        "sample_rate": config.audio.sample_rate,
        "batch": {
            "cpu": {"items": 16, "cost": 8000, "padded": False},
            "cuda": {"items": 64, "cost": 24000, "padded": True},
        },
        "batch_timeout": 300,
        "per_core": True,
        "licence": licence,
    }
    what = f"the voice {stem}"
    return Addition(
        entries={entry_name("piper", stem): entry}, licences=[Licence(what, licence)], origins=[origin.label]
    )


def _known(wish: Wish, origin: Origin) -> str:
    """The graph of a voice. Raises with the voices of the same language if there is none."""
    graph = _graph(wish)
    try:
        return origin.first(graph)
    except WeightsError:
        start = f"{graph.split('/', 1)[0]}/"
        names = (name.rsplit("/", 1)[-1].removesuffix(".onnx") for name in origin.names())
        there = sorted({name for name in names if _KEY.fullmatch(name) and name.startswith(start[:-1])})
        if not there:
            raise
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        raise invalid(f"{origin.label} has no voice {wish.what}. It has {', '.join(there[:_SHOWN])}{more}.") from None


def _chosen(wish: Wish, origin: Origin) -> str:
    """The one graph of a repository that has its configuration beside it, or the one that was named."""
    names = origin.names()
    if wish.file:
        return origin.first(wish.file)
    graphs = sorted(name for name in names if name.endswith(".onnx") and f"{name}.json" in names)
    if len(graphs) == 1:
        return graphs[0]
    if not graphs:
        raise WeightsError(f"{origin.label} has no voice of Piper: an .onnx with its .onnx.json.")
    raise invalid(f"{origin.label} has {len(graphs)} voices. Choose one with --file: {', '.join(graphs[:_SHOWN])}.")


def _language(config: VoiceConfig, origin: Origin) -> str:
    """The language that espeak-ng reads for a voice without a name of Piper's."""
    found = re.fullmatch(r"([a-z]{2,3})(?:[-_]([A-Za-z]{2}))?.*", config.espeak.voice)
    if found is None:
        raise WeightsError(f"The configuration in {origin.label} does not say which language the voice speaks.")
    return f"{found[1]}-{found[2].upper()}" if found[2] else found[1]


def _licence(origin: Origin, graph: str, wish: Wish) -> str:
    """The licence of the voice: in the model card beside it, since that of the repository is the code's."""
    card = f"{graph.rsplit('/', 1)[0]}/MODEL_CARD" if "/" in graph else "MODEL_CARD"
    try:
        found = _LICENCE.search(origin.read(origin.first(card)).decode("utf-8", "replace"))
    except WeightsError:
        found = None
    return plain(found[1], 100) if found else origin.licence if wish.repository else ""


RECIPE = Recipe(name="piper", build=_build, needs=_needs, usage="en_GB-alba-medium")
