"""Entries of models.yaml for the random checkpoints of OpenVoice."""

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
