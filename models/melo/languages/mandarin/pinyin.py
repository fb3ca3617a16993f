"""Syllables of Mandarin in MeloTTS's phones: an initial and a final each (upstream ``text/opencpop-strict.txt``)."""

from __future__ import annotations

import re

_SYLLABLE = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)([a-z]+)([1-5])")
#: The initial of a syllable that begins with a vowel, by that vowel.
_WITHOUT = {"a": "AA", "e": "EE", "o": "OO"}
#: Finals that are written as others: the vowels of zhi and zi, of yan and ye.
_WRITTEN = {
    **{(initial, "i"): "ir" for initial in ("zh", "ch", "sh", "r")},
    **{(initial, "i"): "i0" for initial in "zcs"},
    ("y", "an"): "En", ("y", "e"): "E",
}  # fmt: skip
#: Interjections without a vowel, and what no table has, as near syllables.
_NEAR = {"n": "en", "ng": "en", "m": "mu", "hm": "heng", "hng": "heng", "ê": "ei", "fiao": "fei"}
_FINALS = {
    *(
        "E",
        "En",
        "a",
        "ai",
        "an",
        "ang",
        "ao",
        "e",
        "ei",
        "en",
        "eng",
        "er",
        "i",
        "i0",
        "ia",
        "ian",
        "iang",
        "iao",
        "ie",
    ),
    *("in", "ing", "iong", "ir", "iu", "o", "ong", "ou", "u", "ua", "uai", "uan", "uang", "ui", "un", "uo", "v", "van"),
    *("ve", "vn"),
}


def syllable(written: str) -> tuple[str, str, int] | None:
    """The initial, the final and the tone (1 to 5) of a syllable such as ``lv4``; None for what is no syllable."""
    near = _NEAR.get(written[:-1])
    found = _SYLLABLE.fullmatch(f"{near}{written[-1]}" if near else written.replace("ü", "v"))
    if not found:
        return None
    final = found[2]
    initial = found[1] or _WITHOUT.get(final[0], "")
    if initial in ("j", "q", "x", "y") and final.startswith("u"):
        final = f"v{final[1:]}"
    final = _WRITTEN.get((initial, final), final)
    return (initial, final, int(found[3])) if initial and final in _FINALS else None
