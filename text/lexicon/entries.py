"""The entries of a lexicon, and what they may say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.errors import InvalidText
from text.ipa import check_ipa
from text.lexicon.words import MARK, TOKEN, one_spelling
from text.speakable import clean, has_word

#: Characters of a word or phrase; its words, signs and spaces; characters of what is said instead.
MAX_WORD_CHARACTERS = 100
MAX_WORD_TOKENS = 40
MAX_SAY_CHARACTERS = 500

#: Marks at which a text is cut into utterances: an entry of these alone would undo that.
_CUTS = frozenset(" .,;:!?…'\"()[]{}-–—«»“”„‘")


@dataclass(frozen=True, slots=True)
class Entry:
    """How ``word`` (or a phrase) is said: as the words ``say``, or as the phonemes ``ipa``, exactly one of them."""

    word: str
    say: str | None = None
    ipa: str | None = None
    case_sensitive: bool = False
    whole_word: bool = True  #: otherwise it is also replaced inside of words

    @property
    def key(self) -> tuple[str, bool, bool]:
        """Equal for entries that replace the same words."""
        return self.word if self.case_sensitive else self.word.casefold(), self.case_sensitive, self.whole_word


def checked(entry: Entry) -> Entry:
    """The entry in Unicode's NFC and with single spaces. Raises `InvalidText` with code ``invalid_word``,
    ``invalid_say`` or ``invalid_ipa``."""
    word = _word(entry.word)
    if entry.say is not None and entry.ipa is None:
        return replace(entry, word=word, say=_say(entry.say))
    if entry.ipa is None or entry.say is not None:
        raise InvalidText("An entry must have exactly one of 'say' and 'ipa'.", code="invalid_say")
    check_ipa(entry.ipa)
    return replace(entry, word=word, ipa=" ".join(clean(entry.ipa).split()))


def _word(given: str) -> str:
    if len(given) > MAX_WORD_CHARACTERS:
        raise _invalid_word(f"A word must have at most {MAX_WORD_CHARACTERS} characters.")
    word = " ".join(one_spelling(clean(given)).split())
    if all(character in _CUTS for character in word):
        raise _invalid_word("A word must have a letter, a digit or a symbol.")
    if MARK.match(word):
        raise _invalid_word("A word must not begin with a combining mark.")
    if sum(1 for _ in TOKEN.finditer(word)) > MAX_WORD_TOKENS:
        raise _invalid_word(f"A phrase must have at most {MAX_WORD_TOKENS} words, signs and spaces.")
    return word


def _say(given: str) -> str:
    if len(given) > MAX_SAY_CHARACTERS:
        raise InvalidText(f"'say' must have at most {MAX_SAY_CHARACTERS} characters.", code="invalid_say")
    say = " ".join(clean(given).split())
    if not has_word(say):
        raise InvalidText("'say' must contain a word.", code="invalid_say")
    return say


def _invalid_word(message: str) -> InvalidText:
    return InvalidText(message, code="invalid_word")
