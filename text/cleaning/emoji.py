"""Emoji: not spoken, or spoken by their names (Unicode CLDR, by the package ``emoji``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from core.names import Emoji
from text.cleaning.candidates import matches
from text.cleaning.gaps import closed
from text.source import Rewrite, SourceText

#: Characters that are pictures by themselves. Letters and signs that `text.letters` and the normalization read, such
#: as Ⓐ, ™, ✓ and →, are none; those of them that may be pictures are, before U+FE0F.
_PICTURE = (
    "\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2639\u263a\u263b\u2648-\u2653\u2661\u2665\u267f"
    "\u2693\u26a1\u26aa\u26ab\u26bd\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a"
    "\u270b\u2728\u274c\u274e\u2753-\u2755\u2757\u2763\u2764\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55"
    "\U0001f004\U0001f0cf\U0001f18e\U0001f191-\U0001f19a\U0001f201\U0001f21a\U0001f22f\U0001f232-\U0001f236"
    "\U0001f238-\U0001f23a\U0001f250\U0001f251\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f7e0-\U0001f7f0"
    "\U0001f900-\U0001faff"
)
_SHOWN = (
    "[\u203c\u2049\u2139\u2194-\u2199\u21a9\u21aa\u2328\u23cf\u23ed-\u23ef\u23f1\u23f2\u23f8-\u23fa\u24c2\u25aa"
    "\u25ab\u25b6\u25c0\u25fb\u25fc\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u3030\u303d\u3297\u3299"
    "\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f202\U0001f237]\ufe0f"
)
_ONE = rf"(?:{_SHOWN}|[{_PICTURE}]\ufe0f?)"
_MORE = "[\U0001f3fb-\U0001f3ff\u20e3\U000e0020-\U000e007f]"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_SEQUENCE = rf"(?:{_FLAG}|{_ONE}{_MORE}*+(?:\u200d(?:{_ONE}|[\u2640\u2642\u2695\u2696\u2708\u27a1]\ufe0f?){_MORE}*+)*+)"
_KEYCAP = "[0-9#*]\ufe0f?\u20e3"
_FOUND = re.compile(
    rf"(?P<keycap>{_KEYCAP})|(?P<sign>[©®™\u2190-\u21ff]\ufe0f)|(?P<run>{_SEQUENCE}(?:[ \t]?{_SEQUENCE})*+)"
)
_EACH = re.compile(_SEQUENCE)
#: Every emoji has one of these, or begins with one.
_ODD = re.compile("[\u20e3\u203c-\U0001faff]")
_BEGIN = re.compile("[0-9#*©®™\u203c-\u3299\U0001f000-\U0001faff]")

_COUNTRY = re.compile(f"{_FLAG}|\U0001f3f4[\U000e0020-\U000e007f]")
_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")
#: Emoji that are written as punctuation behind a word.
_PUNCTUATION = {"\u2757": "!", "\u2755": "!", "\u2753": "?", "\u2754": "?", "\u203c": "!", "\u2049": "?!"}
#: Emoji that are signs behind a number.
_SIGNS = {"\u2795": "+", "\u2796": "-", "\u2797": "÷", "\u2716": "×", "\U0001f7f0": "="}
#: Names spoken of one run of emoji, at most.
_MOST = 5


def spoken_emoji(text: SourceText, language: str, emoji: Emoji) -> SourceText:
    """``text`` without emoji, or with their names where ``language`` has names; what stands for a digit or a
    punctuation mark stays. Must come before `plain_characters`, which takes flags of regions apart."""
    if text.text.isascii() or _ODD.search(text.text) is None:
        return text
    names = _names(language.replace("_", "-").partition("-")[0].lower()) if emoji is Emoji.NAMED else {}
    return text.rewritten(_changes(text.text, names))


def _changes(text: str, names: Mapping[str, str]) -> Iterator[Rewrite]:
    done = 0
    for found in matches(_BEGIN, _FOUND, text):
        start, end = found.span()
        if found["keycap"] and found[0][0].isdigit():
            rewrite = Rewrite(start + 1, end, " " if text[end : end + 1].isdigit() else "")
        elif found["sign"] and found["sign"][0] not in "↔↕↖↗↘↙↩↪":
            rewrite = Rewrite(start + 1, end, "")
        else:
            rewrite = _rewrite(text, start, end, done, names)
        done = rewrite.end
        yield rewrite


def _rewrite(text: str, start: int, end: int, done: int, names: Mapping[str, str]) -> Rewrite:
    before = text[max(0, start - 2) : start].rstrip()[-1:]
    first = text[start]
    if first in _PUNCTUATION and before.isalnum():
        begin = start - 1 if text[start - 1] == " " and start > done else start
        return Rewrite(begin, end, _PUNCTUATION[first])
    if first in _SIGNS and (before.isdigit() or before == ")"):
        return Rewrite(start, end, _SIGNS[first])
    said: list[str] = []
    for one in _EACH.findall(text, start, end) if names else ():
        name = _name(one, names)
        if name and name not in said[-1:] and len(said) < _MOST:
            said.append(name)
    return closed(text, start, end, done, ", ".join(said))


def _name(sequence: str, names: Mapping[str, str]) -> str:
    """The name of one emoji without its skin tone; of its parts if it has none as a whole."""
    bare = _TONES.sub("", sequence).replace("\ufe0f", "")
    if bare in names:
        return names[bare]
    return ", ".join(names[part] for part in bare.split("\u200d") if part in names)


@lru_cache(maxsize=4)
def _names(code: str) -> Mapping[str, str]:
    """The names of all emoji in a language, without variation selectors; empty if it has none."""
    import emoji  # reads a table of 500 kB

    if code not in emoji.LANGUAGES:
        return {}
    emoji.config.load_language(code)
    return {
        sequence.replace("\ufe0f", ""): _words(sequence, str(entry[code]), code)
        for sequence, entry in emoji.EMOJI_DATA.items()
        if code in entry
    }


def _words(sequence: str, name: str, code: str) -> str:
    words = name.strip(":").replace("_", " ").strip()
    return f"flag of {words}" if code == "en" and _COUNTRY.match(sequence) else words
