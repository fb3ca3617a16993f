"""Footnote marks: numbers in brackets or raised, asterisks and daggers behind a word, "[citation needed]".

"x²", "10²", "m²", "array[1]", "f***" and "[sic]" are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.cleaning.candidates import matches
from text.cleaning.word_list import listed
from text.source import Rewrite, SourceText

_RAISED = "¹²³⁰⁴⁵⁶⁷⁸⁹"
_ENDS = r".,;:!?\"'”’»)\]…。，"

_NOTE = r"(?:\d{1,3}(?:\s?[-–,;]\s?\d{1,3}){0,9}|[a-z*†‡§]|(?:note|nb|n|fn|ref|footnote|Note|Anm\.?|nota)\.? ?\d{1,3})"
_REMARK = (
    r"\[(?:citations? needed|(?:additional |better )?(?:source|citation)s? needed|clarification needed|not in citation"
    r" given|failed verification|according to whom\??|by whom\??|who\?|when\?|where\?|which\?|why\?|vague|dubious"
    r"(?: [-–] discuss)?|original research\??|need quotation to verify|page needed|full citation needed|unreliable"
    r" source\??|update|edit|Quelle\?|Bearbeiten|réf\. nécessaire|cita requerida|citation nécessaire|sans source"
    r"|senza fonte|bron\?|источник[^\]\n]{0,30}|要出典)\]"
)
_BEGIN = re.compile(rf"[\[【*†‡{_RAISED}]")
_MARK = re.compile(
    rf"(?P<remark>{_REMARK})"
    r"|(?P<cited>【\d{1,4}(?::\d{1,4})?†[^】\n]{0,200}】)"
    r"|(?P<pandoc>\[\^[^\]\s]{1,60}\]:?)"
    rf"|(?P<bracket>\[{_NOTE}\](?:[ ]?\[{_NOTE}\])*+)"
    rf"|(?P<raised>[{_RAISED}]{{1,4}}+(?:[,⁻–][{_RAISED}]{{1,4}}+)*+)"
    rf"|(?P<star>(?<=[^\W\d_][^\W\d_][^\W\d_])\*(?=[\s{_ENDS}]|$)|(?<=[.,;:!?\"'”’)])\*{{1,3}}+(?=\s|$))"
    rf"|(?P<dagger>(?<=[\w{_ENDS}])[†‡]+(?=[\s{_ENDS}]|$))",
    re.IGNORECASE,
)
_WORD_BEFORE = re.compile(r"[\w.]*\w$")
_STARRED = re.compile(r"\*[^\s*]*+$")
_LAST_WORD = re.compile(r"[^\W_]+$")

#: Names that programs index.
_INDEXED = listed("""
    arg args argv arr array buf col cols df dict idx matrix obj params row rows str tuple val vals vec vector
""")
_OPERATORS = re.compile(r"\s?(?:[=+*/%<>-]|\[\w)|\w|\.\w|\(")
#: Before a reference in brackets that is part of the sentence: "see [12]".
_REFERRING = listed("""
    see in from by of to and or with per ref refs reference references as than at for on cf vgl siehe von und voir
    dans et de ver en y equation eq eqs figure fig section step number no is are was were equals chapter table
    option version press type key button enter level page line select choose dial hit item question
""")
#: Words that are raised to a power.
_POWERED = listed("""
    mm cm dm km nm µm ft in mi yd sq sec inch inches foot feet yard yards mile miles meter meters metre metres sin
    cos tan log exp sinh cosh tanh csc cot mc max min acre chi rad
""")


def without_footnote_marks(text: SourceText) -> SourceText:
    """``text`` without marks that point to a note."""
    return text.rewritten(_changes(text.text))


def _changes(text: str) -> Iterator[Rewrite]:
    for found in matches(_BEGIN, _MARK, text):
        kind, (start, end) = found.lastgroup, found.span()
        if kind == "bracket" and not _is_note(text, found):
            continue
        if kind == "star" and _STARRED.search(text, max(0, start - 40), start):
            continue
        if kind == "raised" and not _is_raised_note(text, start, end):
            continue
        before = text[start - 1 : start]
        if before == " " and kind in ("remark", "cited", "pandoc", "bracket"):
            start -= 1
            before = ""
        joins = (before.isalnum() or before in _STOPS) and text[end : end + 1].isalnum()
        yield Rewrite(start, end, " " if before and joins else "")


def _is_note(text: str, found: re.Match[str]) -> bool:
    """Whether a number or letter in brackets points to a note."""
    start = found.start()
    before = text[start - 1 : start]
    spaced = before == " "
    if spaced:
        start -= 1
        before = text[start - 1 : start]
    if not before or before.isspace():
        return False  # an entry of a list of notes
    note = found[0].strip().partition("]")[0][1:]
    if (
        note == "0"
        or (len(note) == 1 and note.isalpha() and note not in "abcdefgh")
        or _OPERATORS.match(text, found.end())
    ):
        return False
    word = _WORD_BEFORE.search(text, max(0, start - 40), start)
    if spaced:
        if not note[0].isdigit() or (word and word[0].casefold() in _REFERRING):
            return False
        return text[found.end() : found.end() + 1] in ("", "\n", *".,;:!?)") or before in ".!?"
    if word is None:
        return before in _CLOSING
    name = word[0]
    if "_" in name or name[-1].isdigit() or len(name) < 2 or name.casefold() in _INDEXED:
        return False
    return name[1:].islower() or name.isupper() or "." in name or not name.isascii()


_STOPS = frozenset(".!?…")
_CLOSING = frozenset(".,;:!?\"'”’»)]…。，*_%")


def _is_raised_note(text: str, start: int, end: int) -> bool:
    """Whether raised digits point to a note; else they are a power."""
    before = text[start - 1 : start]
    if not before or before == "\n":
        return text[end : end + 1].isspace()  # the note itself
    if text[end : end + 1].isalnum() or text[end : end + 1] in ("/", "⁄"):
        return False
    if before in '.,;:!?"”’»…':
        return start > 1 and not text[start - 2].isdigit()
    word = _LAST_WORD.search(text, max(0, start - 40), start)
    if word is None or not word[0].isalpha() or word[0].casefold() in _POWERED:
        return False
    if len(word[0]) > 2:
        return True
    return len(word[0]) == 2 and (text[start] == "¹" or end - start > 1)
