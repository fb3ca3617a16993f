"""Words in other scripts and languages, said with the sounds of the voice.

espeak-ng has a voice for most languages. A word that the job's voice cannot read is read by that voice, and its
phonemes are replaced by the nearest ones that the job's voice has. What no voice of espeak-ng reads is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from core.errors import InvalidRequest, InvalidText
from text.marks import inline, inline_spans
from text.phonemes import phonemize
from text.scripts import Stretch, is_readable, script_of, unreadable
from text.sounds.nearest import adapt, adapts, is_english
from text.source import Rewrite

#: espeak-ng's voice for a script.
_VOICES = {
    "CYRILLIC": "ru", "GREEK": "el", "CJK": "cmn", "BOPOMOFO": "cmn", "HIRAGANA": "ja", "KATAKANA": "ja",
    "ARABIC": "ar", "HEBREW": "he", "THAI": "th", "ETHIOPIC": "am", "TELUGU": "te", "ORIYA": "or", "CHEROKEE": "chr",
}  # fmt: skip
#: Another one, where a word has letters that only its language uses.
_BY_LETTERS = {
    "ўЎ": "be", "іїєґІЇЄҐ": "uk", "љњћђџјЉЊЋЂЏЈ": "sr", "ѓќѕЃЌЅ": "mk", "әғқңөұүһӘҒҚҢӨҰҮҺ": "kk", "ٹڈڑےںھ": "ur",
    "پچژگکی": "fa",
}  # fmt: skip

#: Scripts that can be said in a voice that does not read them.
SAYABLE = frozenset(_VOICES)

_NAMES = {"CJK": "Han"}
_WITH_REGION = frozenset({"pt-br", "es-419", "en-us", "en-gb", "fr-be", "fr-ch"})
_KANA = frozenset({"HIRAGANA", "KATAKANA"})
_WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0e31-\u0e4e\u200c\u200d\u30fc'’])*")
_CLAUSE = re.compile(r"[^.,;:!?…()\[\]\"“”«»—\ue000-\ue002]+")

#: Mandarin as espeak-ng writes it: what English hears in its stops and affricates, and where letters are tones.
_MANDARIN = {
    "ts.h": "tʃ", "ts.": "dʒ", "tɕh": "tʃ", "tɕ": "dʒ", "tsh": "ts", "ts": "dz", "s.": "ʃ", "ph": "p", "th": "t",
    "kh": "k", "p": "b", "t": "d", "k": "ɡ", "nɡ": "ŋ", "ʐ": "ɹ", "i.": "ɜː", "i̪": "ɜː", "ɜ": "",
}  # fmt: skip
_MANDARIN_SOUND = re.compile("|".join(map(re.escape, sorted(_MANDARIN, key=len, reverse=True))))
_TONES = re.compile(r"[0-9]")
_ASPIRATED = re.compile("([ptk])h")


def is_sayable(text: str, language: str) -> bool:
    """Whether a voice of ``language`` can say a word of ``text``: one that it reads, or one in a script of another
    language that espeak-ng reads."""
    return is_readable(text, language) or any(sayable for _, _, _, sayable, _ in _foreign_words(text, language))


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
    for start, end, script, sayable, voice in _foreign_words(masked, language):
        if ipa := _ipa(masked[start:end], voice, language) if sayable else None:
            said.append(Rewrite(start, end, inline(ipa)))
        else:
            left_out.append(Stretch(start, end, (_NAMES.get(script, script.capitalize()),)))
    return said, left_out


def _foreign_words(text: str, language: str) -> Iterator[tuple[int, int, str, bool, str]]:
    """The words that a voice of ``language`` does not read: start, end, script, whether espeak-ng reads them, and in
    which voice. Letters that only one language uses tell it for all words of their script in the stretch."""
    for stretch in unreadable(text, language):
        voices = _voices(text[stretch.start : stretch.end])
        for word in _WORD.finditer(text, stretch.start, stretch.end):
            scripts = {script_of(character) for character in word[0]}
            for start, end, script in _scripts(text, *word.span()):
                # Han beside kana is Japanese, which espeak-ng reads in kana only: endings without their words.
                lost = "CJK" in scripts and (("HIRAGANA" in scripts) or (script == "CJK" and bool(scripts & _KANA)))
                sayable = script in SAYABLE and not lost and adapts(language)
                yield start, end, script, sayable, voices.get(script, "")


def foreign_clauses(text: str, spoken: str, language: str) -> list[Rewrite]:
    """``text``, marked as being in the language ``spoken``, as inline phonemes for a voice of ``language``. Clauses
    that cannot be said stay as they are, as do all for a voice whose sounds are unknown. Never raises."""
    if not adapts(language) or _primary(spoken) == _primary(language):
        return []
    found = []
    for clause in _CLAUSE.finditer(text):
        words = clause[0].strip()
        if any(c.isalnum() for c in words) and (ipa := _ipa(words, _voice(spoken), language)):
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
    return _VOICES | {script_of(own[0]): name for own, name in reversed(_BY_LETTERS.items()) if letters & set(own)}


@lru_cache(maxsize=2_000)
def _ipa(text: str, voice: str, language: str) -> str | None:
    """``text`` as espeak-ng's ``voice`` reads it, in sounds of ``language``; None where that is not possible."""
    try:
        ipa = phonemize(text, voice)
    except (InvalidText, InvalidRequest):
        return None
    ipa = unicodedata.normalize("NFD", ipa)
    if voice.startswith("cmn"):
        ipa = _MANDARIN_SOUND.sub(lambda found: _MANDARIN[found[0]], _TONES.sub("", ipa))
    elif voice in ("th", "vi", "yue"):
        ipa = _ASPIRATED.sub(r"\1", _TONES.sub("", ipa).replace("ɜ", ""))
    letters = "".join(c for c in ipa if c.isalpha() or unicodedata.category(c)[0] == "M" or c in "ˈˌː. ")
    if is_english(language):
        letters = letters.replace("ɾ", "r")  # the flap of English is a t
    adapted = adapt(letters, language)
    return adapted if adapted and any(c.isalpha() and c not in "ˈˌː" for c in adapted) else None
