"""MeloTTS: a repository for each language, and the BERT that its voices were trained with."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import WeightsError
from models.hub.licences import Licence
from models.hub.origin import plain
from models.hub.recipes import Addition, Origins, Recipe, Wish, gathered, invalid, weights_of
from models.hub.recipes.names import entry_name, speakers
from models.melo.config import BertConfiguration, Configuration

#: Upstream's names of the languages, and their repositories (``melo/download_utils.py``, MIT).
_REPOSITORIES = {
    "EN": "myshell-ai/MeloTTS-English",
    "EN_V2": "myshell-ai/MeloTTS-English-v2",
    "EN_NEWEST": "myshell-ai/MeloTTS-English-v3",
    "ZH": "myshell-ai/MeloTTS-Chinese",
    "ES": "myshell-ai/MeloTTS-Spanish",
    "FR": "myshell-ai/MeloTTS-French",
    "JP": "myshell-ai/MeloTTS-Japanese",
    "KR": "myshell-ai/MeloTTS-Korean",
}
#: The language of a model, and its BERT.
_BERTS = {
    "EN": ("en", "google-bert/bert-base-uncased"),
    "ZH": ("zh", "google-bert/bert-base-multilingual-uncased"),
    "ES": ("es", "dccuchile/bert-base-spanish-wwm-uncased"),
    "FR": ("fr", "dbmdz/bert-base-french-europeana-cased"),
    "JP": ("ja", "tohoku-nlp/bert-base-japanese-v3"),
    "KR": ("ko", "kykim/bert-kor-base"),
}
_ACCENTS = {"us": "en-US", "br": "en-GB", "india": "en-IN", "au": "en-AU"}


def _language(wish: Wish) -> str:
    """Upstream's name of the language, such as ``EN_V2``."""
    asked = (wish.what or "EN").upper().replace("-", "_")
    asked = {"JA": "JP", "KO": "KR", "EN_V3": "EN_NEWEST"}.get(asked, asked)
    if asked not in _REPOSITORIES:
        raise invalid(f"MeloTTS does not speak {plain(wish.what, 40)!r}. It speaks {', '.join(_REPOSITORIES)}.")
    return asked


def _needs(wish: Wish) -> str:
    asked = _language(wish)
    bert = _BERTS[asked.split("_")[0]][1]
    return (
        f"checkpoint.pth and config.json of {wish.repository or _REPOSITORIES[asked]}, and in a folder "
        f"{bert.split('/')[1]} the model.safetensors or pytorch_model.bin, config.json and vocab.txt of {bert}"
    )


def _build(wish: Wish, origins: Origins) -> Addition:
    asked = _language(wish)
    tag, bert_name = _BERTS[asked.split("_")[0]]
    voice = origins.open(wish.repository or _REPOSITORIES[asked], wish.revision)
    config = voice.json(voice.first("config.json"), Configuration, "a MeloTTS configuration")
    bert = origins.open(bert_name, first=False)
    bert.json(bert.first("config.json"), BertConfiguration, "the configuration of a BERT")
    own = gathered(voice, {"model": voice.first("checkpoint.pth"), "config": "config.json"})
    theirs = {
        "bert": bert.first("model.safetensors", "pytorch_model.bin"),
        "bert_config": "config.json",
        "bert_vocab": bert.first("vocab.txt"),
    }
    if _has(bert, "tokenizer_config.json"):
        theirs["bert_tokenizer"] = "tokenizer_config.json"
    numbers = {name: number for name, number in config.data.spk2id.items() if 0 <= number < config.data.n_speakers}
    voices = _voices(numbers or speakers({}, config.data.n_speakers, asked), tag)
    entry = {
        "type": "melo",
        "weights": weights_of({**own, **gathered(bert, theirs)}),
        "languages": list(dict.fromkeys(str(one["language"]) for one in voices.values())),
        "voices": voices,
        "sample_rate": config.data.sampling_rate,
        "batch": {"cpu": {"items": 16, "cost": 8000}, "cuda": {"items": 64, "cost": 32000}},
        "licence": _joined((voice.licence, bert.licence)),
    }
    return Addition(
        entries={entry_name("melo", asked.replace("_", "-")): entry},
        licences=[Licence(voice.label, voice.licence), Licence(bert.label, bert.licence)],
        origins=[voice.label, bert.label],
    )


def _has(origin: object, path: str) -> bool:
    try:
        origin.first(path)  # type: ignore[attr-defined]
    except WeightsError:
        return False
    return True


def _voices(numbers: dict[str, int], tag: str) -> dict[str, dict[str, object]]:
    """The voices with their languages, and the embeddings that OpenVoice V2 has of them: ``EN-BR`` is ``en_br``."""
    found: dict[str, dict[str, object]] = {}
    for speaker, number in numbers.items():
        (name,) = speakers({}, 1, speaker)
        source = name.lower().replace("-", "_").replace(".", "_")
        accent = source.removeprefix("en_")
        language = _ACCENTS.get(accent, tag) if tag == "en" else tag
        found[name] = {"language": language, "speaker": number, "source": source}
    return found


def _joined(licences: Iterable[str]) -> str:
    return "; BERT: ".join(licence or "not stated" for licence in licences)


RECIPE = Recipe(name="melo", build=_build, needs=_needs, usage="EN")
