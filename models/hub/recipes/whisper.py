"""Whisper: checkpoints of CTranslate2 for faster-whisper, with Silero VAD of the built-in catalog."""

from __future__ import annotations

import contextlib

from pydantic import BaseModel, ConfigDict

from core.errors import WeightsError
from models.catalog import DEFAULT_FILE, read_catalog
from models.hub.licences import Licence
from models.hub.origin import plain
from models.hub.recipes import Addition, Origins, Recipe, Wish, gathered, invalid, weights_of
from models.hub.recipes.names import entry_name

_SYSTRAN = "Systran/faster-whisper-"
_DISTILLED = "Systran/faster-distil-whisper-"
#: faster-whisper's names of the sizes, and their repositories (``faster_whisper/utils.py``, MIT).
_REPOSITORIES = {
    **{size: f"{_SYSTRAN}{size}" for size in ("tiny", "base", "small", "medium", "large-v1", "large-v2", "large-v3")},
    **{f"{size}.en": f"{_SYSTRAN}{size}.en" for size in ("tiny", "base", "small", "medium")},
    **{f"distil-{size}": f"{_DISTILLED}{size}" for size in ("small.en", "medium.en", "large-v2", "large-v3")},
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}
_SHORT = {"turbo": "large-v3-turbo", "large": "large-v3"}
_CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
)
#: The languages of multilingual checkpoints (``whisper/tokenizer.py``, MIT); Cantonese since large-v3.
_LANGUAGES = tuple(_CODES.split())


class _Configuration(BaseModel):
    """The parts that matter of CTranslate2's ``config.json``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    lang_ids: list[int] | None = None


def _repository(wish: Wish) -> str:
    if wish.repository:
        return wish.repository
    size = _SHORT.get(wish.what, wish.what)
    if size not in _REPOSITORIES:
        raise invalid(f"{plain(wish.what, 60)!r} is no size of Whisper. There are {', '.join(_REPOSITORIES)}.")
    return _REPOSITORIES[size]


def _needs(wish: Wish) -> str:
    return f"model.bin, config.json, tokenizer.json, vocabulary.* and preprocessor_config.json of {_repository(wish)}"


def _build(wish: Wish, origins: Origins) -> Addition:
    repository = _repository(wish)
    origin = origins.open(repository, wish.revision)
    config = origin.json(origin.first("config.json"), _Configuration, "a configuration of CTranslate2's Whisper")
    files = {
        "model": origin.first("model.bin"),
        "config": "config.json",
        "tokenizer": origin.first("tokenizer.json"),
        "vocabulary": origin.first("vocabulary.txt", "vocabulary.json"),
    }
    with contextlib.suppress(WeightsError):  # older checkpoints have none
        files["preprocessor"] = origin.first("preprocessor_config.json")
    vad = read_catalog(DEFAULT_FILE).get("silero").weights["model"]
    size = _SHORT.get(wish.what, wish.what) or repository.split("/")[-1].removeprefix("faster-whisper-")
    entry = {
        "type": "whisper",
        "weights": {
            **weights_of(gathered(origin, files)),
            "vad": {"source": vad.parts[0].source, "file": vad.parts[0].file, "sha256": vad.sha256},
        },
        "languages": _languages(size, config),
        "batch": {"cpu": {"items": 16, "cost": 480}, "cuda": {"items": 32, "cost": 1920}},
        "batch_timeout": 600,
        "licence": origin.licence,
    }
    return Addition(
        entries={entry_name("whisper", size.removeprefix("whisper-")): entry},
        licences=[Licence(repository, origin.licence)],
        origins=[origin.label],
    )


def _languages(size: str, config: _Configuration) -> list[str]:
    """English for ``.en``, else those that the checkpoint has tokens of."""
    if size.endswith(".en"):
        return ["en"]
    cantonese = len(config.lang_ids or ()) > len(_LANGUAGES)
    return [*_LANGUAGES, "yue"] if cantonese else list(_LANGUAGES)


RECIPE = Recipe(name="whisper", build=_build, needs=_needs, usage="large-v3-turbo")
