"""Homographs in sentences: how often espeak-ng alone, and with our rules, says the reading that is meant."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from text.marks import inline_parts
from text.normalization.english.homographs import homographs
from text.phonemes import phonemize

#: Symbols that the two sides write differently.
_SAME = (("ʤ", "dʒ"), ("ʧ", "tʃ"), ("ɚ", "ə"), ("ɐ", "ə"), ("ɾ", "t"), ("ᵻ", "ə"), ("ɜ", "ə"), ("ɔ", "ɑ"), ("ʌ", "ə"))
_BEFORE_VOWEL = re.compile(r"ˈ([^aeiouɑəɛɪæʊ]*)")
_MARKS = '[ːˌ0-9.,;:!?"()]'


def measure(folder: Path) -> dict[str, float]:
    """``homographs_espeak`` and ``homographs_right``: shares of the sentences of ``homographs.tsv`` in ``folder``."""
    readings: dict[str, dict[str, str]] = {}
    for row in _rows(folder / "homograph_wordids.tsv", csv.QUOTE_MINIMAL):
        readings.setdefault(row["homograph"], {})[row["wordid"]] = row["pronunciation"].replace("'", "ˈ")
    count = alone = ours = 0
    for row in _rows(folder / "homographs.tsv", csv.QUOTE_NONE):
        sentence, start, known = row["sentence"], int(row["start"]), readings[row["homograph"]]
        spoken = phonemize(sentence, "en-us").split()
        place = len(phonemize(sentence[:start], "en-us").split()) if sentence[:start].strip() else 0
        # espeak-ng joins some words, so that the place is not exact
        near = spoken[max(0, place - 3) : place + 4]
        said = min(near, key=lambda word: min(_distance(word, one) / len(one) for one in known.values()))
        end = int(row["end"])
        decided = next(
            (inline_parts(one.text)[0][0].split()[-1] for one in homographs(sentence) if one.end == end), said
        )
        count += 1
        alone += _nearest(said, known) == row["wordid"]
        ours += _nearest(decided, known) == row["wordid"]
    return {"homographs_espeak": alone / count, "homographs_right": ours / count}


def _rows(path: Path, quoting: Literal[0, 3]) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t", quoting=quoting))


def _nearest(ipa: str, known: Mapping[str, str]) -> str:
    return min(known, key=lambda name: _distance(ipa, known[name]) / len(_plain(known[name])))


def _distance(one: str, other: str) -> int:
    """Levenshtein's, after what is only another spelling."""
    a, b = _plain(one), _plain(other)
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def _plain(ipa: str) -> str:
    ipa = re.sub(_MARKS, "", ipa)
    for theirs, plain in _SAME:
        ipa = ipa.replace(theirs, plain)
    return _BEFORE_VOWEL.sub(r"\1ˈ", ipa)
