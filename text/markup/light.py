"""The light markup: ``[pause 500ms]``, ``[[joe|dʒoʊ]]`` and ``*emphasis*``; a backslash makes them plain text.

What is not exactly markup is text, so that brackets and asterisks of any text may stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from text.marks import Break, MarkedText, Reading, Style
from text.markup.values import MAX_MARKS, ends_sentence, invalid, joined_pause, phonemes
from text.source import SourceText

#: Each repeat is bounded, or cannot begin where another is under way: matching takes linear time.
_MARK = re.compile(
    r"\\(?P<escaped>[\\\[\]|*])"
    r"|\[pause +(?P<number>[0-9]{1,20}(?:\.[0-9]{1,20})?) ?(?P<unit>ms|s)\]"
    r"|\[\[(?P<word>[^\[\]|\n]{1,200})\|(?P<ipa>[^\[\]|\n]{1,1000})\]\]"
    r"|(?P<star>(?<!\*)\*(?!\*))"
    r"|(?P<paragraph>\n[^\S\n]*(?=\n))"
)
_LOOK_BACK = 20  #: characters before a pause that show whether a sentence ends there


@dataclass(slots=True)
class _Found:
    text: str
    cuts: list[tuple[int, int, str]] = field(default_factory=list)  #: start, end, and what takes its place
    readings: list[Reading] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    styles: list[Style] = field(default_factory=list)
    opened: int | None = None  #: the asterisk that may begin an emphasis
    paused: int = -1  #: where the last of ``breaks`` ended


def parse_light(text: str) -> MarkedText:
    """``text`` without its light markup, and the marks.

    Raises `InvalidText` (``invalid_markup``) for pauses that are too long, phonemes that are none, and beyond
    `MAX_MARKS` marks."""
    found = _Found(text)
    for match in _MARK.finditer(text):
        start, end = match.span()
        kind = match.lastgroup
        if kind == "escaped":
            found.cuts.append((start, start + 1, ""))
        elif kind == "star":
            _star(found, start)
        elif kind == "unit":
            _pause(found, match)
        elif kind == "ipa" and match["word"].strip():
            found.cuts += [(start, start + 2, ""), (match.end("word"), end, "")]
            ipa = phonemes(text, match.start("ipa"), match["ipa"])
            found.readings.append(Reading(start + 2, match.end("word"), ipa=ipa))
        elif kind == "paragraph":
            found.opened = None
        if len(found.cuts) > MAX_MARKS:
            raise invalid(text, start, f"A text may contain at most {MAX_MARKS:,} marks.")
    return MarkedText(_without(text, sorted(found.cuts)), found.readings, found.breaks, found.styles)


def _pause(found: _Found, match: re.Match[str]) -> None:
    text, (start, end) = found.text, match.span()
    seconds = float(match["number"]) / (1000 if match["unit"] == "ms" else 1)
    again = found.paused >= 0 and not text[found.paused : start].strip()
    before = found.breaks.pop() if again else None
    seconds = joined_pause(text, start, seconds, before.seconds if before else 0.0)
    if before or seconds or ends_sentence(text[max(0, start - _LOOK_BACK) : start]):
        found.breaks.append(Break(before.at if before else start, seconds))
        found.paused = end
    found.cuts.append((start, end, " "))


def _star(found: _Found, at: int) -> None:
    before, after = found.text[at - 1 : at] if at else "", found.text[at + 1 : at + 2]
    if found.opened is not None and not before.isspace() and not after.isalnum():
        found.cuts += [(found.opened, found.opened + 1, ""), (at, at + 1, "")]
        found.styles.append(Style(found.opened + 1, at, emphasis=True))
        found.opened = None
    elif after and not after.isspace() and not before.isalnum():
        found.opened = at


def _without(text: str, cuts: list[tuple[int, int, str]]) -> SourceText:
    parts: list[str] = []
    stretches: list[tuple[int, int, int]] = []
    done = 0
    for start, end, instead in (*cuts, (len(text), len(text), "")):
        if start > done:
            parts.append(text[done:start])
            stretches.append((start - done, done, start))
        if instead:
            parts.append(instead)
            stretches.append((len(instead), start, end))
        done = end
    return SourceText.mapped("".join(parts), stretches)
