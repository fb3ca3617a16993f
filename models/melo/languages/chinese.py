"""Chinese text, which may have English words in it, to MeloTTS's phones (upstream ``text/chinese_mix.py``, as its voice
``ZH`` reads).

Words and their parts of speech are rjieba's, which has jieba's dictionary; syllables are pypinyin's, and their tones
change by `models.melo.languages.mandarin.tone_sandhi`. Tones are those of Chinese from 0 (a mark) to 5 (neutral);
English words have English phones, with English tones behind those of Chinese and Japanese, as in training.

rjieba tags each word by the dictionary, where jieba.posseg has a model for words that it lacks. Upstream leaves out
all characters but common Chinese ones, Latin letters and marks; here rare characters and signs are spoken as well.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from types import ModuleType

from core.errors import InvalidText
from models.melo.languages.english import english_parts, is_spoken
from models.melo.languages.mandarin.numbers import in_words
from models.melo.languages.mandarin.pinyin import syllable
from models.melo.languages.mandarin.tone_sandhi import Word, merged, spoken_tones
from models.melo.languages.parts import Part, assemble, pieces_of
from models.melo.languages.spelling import Spelling, Tokenize
from models.shared.libraries import library
from text.letters import plain_letters

#: What English tones begin at: six of Chinese, one of Japanese.
ENGLISH_TONES = 7

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_RUN = re.compile(f"[{_HAN}]+|[{_LATIN}](?:[{_LATIN}\\s]*[{_LATIN}])?|\\S", re.DOTALL)
_IS_HAN = re.compile(f"[{_HAN}]+")
#: A character that is written twice, and signs that are said.
_REPEATED = re.compile(f"([{_HAN}])([々〻]+)")
_SIGNS = {"&": "和", "%": "百分号", "+": "加", "=": "等于", "×": "乘", "÷": "除以", "@": " at ", "℃": "摄氏度"}
_SAID = re.compile("|".join(map(re.escape, _SIGNS)))
#: Interjections, as upstream has them.
_SPELLINGS = str.maketrans("嗯呣", "恩母")
_ELLIPSIS = re.compile(r"\.{2,}|…+|。{2,}")
#: Marks as MeloTTS has them; brackets and quotation marks are one.
_MARKS = {
    **{mark: mark for mark in "!?…,.'-"},
    **dict.fromkeys("：:；;，、·﹑", ","),
    **dict.fromkeys("。｡", "."), "！": "!", "？": "?",
    **dict.fromkeys("“”‘’\"（）()《》〈〉【】[]「」『』", "'"),
    **dict.fromkeys("—–―～~", "-"),
}  # fmt: skip


def spell(text: str, tokenize: Tokenize) -> Spelling:
    """The phones of ``text``, and BERT's pieces for them. Takes time linear in its length.

    Raises `core.errors.InvalidText` for a text with nothing to speak or a character without a reading,
    `core.errors.ConfigurationError` if a library is not installed."""
    parts: list[Part] = []
    for run in _RUN.findall(_prepared(text)):
        if _IS_HAN.fullmatch(run):
            parts += [_part(character, said, tokenize) for character, said in _syllables(run)]
        elif mark := _MARKS.get(run):
            parts.append(Part(pieces_of(mark, tokenize, heard=True), (mark,), (0,)))
        elif run.isalnum() or " " in run:
            parts += [_in_english_tones(part) for part in english_parts(run, tokenize, alone=False)]
    if not any(is_spoken(part) for part in parts):
        raise InvalidText("The text contains nothing that the voice can speak.")
    return assemble(parts)


def _prepared(text: str) -> str:
    """In plain letters, with numbers and signs in words."""
    # "，" as a letter of ordinary width would be one that parts the digits of a number.
    plain = plain_letters(unicodedata.normalize("NFC", text.replace("，", "、").translate(_SPELLINGS)), "zh")
    plain = _REPEATED.sub(lambda found: found[1] * (1 + len(found[2])), plain)
    plain = in_words(plain, lambda number, how: str(_library("cn2an").an2cn(number, how)))
    return _ELLIPSIS.sub("…", _SAID.sub(lambda found: _SIGNS[found[0]], plain))


def _syllables(run: str) -> list[tuple[str, tuple[str, str, int]]]:
    """Chinese characters, each with its initial, final and tone in speech."""
    jieba = _library("rjieba")
    words = merged([Word(text, pos) for text, pos in jieba.tag(run)], _tones)
    said: list[tuple[str, tuple[str, str, int]]] = []
    for word in words:
        read = _read(word.text)
        tones = spoken_tones(word, [tone for _, _, tone in read], jieba.cut_for_search)
        for character, (initial, final, _), tone in zip(word.text, read, tones, strict=True):
            said.append((character, (initial, final, tone)))
    return said


@lru_cache(maxsize=10_000)
def _read(word: str) -> tuple[tuple[str, str, int], ...]:
    """The syllables of a word by itself, one for each of its characters."""
    pypinyin = _library("pypinyin")

    def read(text: str) -> list[str]:
        return list(pypinyin.lazy_pinyin(text, style=pypinyin.Style.TONE3, neutral_tone_with_five=True))

    written = read(word)
    if len(written) != len(word):
        written = ["".join(read(character)) for character in word]
    syllables = []
    for character, pinyin in zip(word, written, strict=True):
        found = syllable(pinyin)
        if not found:
            raise InvalidText(f"The voice has no sound for {character!r}.")
        syllables.append(found)
    return tuple(syllables)


def _tones(word: str) -> list[int]:
    return [tone for _, _, tone in _read(word)]


def _part(character: str, said: tuple[str, str, int], tokenize: Tokenize) -> Part:
    initial, final, tone = said
    return Part(pieces_of(character, tokenize, heard=True), (initial, final), (tone, tone))


def _in_english_tones(part: Part) -> Part:
    return Part(part.pieces, part.phones, tuple(tone + ENGLISH_TONES for tone in part.tones))


def _library(name: str) -> ModuleType:
    return library(name, "MeloTTS's Chinese", "melo-zh")
