"""Katakana to MeloTTS's phones, which are those of Julius's segmentation kit (upstream: ``text/japanese.py``).

As upstream, the mark of a long vowel (ー) has no phone: the voices learned コーヒー as "k o h i", its length from BERT.
The table is upstream's, but for ブャ and ブョ, which it lacks.
"""

from __future__ import annotations

import re

#: The kana of each consonant, in the order of `_VOWELS`; ＿ where another consonant has the place.
_VOWELS = "aiueo"
_ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "g": "ガギグゲゴ", "s": "サ＿スセソ", "z": "ザ＿ズゼゾ", "t": "タ＿＿テト",
    "d": "ダ＿＿デド", "n": "ナニヌネノ", "h": "ハヒ＿ヘホ", "b": "バビブベボ", "p": "パピプペポ", "m": "マミムメモ",
    "y": "ヤ＿ユ＿ヨ", "r": "ラリルレロ", "w": "ワ", "sh": "＿シ", "ch": "＿チ", "j": "＿ジ",
    "ts": "＿＿ツ", "f": "＿＿フ",
}  # fmt: skip
_OTHER = {
    "ヂ": "j i", "ヅ": "z u", "ヰ": "i", "ヱ": "e", "ヲ": "o", "ン": "N", "ッ": "q", "ヴ": "b u", "ー": "", "・": ",",
    "ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o", "ャ": "y a", "ュ": "y u", "ョ": "y o", "ヮ": "w a",
    "ヵ": "k a", "ヶ": "k e",
}  # fmt: skip
#: The kana before a small ya, yu or yo, by the consonant of both.
_PALATAL = {
    "ky": "キク", "gy": "ギグ", "sh": "シス", "j": "ジヂ", "zy": "ズヅ", "ch": "チツ", "ty": "テト", "dy": "デド",
    "ny": "ニヌ", "hy": "ヒフ", "by": "ビブ", "py": "ピプ", "my": "ミム", "ry": "リル",
}  # fmt: skip
#: Kana whose vowel is long where it is repeated in small (カァ).
_LONG = (
    "カキクケコガギグゲゴサシスセソザジゼゾタチツテトダヂヅデドナニヌネノ"
    "ハヒヘホバビブベボパピプペポマミムメモラリルレロヤユヨワ"
)
_WITH_SMALL = {
    "ウゥ": "u:", "オォ": "o:", "ヲォ": "o:", "ヅゥ": "d u:", "ユャ": "y a:", "ユュ": "y u:", "ユョ": "y o:",
    "イャ": "y a", "ツァ": "ts a", "ツィ": "ts i", "ツェ": "ts e", "ツォ": "ts o", "ティ": "t i", "ディ": "d i",
    "トゥ": "t u", "ドゥ": "d u", "スィ": "s i", "ズィ": "z i", "ズゥ": "z u", "ズェ": "z e", "ズォ": "z o",
    "シェ": "sh e", "チェ": "ch e", "ジェ": "j e", "ヂェ": "j e", "ウィ": "w i", "ウェ": "w e", "ウォ": "w o",
    "ファ": "f a", "フィ": "f i", "フゥ": "f u", "フェ": "f e", "フォ": "f o",
    "ヴァ": "b a", "ヴィ": "b i", "ヴェ": "b e", "ヴォ": "b o", "ヴュ": "by u",
}  # fmt: skip

#: Letters for sounds of Ainu and old spellings, as ordinary kana.
_RARE = str.maketrans({
    **dict(zip("ㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ", "クシストヌハヒフヘホムラリルレロ", strict=True)),
    "ヷ": "ヴァ", "ヸ": "ヴィ", "ヹ": "ヴェ", "ヺ": "ヴォ", "ヿ": "コト",
})  # fmt: skip
_HIRAGANA = {code: code + 0x60 for code in (*range(0x3041, 0x3097), 0x309D, 0x309E)}
_REPEATED = re.compile(r"([ァ-ヺ])([ヽヾ]+)")
_VOICED = str.maketrans("カキクケコサシスセソタチツテトハヒフヘホ", "ガギグゲゴザジズゼゾダヂヅデドバビブベボ")
_ONLY_KANA = re.compile(r"[ぁ-ゖゝゞァ-ヿㇰ-ㇿ]+")
_NOT_KANA = re.compile("[^ァ-ヶー・]")


def _syllables() -> dict[str, tuple[str, ...]]:
    """The phones of each kana and of each pair of kana that makes one syllable."""
    single = {
        kana: f"{consonant} {vowel}".strip()
        for consonant, row in _ROWS.items()
        for kana, vowel in zip(row, _VOWELS, strict=False)
        if kana != "＿"
    } | _OTHER
    small = dict(zip("aiueo", "ァィゥェォ", strict=True))
    pairs = {kana + small[single[kana][-1]]: f"{single[kana]}:" for kana in _LONG}
    for consonant, kana in _PALATAL.items():
        pairs |= {k + s: f"{consonant} {v}" for k in kana for s, v in zip("ャュョ", "auo", strict=True)}
    return {kana: tuple(phones.split()) for kana, phones in (single | pairs | _WITH_SMALL).items()}


_SYLLABLES = _syllables()


def is_kana(word: str) -> bool:
    """Whether ``word`` is spelt in kana alone, so that it is its own reading."""
    return _ONLY_KANA.fullmatch(word) is not None


def katakana(text: str) -> str:
    """``text`` with its hiragana as katakana, its iteration marks (ゝ, ヾ) spelt out, and nothing but kana."""
    text = text.translate(_HIRAGANA).translate(_RARE)
    return _NOT_KANA.sub("", _REPEATED.sub(_spelt_out, text))


def phones_of_kana(word: str) -> list[str]:
    """The phones of ``word``, which `katakana` gave: the longest syllables first, from left to right."""
    phones: list[str] = []
    at = 0
    while at < len(word):
        size = 2 if word[at : at + 2] in _SYLLABLES and at + 1 < len(word) else 1
        phones += _SYLLABLES[word[at : at + size]]
        at += size
    return phones


def _spelt_out(found: re.Match[str]) -> str:
    kana, marks = found.groups()
    return kana + "".join(kana.translate(_VOICED) if mark == "ヾ" else kana for mark in marks)
