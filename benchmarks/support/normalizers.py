"""The program that asks other packages to normalize, run by the Python that has them.

Imports nothing of Chorus. Reads ``{"written": [text, ...], "spoken": [text, ...]}`` (JSON) from standard input, writes
one line ``{"package": [answer, ...]}`` for each: the written texts in words; for packages that go to phonemes at once,
the phonemes of the written texts and of the spoken ones. Packages that are not installed are left out.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
import time
import types
from collections.abc import Callable
from typing import Any

Ask = Callable[[str], str]


def num2words_alone() -> Ask:
    from num2words import num2words

    return lambda text: re.sub(r"\d+", lambda found: str(num2words(int(found[0]))), text)


def wetext() -> Ask:
    from wetext import Normalizer

    return Normalizer(lang="en", operator="tn").normalize  # type: ignore[no-any-return]


def we_text_processing() -> Ask:
    from tn.english.normalizer import Normalizer

    return Normalizer(overwrite_cache=False).normalize  # type: ignore[no-any-return]


def nemo_text_processing() -> Ask:
    # Its one dependency without a wheel. Only its alignment with audio uses it.
    stand_in: Any = types.ModuleType("cdifflib")
    stand_in.CSequenceMatcher = difflib.SequenceMatcher
    sys.modules.setdefault("cdifflib", stand_in)
    from nemo_text_processing.text_normalization.normalize import Normalizer

    normalizer = Normalizer(input_case="cased", lang="en")
    return lambda text: str(normalizer.normalize(text, punct_post_process=True))


def kitten_text_processing() -> Ask:
    from kitten_text_processing import normalize_text

    return lambda text: str(normalize_text(text))


def kokorog2p() -> Ask:
    # Without its lexicon, which it downloads: espeak-ng gives its phonemes then.
    from kokorog2p import get_g2p, phonemize

    g2p = get_g2p("en-us", lexicons=[])
    return lambda text: str(phonemize(text, language="en-us", g2p=g2p).phonemes)


def misaki() -> Ask:
    from misaki import en

    g2p = en.G2P(trf=False, british=False, fallback=None)
    return lambda text: str(g2p(text)[0])


PACKAGES: dict[str, Callable[[], Ask]] = {
    "num2words": num2words_alone,
    "wetext": wetext,
    "WeTextProcessing": we_text_processing,
    "nemo_text_processing": nemo_text_processing,
    "kitten_text_processing": kitten_text_processing,
    "kokorog2p": kokorog2p,
    "misaki": misaki,
}


PHONEMES = ("kokorog2p", "misaki")


def main() -> None:
    given = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr  # what packages print
    for name, make in PACKAGES.items():
        try:
            ask = make()
        except Exception as error:
            sys.stderr.write(f"{name}: {type(error).__name__}: {str(error)[:200]}\n")
            continue
        began = time.monotonic()
        texts = given["written"] + (given["spoken"] if name in PHONEMES else [])
        answers = [_answer(ask, text) for text in texts]
        out.write(json.dumps({name: answers}) + "\n")
        out.flush()
        sys.stderr.write(f"{name}: {len(texts)} texts in {time.monotonic() - began:.1f} s\n")


def _answer(ask: Ask, text: str) -> str:
    try:
        return ask(text)
    except Exception as error:
        return f"{type(error).__name__}"


if __name__ == "__main__":
    main()
