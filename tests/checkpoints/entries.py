"""Entries of models.yaml for the random checkpoints of OpenVoice and MeloTTS."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

STYLES = ("default", "whispering", "shouting", "excited", "cheerful", "terrified", "angry", "sad", "friendly")
_BATCH = "    batch:\n      cpu: {items: 16, cost: 60000}\n"


def _weights(files: Mapping[str, Path]) -> str:
    """The weights of an entry that lie in files; those that do not exist have a sha256 of their own."""
    lines = ["    weights:"]
    for name, path in files.items():
        digest = hashlib.sha256(path.read_bytes() if path.is_file() else str(path).encode()).hexdigest()
        lines.append(f"      {name}: {{source: 'file:{path.parent}', file: {path.name}, sha256: {digest}}}")
    return "\n".join(lines) + "\n"


def entry(name: str, model_type: str, files: Mapping[str, Path], more: str = "") -> str:
    """One entry; ``more``: further lines."""
    return f"  {name}:\n    type: {model_type}\n{_weights(files)}{_BATCH}{more}"


def openvoice_entries(folder: Path, version: str = "v1") -> str:
    """A base speaker (``v1``) with its styles, a tone encoder and a tone converter, whose files lie in the folders
    ``base`` and ``converter`` of ``folder``."""
    converter = {"model": folder / "converter" / "checkpoint.pth", "config": folder / "converter" / "config.json"}
    sources = {f"source_en_{name}": folder / f"en_{name}_se.pth" for name in ("default", "style")}
    tone = f"openvoice_{version}_tone"
    text = entry(f"{tone}-encoder", f"{tone}_encoder", converter)
    text += entry(f"{tone}-converter", f"{tone}_converter", {**converter, **sources}, "    sample_rate: 22050\n")
    if version == "v1":
        base = {"model": folder / "base" / "checkpoint.pth", "config": folder / "base" / "config.json"}
        voices = "".join(
            f"      {style}: {{language: en, speaker: {number}, source: en_{'style' if number > 1 else 'default'}}}\n"
            for number, style in enumerate(STYLES, start=1)
        )
        more = f"    languages: [en]\n    sample_rate: 22050\n    voices:\n{voices}"
        text += entry("openvoice-en", "openvoice_v1", base, more)
    return text


#: MeloTTS's accents of English, and one voice of each other language.
ACCENTS = {"EN-US": "en-US", "EN-BR": "en-GB", "EN_INDIA": "en-IN", "EN-AU": "en-AU", "EN-Default": "en"}


def melo_entry(folder: Path, language: str = "en", *, source: str = "") -> str:
    """A voice of MeloTTS, or English with its accents. Its files lie in the folders ``LANGUAGE`` and ``bert-LANGUAGE``
    of ``folder``; ``source``: the embedding that a tone converter has of it."""
    voice, network = folder / language, folder / f"bert-{language}"
    files = {
        "model": voice / "checkpoint.pth",
        "config": voice / "config.json",
        "bert": network / "pytorch_model.bin",
        "bert_config": network / "config.json",
        "bert_vocab": network / "vocab.txt",
    }
    names = ACCENTS if language == "en" else {language.upper(): language}
    more = f", source: {source}" if source else ""
    voices = "".join(
        f"      {name}: {{language: {tag}, speaker: {number}{more}}}\n"
        for number, (name, tag) in enumerate(names.items())
    )
    lines = f"    languages: [{', '.join(names.values())}]\n    sample_rate: 44100\n    voices:\n{voices}"
    return entry(f"melo-{language}", "melo", files, lines)
