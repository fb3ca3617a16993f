"""Words in other scripts and languages, said with the sounds of the voice.

espeak-ng has a voice for most languages. A word that the job's voice cannot read is read by that voice, and its
phonemes are replaced by the nearest ones that the job's voice has. What no voice of espeak-ng reads is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from text.marks import inline, inline_spans
from text.scripts import BORROWED, Stretch, is_readable, script_of, unreadable
from text.sounds.nearest import adapts
from text.sounds.readings import reading
from text.source import Rewrite

#: espeak-ng's voice for a script.
_VOICES = {
    "CYRILLIC": "ru", "GREEK": "el", "CJK": "cmn", "BOPOMOFO": "cmn", "HIRAGANA": "ja", "KATAKANA": "ja",
    "ARABIC": "ar", "HEBREW": "he", "THAI": "th", "ETHIOPIC": "am", "TELUGU": "te", "ORIYA": "or", "ARMENIAN": "hy",
    "BENGALI": "bn", "DEVANAGARI": "hi", "GEORGIAN": "ka", "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko",
    "KANNADA": "kn", "MALAYALAM": "ml", "SINHALA": "si", "TAMIL": "ta",
}  # fmt: skip
#: Another one, where a word has letters that only its language uses.
_BY_LETTERS = {
    "ўЎ": "be", "іїєґІЇЄҐ": "uk", "љњћђџјЉЊЋЂЏЈ": "sr", "ѓќѕЃЌЅ": "mk", "әғқңөұүһӘҒҚҢӨҰҮҺ": "kk", "ٹڈڑےںھ": "ur",
    "پچژگکی": "fa",
}  # fmt: skip
#: In Bulgarian it is a vowel; in Russian it stands before one of a few.
_BULGARIAN = re.compile("[ъЪ](?![еёюяЕЁЮЯ])")

#: Scripts that can be said in a voice that does not read them.
SAYABLE = frozenset(_VOICES)

_NAMES = {"CJK": "Han"}
_WITH_REGION = frozenset({"pt-br", "es-419", "en-us", "en-gb", "fr-be", "fr-ch"})
_KANA = frozenset({"HIRAGANA", "KATAKANA"})
_OF_JAPANESE = _KANA | {"CJK"}
_DECIDING = 100_000  #: characters of a Japanese text that decide whether it can be said
_IN_WORDS = frozenset("\u200c\u200d\u30fc'’")
_CLAUSE = re.compile(r"[^.,;:!?…()\[\]\"“”«»—\ue000-\ue002]+")


def is_sayable(text: str, language: str) -> bool:
    """Whether a voice of ``language`` can say a word of ``text``: one that it reads, or one in a script of another
    language that espeak-ng reads. Decides by the scripts, not by the words."""
    if is_readable(text, language) or not adapts(language):
        return is_readable(text, language)
    scripts = SAYABLE.intersection(map(script_of, set(text)))
    if scripts - _OF_JAPANESE:
        return True
    return bool(scripts) and any(sayable for *_, sayable in _foreign_words(text[:_DECIDING], language))


def foreign_rewrites(text: str, language: str) -> tuple[list[Rewrite], list[Stretch]]:
    """What becomes of the words of ``text`` that a voice of ``language`` does not read: those that can be said, as
    inline phonemes, and the stretches that cannot. A voice whose sounds are unknown says none. Takes linear time.
    """
    masked = text
    for start, end in inline_spans(text):
        masked = f"{masked[:start]}{'a' * (end - start)}{masked[end:]}"
    if not adapts(language):
        return [], unreadable(masked, language)
    said: list[Rewrite] = []
    left_out: list[Stretch] = []
    for start, end, script, voice, sayable in _foreign_words(masked, language):
        for begin, stop, ipa in _readings(masked, start, end, voice, language) if sayable else [(start, end, None)]:
            if ipa:
                said.append(Rewrite(begin, stop, inline(ipa)))
            elif ipa is not None or script not in BORROWED:  # else the voice reads it, or fails, by itself
                left_out.append(Stretch(begin, stop, (_NAMES.get(script, script.capitalize()),)))
    return said, left_out


def _readings(text: str, start: int, end: int, voice: str, language: str) -> Iterator[tuple[int, int, str | None]]:
    """A word, or parts of it, with the reading of each. A word in Han is read character by character if it must be."""
    ipa = reading(text[start:end], voice, language)
    if ipa or voice != "cmn" or end - start == 1:
        yield start, end, ipa
        return
    for _, places in groupby(range(start, end), lambda place: not reading(text[place], voice, language)):
        run = [*places]
        parts = [reading(text[place], voice, language) or "" for place in run]
        yield run[0], run[-1] + 1, " ".join(parts).strip()


def _foreign_words(text: str, language: str) -> Iterator[tuple[int, int, str, str, bool]]:
    """The words that a voice of ``language`` does not read, or only with sounds that it has not learned: start, end,
    script, espeak-ng's voice, and whether that reads them. Letters that only one language uses tell it for all words
    of their script in the stretch."""
    for stretch in unreadable(text, language, borrowed=not adapts(language)):
        voices = _voices(text[stretch.start : stretch.end])
        for word_start, word_end in _words(text, stretch):
            scripts = {script_of(character) for character in text[word_start:word_end]}
            for start, end, script in _scripts(text, word_start, word_end):
                # Han beside kana is Japanese, which espeak-ng reads in kana only: endings without their words.
                lost = "CJK" in scripts and (("HIRAGANA" in scripts) or (script == "CJK" and bool(scripts & _KANA)))
                yield start, end, script, voices.get(script, ""), script in SAYABLE and not lost and adapts(language)


def _words(text: str, stretch: Stretch) -> Iterator[tuple[int, int]]:
    """Letters and numbers with the marks among and behind them: in many scripts these are vowels."""
    start = -1
    for at in range(stretch.start, stretch.end):
        character = text[at]
        if character.isalnum():
            start = at if start < 0 else start
        elif start >= 0 and not (character in _IN_WORDS or unicodedata.category(character)[0] == "M"):
            yield start, at
            start = -1
    if start >= 0:
        yield start, stretch.end


def foreign_clauses(text: str, spoken: str, language: str) -> list[Rewrite]:
    """``text``, marked as being in the language ``spoken``, as inline phonemes for a voice of ``language``. Clauses
    that cannot be said stay as they are, as do all for a voice whose sounds are unknown. Never raises."""
    if not adapts(language) or _primary(spoken) == _primary(language):
        return []
    found = []
    for clause in _CLAUSE.finditer(text):
        words = clause[0].strip()
        if any(c.isalnum() for c in words) and (ipa := reading(words, _voice(spoken), language)):
            start = clause.start() + len(clause[0]) - len(clause[0].lstrip())
            found.append(Rewrite(start, start + len(words), inline(ipa)))
    return found


def _primary(language: str) -> str:
    return language.replace("_", "-").casefold().partition("-")[0]


def _voice(language: str) -> str:
    """espeak-ng's voice for a language (BCP 47): its name where there is one, else the language without its region."""
    name = language.replace("_", "-").casefold()
    return name if name in _WITH_REGION else name.partition("-")[0]


def _scripts(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """The parts of a word, each in one script."""
    at, script = start, ""
    for place in range(start, end):
        own = script_of(text[place])
        if own and script and own != script and not {own, script} <= _KANA:
            yield at, place, script
            at = place
        script = own or script
    yield at, end, script


def _voices(stretch: str) -> dict[str, str]:
    """espeak-ng's voice for each script, in a stretch of foreign words."""
    letters = frozenset(stretch)
    bulgarian = {"CYRILLIC": "bg"} if _BULGARIAN.search(stretch) else {}
    return (
        _VOICES
        | bulgarian
        | {script_of(own[0]): name for own, name in reversed(_BY_LETTERS.items()) if letters & set(own)}
    )
