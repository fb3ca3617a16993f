"""Text: exact readings by category, sentence ends, lost words, and characters per CPU second."""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.support import homographs, normalizers
from text.cleaning import clean_up
from text.marks import MarkedText
from text.normalization import normalize
from text.reading import Manner, read_portion, said
from text.source import SourceText
from text.speakable import clean
from text.utterances import split

LANGUAGE = "en-US"

#: Texts that people complain about in public trackers.
COMPLAINTS = Path(__file__).parents[1] / "tests" / "spoken_cases.tsv"

#: Categories of the NeMo cases whose readings are not a matter of taste.
SURE = ("cardinal", "decimal", "ordinal", "money", "date", "time", "measure")

#: Characters of an utterance at most, as Piper takes them.
LIMIT = 300


#: Categories for which the packages are compared, and the tables of whole sentences.
TABLES = ("googletn", "libritts")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--others", action="store_true", help="ask the packages that --python has on the same cases")
    parser.add_argument(
        "--python", default=sys.executable, metavar="PATH", help="the Python that has them (default: this one)"
    )


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """``nemo_exact`` (of `SURE`), ``nemo_CATEGORY``, ``golden_rules_english``, ``words_lost``, ``chars_per_cpu_s``;
    ``googletn_exact`` and ``libritts_exact``, without marks; ``homographs_right``. With ``--others``: `packages`."""
    data: Path = arguments.data
    if arguments.others:
        return packages(data, arguments.python)
    return {
        **nemo(data),
        **others(data),
        **homographs.measure(data / "textnorm"),
        **golden_rules(data),
        **whole_texts(data),
    }


def nemo(data: Path) -> dict[str, float]:
    """The cases of NeMo, letter by letter, but for letter case and the "and" behind hundreds."""
    right: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for row in pairs(data / "textnorm" / "nemo_en.tsv"):
        count[row["category"]] += 1
        right[row["category"]] += plain(normalize(row["written"], LANGUAGE)) == plain(row["spoken"])
    figures = {"nemo_exact": sum(right[c] for c in SURE) / sum(count[c] for c in SURE)}
    return figures | {f"nemo_{category}": right[category] / count[category] for category in sorted(count)}


def others(data: Path) -> dict[str, float]:
    """The same for sentences of Google's and of LibriTTS, word by word."""
    found = {}
    for name in ("googletn", "libritts"):
        rows = list(pairs(data / "textnorm" / f"{name}_subset.tsv"))
        right = [words(plain(normalize(row["written"], LANGUAGE))) == words(plain(row["spoken"])) for row in rows]
        found[f"{name}_exact"] = float(np.mean(right))
    return found


def packages(data: Path, python: str) -> dict[str, float | int | str]:
    """``PACKAGE_nemo_exact`` (of `SURE`) and so on, of ours and of the packages that the interpreter ``python`` has.

    By the words alone. A package that answers in phonemes is right where it gives the same for the text as it is said.
    """
    sets = {
        "nemo_exact": [row for row in pairs(data / "textnorm" / "nemo_en.tsv") if row["category"] in SURE],
        **{f"{name}_exact": list(pairs(data / "textnorm" / f"{name}_subset.tsv")) for name in TABLES},
        "complaints_exact": [{"written": row["written"], "spoken": row["said"]} for row in pairs(COMPLAINTS)],
    }
    rows = [row for found in sets.values() for row in found]
    texts = {key: [row[key] for row in rows] for key in ("written", "spoken")}
    script = Path(__file__).parent / "support" / "normalizers.py"
    command = [python, "-P", str(script)]
    asked = subprocess.run(command, input=json.dumps(texts), stdout=subprocess.PIPE, text=True, check=True)
    answers: dict[str, list[str]] = {"ours": [normalize(text, LANGUAGE) for text in texts["written"]]}
    for line in asked.stdout.splitlines():
        answers |= json.loads(line)
    figures: dict[str, float | int | str] = {}
    for name, said_by in answers.items():
        at = 0
        phonemes = name in normalizers.PHONEMES
        for key, found in sets.items():
            right = 0
            for place in range(at, at + len(found)):
                expected = said_by[len(rows) + place] if phonemes else rows[place]["spoken"]
                right += letters(said_by[place]) == letters(expected)
            figures[f"{name}_{key}"] = right / len(found)
            at += len(found)
    return figures


def letters(text: str) -> str:
    """The words without marks, spaces and letter case: packages part initials and compounds differently."""
    return "".join(words(plain(text).replace("'", "").replace("_", "")))


def golden_rules(data: Path) -> dict[str, float]:
    """The share of pysbd's English rules whose sentences are found as they are."""
    rules = json.loads((data / "sentences" / "pysbd_golden_rules.json").read_text())
    english = [rule for rule in rules if rule["lang"] == "en"]
    right = [
        [u.text for u in split(clean(rule["text"]), "en", LIMIT)] == [" ".join(s.split()) for s in rule["sentences"]]
        for rule in english
    ]
    return {"golden_rules_english": float(np.mean(right))}


def whole_texts(data: Path) -> dict[str, float | int]:
    """Words of whole books that are in no utterance, and how fast a book is made ready: all but the phonemes."""
    lost, characters, cpu = 0, 0, 0.0
    for path in sorted((data / "texts").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        began = time.process_time()
        written, said_words = read(text)
        cpu += time.process_time() - began
        characters += len(text)
        kept = Counter(word for line in written for word in words(line))
        lost += sum((Counter(words(clean_up(SourceText.of(text), LANGUAGE).text)) - kept).values())
        lost += sum(not words(line) for line in said_words)
    return {"words_lost": lost, "chars_per_cpu_s": characters / cpu}


def read(text: str) -> tuple[list[str], list[str]]:
    """The utterances of a text as they are written and as they are said, portion by portion."""
    chapter, manner = MarkedText(SourceText.of(text)), Manner(language=LANGUAGE, limit=LIMIT)
    written: list[str] = []
    spoken: list[str] = []
    start: int | None = 0
    while start is not None:
        portion = read_portion(chapter, start, manner)
        for one in portion.utterances:
            written.append(one.written.text)
            spoken.append(said(one.written, manner).text)
        start = portion.next
    return written, spoken


def pairs(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table of written and spoken text."""
    with path.open(encoding="utf-8") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def plain(text: str) -> str:
    """Without letter case, and without the "and" behind hundreds, which the references say now and then."""
    text = re.sub(r"\b(hundred|thousand) and ", r"\1 ", text.lower().replace("’", "'"))
    return " ".join(text.split())


def words(text: str) -> list[str]:
    """The words without marks."""
    return re.findall(r"[\w']+", text)
