"""The sounds that espeak-ng gives for a language, and that voices trained on its phonemes have learned.

Counted in what espeak-ng 1.52 reads of the 6,000 most frequent words of each language: those in two words of a thousand
or more, and where a language is not in Latin letters, in one of a hundred. Rarer ones are those of borrowed words. A
vowel that is heard only in diphthongs is not in the list by itself.
"""

from __future__ import annotations

INVENTORIES = {
    "ar": "ˈ ˌ a aː b d dː dˤ f h i iː j k l m n q r s s̪ t t̪ u uː w z ð ħ ɣ ʃ ʒ ʔ ʕ θ χ",
    "bg": "ˈ ˌ a b d e f i iː j k l m n o p r s t u v x z ɐ ə ɡ ɫ ɲ ʃ ʒ",
    "ca": "ˈ ˌ a b d e f i j k l m n o p r s t u w z ð ŋ ɔ ə ɛ ɡ ɣ ɱ ɲ ɾ ʃ ʎ ʒ β θ χ",
    "cs": "ˈ ˌ a aː b c d e eː f h i iː j k l l̩ m n o oː p r r̝ r̝̊ r̩ s t u uː v x z ŋ ɟ ɡ ɣ ɪ ɲ ʃ ʊ ʒ",
    "da": "ˈ ˌ a b d e eː f h i iː j k l m n o p s t u uː w y ð ŋ œ ɐ̯ ɑ ɒ ɔ ə ɛ ɡ ɪ ʁ ʃ ʋ ʌ ʌː ʒ ʔ ε",
    "de": "ˈ ˌ a aɪ aʊ b d eː f h iː j k l m n oː p r s t uː v x yː z ç ø øː ŋ œ ɐ ɑ ɑː ɒ ɔ ə ɛ ɛː ɜ ɡ ɪ ɾ ʃ ʊ ʏ ʒ",
    "el": "ˈ ˌ a b c d e f i j k l m n o p r s t u v x z ç ð ŋ ə ɡ ɣ ɪ θ",
    "en-us": (
        "ˈ ˌ aɪ aʊ b d eɪ f h i iə iː j k l m n n̩ oʊ oː p s t uː v w x z æ ð ŋ ɐ ɑ ɑː ɔ ɔɪ ɔː ə ɚ ɛ ɜː ɡ ɪ ɹ ɾ ʃ ʊ ʌ ʒ "
        "ʔ θ ᵻ"
    ),
    "en-gb": "ˈ ˌ a aɪ b d eə eɪ f h i iə iː j k l m n n̩ p s t uː v w z ð ŋ ɐ ɑː ɒ ɔɪ ɔː ə əʊ ɛ ɜː ɡ ɪ ɹ ʃ ʊ ʌ ʒ θ",
    "es": "ˈ ˌ a b d e f i j k l m n o p pː r s t u w x ð ŋ ɛ ɡ ɣ ɪ ɲ ɾ ʃ ʊ ʎ ʝ β θ",
    "es-419": "ˈ ˌ a b d e f i j k l m n o p pː r s t u w x ð ŋ ɛ ɡ ɣ ɪ ɲ ɾ ʃ ʊ ʝ β",
    "fa": "ˈ ˌ a aː b d e eː f h i iː j k l m n o oː p q r s t u uː v x z ɑ ɡ ʃ ʒ ʔ",
    "fi": "ˈ ˌ a ai aː b d e eː f h i iː j k kː l m n o oi oː p pː r s t tː u uː v y yː æ æː ø ŋ ɡ ɪ ɪː",
    "fr-fr": "ˈ ˌ a aː b d e f i iː j k l m n o oː p s t u v w y z ø œ ɑ̃ ɒ ɔ ɔ̃ ə ɛ ɛ̃ ɡ ɪ ɲ ɹ ʁ ʃ ʊ ʒ",
    "hi": (
        "ˈ ˌ a aɪ aː b c d e eɪ eː f h i iə iː j k l m n p pʰ s t uː v w z ŋ ɐ ɑː ɒ ɔː ə əʊ ɛ ɜː ɟ ɡ ɪ ɹ ɾ ʃ ʈ ʊ ʋ ʌ "
        "ʒ θ"
    ),
    "hu": "ˈ ˌ aː b bː c cː d dː eː f h i iː j k kː l m n o oː p r s sː t tː u uː v y yː z ø øː ɑ ɛ ɟ ɟː ɡ ɲ ʃ ʃː ʎ ʒ",
    "id": "ˈ ˌ a b d e eə f h i j k l m n o p r s t u v w x z ç ŋ ɔ ə ɛ ɡ ɪ ɲ ʃ ʊ ʒ χ",
    "is": (
        "ˈ ˌ a aː b c d e eɪ f h i iː j k l m n o oʊ p r s t u uː x y yː ç ð ø ŋ œ œː ɔ ɔː ə ɛ ɛː ɟ ɡ ɣ ɪ ɪː ɲ ɾ ʊ ʊː "
        "ʋ θ"
    ),
    "it": "ˈ ˌ a aː b bː d dː e f i iː j k kː l m n o p pː r s sː t tː u uː v w z zː ŋ ɔ ɛ ɡ ɪ ɲ ɾ ʃ ʃː ʊ ʎ ʒ ʒː",
    "ko": "ˈ ˌ b d e h i iː j k l m n o p q s t u w ŋ ɐ ɕ ɛ ɡ ɪ ɫ ɯ ɾ ʃ ʌ ʑ",
    "lt": (
        "ˈ ˌ a ai aː b bʲ d dʲ e f h i iː j k kʲ l̩ m mʲ n nʲ nʲʲ o oː p pʲ r rʲ s sʲ t tʲ u uː v vʲ z ɑ ɕ ɕʲ ɡ ɡʲ ɪ "
        "ɭ ɭʲ ʂ ʂʲ ʃ ʊ ʑ ʑʲ ʒ ʒʲ"
    ),
    "lv": "ˈ ˌ a aː aːː b c d e eː f h i iː j k l lː m n o oː p r s t t͡ u uː z æ æː ŋ ɟ ɡ ɲ ʃ ʋ ʎ ʒ",
    "nb": (
        "ˈ ˌ a aː b bː d dː eː f h iː j k kː l m n oː p pː r s t tː uː v x y yː ø øː ŋ œ ɑ ɑː ɔ ə ɛ ɛː ɡ ɡː ɪ ʂ ʃ ʉ "
        "ʉː ʊ"
    ),
    "nl": "ˈ ˌ a aː b d e eː f h i j k l m n oː p r s t tʲ u v w x y z øː ŋ œ ɑ ɔ ɔː ə ɛ ɛɪ ɣ ɪ ɪː ɵ ɾ ʃ ʊ ʊə ʋ ʌʊ ʒ",
    "pl": "ˈ ˌ a b bʲ d f fʲ i j k kʲ l m mʲ n p pʲ r s t u v vʲ w x z ç ŋ ɔ ɔː ɔ̃ ɕ ɛ ɛ̃ ɡ ɡʲ ɣ ɨ ɲ ɲʲ ʃ ʑ ʒ",
    "pt": "ˈ ˌ a b d e eɪ f i j k l m n o õ p r s t u ũ v w z ŋ ɐ ɐ̃ ɑ ɔ ə ɛ ɡ ɨ ɪ ɲ ɹ ɾ ʁ ʃ ʊ ʊ̃ ʎ ʒ",
    "pt-br": "ˈ ˌ a b d e eɪ f i j k l m n o õ p r s t u ũ v w x y z æ ŋ ɐ̃ ɔ ə ɛ ɡ ɪ ɲ ɾ ʃ ʊ ʊ̃ ʒ",
    "ro": "ˈ ˌ a b d e f h i j k l m n nʲ nʲʲ o p r rʲ s sʲ sʲʲ t tʲʲ u v w z ŋ ɔ ə ɡ ɨ ɪ ɾ ɾʲ ɾʲʲ ʃ ʃʲ ʃʲʲ ʊ ʒ",
    "ru": "ˈ ˌ a b bʲ d dʲ e f fʲ i j k kʲ m mʲ n nʲ o p pʲ r rʲ s sʲ t tʲ u v vʲ x y z ɑ ɕ ɛ ɡ ɡʲ ɪ ɭ ɭʲ ʃ ʃʲ ʌ ʑ ʒ",
    "sk": "ˈ ˌ a aː b d dʲ e eː f h i iː j k l l̩ m n o oː p r r̩ s t tʲ u uː v w x z ŋ ɡ ɣ ɲ ʃ ʊ ʎ ʑ ʒ",
    "sl": "ˈ ˌ a aː b d eː f h i iː j k l m n oː p r s t u uː w x z ŋ ɔ ɔː ə ɛ ɡ ɲ ʃ ʋ ʎ ʒ",
    "sr": "ˈ ˌ a b d e f h i j k l m n o p r s t u v x z ɐ ɑ ɕ ə ɛ ɡ ɪ ɲ ʃ ʊ ʎ ʑ ʒ",
    "sv": "ˈ ˌ a b d eː f h iː j k kː l m n oː p r s t tː uː v x y yː øː ŋ œ ɑː ɔ ɕ ə ɛ ɛː ɡ ɪ ɵ ʂ ʃ ʉ ʊ",
    "tr": "ˈ ˌ a aː b c d dː e f h i j k kː l m n o oː p r s t tː u uː v w y z æ ø œ œː ɔ ɛ ɟ ɡ ɪ ɫ ɯ ɾ ʃ ʊ ʊː ʒ",
    "uk": "ˈ ˌ a b d d̪ f h iː j k l m n o p r s t t̪ u x z ɛ ɪ ɲ ʃ ʎ ʒ β",
    "ur": "ˈ ˌ a aː b c d eː ẽː f h i iː j k kʰ l m n oː õː p q r s t uː x z ɖ ə ɛ ɟ ɡ ɣ ɪ ʂ ʃ ʈ ʊ ʋ ʌ ʐ",
    "mk": "ˈ ˌ a b d e f h i j k l m n o p r r̩ s t u v z æ ɕ ə ɡ ɪ ɲ ʃ ʊ ʒ",
}

_SOUNDS = {voice: frozenset(sounds.split()) for voice, sounds in INVENTORIES.items()}
#: Voices of espeak-ng whose names are no names here.
_ALIASES = {"en": "en-gb", "fr": "fr-fr", "no": "nb"}


def learned(voice: str) -> frozenset[str] | None:
    """The sounds of espeak-ng's ``voice`` (``en-us``), or of another voice of its language; None if they are unknown.

    IPA is decomposed (NFD) but for ``ç``; stress marks are among the sounds."""
    name = voice.strip().casefold().replace("_", "-")
    language = name.partition("-")[0]
    for known in (name, _ALIASES.get(language, language)):
        if known in _SOUNDS:
            return _SOUNDS[known]
    return None
