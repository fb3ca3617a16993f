"""Finds the words of lexicons in texts."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate

from text.lexicon.entries import Entry
from text.lexicon.words import GAP, MARK, TOKEN, UNSPACED, one_spelling
from text.marks import inline, inline_spans
from text.source import Rewrite

#: What English adds to a word behind an apostrophe, as phonemes: after a vowel or a voiced sound, after one that is not
#: voiced, and after a sound like its own.
_ENCLITICS = {
    "s": ("z", "s", "ɪz"),
    "d": ("d", "d", "ɪd"),
    "ll": ("əl", "əl", "əl"),
    "ve": ("v", "əv", "əv"),
    "re": ("ɚ", "ɚ", "ɚ"),
    "m": ("m", "m", "m"),
}
_VOICELESS = frozenset("ptkfθ")
_ALIKE = {"s": frozenset("szʃʒʂʐɕʑ"), "d": frozenset("td"), "ve": frozenset("bdfgkpstvzðθʃʒ")}
_ENCLITIC = re.compile(rf"['’ʼ＇‘]({'|'.join(_ENCLITICS)})(?![^\W_])", re.IGNORECASE)
#: What French, Italian and Catalan put before a word with an apostrophe.
_ELIDED = frozenset(
    {
        *("l", "d", "j", "m", "t", "s", "n", "c", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu"),
        *("dell", "all", "nell", "dall", "sull", "un", "quest", "bell", "sant"),
    }
)

#: The layer of an entry, and whether it is case-sensitive: of two for the same characters, the higher one applies.
_Rank = tuple[int, bool]


class _Entries:
    """Entries by their folded word: those that apply in any case, and those in one case."""

    def __init__(self, ranked: Iterable[tuple[_Rank, Entry]]) -> None:
        self._any: dict[str, tuple[_Rank, Entry]] = {}
        self._exact: dict[str, dict[str, tuple[_Rank, Entry]]] = {}
        for rank, entry in ranked:
            folded = entry.word.casefold()
            if entry.case_sensitive:
                self._exact.setdefault(folded, {})[entry.word] = rank, entry
            else:
                self._any[folded] = rank, entry
        self.words = self._any.keys() | self._exact.keys()

    def find(self, folded: str, written: str) -> tuple[_Rank, Entry] | None:
        """The entry for the word ``folded``, which a text has as ``written``."""
        found = self._any.get(folded)
        if folded in self._exact:
            exact = self._exact[folded].get(" ".join(written.split()))
            if exact is not None and (found is None or exact[0] > found[0]):
                return exact
        return found


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    rank: _Rank
    entry: Entry

    @property
    def order(self) -> tuple[int, int, int, bool]:
        """Ascending: the leftmost first, then the longest, then that of the highest rank."""
        layer, exact = self.rank
        return self.start, -self.end, -layer, not exact


class _Folded:
    """A text in one case and spelling, and where its characters come from."""

    def __init__(self, text: str) -> None:
        done, parts = 0, []
        for start, end in inline_spans(text):
            parts += [text[done:start], "\0" * (end - start)]  # in no entry
            done = end
        self._plain = one_spelling("".join((*parts, text[done:])))
        self.text = self._plain.casefold()
        #: Where each character ends in `text`; None if all have kept their places.
        self._ends: list[int] | None = None
        if len(self.text) != len(self._plain):
            self._ends = list(accumulate(len(character.casefold()) for character in self._plain))

    def match(self, entries: _Entries, word: str, start: int, end: int) -> _Match | None:
        """The entry for ``word``, which is in `text` from ``start`` to ``end``; None if none fits, or if it would cut a
        character."""
        first, last = self._place(start), self._place(end)
        if first is None or last is None or MARK.match(self._plain, first) or MARK.match(self._plain, last):
            return None
        found = entries.find(word, self._plain[first:last])
        return _Match(first, last, *found) if found else None

    def _place(self, at: int) -> int | None:
        """The place of a character in the text; None inside of one."""
        if self._ends is None or at == 0:
            return at
        number = bisect_left(self._ends, at)
        return number + 1 if self._ends[number] == at else None


class Lexicon:
    """How the words of its entries are said. Entries of later ``layers`` override those of earlier ones.

    Entries must be `checked`. Letters are compared by Unicode's full case folding. ``language`` (BCP 47) is that of the
    texts. Safe to share between threads.
    """

    def __init__(self, *layers: Iterable[Entry], language: str = "") -> None:
        self._english = language.replace("_", "-").partition("-")[0].casefold() == "en"
        ranked = [((layer, entry.case_sensitive), entry) for layer, found in enumerate(layers) for entry in found]
        self._whole = _Entries((rank, entry) for rank, entry in ranked if entry.whole_word)
        self._parts = _Entries((rank, entry) for rank, entry in ranked if not entry.whole_word)
        #: By the first token of words, the most tokens that one of them has.
        self._reach: dict[str, int] = {}
        for word in self._whole.words:
            tokens = TOKEN.findall(word)
            self._reach[tokens[0]] = max(self._reach.get(tokens[0], 0), len(tokens))
        lengths: dict[str, set[int]] = {}
        for word in self._parts.words:
            lengths.setdefault(word[0], set()).add(len(word))
        #: By the first character of parts of words, their lengths.
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        self._firsts = re.compile(f"[{re.escape(''.join(self._lengths))}]") if self._lengths else None

    def rewrites(self, text: str) -> list[Rewrite]:
        """The replacements for a text, in order: of the leftmost words, the longest. Where that matters, they are apart
        from the letters beside them.

        Phonemes that a text already contains (`text.marks.inline`) are left alone. Takes linear time; never raises.
        """
        folded = _Folded(text)
        found: list[Rewrite] = []
        done = 0
        matches = merge(self._find_words(folded), self._find_parts(folded), key=lambda match: match.order)
        for match in matches:
            if match.start >= done:
                found.append(self._rewrite(text, match))
                done = found[-1].end
        return found

    def _find_words(self, folded: _Folded) -> Iterator[_Match]:
        """The longest words at each place."""
        if not self._reach:
            return
        text = folded.text
        spans = [found.span() for found in TOKEN.finditer(text)]
        for number, (start, end) in enumerate(spans):
            reach = self._reach.get(text[start:end])
            if reach is None or not self._begins(text, spans, number):
                continue
            word, best = "", None
            for last in range(number, min(number + reach, len(spans))):
                token = text[slice(*spans[last])]
                word += " " if GAP.fullmatch(token) else token
                if word in self._whole.words and _ends(text, spans, last):
                    best = folded.match(self._whole, word, start, spans[last][1]) or best
            if best is not None:
                yield best

    def _find_parts(self, folded: _Folded) -> Iterator[_Match]:
        """The longest parts of words at each place."""
        if self._firsts is None:
            return
        text, words = folded.text, self._parts.words
        for first in self._firsts.finditer(text):
            start = first.start()
            for length in self._lengths[first[0]]:
                word = text[start : start + length].replace("\n", " ")
                if word in words and (match := folded.match(self._parts, word, start, start + length)):
                    yield match
                    break

    def _begins(self, text: str, spans: Sequence[tuple[int, int]], number: int) -> bool:
        """Whether a word can begin with a token: behind an apostrophe only after ``l'`` and the like. Of a row of equal
        signs, a word has all or none."""
        first = text[spans[number][0]]
        if not first.isalnum():
            return number == 0 or text[spans[number - 1][0]] != first
        if number < 2 or text[slice(*spans[number - 1])] != "'":
            return True
        before = text[slice(*spans[number - 2])]
        return not before[0].isalnum() or (before in _ELIDED and not self._english)

    def _rewrite(self, text: str, match: _Match) -> Rewrite:
        entry, end, said = match.entry, match.end, match.entry.say or ""
        if entry.ipa is not None:
            said = entry.ipa
            if self._english and entry.whole_word and (enclitic := _ENCLITIC.match(text, end)):
                said += _sounds(enclitic[1].lower(), entry.ipa)
                end = enclitic.end()
            said = inline(said)
        if match.start and _run_together(text[match.start - 1], text[match.start], whole=entry.whole_word):
            said = f" {said}"
        if end < len(text) and _run_together(text[end], text[end - 1], whole=entry.whole_word):
            said = f"{said} "
        return Rewrite(match.start, end, said)


def _ends(text: str, spans: Sequence[tuple[int, int]], last: int) -> bool:
    """Whether a word can end with a token: before an apostrophe only if ``'s`` and the like follow, as they do not in
    ``don't``."""
    start = spans[last][0]
    if not text[start].isalnum():
        return last + 1 == len(spans) or text[spans[last + 1][0]] != text[start]
    if last + 2 >= len(spans) or text[slice(*spans[last + 1])] != "'":
        return True
    behind = text[slice(*spans[last + 2])]
    return not behind[0].isalnum() or behind in _ENCLITICS


def _sounds(enclitic: str, ipa: str) -> str:
    """The phonemes of an enclitic behind ``ipa``."""
    last = next((symbol for symbol in reversed(ipa) if symbol.isalpha() and symbol not in "ˈˌːˑʰʲʷ"), "")
    voiced, voiceless, alike = _ENCLITICS[enclitic]
    if last in _ALIKE.get(enclitic, ()):
        return alike
    return voiceless if last in _VOICELESS else voiced


def _run_together(kept: str, replaced: str, *, whole: bool) -> bool:
    """Whether a character that is kept needs a space beside the words that take the place of ``replaced``."""
    if not kept.isalnum() or (UNSPACED.match(kept) and UNSPACED.match(replaced)):
        return False
    # The part colour of colourful needs none, GB of 16GB does.
    return whole or not replaced.isalnum() or kept.isdigit() != replaced.isdigit()
