"""A safe subset of SSML 1.1 (W3C Recommendation, 7 September 2010).

The text is parsed by expat inside an element of our own. So a fragment without ``<speak>`` is taken as well, and a
document type, which alone can declare entities, is a syntax error wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn
from xml.parsers import expat

from text.marks import Break, MarkedText, Reading, Style
from text.markup import attributes
from text.markup.attributes import ELEMENTS, TEXT_ONLY
from text.markup.say_as import is_english, said
from text.markup.values import MAX_MARKS, ends_sentence, invalid, joined_pause, phonemes, shown
from text.source import SourceText
from text.utterances import SENTENCE_PAUSE

MAX_DEPTH = 16  #: elements in each other
MAX_SAY_AS = 10_000  #: in one text: to read one takes far longer than its characters do elsewhere
MAX_CONTENT = 1000  #: characters that one ``say-as``, ``sub`` or ``phoneme`` replaces
MAX_WARNINGS = 20

_PARAGRAPH = "\n\n"
_ROOT = "_"  #: the element around the text
#: Before the root. Its encoding says nothing, since the text came as characters.
_DECLARATION = re.compile(r"\ufeff?(?:\s*<\?xml\s[^<>?]{0,200}\?>)?")
_ALLOWED = f"Allowed are {', '.join(sorted(ELEMENTS))}."
_ENTITY = re.compile(r"&[^\s;&<]{1,30};?")

_PARTS = re.compile(r"<[ps][\s/>]")
_LINES = re.compile(r"\n[ \n]*")
_SPACES = str.maketrans("\r\n\t", "   ")


def parse_ssml(text: str, language: str) -> MarkedText:
    """``text`` without its SSML, and the marks. ``language``: where the SSML names none.

    A line break is a space. ``<p>`` becomes a paragraph between blank lines; where a text has neither ``<p>`` nor
    ``<s>``, its own blank lines stay. Raises `InvalidText` (``invalid_markup``).
    """
    return _Reader(text, language).read()


@dataclass(slots=True)
class _Open:
    """An element that is not closed."""

    name: str
    at: int
    given: Mapping[str, str]
    language: str
    speed: float  #: a factor to the job's own
    style: int | None = None  #: its place among the styles
    pieces: int = 0  #: that there were before it


class _Reader:
    """Reads one text. Positions are in characters of the text."""

    def __init__(self, text: str, language: str) -> None:
        self._source = text
        self._open: list[_Open] = []
        self._language = language
        self._root_closed = self._in_cdata = False
        self._elements = self._say_as = 0
        self._pieces: list[str] = []
        self._stretches: list[tuple[int, int, int]] = []
        self._last = ""  #: the piece before this place with more than white space
        self._spoken = False  #: whether something was said since the last pause or paragraph
        self._paused = False  #: whether nothing was said since the last of ``breaks``
        self._sentence: int | None = None  #: where a sentence has ended, until the next word
        self._readings: list[Reading] = []
        self._breaks: list[Break] = []
        self._styles: list[Style] = []
        self._warnings: list[tuple[int, int, str]] = []

    def read(self) -> MarkedText:
        text = self._source
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise invalid(text, error.start, f"U+{ord(text[error.start]):04X} is not a character.") from None
        begin = _DECLARATION.match(text)
        self._begin = begin.end() if begin else 0
        body = _spaced(text)[self._begin :].encode()
        self._document = f"<{_ROOT}>".encode() + body + f"</{_ROOT}>".encode()
        self._byte, self._character = len(_ROOT) + 2, self._begin
        self._is_ascii = len(body) == len(text) - self._begin
        self._parse()
        plain = SourceText.mapped("".join(self._pieces), self._stretches)
        return MarkedText(plain, self._readings, self._breaks, self._styles, self._warnings)

    def _parse(self) -> None:
        parser = expat.ParserCreate("utf-8")
        self._parser = parser
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartCdataSectionHandler = self._cdata_start
        parser.EndCdataSectionHandler = self._cdata_end
        try:
            parser.Parse(self._document, True)
        except expat.ExpatError as error:
            self._refuse(error.code, parser.ErrorByteIndex)
        finally:
            # The handlers are bound to us: without them there is no cycle to collect.
            parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
            parser.ProcessingInstructionHandler = None
            parser.StartCdataSectionHandler = parser.EndCdataSectionHandler = None

    def _at(self) -> int:
        """The character where the event at hand begins. Events come in order."""
        byte: int = self._parser.CurrentByteIndex
        if self._is_ascii:
            return byte - len(_ROOT) - 2 + self._begin
        self._character += len(self._document[self._byte : byte].decode())
        self._byte = byte
        return self._character

    # -- events

    def _start(self, name: str, given: list[str]) -> None:
        if not self._open:
            self._open.append(_Open(_ROOT, 0, {}, self._language, 1.0))
            return
        at, outer = self._at(), self._open[-1]
        self._elements += 1
        if name not in ELEMENTS:
            raise invalid(self._source, at, f"The element <{name[:40]}> is not supported. {_ALLOWED}")
        if len(self._open) > MAX_DEPTH:
            raise invalid(self._source, at, f"Elements may be nested at most {MAX_DEPTH} deep.")
        if self._elements > MAX_MARKS:
            raise invalid(self._source, at, f"A text may contain at most {MAX_MARKS:,} elements.")
        if outer.name in TEXT_ONLY:
            raise invalid(self._source, at, f"<{outer.name}> may contain {TEXT_ONLY[outer.name]} only.")
        if self._root_closed or (name == "speak" and (len(self._open) > 1 or self._elements > 1 or self._last)):
            raise invalid(self._source, at, "<speak> must be the outermost element, with nothing beside it.")
        values = attributes.read(self._source, at, name, given) if given or name in attributes.REQUIRED else {}
        if name == "say-as":
            self._say_as += 1
            if self._say_as > MAX_SAY_AS:
                raise invalid(self._source, at, f"A text may contain at most {MAX_SAY_AS:,} <say-as>.")
        element = _Open(name, at, values, outer.language, outer.speed, pieces=len(self._pieces))
        self._open.append(element)
        if values and name not in TEXT_ONLY:
            self._begin_style(element)
        if name == "p":
            self._end_paragraph(at)
        elif name == "s":
            self._end_sentence(at)

    def _end(self, name: str) -> None:
        at = self._at()
        element = self._open.pop()
        if name == _ROOT:
            if at < len(self._source):
                raise invalid(self._source, at, f"There is no start tag for </{_ROOT}>.")
            return
        if element.style is not None:
            self._styles[element.style] = replace(self._styles[element.style], end=at)
        if name == "p":
            self._end_paragraph(at)
        elif name == "s":
            self._end_sentence(at)
        elif name == "break":
            self._pause(element)
        elif name in TEXT_ONLY:
            self._reading(element, at)
        elif name == "speak":
            self._root_closed = True

    def _text(self, data: str) -> None:
        at = self._at()
        end = at + len(data)
        # In a section that is not closed, the end tag of our own is text.
        if self._source.startswith("&", at) and not self._in_cdata:
            end = self._source.index(";", at) + 1
            data = " " if data in "\r\n" else data
        if not data.isspace():
            if self._root_closed:
                raise invalid(self._source, at, "<speak> must be the outermost element, with nothing beside it.")
            if self._open[-1].name == "break":
                raise invalid(self._source, at, "<break> must be empty.")
        self._add(data, at, end)

    def _instruction(self, target: str, _: str) -> None:
        raise invalid(self._source, self._at(), f"Processing instructions such as <?{target[:40]}?> are not allowed.")

    def _cdata_start(self) -> None:
        self._in_cdata = True

    def _cdata_end(self) -> None:
        self._in_cdata = False

    def _refuse(self, code: int, byte: int) -> NoReturn:
        """Raise `InvalidText` for what expat found at a byte of the document."""
        text, before = self._source, self._document[len(_ROOT) + 2 : max(len(_ROOT) + 2, byte)]
        at = min(self._begin + len(before.decode(errors="ignore")), len(text))
        codes, detail = expat.errors.codes, f"The text is not well-formed XML: {expat.ErrorString(code)}."
        if code == codes[expat.errors.XML_ERROR_TAG_MISMATCH]:
            element = self._open[-1]
            if at == len(text):
                at, detail = element.at, f"<{element.name}> has no end tag."
            elif element.name == _ROOT:
                detail = "There is no start tag for this end tag."
            else:
                detail = f"This end tag does not close <{element.name}>."
        elif code == codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]:
            entity = _ENTITY.match(text, at)
            detail = (
                f"The entity {shown(entity[0] if entity else '&')} is not defined. Defined are &amp; &lt; &gt; &quot;"
                " &apos; and characters by number, such as &#233;."
            )
        elif at == len(text):
            detail = "The text ends within markup that is not closed."
        elif text.startswith("<!", max(0, at - 2)) and not text.startswith("<![", max(0, at - 2)):
            at, detail = max(0, at - 2), "Document types and declarations are not allowed."
        elif text[at - 1 : at] in ("&", "<"):
            sign = text[at - 1]
            at, detail = at - 1, f"Write {sign} as {'&amp;' if sign == '&' else '&lt;'}, unless it begins markup."
        elif at < len(text) and text[at] < " ":
            detail = f"XML cannot contain the character U+{ord(text[at]):04X}."
        raise invalid(text, at, detail)

    # -- text, pauses and sentences

    def _add(self, piece: str, start: int, end: int) -> None:
        self._pieces.append(piece)
        self._stretches.append((len(piece), start, end))
        if piece.isspace():
            return
        if self._sentence is not None:
            self._breaks.append(Break(self._sentence, SENTENCE_PAUSE))
            self._sentence = None
        self._last = piece
        self._spoken, self._paused = True, False

    def _end_paragraph(self, at: int) -> None:
        self._spoken, self._sentence = False, None
        self._add(_PARAGRAPH, at, at + 1)

    def _end_sentence(self, at: int) -> None:
        if self._spoken and self._sentence is None:
            self._sentence = at
        self._add(" ", at, at + 1)

    def _pause(self, element: _Open) -> None:
        self._sentence = None
        before = self._breaks.pop() if self._paused else None
        seconds = attributes.pause(element.given)
        seconds = joined_pause(self._source, element.at, seconds, before.seconds if before else 0.0)
        if seconds or ends_sentence(self._last):
            self._breaks.append(Break(before.at if before else element.at, seconds))
            self._spoken, self._paused = False, True
        self._add(" ", element.at, element.at + 1)

    # -- styles and readings

    def _begin_style(self, element: _Open) -> None:
        given = element.given
        speed = attributes.speed(given["rate"], element.speed) if "rate" in given else element.speed
        style = Style(
            element.at,
            element.at,
            voice=given["name"] if element.name == "voice" else None,
            speed=round(speed / element.speed, 6) if speed != element.speed else None,
            language=given.get("xml:lang"),
            emphasis=given.get("level") in ("strong", "moderate"),
        )
        element.language = style.language or element.language
        element.speed = speed
        for name in attributes.without_effect(given):
            self._warn(element.at, element.at + 1, f"No voice can change its {name}: it is left as it is.")
        if style.voice or style.speed or style.language or style.emphasis:
            element.style = len(self._styles)
            self._styles.append(style)

    def _reading(self, element: _Open, at: int) -> None:
        content = "".join(self._pieces[element.pieces :])
        if len(content) > MAX_CONTENT:
            detail = f"<{element.name}> may contain at most {MAX_CONTENT} characters."
            raise invalid(self._source, element.at, detail)
        words, ipa = self._said(element, content.strip())
        if not words and not ipa:
            return
        if content.strip():
            start, end = self._span(element.pieces)
        else:
            del self._pieces[element.pieces :], self._stretches[element.pieces :]
            start, end = element.at, at
            self._add(words or ipa, start, end)
        self._readings.append(Reading(start, end, words, ipa))

    def _said(self, element: _Open, content: str) -> tuple[str, str]:
        """Words and phonemes of a reading; both empty where the text is read as it is."""
        given = element.given
        if element.name == "sub":
            return given["alias"], ""
        if element.name == "phoneme":
            return "", phonemes(self._source, element.at, given["ph"])
        words = said(given["interpret-as"], given.get("format", ""), content, element.language) if content else None
        if words is None and content and is_english(element.language):
            kind = given["interpret-as"]
            self._warn(element.at, element.at + 1, f"{shown(content)} cannot be read as {kind}: it is read as it is.")
        return words or "", ""

    def _span(self, first: int) -> tuple[int, int]:
        """The source of the pieces from ``first`` on, without white space around them."""
        known = [
            (piece, start, end)
            for piece, (_, start, end) in zip(self._pieces[first:], self._stretches[first:], strict=True)
            if not piece.isspace()
        ]
        piece, start, end = known[0]
        if end - start == len(piece):
            start += len(piece) - len(piece.lstrip())
        piece, last, end = known[-1]
        if end - last == len(piece):
            end -= len(piece) - len(piece.rstrip())
        return start, end

    def _warn(self, start: int, end: int, message: str) -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append((start, end, message))


def _spaced(text: str) -> str:
    """``text`` with spaces for its line ends and tabs, except for blank lines where it has no ``<p>`` and ``<s>``."""
    if _PARTS.search(text):
        return text.translate(_SPACES)
    lines = text.replace("\r\n", " \n").replace("\r", "\n").replace("\t", " ")
    return _LINES.sub(lambda found: found[0] if found[0].count("\n") > 1 else f" {found[0][1:]}", lines)
