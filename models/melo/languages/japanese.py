"""Japanese for MeloTTS.

Upstream (``text/japanese.py``) turns kanji to katakana, leaves out all punctuation but the middle dot, and gives its
BERT (tohoku-nlp/bert-base-japanese-v3) that katakana, cut in words by MeCab with unidic-lite. So does this module.
Particles keep their spelling: は is "h a", as the voices have learned it.

The readings are Open JTalk's (pyopenjtalk-plus, MIT) instead of pykakasi's, which is GPL. They differ where a word's
reading depends on its neighbours: 今日は is キョウハ here and コンニチハ there. Latin words are read, and 々 is kept;
upstream drops both.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core.errors import ConfigurationError, InvalidText
from models.melo.languages.kana import is_kana, katakana, phones_of_kana
from models.melo.languages.parts import assemble, toneless_part

if TYPE_CHECKING:
    from models.melo.languages.spelling import Spelling, Tokenize

#: Open JTalk takes 8,192 bytes at once. A text is cut after a mark or space where there is one.
_PORTION = re.compile(r".{1,400}(?:(?<=[。、．，.,!?！？\s])|$)|.{1,400}", re.DOTALL)
_SILENT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
#: What Open JTalk reads for a word it does not know, and its sign for a devoiced vowel.
_UNREAD, _DEVOICED = "、", "’"
_HEARD = frozenset("aiueoN")

_lock = threading.Lock()


def spell(text: str, tokenize: Tokenize) -> Spelling:
    """The spelling of a Japanese utterance; ``tokenize`` is given one word of katakana at a time.

    Raises `InvalidText` for a text without speech and for a letter without a Japanese reading, and
    `ConfigurationError` where the extra ``melo-ja`` is not installed. Linear in the length of ``text``."""
    parts = [toneless_part(word, phones_of_kana(word), tokenize) for word in _words(reading(text))]
    if not any(phone[0] in _HEARD for part in parts for phone in part.phones):
        raise InvalidText("The text has nothing that can be spoken in Japanese.")
    return assemble(parts)


def reading(text: str) -> str:
    """``text`` in katakana, without spaces and punctuation, in the spelling of kana: トウキョウ, not トーキョー."""
    text = "".join(map(_plain, unicodedata.normalize("NFKC", text)))
    kana = "".join(_kana(word) for portion in _PORTION.findall(text) for word in _parsed(portion))
    return katakana(kana)


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """A Latin letter without its diacritics; a space for what is neither seen nor heard."""
    if unicodedata.category(character) in _SILENT:
        return " "
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else character


def _kana(word: dict[str, Any]) -> str:
    """The reading of one of Open JTalk's words. What is spelt in kana is left as it is."""
    surface: str = word["string"]
    if is_kana(surface):
        return surface
    if word["pron"] != _UNREAD:
        return str(word["pron"]).replace(_DEVOICED, "")
    if len(surface) > 1:
        return "".join(_kana(part) for character in surface for part in _parsed(character))
    if unicodedata.category(surface) in ("Lu", "Ll", "Lt", "Lo", "Nd", "Nl", "No"):
        raise InvalidText(f"{surface!r} has no Japanese reading.")
    return ""


def _parsed(text: str) -> list[dict[str, Any]]:
    with _lock:
        words: list[dict[str, Any]] = _open_jtalk().run_frontend(text, revert_long_vowels=True, revert_yotsugana=True)
    return words


def _words(kana: str) -> Iterator[str]:
    """The words of a text in katakana, as the tokenizer of upstream's BERT cuts them."""
    with _lock:
        return iter([word.surface for word in _mecab()(kana)])


@lru_cache(maxsize=1)
def _open_jtalk() -> Any:
    try:
        import pyopenjtalk
    except ImportError as error:
        raise _missing("pyopenjtalk-plus") from error
    return pyopenjtalk


@lru_cache(maxsize=1)
def _mecab() -> Any:
    try:
        import fugashi
        import unidic_lite
    except ImportError as error:
        raise _missing("fugashi and unidic-lite") from error
    return fugashi.GenericTagger(f'-d "{unidic_lite.DICDIR}" -r "{unidic_lite.DICDIR}/mecabrc"')


def _missing(package: str) -> ConfigurationError:
    return ConfigurationError(
        f"Japanese with MeloTTS requires {package}. Install it with: pip install 'chorus-speech[melo-ja]'"
    )
