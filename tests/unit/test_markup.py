"""`text.markup`: the text without its markup, each mark at its place, and no text that breaks or stalls it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidText
from core.names import Markup
from text.marks import Break, MarkedText, Reading, Style
from text.markup import parse
from text.markup.ssml import MAX_DEPTH, MAX_WARNINGS
from text.markup.xsampa import xsampa_to_ipa

NAMESPACE = 'xmlns="http://www.w3.org/2001/10/synthesis"'


def ssml(text: str, language: str = "en-US") -> MarkedText:
    return parse(text, Markup.SSML, language)


def light(text: str) -> MarkedText:
    return parse(text, Markup.LIGHT)


def marks(marked: MarkedText) -> list[object]:
    return [*marked.readings, *marked.breaks, *marked.styles, *marked.warnings]


def words(marked: MarkedText) -> list[str]:
    return marked.text.text.split()


def error(text: str, markup: Markup = Markup.SSML) -> str:
    with pytest.raises(InvalidText) as raised:
        parse(text, markup)
    assert raised.value.code == "invalid_markup"
    raised.value.message.encode()
    assert len(raised.value.message) < 600
    return raised.value.message


def place(marked: MarkedText, mark: Reading | Style) -> str:
    """The text of a mark, found by its place in the source."""
    start, end = marked.text.place(mark.start, mark.end)
    return marked.text.text[start:end]


def assert_sources(marked: MarkedText, source: str) -> None:
    """Every word of the text is in the source at the place that the text names."""
    for found in re.finditer(r"[^\W_]+", marked.text.text):
        start, end = marked.text.source(*found.span())
        assert source[start:end] == found[0]


def test_plain_text_is_not_parsed() -> None:
    text = "<p>[pause 1s] *a* &amp; [[b|c]]\\"
    marked = parse(text, Markup.NONE)
    assert (marked.text.text, marks(marked)) == (text, [])


# -- light


def test_light_marks_and_their_places() -> None:
    source = "Hello [pause 500ms] dear [[joe|dʒˈoʊ]], you are *very* kind.[pause 1.5s] Bye."
    marked = light(source)
    assert marked.text.text == "Hello   dear joe, you are very kind.  Bye."
    assert marked.breaks == [Break(6, 0.5), Break(source.index("[pause 1.5s]"), 1.5)]
    [reading] = marked.readings
    assert (place(marked, reading), source[reading.start : reading.end], reading.ipa) == ("joe", "joe", "dʒˈoʊ")
    [style] = marked.styles
    assert (place(marked, style), style.emphasis) == ("very", True)
    assert_sources(marked, source)


@pytest.mark.parametrize(
    "text",
    [
        *("[", "]]", "*", "[[joe]]", "[[|a]]", "[[ |a]]", "[[joe|]]", "[[a|b|c]]", "[note]", "\\", "C:\\new\\"),
        *("[pause]", "[pause 5]", "[ pause 5s]", "[pause 5 sec]", "[pause -1s]", "[pause 1,5s]", "[pause 1.s]"),
        *("2*3*4", "2 * 3 * 4", "* one\n* two", "**bold**", "*a\n\nb*", "*a", "a*", "f*ck and sh*t", "*a *"),
        "[Pause 5s]",
    ],
)  # fmt: skip
def test_what_is_not_exactly_markup_is_text(text: str) -> None:
    marked = light(text)
    assert (marked.text.text, marks(marked)) == (text, [])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (r"\[pause 1s]", "[pause 1s]"),
        (r"\[[joe|x]]", "[[joe|x]]"),
        (r"\*no\*", "*no*"),
        (r"\\*yes*", r"\yes"),
        (r"a\|b\]", "a|b]"),
        (r"*a \* b*", "a * b"),
    ],
)
def test_a_backslash_makes_text_of_markup(text: str, plain: str) -> None:
    assert light(text).text.text == plain


def test_pauses_in_a_row_are_one() -> None:
    assert light("a [pause 1s]\n[pause 2s] b").breaks == [Break(2, 3.0)]
    assert light("a [pause 1s] b [pause 2s] c").breaks == [Break(2, 1.0), Break(15, 2.0)]
    assert ssml("a<break time='1s'/> <p/> <break time='2s'/>b").breaks == [Break(1, 3.0)]


def test_a_pause_of_nothing_only_takes_one_away() -> None:
    assert light("One [pause 0s] two. [pause 0ms] Three").breaks == [Break(20, 0.0)]
    assert ssml('One <break strength="none"/> two!” <break time="0s"/> Three').breaks == [Break(35, 0.0)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n\n b [pause 10001ms]", "Line 3, column 4: A pause may last at most 10 s."),
        ("[pause 99999999999999999999s]", "Line 1, column 1: A pause may last at most 10 s."),
        ("[pause 6s] [pause 6s]", "Line 1, column 12: A pause may last at most 10 s."),
        ("é [[joe|JH OW1]]", "Line 1, column 9: 'J' is not in the IPA."),
        ("[[joe|<b>]]", "Line 1, column 7: '<' is not in the IPA."),
        ("[[joe|" + "a" * 501 + "]]", "Line 1, column 7: IPA must have at most 500 characters."),
    ],
)
def test_light_errors_say_where(text: str, says: str) -> None:
    assert error(text, Markup.LIGHT).startswith(says)


LIGHT_PIECES = st.sampled_from(
    ["[pause 5ms]", "[pause ", "[[a|b]]", "[[", "|", "]]", "]", "*", "\\", "word", "ärger", "Ⅷ", " ", "\n", "\n\n", "9"]
)


@given(st.text() | st.lists(LIGHT_PIECES, max_size=30).map("".join))
def test_light_loses_no_word(source: str) -> None:
    try:
        marked = light(source)
    except InvalidText as found:
        assert found.code == "invalid_markup"
        return
    text = marked.text
    kept = {at for n in range(len(text)) for at in range(*text.source(n, n + 1)) if source[at].isalnum()}
    gone = re.compile(r"\[pause [^\]]*\]|\|[^\[\]|\n]*\]\]")
    markup = {at for match in gone.finditer(source) for at in range(*match.span())}
    assert {at for at, c in enumerate(source) if c.isalnum()} <= kept | markup
    assert all(text.text[n] in (source[text.source(n, n + 1)[0]], " ") for n in range(len(text)))
    starts = [reading.start for reading in marked.readings]
    assert starts == sorted(starts)


# -- SSML: elements


def test_a_document_of_the_recommendation() -> None:
    source = f"""\ufeff<?xml version="1.0" encoding="ISO-8859-1"?>
<!-- a greeting -->
<speak version="1.1" {NAMESPACE} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.w3.org/2001/10/synthesis synthesis.xsd" xml:lang="en-GB">
  <p>
    <s>Tom &amp; <emphasis level="strong">Jerry</emphasis>.</s>
    <s xml:lang="fr">Où ça&#63;</s>
  </p>
  <p>The end<break strength="x-strong"/></p>
</speak>"""
    marked = ssml(source)
    assert words(marked) == ["Tom", "&", "Jerry.", "Où", "ça?", "The", "end"]
    assert re.sub(r" *\n\n[ \n]*", "\n\n", marked.text.text).count("\n\n") == 3
    assert [(style.language, style.emphasis) for style in marked.styles] == [
        ("en-GB", False),
        (None, True),
        ("fr", False),
    ]
    assert place(marked, marked.styles[1]) == "Jerry"
    assert marked.breaks == [Break(source.index("</s>"), 0.25), Break(source.index("<break"), 1.2)]
    assert_sources(marked, source)


def test_words_know_their_place() -> None:
    source = "<p>Où\r\nest <sub alias='x'>ﬁn</sub> 𝐁old<!-- no -->&#x41;&amp;b<![CDATA[ c&d <e> ]]>f</p>"
    marked = ssml(source)
    assert words(marked) == ["Où", "est", "ﬁn", "𝐁oldA&b", "c&d", "<e>", "f"]
    for word in ("Où", "est", "ﬁn", "𝐁old", "c&d", "f"):
        at = marked.text.text.index(word)
        start, end = marked.text.source(at, at + len(word))
        assert source[start:end] == word
    at = marked.text.text.index("A&b")
    start, end = marked.text.source(at, at + 3)
    assert source[start:end] == "&#x41;&amp;b"


@pytest.mark.parametrize(
    ("attributes", "seconds"),
    [
        ('time="500ms"', 0.5),
        ('time="1.5s"', 1.5),
        ('time="+.5s"', 0.5),
        ('time="10s" strength="weak"', 10.0),
        ('strength="x-weak"', 0.1),
        ('strength="strong"', 0.6),
        ("", 0.45),
    ],
)
def test_breaks(attributes: str, seconds: float) -> None:
    marked = ssml(f"One<break {attributes}/>two")
    assert (words(marked), marked.breaks) == (["One", "two"], [Break(3, seconds)])


def test_sentences_and_paragraphs() -> None:
    marked = ssml("<s>One</s><s>Two</s> three <s>four</s><p>five</p>six")
    assert marked.text.text.split(" ") != ["OneTwo"]
    assert words(marked) == ["One", "Two", "three", "four", "five", "six"]
    assert [b.seconds for b in marked.breaks] == [0.25] * 3
    assert re.split(r"\s*\n\n\s*", marked.text.text)[1:] == ["five", "six"]
    # The pause that is asked for is the only one, and none leads a text.
    assert ssml("<s>One</s><break time='2s'/><s>Two</s>").breaks == [Break(10, 2.0)]
    assert ssml("<p><s>One</s></p>\n<p><s>Two</s></p>").breaks == []


def test_white_space_is_that_of_xml() -> None:
    assert ssml("a\nb\r\nc\td").text.text == "a b  c d"
    assert ssml("a\n\nb\nc").text.text == "a\n\nb c"  # paragraphs of a text without <p>
    assert ssml("<p>a\n\nb\nc</p>").text.text.strip() == "a  b c"


@pytest.mark.parametrize(
    ("rate", "speed"),
    [("x-slow", 0.5), ("slow", 0.75), ("fast", 1.25), ("x-fast", 1.5), ("80%", 0.8), ("+20%", 1.2), ("1.3", 1.3)],
)
def test_rates(rate: str, speed: float) -> None:
    marked = ssml(f'a <prosody rate="{rate}">b c</prosody> d')
    [style] = marked.styles
    assert (place(marked, style), style.speed) == ("b c", speed)


def test_rates_within_rates() -> None:
    marked = ssml('<prosody rate="80%">a <prosody rate="+50%">b</prosody> <prosody rate="medium">c</prosody></prosody>')
    # Factors to the style around: b is spoken at 1.2, c at 1.0 of the job's speed.
    assert [style.speed for style in marked.styles] == [0.8, 1.5, 1.25]
    assert ssml('<prosody rate="medium">a</prosody>').styles == []


def test_what_no_voice_can_do_is_a_warning() -> None:
    source = 'a <prosody pitch="high" volume="medium" rate="slow">b</prosody> <prosody contour="(0%,+20Hz)">c</prosody>'
    marked = ssml(source)
    assert [(start, message.split()[5]) for start, _, message in marked.warnings] == [
        (2, "pitch:"),
        (source.index("<prosody c"), "contour:"),
    ]
    assert len(ssml('<prosody pitch="high">a</prosody>' * 100).warnings) == MAX_WARNINGS


def test_voices_and_languages() -> None:
    marked = ssml('a <voice name="amy">b <lang xml:lang="fr-FR">c <voice name="x:0.6+y:0.4">d</voice></lang></voice>')
    assert [(place(marked, s), s.voice, s.language) for s in marked.styles] == [
        ("b c d", "amy", None),
        ("c d", None, "fr-FR"),
        ("d", "x:0.6+y:0.4", None),
    ]


def test_readings() -> None:
    source = 'The <sub alias="World  Wide\ue000 Web"> W<!-- -->W&#87; </sub> of <phoneme ph="dʒˈoʊ">joe</phoneme>.'
    marked = ssml(source)
    assert [(place(marked, r), r.words, r.ipa) for r in marked.readings] == [
        ("WWW", "World Wide Web", ""),
        ("joe", "", "dʒˈoʊ"),
    ]
    assert source[marked.readings[0].start :].startswith("W<!--") and marked.text.text == "The  WWW  of joe."


def test_a_reading_of_nothing_is_heard_all_the_same() -> None:
    for source in ('a <sub alias="b c"/> d', 'a <sub alias="b c"> </sub> d', 'a <phoneme ph="bɪ"></phoneme> d'):
        marked = ssml(source)
        [reading] = marked.readings
        assert place(marked, reading) == reading.words or reading.ipa
        assert len(words(marked)) == (4 if reading.words else 3)


@pytest.mark.parametrize(
    ("xsampa", "ipa"),
    [('"h@l@U', "ˈhələʊ"), ("dZoU", "dʒoʊ"), ("r\\`", "ɻ"), ("t_h", "tʰ"), ("A~ n= _", None), ("bO~", "bɔ̃"),
     ("a b", "a b"), ("fi:4", "fiːɾ"), ("é", None), ("J\\_<a", "ʄa")],
)  # fmt: skip
def test_x_sampa(xsampa: str, ipa: str | None) -> None:
    assert xsampa_to_ipa(xsampa) == ipa
    source = f"<phoneme alphabet='x-sampa' ph={quoteattr(xsampa)}>a</phoneme>"
    if ipa is None:
        assert "It must be X-SAMPA." in error(source)
    else:
        assert ssml(source).readings[0].ipa == ipa


SAID = """
cardinal | 1204 | one thousand two hundred four
cardinal | -1,204.50 | minus one thousand two hundred four point five zero
cardinal | XIV | fourteen
number | 7 | seven
ordinal | 21 | twenty first
ordinal | 3rd | third
ordinal | XIV | fourteenth
characters | A1-b | A, one, dash, B
spell-out | a@ß | A, at, ß
verbatim | NB | N, B
digits | 1 203 | one, two zero three
telephone | +1 (800) 555 | plus, one, eight zero zero, five five five
date mdy | 12/05/2024 | December fifth twenty twenty four
date dmy | 12.5.99 | May twelfth nineteen ninety nine
date ymd | 2024-05-12 | May twelfth twenty twenty four
date YYYYMMDD | 20240512 | May twelfth twenty twenty four
date md | 5/12 | May twelfth
date my | May 1905 | May nineteen oh five
date mdy | Sept. 3rd, 2006 | September third two thousand six
date y | 1984 | nineteen eighty four
date | 2024-05-12 | May twelfth twenty twenty four
time | 10:30am | ten thirty AM
time hms24 | 14:05 | fourteen oh five
currency | $42.01 | forty two dollars one cent
unit | 10 km/h | ten kilometers per hour
fraction | 3/4 | three quarters
fraction | 2 1/2 | two and a half
fraction | 1+3/4 | one and three quarters
expletive | darn | beep
"""


def test_say_as() -> None:
    for line in SAID.strip().splitlines():
        kind, text, said = line.split(" | ")
        name, _, layout = kind.partition(" ")
        shape = f' format="{layout}"' if layout else ""
        marked = ssml(f'It is <say-as interpret-as="{name}"{shape}>{text}</say-as>.')
        assert [reading.words for reading in marked.readings] == [said], line
        assert place(marked, marked.readings[0]) == text
        assert not marked.warnings


def test_what_cannot_be_said_so_is_read_as_it_is() -> None:
    for kind, text in [("date", "soon"), ("ordinal", "x1"), ("cardinal", "1e5"), ("fraction", "a/b"), ("time", "noon")]:
        marked = ssml(f'<say-as interpret-as="{kind}">{text}</say-as>')
        assert marked.readings == [] and [w[2] for w in marked.warnings] == [
            f"{text!r} cannot be read as {kind}: it is read as it is."
        ]
    marked = ssml('<say-as interpret-as="date" format="mdy">31/31/2024</say-as><say-as interpret-as="ordinal"/>')
    assert marked.readings == [] and len(marked.warnings) == 1


def test_other_languages_read_numbers_by_themselves() -> None:
    source = '<say-as interpret-as="{}">12</say-as>'
    assert marks(ssml(source.format("ordinal"), "de-DE")) == []
    assert ssml(source.format("digits"), "de-DE").readings[0].words == "1 2"
    inside = f'<lang xml:lang="de">{source.format("ordinal")}</lang>{source.format("ordinal")}'
    assert [reading.words for reading in ssml(inside).readings] == ["twelfth"]


# -- SSML: errors


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a & b", "Line 1, column 3: Write & as &amp;"),
        ("é\r\n\n a < b", "Line 3, column 4: Write < as &lt;"),
        ("<p>a", "Line 1, column 1: <p> has no end tag."),
        ("<speak>\n<p>a</speak>", "Line 2, column 7: This end tag does not close <p>."),
        ("a</p>", "Line 1, column 4: There is no start tag"),
        ("</_>", "Line 1, column 1: There is no start tag"),
        ("a</_><_>", "Line 1, column 2: There is no start tag"),
        ("a &nbsp;", "Line 1, column 3: The entity '&nbsp;' is not defined."),
        ("<break time='1s' time='2s'/>", "Line 1, column 18: The text is not well-formed XML: duplicate attribute."),
        ("<p\n", "Line 2, column 1: The text ends within markup that is not closed."),
        ("a <!-- b", "Line 1, column 3: The text is not well-formed XML: unclosed token."),
        ("a <![CDATA[b", "Line 1, column 13: The text ends within markup that is not closed."),
        ("é <audio src='x'/>", "Line 1, column 3: The element <audio> is not supported. Allowed are break, emphasis,"),
        ("<mstts:express-as/>", "Line 1, column 1: The element <mstts:express-as> is not supported."),
        ("<P>a</P>", "Line 1, column 1: The element <P> is not supported."),
        ("<voice gender='male'>a</voice>", "Line 1, column 1: <voice> has no attribute 'gender'. Allowed: name."),
        ("<voice>a</voice>", "Line 1, column 1: <voice> needs the attribute name."),
        ("<voice name=''>a</voice>", "Line 1, column 1: name='' is not valid. It must be the name of a voice."),
        ("<s>a</s> <break time='11s'/>", "Line 1, column 10: time='11s' is not valid. It must be a time such as 500ms"),
        ("<break time='5'/>", "Line 1, column 1: time='5' is not valid."),
        ("<break time='-5s'/>", "Line 1, column 1: time='-5s' is not valid."),
        ("<break strength='huge'/>", "Line 1, column 1: strength='huge' is not valid. Allowed: none, x-weak, weak,"),
        ("<break>a</break>", "Line 1, column 8: <break> must be empty."),
        ("<prosody rate='fastest'/>", "Line 1, column 1: rate='fastest' is not valid. It must be x-slow,"),
        ("<prosody rate='500%'/>", "Line 1, column 1: rate='500%' is not valid."),
        ("<prosody rate='-90%'/>", "Line 1, column 1: rate='-90%' is not valid."),
        ("<prosody rate='+0.5'/>", "Line 1, column 1: rate='+0.5' is not valid."),
        ("<emphasis level='big'>a</emphasis>", "Line 1, column 1: level='big' is not valid. Allowed: strong,"),
        ("<say-as interpret-as='song'>a</say-as>", "Line 1, column 1: interpret-as='song' is not valid. Allow"),
        ("<say-as interpret-as='date' format='xyz'>1</say-as>", "Line 1, column 1: format='xyz' is not valid. Use y"),
        ("<say-as>a</say-as>", "Line 1, column 1: <say-as> needs the attribute interpret-as."),
        ("<sub alias='a'>b <p/></sub>", "Line 1, column 18: <sub> may contain text only."),
        ("<phoneme alphabet='ipa' ph='JH'>a</phoneme>", "Line 1, column 1: 'J' is not in the IPA."),
        ("<phoneme alphabet='arpabet' ph='a'>a</phoneme>", "Line 1, column 1: alphabet='arpabet' is not valid. All"),
        ("<phoneme ph=''>a</phoneme>", "Line 1, column 1: IPA must have at least one letter."),
        ("<phoneme ph='a&#xe000;'>a</phoneme>", "Line 1, column 1: U+E000 is not in the IPA."),
        ("<lang xml:lang='12'>a</lang>", "Line 1, column 1: xml:lang='12' is not valid. It must be a language"),
        ("<speak version='9'>a</speak>", "Line 1, column 1: version='9' is not valid. Allowed: 1.0, 1.1."),
        ("a<speak>b</speak>", "Line 1, column 2: <speak> must be the outermost"),
        ("<speak>a</speak>b", "Line 1, column 17: <speak> must be the outermost"),
        ("<speak>a</speak><p/>", "Line 1, column 17: <speak> must be the outermost"),
        ("<speak>a</speak><speak>a</speak>", "Line 1, column 17: <speak> must be the outermost"),
        ("<p><speak>a</speak></p>", "Line 1, column 4: <speak> must be the outermost"),
        ("a\n<?php x?>", "Line 2, column 1: Processing instructions such as <?php?> are not allowed."),
        ("a<?xml version='1.0'?>", "Line 1, column 2: The text is not well-formed XML: XML or text declaration not at"),
        ("a\x00b", "Line 1, column 2: XML cannot contain the character U+0000."),
        ("a\x1eb", "Line 1, column 2: XML cannot contain the character U+001E."),
        ("é\ud800b", "Line 1, column 2: U+D800 is not a character."),
        ("\ufffe", "Line 1, column 1: The text is not well-formed XML: not well-formed (invalid token)."),
    ],
)  # fmt: skip
def test_errors_say_where_and_what_is_allowed(text: str, says: str) -> None:
    assert error(text).startswith(says)


# -- SSML: properties


@given(st.text() | st.lists(st.sampled_from([
    "<p>", "</p>", "<s>", "</s>", "<break/>", "<break time='1s'/>", "a", "&amp;", "&", "<", ">", "<speak>", "</speak>",
    "<sub alias='b'>", "</sub>", "<!--", "-->", "<![CDATA[", "]]>", "\r\n", "\n", " ", "é", "𝐁", "</_>", "<_>", "<?a?>",
    "<say-as interpret-as='date'>", "</say-as>", "\x00", "\ud800",
]), max_size=20).map("".join))  # fmt: skip
def test_any_text_is_parsed_or_refused(source: str) -> None:
    try:
        marked = ssml(source)
    except InvalidText as found:
        assert found.code == "invalid_markup"
        assert re.match(r"Line \d+, column \d+: .+\.", found.message)
        return
    assert set(words(marked)) <= set(re.split(r"\s+|<[^>]*>", source.replace("&amp;", "&"))) or (
        "a" in source or "<![CDATA[" in source
    )
    assert_in_order(marked, source)


def assert_in_order(marked: MarkedText, source: str) -> None:
    assert [b.at for b in marked.breaks] == sorted({b.at for b in marked.breaks})
    assert [r.start for r in marked.readings] == sorted({r.start for r in marked.readings})
    places = [marked.text.source(n, n + 1) for n in range(len(marked.text))]
    assert places == sorted(places) and all(0 <= start < end <= len(source) for start, end in places)


WORD = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=6)
OPENINGS = [
    "p", "s", "w", "emphasis", "token", "prosody rate='slow'", "prosody pitch='high'", "voice name='joe'",
    "lang xml:lang='de'", "s xml:lang='en'", "emphasis level='none'",
]  # fmt: skip


def element(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.tuples(st.sampled_from(OPENINGS), st.lists(inner, max_size=4)).map(
        lambda e: [f"<{e[0]}>", *(part for one in e[1] for part in one), f"</{e[0].split()[0]}>"]
    )


TREES = st.recursive(
    WORD.map(lambda word: [f" {word} "])
    | st.sampled_from([["<break time='5ms'/>"], ["<break/>"], ["&lt;&#33;"], ["<!-- <p> & -->"], ["\n"], ["\r\n\r\n"]])
    | WORD.map(lambda word: [f" <sub alias={quoteattr(word)}>", word, "</sub> "]),
    element,
    max_leaves=12,
)


@given(TREES, st.booleans())
def test_trees_keep_their_words(tree: list[str], whole: bool) -> None:
    source = f"<speak {NAMESPACE}>{''.join(tree)}</speak>" if whole else "".join(tree)
    marked = ssml(source)
    spoken = [word for part in tree if "<" not in part for word in part.split() if word != "&lt;&#33;"]
    found = [word for word in re.split(r"[\s<!]+", marked.text.text) if word]
    assert found == spoken
    for match in re.finditer(r"[^\s<!]+", marked.text.text):
        start, end = marked.text.source(*match.span())
        assert source[start:end] == match[0]
    assert_in_order(marked, source)
    for mark in marked.styles:
        assert source[mark.start] == "<" and source.startswith("</", mark.end)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=60))
def test_escaped_text_is_kept(text: str) -> None:
    assert ssml(escape(text)).text.text == text.removeprefix("\ufeff")


# -- attacks


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 if n else str()};" * 10}">' for n in range(10))
    + "]><speak>&lol9;</speak>"
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        '<!DOCTYPE speak [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>&x;</speak>',
        '<!DOCTYPE speak SYSTEM "http://127.0.0.1/x.dtd"><speak>a</speak>',
        '<speak><!DOCTYPE a [<!ENTITY b "c">]>&b;</speak>',
        '<!ENTITY % x "y">',
        "<!ELEMENT speak ANY>",
        "<![INCLUDE[ a ]]>",
        "</_><!DOCTYPE a>",
    ],
)
def test_no_entity_can_be_declared(text: str) -> None:
    assert re.search(r"declarations are not allowed|no start tag|not well-formed", error(text))


def test_depth_is_bounded() -> None:
    assert words(ssml("<w>" * MAX_DEPTH + "a" + "</w>" * MAX_DEPTH)) == ["a"]
    assert "nested at most 16 deep" in error("<w>" * (MAX_DEPTH + 1) + "a" + "</w>" * (MAX_DEPTH + 1))
    assert "nested at most 16 deep" in error("<w>" * 100_000 + "a" + "</w>" * 100_000)


MILLION = 1_000_000
HUGE = {
    "attributes": "<s " + "".join(f"a{n}='' " for n in range(MILLION // 10)) + "/>",
    "value": f"<sub alias='{'&amp;' * (MILLION // 5)}'>x</sub>",
    "content": f"<sub alias='x'>{'a ' * MILLION}</sub>",
    "names": "<" + "a" * MILLION + "/>",
    "declaration": "<?xml " + " " * MILLION,
    "many say-as": "<say-as interpret-as='date'>1/2/24</say-as>" * 50_000,
    "many elements": "<w/>" * 300_000,
    "white space": " " * 2 * MILLION + "&",
    "line ends": "\r\n" * MILLION + "&",
    "comments": "<!--" * (MILLION // 4),
}


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of ``work``: 1 ms at least."""
    started = time.process_time()
    work()
    return max(0.001, time.process_time() - started)


def yardstick() -> float:
    """CPU seconds that plain Python takes here for what takes 0.1 s on an idle core: machines differ, and are busy."""
    return seconds(lambda: sum(1 for sign in "ab" * 2 * MILLION if sign == "a"))


def test_marks_of_light_are_bounded() -> None:
    for piece in ("\\[", " *a*", "[[a|b]]"):
        assert "at most 200,000 marks" in error(piece * 200_001, Markup.LIGHT)


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_huge_parts_are_refused_soon(text: str) -> None:
    assert seconds(lambda: error(text)) < 40 * yardstick()


TAGGED = {
    "book": "<p><s>One <emphasis>two</emphasis> three.</s> <s>Four five,<break time='5ms'/> six.</s></p>\n",
    "short": "<s>a b</s>",
    "lines": "é\r\n",
    "entities": "&amp;é",
    "readings": "<phoneme ph='dʒoʊ'>joe</phoneme> ",
}


@pytest.mark.parametrize("piece", TAGGED.values(), ids=TAGGED)
def test_two_million_characters_of_ssml_take_time_by_their_length(piece: str) -> None:
    part, whole = (piece * (size // len(piece)) for size in (MILLION // 4, 2 * MILLION))
    assert seconds(lambda: ssml(whole)) < 24 * seconds(lambda: ssml(part)), (
        "eight times the text, no more than its time"
    )


@pytest.mark.parametrize(
    "piece",
    ["[pause 1ms] [[joe|dʒoʊ]] *a* some more words, and more. ", "[[", "[[a|", " *a", "\n ", "[pause 1",
     "[pause  ", "*a\n\n"],
)  # fmt: skip
def test_two_million_characters_of_light_take_time_by_their_length(piece: str) -> None:
    part, whole = (piece * (size // len(piece)) for size in (MILLION // 4, 2 * MILLION))
    assert seconds(lambda: light(whole)) < 24 * seconds(lambda: light(part)), (
        "eight times the text, no more than its time"
    )
