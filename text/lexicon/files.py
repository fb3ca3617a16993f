"""Lexicons in files of others: PLS (W3C Pronunciation Lexicon Specification 1.0, 14 October 2008), CSV and TSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from core.errors import InvalidText
from text.lexicon.entries import Entry
from text.markup.xsampa import xsampa_to_ipa

MAX_DEPTH = 8  #: elements in each other
MAX_ELEMENTS = 200_000
MAX_GRAPHEMES = 100  #: of one lexeme
MAX_LEXEME_CHARACTERS = 20_000

_COLUMNS = ("word", "say", "ipa", "case_sensitive", "whole_word")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TEXTS = frozenset({"grapheme", "phoneme", "alias"})


@dataclass(frozen=True, slots=True)
class LexiconFile:
    """The entries of a file, and its language (BCP 47) if it names one. Entries are not `checked`."""

    entries: Sequence[Entry]
    language: str | None = None


def read_table(data: bytes, delimiter: str = ",") -> Iterator[Entry]:
    """The entries of a CSV or TSV file in UTF-8: the columns word, say, ipa, case_sensitive and whole_word, in another
    order if there is a header. Raises `InvalidText` (``invalid_lexicon``)."""
    try:
        lines = io.StringIO(data.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise InvalidText("The file is not UTF-8.", code="invalid_lexicon") from error
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    columns: Sequence[str] = _COLUMNS
    first = True
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            names = [cell.lower() for cell in cells]
            if first and "word" in names and set(names) <= set(_COLUMNS) and len(set(names)) == len(names):
                columns = names
            else:
                yield _entry(cells, columns, rows.line_num)
            first = False
    except csv.Error as error:
        raise _wrong(rows.line_num, f"This is not CSV: {str(error)[:200]}.") from error


def _entry(cells: Sequence[str], columns: Sequence[str], line: int) -> Entry:
    if len(cells) > len(columns):
        raise _wrong(line, f"The line has {len(cells)} columns; the maximum is {len(columns)}.")
    found = dict(zip(columns, cells, strict=False))
    return Entry(
        found.get("word", ""),
        found.get("say") or None,
        found.get("ipa") or None,
        _flag(found.get("case_sensitive", ""), line, default=False),
        _flag(found.get("whole_word", ""), line, default=True),
    )


def _flag(text: str, line: int, *, default: bool) -> bool:
    if not text:
        return default
    if text.lower() not in _FLAGS:
        raise _wrong(line, f"{text[:40]!r} is neither true nor false.")
    return _FLAGS[text.lower()]


def read_pls(data: bytes) -> LexiconFile:
    """The entries of a PLS document, which are case-sensitive.

    Of a lexeme, each grapheme is said as the phoneme or alias that is preferred, else as the first one. Of several
    lexemes with the same grapheme, the first one counts: roles are not told apart. Phonemes are IPA or X-SAMPA. A
    document type, which alone can declare entities, is refused. Raises `InvalidText` (``invalid_lexicon``).
    """
    reader = _PlsReader()
    reader.parse(data)
    first: dict[str, Entry] = {}
    for entry in reader.entries:
        first.setdefault(" ".join(entry.word.split()), entry)
    return LexiconFile(tuple(first.values()), reader.language)


@dataclass(slots=True)
class _Lexeme:
    graphemes: list[str] = field(default_factory=list)
    ways: list[tuple[bool, str | None, str | None]] = field(default_factory=list)  #: preferred, say, ipa
    characters: int = 0


class _PlsReader:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.language: str | None = None
        self._alphabet = ""
        self._open: list[str] = []
        self._given: Mapping[str, str] = {}
        self._elements = 0
        self._lexeme: _Lexeme | None = None
        self._text: list[str] = []

    def parse(self, data: bytes) -> None:
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise _wrong(error.lineno, f"This is not XML: {expat.ErrorString(error.code)}.") from error
        except (LookupError, ValueError) as error:
            raise InvalidText("The encoding of the XML is unknown.", code="invalid_lexicon") from error
        finally:
            # The handlers are bound to us: without them there is no cycle to collect.
            parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
            parser.StartDoctypeDeclHandler = None

    def _refuse_doctype(self, *_: object) -> None:
        raise self._error("A document type is not allowed.")

    def _error(self, message: str) -> InvalidText:
        return _wrong(self._parser.CurrentLineNumber, message)

    def _start(self, name: str, given: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise self._error(f"At most {MAX_ELEMENTS} elements, nested at most {MAX_DEPTH} deep, are allowed.")
        if not self._open:
            if local != "lexicon":
                raise self._error("The root of a PLS document is <lexicon>.")
            self.language, self._alphabet = given.get("xml:lang"), given.get("alphabet", "ipa")
        elif local == "lexeme":
            if self._lexeme is not None:
                raise self._error("A <lexeme> is within another.")
            self._lexeme = _Lexeme()
        self._open.append(local)
        self._given, self._text = given, []

    def _characters(self, text: str) -> None:
        if self._lexeme is None or self._open[-1] not in _TEXTS:
            return
        self._lexeme.characters += len(text)
        if self._lexeme.characters > MAX_LEXEME_CHARACTERS:
            raise self._error(f"A <lexeme> can have at most {MAX_LEXEME_CHARACTERS} characters.")
        self._text.append(text)

    def _end(self, name: str) -> None:
        local, lexeme = self._open.pop(), self._lexeme
        if lexeme is None:
            return
        text = "".join(self._text).strip()
        if local == "grapheme":
            lexeme.graphemes.append(text)
            if len(lexeme.graphemes) > MAX_GRAPHEMES:
                raise self._error(f"A <lexeme> can have at most {MAX_GRAPHEMES} graphemes.")
        elif local == "phoneme":
            lexeme.ways.append((self._preferred, None, self._ipa(text)))
        elif local == "alias":
            lexeme.ways.append((self._preferred, text, None))
        elif local == "lexeme":
            self._lexeme = None
            self._close(lexeme)

    @property
    def _preferred(self) -> bool:
        return self._given.get("prefer") == "true"

    def _ipa(self, text: str) -> str:
        alphabet = self._given.get("alphabet", self._alphabet).lower()
        if alphabet == "ipa":
            return " ".join(text.split())
        if alphabet not in ("x-sampa", "xsampa"):
            raise self._error(f"The alphabet {alphabet[:40]!r} is not supported; ipa and x-sampa are.")
        ipa = xsampa_to_ipa(text)
        if ipa is None:
            raise self._error(f"{text[:40]!r} is not X-SAMPA.")
        return ipa

    def _close(self, lexeme: _Lexeme) -> None:
        if not lexeme.graphemes or not lexeme.ways:
            raise self._error("A <lexeme> needs a <grapheme>, and a <phoneme> or an <alias>.")
        _, say, ipa = next((way for way in lexeme.ways if way[0]), lexeme.ways[0])
        self.entries += (Entry(word, say, ipa, case_sensitive=True) for word in lexeme.graphemes)


def _wrong(line: int, message: str) -> InvalidText:
    return InvalidText(f"Line {line}: {message}", code="invalid_lexicon")
