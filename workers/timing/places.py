"""Where the words of utterances are among the tokens of their model, worked out when a text is prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from core.errors import InvalidText
from core.work import WordPlaces
from models.base import Frontend
from text.captions.source_words import SourceWord, converted, letters_of, shown_words, source_words, spoken_words
from text.captions.token_places import token_places
from workers.steps.utterances import Reader, Spoken, marked

#: Decimals of a place.
DIGITS = 3

#: Words whose symbols are kept for each front end, by voice and language: those of a book come again.
KNOWN = 20_000
_known: WeakKeyDictionary[Frontend, dict[tuple[str, str, str], Sequence[str]]] = WeakKeyDictionary()


class WordPlacer:
    """Finds the words of a text's utterances."""

    def __init__(self, reader: Reader, chapters: Sequence[str]) -> None:
        self._reader = reader
        self._chapters = chapters
        self._alone = _known.setdefault(reader.frontend, {})

    def words(self, spoken: Spoken) -> WordPlaces | None:
        """The words of one utterance; None if it has an error instead of inputs."""
        if spoken.error is not None:
            return None
        plain = marked(self._chapters[spoken.chapter], self._reader.document.markup, self._reader.language).text
        start, end = spoken.source
        found = source_words(plain, spoken.said, start, end)
        shown = shown_words(found, plain, spoken.written)
        symbols = self._reader.frontend.symbols(spoken.inputs)
        if symbols is None:
            return _packed(found, start, len(spoken.said.text), shown, tokens=False)
        spans = spoken_words(spoken.said.text)
        words = [spoken.said.text[begin:stop] for begin, stop in spans]
        alone = [self._symbols(word, spoken.voice) for word in words]
        places = token_places(symbols, alone, [letters_of(word) for word in words])
        return _packed(converted(found, spans, places), start, len(symbols), shown, tokens=True)

    def _symbols(self, word: str, voice: str) -> Sequence[str]:
        """The symbols of a word that is spoken alone; none if it cannot be."""
        frontend, key = self._reader.frontend, (word, voice, self._reader.language)
        if (known := self._alone.get(key)) is None:
            try:
                known = tuple(frontend.symbols(frontend.inputs(*key)) or ())
            except InvalidText:
                known = ()
            if len(self._alone) >= KNOWN:
                self._alone.clear()
            self._alone[key] = known
        return known


def _packed(
    words: Sequence[SourceWord], start: int, units: int, shown: Mapping[int, str], *, tokens: bool
) -> WordPlaces:
    found = ((word.start - start, word.end - word.start, _place(word.first), _place(word.last)) for word in words)
    return WordPlaces(units, tokens, tuple(found), shown)


def _place(unit: float) -> float:
    """A place, as an integer if it is one: these take one byte."""
    return int(unit) if unit == int(unit) else round(unit, DIGITS)
