"""Words in other languages and phonemes that users write, in the sounds of an English voice."""

from __future__ import annotations

import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text.marks import inline, inline_parts
from text.phonemes import phonemize
from text.scripts import unreadable
from text.sounds.foreign import foreign_clauses, foreign_rewrites, is_sayable
from text.sounds.learned import INVENTORIES, learned
from text.sounds.nearest import adapt
from text.source import Rewrite, SourceText

#: Every symbol of espeak-ng's American and British English.
ENGLISH = frozenset("aeiouæɐɑɒɔəɚɛɜɪʊʌᵻpbtdkɡfvθðszʃʒhmnŋlɹjwɾʔˈˌː ")

#: As it is written, and what it becomes.
WORDS = """
Москва | mʌskvˈɑ
привет | pɹivjˈɛt
Київ | kˈɪjiːv
Αθήνα | ɑːθˈiːnɑː
田中 | tˈiːɛn dʒˈoʊŋ
北京 | bˈeɪ dʒˈiːŋ
你好 | nihˈaʊ
タワー | tˈɑːwɑːɑː
すし | sˈuːʃi
שלום | ʃɑːlˈoʊm
السلام | ʔɑːssɑːlˈɑːm
مُحَمَّد | muːhˈɑːmmɑːd
שָׁלוֹם | ʃɑːlˈoʊm
България | bˌəlɡɑːɹˈiːɐ
объект | ʌbjjˈɛkt
తెలుగు | tˈɛluːɡuː
ଓଡ଼ିଆ | ˈoʊɹɔˌiɑː
한국어 | hˈɐnkuːkˌʌ
नमस्ते | nəmˈʌsteɪ
ગુજરાતી | ɡˌuːdʒɹˈɑːti
Երևան | jˌɛɹɛvˈɑːn
熊猫 | ʃˈiːoʊŋ mˈaʊ
花儿 | hwˈɑ ˈəɹ
人々 | ɹˈən ɹˈən
"""


@pytest.mark.parametrize("case", [line for line in WORDS.splitlines() if line])
def test_words_in_other_scripts(case: str) -> None:
    written, _, said = case.partition(" | ")
    [rewrite], left_out = foreign_rewrites(written, "en-US")
    assert not left_out
    assert inline_parts(rewrite.text) == [(said, True)]


def test_what_is_around_them_stays() -> None:
    text = "I met 田中 in Москва, not Αθήνα; α and β."
    rewrites, left_out = foreign_rewrites(text, "en")
    assert not left_out
    assert [text[r.start : r.end] for r in rewrites] == ["田中", "Москва", "Αθήνα"]
    said = SourceText.of(text).rewritten(rewrites).text
    assert phonemize(said, "en-us").startswith("aɪ mˈɛt tˈiːɛn dʒˈoʊŋ ɪn mʌskvˈɑ, nˌɑːt ɑːθˈiːnɑː; ˈælfə")
    assert foreign_rewrites(said, "en") == ([], []), "phonemes are not read again"


def test_what_nobody_reads_is_left_out() -> None:
    for text, scripts in {
        "吾輩は猫である": {"Han", "Hiragana"},
        "東京": set(),
        "བོད": {"Tibetan"},
        "ខ្មែរ": {"Khmer"},
    }.items():
        rewrites, left_out = foreign_rewrites(f"a {text} b", "en")
        assert {name for stretch in left_out for name in stretch.scripts} == scripts
        assert bool(rewrites) == (not scripts)
        assert is_sayable(text, "en") == (not scripts)
    assert foreign_rewrites("yek Москва", "yo") == ([], unreadable("yek Москва", "yo")), "its sounds are not known"
    assert not is_sayable("Москва", "yo") and is_sayable("Москва", "ru")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ខ្មែរ", " "),
        ("a မြန်မာ b", "a   b"),
        ("བོད་ཡིག", " ་ "),
        ("𠮷野家", " jˈiːɛ dʒˈiːɑ"),
        ("関ヶ原", "   "),
        ("ー", " "),
        ("хлѣбъ, ѣ", " ,  "),
        ("ᏣᎳᎩ", " "),
    ],
)
def test_no_character_is_spelled(text: str, kept: str) -> None:
    """Vowel signs go with their letters; no name or code point of a character is said."""
    rewrites, left_out = foreign_rewrites(text, "en-US")
    blanks = [Rewrite(stretch.start, stretch.end, " ") for stretch in left_out]
    said = SourceText.of(text).rewritten(sorted([*rewrites, *blanks], key=lambda rewrite: rewrite.start)).text
    assert "".join(part for part, _ in inline_parts(said)) == kept


def test_a_script_that_every_voice_borrows_keeps_to_the_sounds_of_the_voice() -> None:
    sounds = {letter for sound in learned("en-us") or () for letter in unicodedata.normalize("NFD", sound)}
    for word in ("한국어 서울", "नमस्ते दिल्ली", "ქართული", "Հայաստան", "தமிழ்", "বাংলা", "ਪੰਜਾਬੀ", "ಕನ್ನಡ", "മലയാളം", "සිංහල"):
        rewrites, left_out = foreign_rewrites(word, "en-US")
        ipa = "".join(inline_parts(rewrite.text)[0][0] for rewrite in rewrites)
        assert ipa and not left_out and set(unicodedata.normalize("NFD", ipa)) <= sounds | {" "}, ipa
    assert foreign_rewrites("नमस्ते", "hi") == foreign_rewrites("서울", "ko") == ([], []), "their own"
    assert foreign_rewrites("नमस्ते", "yo") == ([], []), "read with the sounds of Hindi"
    assert foreign_rewrites("\ua960", "en") == ([], []), "no sound of a script that is read: the utterance fails"


@pytest.mark.parametrize("words", ["Ж ", "ខ ", "食べ ", "中"])
def test_whether_a_text_can_be_said_is_known_soon(words: str) -> None:
    text = words * (1_000_000 // len(words))
    began = time.process_time()
    for language in ("en", "yo"):
        is_sayable(text, language)
    assert time.process_time() - began < 2.0


def test_clauses_in_another_language() -> None:
    text = "Bonjour, mon ami!"
    rewrites = foreign_clauses(text, "fr-FR", "en-US")
    assert [text[r.start : r.end] for r in rewrites] == ["Bonjour", "mon ami"]
    assert phonemize(SourceText.of(text).rewritten(rewrites).text, "en-us") == "bɔnʒˈuːɹ, mˈɔn ɑːmˈiː!"
    assert foreign_clauses(text, "en-GB", "en-US") == foreign_clauses(text, "fr", "yo") == []
    assert foreign_clauses(text, "xx", "en") == [], "no voice reads it"


SENTENCES = {
    "de": "Ich möchte zwei Brötchen über Häuser, Bach und Pfütze, schön.",
    "fr-fr": "Le brun renard huit, un vin blanc, peur heureuse, rue, agneau, oui.",
    "es": "El perro del señor, jueves, lluvia, agua, cabeza, dedo, chico, queso.",
    "it": "Gli gnocchi, pizza, ragazzo, cena, ghiaccio, scena.",
    "pt-br": "Não, coração, mãe, rua, filho, vinho, gente.",
    "nl": "Goed huis, scheveningen, deur, uur.",
    "pl": "Szczęście, źdźbło, chrząszcz, dzień, ćma.",
    "ru": "Жизнь, щука, съезд, ёлка, юг, объект, быстро, цирк, хорошо, мышь.",
    "cmn": "吃饭 女人 知道 资料 村 远 四 二 儿子 学生 日本 雨 去 说话 谢谢 上海 中国.",
    "ja": "つなみ ふじさん しんぶん ラーメン ちゃ きょう りょこう ぎゅうにゅう ヴァイオリン",
    "el": "ψυχή, θάλασσα, χαρά, γάτα, ευχαριστώ, δρόμος, τζάκι, αγγλία.",
    "ar": "القاهرة حب عين ضوء غرب خبز صباح طالب قلب ظهر",
    "he": "שלום תל אביב ירושלים חיים צהריים",
    "th": "สวัสดี กรุงเทพ ไทย",
    "tr": "güneş ığdır çocuk ağaç",
    "sv": "sjuk kött hus tjugo",
    "da": "rødgrød med fløde",
    "vi": "xin chào Việt Nam",
    "ko": "서울 안녕하세요",
    "hi": "नमस्ते दिल्ली घर ठंडा",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_every_sound_of_a_language_has_a_near_one(language: str) -> None:
    [*rewrites] = foreign_clauses(SENTENCES[language], language, "en-US")
    assert rewrites
    for rewrite in rewrites:
        [(ipa, _)] = inline_parts(rewrite.text)
        assert set(ipa) <= ENGLISH, ipa


@pytest.mark.parametrize(
    ("ipa", "said"),
    [
        ("dʒoʊ", "dʒˈoʊ"),
        ("ˈdʒoʊ", "dʒˈoʊ"),
        ("d͡ʒoʊ", "dʒˈoʊ"),
        ("təˈmɑːtoʊ", "təmˈɑːtoʊ"),
        ("ˌɪntəˈnæʃənəl", "ˌɪntənˈæʃənəl"),
        ("t\u0259.ˈmeɪ.toʊ", "təmˈeɪtoʊ"),
        ("ʁɔ̃.ʒuʁ", "ɹˈɔnʒuːɹ"),
        ("ba\u02d0x", "bˈɑːk"),
        ("beːtoːfən", "bˈeɪtoʊfən"),
        ("ǃa", None),
    ],
)
def test_phonemes_as_people_write_them(ipa: str, said: str | None) -> None:
    assert adapt(ipa, "en-US") == said
    assert said is None or adapt(said, "en-US") == said


@given(st.text("aeiouyøœɑ̃ɛɔrʁxçɲʎʲːˈˌ. tdkɡʃŋ", max_size=20))
def test_what_is_adapted_is_english_and_stays(ipa: str) -> None:
    said = adapt(ipa, "en")
    assert said is not None and set(said) <= ENGLISH
    assert adapt(said, "en") == said


def test_phonemes_in_a_text_leak_into_nothing() -> None:
    text = f"Call {inline('dʒoʊ')}'s house. Then call {inline('kæt')}'s."
    assert phonemize(text, "en-us") == f"{phonemize('Call', 'en-us')} dʒˈoʊz hˈaʊs. ðˈɛn kˈɔːl kˈæts."
    assert phonemize("One more.", "en-us") == "wˈʌn mˈɔːɹ."
    assert phonemize(f"a{inline('b')}", "en-us").replace(" ", "").endswith("b")
    assert phonemize("cat\ue001 \ue000dog\ue002", "en-us") == phonemize("cat dog", "en-us")
    assert phonemize(inline("χaʊs"), "de") == "xˈaʊs"
    assert phonemize(inline("χaʊs"), "yo") == "χˈaʊs", "its sounds are not known"


@pytest.mark.parametrize(
    ("text", "ipa"),
    [
        ("I saw a {joe} and we went to {joe}.", "aɪ sˈɔː ɐ dʒˈoʊ ænd wiː wɛnt tə dʒˈoʊ."),
        ("Mr. {joe} met J. {joe}.", "mˈɪstɚ dʒˈoʊ mˈɛt dʒˈeɪ dʒˈoʊ."),
        ("{joe}'ll go, {joe}’s, {joe}d", "dʒˈoʊəl ɡˈoʊ, dʒˈoʊz, dʒˈoʊdˈiː"),
        ("({joe}) {joe}{joe}!", "(dʒˈoʊ) dʒˈoʊdʒˈoʊ!"),
        ("Go to", "ɡˈoʊ tuː"),
    ],
)
def test_words_beside_phonemes_are_read_as_beside_a_word(text: str, ipa: str) -> None:
    assert phonemize(text.format(joe=inline("dʒoʊ")), "en-us") == ipa


def test_one_word_tells_the_language_of_its_neighbours() -> None:
    [glory, _], _ = foreign_rewrites("Слава Україні", "en-US")
    assert inline_parts(glory.text)[0][0] == adapt(phonemize("Слава", "uk"), "en-US")
    for text in ("Слава. And Україні", "Слава"):
        assert foreign_rewrites(text, "en-US")[0][0].text == inline(adapt(phonemize("Слава", "ru"), "en-US") or "")
    [iran], _ = foreign_rewrites("ایران", "en-US")
    assert iran.text == inline("ˈiːɹɑn"), "and not the names of its letters"


def test_other_voices_say_foreign_words_with_their_own_sounds() -> None:
    """What espeak-ng gives for the languages of `SENTENCES` has a near sound in each language that is known."""
    spoken = {ipa for voice, text in SENTENCES.items() for ipa in phonemize(text, voice).split()}
    for voice in INVENTORIES:
        sounds = frozenset("".join(learned(voice) or ()))
        for word in spoken:
            letters = "".join(c for c in word if c.isalpha() or unicodedata.category(c)[0] == "M" or c in "ˈˌː")
            said = adapt(letters, voice)
            assert said is not None, (voice, word)
            assert set(unicodedata.normalize("NFD", said).replace("c\u0327", "ç")) <= sounds | {"ˈ"}, (
                voice,
                word,
                said,
            )
            assert adapt(said, voice) == said, (voice, word)


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("de-DE", "Москва", "maskvˈɑ"),
        ("fr-FR", "Αθήνα", "asˈina"),
        ("es", "すし", "sˈuʃi"),
        ("en-GB", "Αθήνα", "ɑːθˈiːnɑː"),
    ],
)
def test_words_in_other_scripts_in_other_voices(language: str, text: str, said: str) -> None:
    [rewrite], left_out = foreign_rewrites(text, language)
    assert not left_out and rewrite.text == inline(said)
    assert foreign_clauses("one", "en", language)[:1] or language == "en-GB"


@pytest.mark.parametrize(
    ("ipa", "voice", "said"), [("lɒt", "en-us", "lˈɑːt"), ("bɛtɚ", "en-gb", "bˈɛtə"), ("lɒt", "en", "lˈɒt")]
)
def test_a_variety_of_english_has_its_own_sounds(ipa: str, voice: str, said: str) -> None:
    assert adapt(ipa, voice) == said


@given(
    st.text("aeiouyøœɑ̃ɛɔrʁxçɲʎʲʷːˈˌ. tdkɡʃŋɒɚʔħ1", max_size=20), st.sampled_from(["de", "fr-fr", "es", "ru", "en-us"])
)
def test_what_is_adapted_stays_in_every_voice(ipa: str, voice: str) -> None:
    said = adapt(ipa, voice)
    assert said is not None and adapt(said, voice) == said


@given(st.text(st.sampled_from("ab 语中々かカЖжѣЯαβאבجคไខ្한म्တ.,!'\ue000\ue001"), max_size=30))
@settings(max_examples=60, deadline=None)
def test_no_foreign_word_is_lost_silently(text: str) -> None:
    rewrites, left_out = foreign_rewrites(text, "en")
    spans = sorted([(r.start, r.end) for r in rewrites] + [(s.start, s.end) for s in left_out])
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    rest = "".join(" " if any(a <= n < b for a, b in spans) else c for n, c in enumerate(text))
    inside = [s for s in unreadable(rest, "en") if any(c.isalnum() for c in rest[s.start : s.end])]
    assert not inside or "\ue000" in text
