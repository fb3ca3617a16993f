"""Splits a text into utterances: stretches that a synthesizer speaks in one pass.

Paragraphs end at blank lines, lines at the deliberate breaks that `text.lines` finds, sentences where ``sentencex``
finds their end. A sentence above the limit is split at clause punctuation, otherwise at white space, otherwise
between characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sentencex

from text.lines import lines
from text.speakable import has_word

#: silence after an utterance, in seconds
SENTENCE_PAUSE = 0.25
PARAGRAPH_PAUSE = 0.6
CHAPTER_PAUSE = 1.2
LINE_PAUSE = 0.45  #: after a line that was ended on purpose, such as a heading or one of a list
ELLIPSIS_PAUSE = 0.4  #: after an ellipsis inside a sentence
CLAUSE_PAUSE = 0.1  #: after a clause, where a sentence had to be cut
NO_PAUSE = 0.0  #: inside a clause, and after the last utterance

#: sentencex takes quadratic time in a paragraph, so it processes windows of this many characters.
WINDOW = 2048

_LINE = r"(?:\r\n|\r(?!\n)|\n)"
_BLANK_LINES = re.compile(rf"{_LINE}(?:[^\S\r\n]*{_LINE})+")
_CLAUSE_END = re.compile(r"[,;:،؛—–…][\"'”’»)\]]*(?=\s)|—|[、，；：][”’」』）]*")
_SPACE = re.compile(r"\s+")
_ELLIPSIS = re.compile(r"(?:…|\.{3,})[\"'”’»)\]]*\s+")
_CLAUSE = 8  #: characters at least on both sides of an ellipsis that parts an utterance
_QUOTES = str.maketrans(dict.fromkeys('"“”„‟«»「」『』', " "))
_OPENING = re.compile(r"(?<=\s)[\"“„«「『]+\s*$")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?![A-Za-z])")


@dataclass(frozen=True, slots=True)
class Utterance:
    """``text``: the text to speak, with single spaces; ``pause``: seconds of silence after it; ``start`` and ``end``:
    its position in the source, in characters."""

    text: str
    pause: float
    start: int
    end: int


@dataclass(slots=True)
class _Piece:
    start: int
    end: int
    pause: float


def split(text: str, language: str, limit: int) -> list[Utterance]:
    """The utterances of ``text`` in order, each of 1 to ``limit`` characters of the source.

    ``language`` is a BCP 47 tag; the rules of English apply to languages that sentencex does not support. Every
    letter and digit is in exactly one utterance; marks without a word are joined to a neighbour in their
    paragraph, or dropped. A text without words gives an empty list. Takes linear time; never raises.
    """
    known = _LANGUAGE.match(language)
    code = known[0].lower() if known else "en"
    limit = max(limit, 1)
    pieces: list[_Piece] = []
    for start, end in _paragraphs(text):
        paragraph: list[_Piece] = []
        for line_start, line_end in lines(text, start, end):
            spoken = _join_wordless(text, list(_pieces(text, line_start, line_end, code, limit)), limit)
            if spoken:
                spoken[-1].pause = LINE_PAUSE
                paragraph += spoken
        if paragraph:
            paragraph[-1].pause = PARAGRAPH_PAUSE
            pieces += paragraph
    if pieces:
        pieces[-1].pause = NO_PAUSE
    return [_spoken(text, piece) for piece in pieces]


def split_chapters(chapters: Sequence[str], language: str, limit: int) -> list[list[Utterance]]:
    """The utterances of each chapter, as `split` finds them; one chapter is parted from the next by `CHAPTER_PAUSE`."""
    found = [split(text, language, limit) for text in chapters]
    spoken = [utterances for utterances in found if utterances]
    for utterances in spoken[:-1]:
        utterances[-1] = replace(utterances[-1], pause=CHAPTER_PAUSE)
    return found


def at_ellipses(text: str, utterance: Utterance) -> list[Utterance]:
    """One utterance of ``text`` parted at its ellipses, where a voice would hardly pause by itself. The last part keeps
    the pause."""
    cuts = [utterance.start]
    for found in _ELLIPSIS.finditer(text, utterance.start, utterance.end):
        cut = found.end()
        if min(cut - cuts[-1], utterance.end - cut) >= _CLAUSE and has_word(text[cuts[-1] : cut]):
            cuts.append(cut)
    if len(cuts) == 1 or not has_word(text[cuts[-1] : utterance.end]):
        return [utterance]
    spans = [_trim(text, *span) for span in zip(cuts, [*cuts[1:], utterance.end], strict=True)]
    pieces = [_Piece(*span, ELLIPSIS_PAUSE) for span in spans]
    pieces[-1].pause = utterance.pause
    return [_spoken(text, piece) for piece in pieces]


def divide(text: str, utterance: Utterance) -> list[Utterance]:
    """Split one utterance of ``text`` into shorter ones: at clauses, else between words, else between characters. The
    last one keeps the pause. Empty if the utterance has a single character."""
    size = utterance.end - utterance.start
    if size < 2:
        return []
    limit = min(size - 1, -(-3 * size // 5))  # two halves, and some room to cut where it is best
    pieces = _join_wordless(text, list(_cut(text, utterance.start, utterance.end, limit)), limit)
    pieces[-1].pause = utterance.pause
    return [_spoken(text, piece) for piece in pieces]


def _spoken(text: str, piece: _Piece) -> Utterance:
    return Utterance(" ".join(text[piece.start : piece.end].split()), piece.pause, piece.start, piece.end)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for blank in _BLANK_LINES.finditer(text):
        yield start, blank.start()
        start = blank.end()
    yield start, len(text)


def _pieces(text: str, start: int, end: int, language: str, limit: int) -> Iterator[_Piece]:
    """The sentences of one paragraph without surrounding white space, split if they are too long."""
    size = max(WINDOW, 2 * limit)
    while start < end:
        stop = min(start + size, end)
        bounds = _sentences(text[start:stop], start, language)
        if stop < end and len(bounds) > 1:
            bounds.pop()  # it may go on behind the window
        pieces = [
            piece
            for a, b in bounds
            for c, d in _within_quotes(text, a, b, language, limit)
            for piece in _cut(text, c, d, limit)
        ]
        start = bounds[-1][1]
        if stop < end and len(bounds) == 1 and len(pieces) > 1 and bounds[0][1] == stop:
            start = pieces.pop().start  # one sentence fills the window: go on from its last cut
        yield from pieces


def _sentences(text: str, offset: int, language: str) -> list[tuple[int, int]]:
    try:
        sentences = sentencex.segment(language, text)
    except UnicodeEncodeError:  # lone surrogates, which keep their place as question marks
        sentences = sentencex.segment(language, text.encode("utf-8", "replace").decode())
    bounds: list[tuple[int, int]] = []
    start = offset
    for sentence in sentences:
        bounds.append((start, start + len(sentence)))
        start += len(sentence)
    if start != offset + len(text):  # never seen; no word may be lost
        return [(offset, offset + len(text))]
    return bounds


def _within_quotes(text: str, start: int, end: int, language: str, limit: int) -> list[tuple[int, int]]:
    """The sentences inside a quotation, which sentencex keeps whole, if it is too long."""
    if end - start <= limit:
        return [(start, end)]
    source = text[start:end]
    bare = source.translate(_QUOTES)
    if bare == source:
        return [(start, end)]
    starts = [start]
    for _, stop in _sentences(bare, start, language)[:-1]:
        opening = _OPENING.search(text, starts[-1], stop)
        starts.append(opening.start() if opening else stop)
    return list(zip(starts, [*starts[1:], end], strict=True))


def _cut(text: str, start: int, end: int, limit: int) -> Iterator[_Piece]:
    """One sentence in pieces of about equal length, each within the limit."""
    while True:
        start, end = _trim(text, start, end)
        if start == end:
            return
        if end - start <= limit:
            yield _Piece(start, end, SENTENCE_PAUSE)
            return
        at, pause = _best_cut(text, start, end, limit)
        first, last = _trim(text, start, at)
        yield _Piece(first, last, pause)
        start = at


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _best_cut(text: str, start: int, end: int, limit: int) -> tuple[int, float]:
    """Where to cut a sentence above the limit, and the pause there."""
    target = start + -(-(end - start) // -(-(end - start) // limit))
    for pattern, pause in ((_CLAUSE_END, CLAUSE_PAUSE), (_SPACE, NO_PAUSE)):
        # One more character, for the pattern's look-ahead.
        window = text[start : start + limit + 1]
        cuts = [start + found.end() for found in pattern.finditer(window)]
        cuts = [cut for cut in cuts if start + limit // 4 < cut <= start + limit + (pattern is _SPACE)]
        if cuts:
            return min(cuts, key=lambda cut: abs(cut - target)), pause
    return _between_characters(text, start, start + limit), NO_PAUSE


def _between_characters(text: str, start: int, at: int) -> int:
    """``at``, or slightly before it so that a letter keeps its combining marks."""
    for cut in range(at, max(start, at - 8), -1):
        if unicodedata.category(text[cut])[0] != "M" and text[cut] not in "\u200c\u200d":
            return cut
    return at


def _join_wordless(text: str, pieces: list[_Piece], limit: int) -> list[_Piece]:
    """The pieces that contain a word. A piece without one is joined to the one before, or after, if it fits."""
    joined: list[_Piece] = []
    lead: int | None = None  # where marks before the first word began
    for piece in pieces:
        if has_word(text[piece.start : piece.end]):
            if lead is not None and piece.end - lead <= limit:
                piece.start = lead
            lead = None
            joined.append(piece)
        elif joined and piece.end - joined[-1].start <= limit:
            joined[-1].end, joined[-1].pause = piece.end, piece.pause
        elif not joined:
            lead = piece.start if lead is None else lead
    return joined
