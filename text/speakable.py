"""Makes any text safe to speak: Unicode in one normal form, without inaudible characters."""

from __future__ import annotations

import re
import unicodedata

from text.letters import plain_letters

#: combining marks in a row at most (UAX #15, section 13, the stream-safe text format): beyond it
#: canonical ordering takes quadratic time, and no script needs more
MAX_MARKS = 30

_WORD = re.compile(r"[^\W_]")
_JOINERS = "\u200c\u200d"
_NEAR_JOINER = rf"[^\x00-\x7f\s{_JOINERS}]"
_STRAY_JOINER = re.compile(rf"(?<!{_NEAR_JOINER})[{_JOINERS}]|[{_JOINERS}](?!{_NEAR_JOINER})")
_LINE_END = re.compile(r"\r\n?")

#: Unicode categories of inaudible characters: control, format, surrogate, private use
_SILENT = frozenset({"Cc", "Cf", "Cs", "Co"})


class _Replacements(dict[int, str | None]):
    """What each character becomes, worked out once for each that is met."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        silent = unicodedata.category(character) in _SILENT or code & 0xFFFE == 0xFFFE
        self[code] = None if silent else character
        return self[code]


_REPLACEMENTS = _Replacements(
    {
        **dict.fromkeys((0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028), "\n"),
        0x2029: "\n\n",
        0x09: " ",
        0x0A: "\n",
        0x1F: " ",
        **{ord(c): c for c in _JOINERS},  # seen to below: some scripts are spelt with them
        **{code: chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x8E2)},  # signs that are seen
    }
)


def has_word(text: str) -> bool:
    """Whether ``text`` contains a letter or digit of any script, also a stylized one (Ⓐ)."""
    return _WORD.search(text) is not None or _WORD.search(plain_letters(text)) is not None


def clean(text: str) -> str:
    """``text`` in NFC, with line ends as ``\\n`` and without control, zero-width, private and lone surrogate
    characters. Joiners stay where a script may be spelt with them. Idempotent, linear in time, never raises.
    """
    text = _LINE_END.sub("\n", text).translate(_REPLACEMENTS)
    if text.isascii():
        return text
    return _compose(_STRAY_JOINER.sub("", _compose(text)))


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", _bound_marks(text))


def _bound_marks(text: str) -> str:
    """``text`` with at most `MAX_MARKS` combining marks in a row."""
    kept: list[str] = []
    start = marks = 0
    for at, combining in enumerate(map(unicodedata.combining, text)):
        if not combining:
            if marks > MAX_MARKS:
                start = at
            marks = 0
            continue
        marks += 1
        if marks == MAX_MARKS + 1:
            kept.append(text[start:at])
    if marks <= MAX_MARKS:
        kept.append(text[start:])
    return "".join(kept)
