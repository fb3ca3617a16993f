"""`text.cleaning`: what is left of PDFs, e-mail, Markdown and HTML in a text is not spoken; every word is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.names import Clean, Emoji
from tests.shared_data import data_path
from text.cleaning import clean_up
from text.cleaning.word_list import WordList
from text.source import SourceText
from text.utterances import split

#: written | cleaned; ⏎ is a line break. Behind # is where people have complained of it.
CASES = """
The commit-⏎tee met. | The committee met.
It is a well-⏎known fact. | It is a well-known fact.
we consider nega-⏎tive | we consider negative  # internetarchive/bookreader#179
to re-⏎duce the cost | to reduce the cost  # stradichenko/audiobook.koplugin#21
a lot of trou-⏎ble | a lot of trouble  # foobnix/LibreraReader#1204
if that mix wasn't already one-to-⏎one. | if that mix wasn't already one-to-one.  # foobnix/LibreraReader#876
to move the sys- tem's mix | to move the system's mix  # foobnix/LibreraReader#876
powerful capabili- ties of | powerful capabilities of  # Unstructured-IO/unstructured#3486
in some emo\ufffetional way | in some emotional way  # Aryan-Raj3112/episteme#469
in some emo\u00ad⏎tional way | in some emotional way
an expe-⏎⏎rience on two pages | an experience on two pages
the COMMIT-⏎TEE | the COMMITTEE
self-⏎aware non-⏎linear co-⏎operate | self-aware nonlinear cooperate
Anglo-⏎Saxon, COVID-⏎19 | Anglo-Saxon, COVID-19
1990-⏎1995, a 20-⏎year-old | 1990-1995, a 20-year-old
pre-⏎and post-war | pre-⏎and post-war
pre- and post-war, mid- to late May | pre- and post-war, mid- to late May
face-⏎to-face, sleight-⏎of-hand | face-to-face, sleight-of-hand
by Kowal-⏎czyk | by Kowalczyk
a long⏎line wrapped | a long⏎line wrapped
he said -⏎then left | he said -⏎then left
> I saw it.⏎> Did you?⏎⏎Yes. | I saw it.⏎Did you?⏎⏎Yes.
Ann wrote:⏎> I saw it.⏎Good. | Ann wrote:⏎⏎I saw it.⏎⏎Good.
>> First⏎> Second | First⏎Second
if x⏎> 3 then | if x⏎> 3 then
the value is 5 > 3, and 2 < 4 | the value is 5 > 3, and 2 < 4
A line that was sent as format=flowed by a mail ⏎program. | A line that was sent as format=flowed by a mail program.
# Title⏎Text | Title⏎⏎Text  # n4ze3m/page-assist#124
# header⏎⏎This would be read as a title | header⏎⏎This would be read as a title  # remsky/Kokoro-FastAPI#227
Before⏎## Title ##⏎After | Before⏎⏎Title⏎⏎After
Title⏎=====⏎Text | Title⏎⏎Text
Title⏎---⏎Text | Title⏎⏎Text
Text⏎⏎---⏎⏎More | Text⏎⏎⏎⏎More
We are #1 in C# and F#. | We are #1 in C# and F#.
#hashtag and issue #12 | #hashtag and issue #12
***something*** | something  # qwersyk/Newelle#106
`*emphasis*` and \\*this\\* | *emphasis* and *this*
(**Text-To-Speech**) | (Text-To-Speech)  # timmyy123/LLM-Hub#99
`**bold**`, _italic_, `code` | **bold**, italic, code  # huggingface/speech-to-speech#338
**bold**, __strong__ and ~~gone~~ | bold, strong and gone  # huggingface/speech-to-speech#338
skipped, *almost always* italicized | skipped, almost always italicized  # open-webui/open-webui#6911
_So people think._ **Wait a⏎moment.** | So people think. Wait a⏎moment.
这是**重要**的 | 这是重要的  # n4ze3m/page-assist#387
URL链接 [URL测试](http://www.asdf.com) | URL链接 URL测试  # labring/FastGPT#3421
read [the page](https://x.org/a_(b) "Title") now | read the page now
![A cat](cat.png) and [![Build](b.svg)](https://ci.x.org) | A cat and Build
see [the docs][1] and [more][]⏎⏎[1]: https://x.org⏎[more]: https://y.org 'T' | see the docs and more⏎⏎⏎
<https://x.org> or <ann@x.org> | https://x.org or ann@x.org
[Kokoro](/kˈOkəɹO/) is a model | Kokoro is a model  # nazdridoy/kokoro-tts#65
call a[i](x) or f[0](y) | call a[i](x) or f[0](y)
she said [he](he was there) | she said [he](he was there)
* Mon-Fri: 9am⏎* Sat: 10am⏎* Sun: Closed | Mon-Fri: 9am⏎⏎Sat: 10am⏎⏎Sun: Closed  # microsoft/botframework-telephony#107
- milk⏎- [x] eggs⏎  + bread | milk⏎⏎eggs⏎⏎bread
• one⏎• two | one⏎⏎two
• 9. The first item • 10. The second item | 9. The first item⏎⏎10. The second item
Home • About us • Help | Home, About us, Help
1. First⏎2. Second | 1. First⏎2. Second
1. The start of a paragraph | 1. The start of a paragraph
2 * 3 * 4 = 24 and 2*3*4 | 2 * 3 * 4 = 24 and 2*3*4
so 2⏎* 3 * 4 = 24 | so 2⏎* 3 * 4 = 24
it was -5 degrees⏎-5 again | it was -5 degrees⏎-5 again
* * * | * * *
Call get_user_id then save_to_db | Call get_user_id then save_to_db  # bojieli/ai-agent-book#316
call my__var__name and pre_word_post | call my__var__name and pre_word_post  # chenhg5/cc-connect#877
f*ck this sh*t, sh**ty f**k, f*** | f*ck this sh*t, sh**ty f**k, f***
ls *.py and *.txt | ls *.py and *.txt
not \\_this\\_, 2 \\* 3 | not _this_, 2 * 3
a == b and x ==marked== y | a == b and x marked y
~5 and ~6 | ~5 and ~6
| Name | Age |⏎|---|---:|⏎| Ann | 23 |⏎| Bob |  | | Name, Age⏎⏎⏎Ann, 23⏎⏎Bob  # tonylampada/bridge-commander#83
Name | Age⏎--- | ---⏎Ann | 23 | Name, Age⏎⏎⏎Ann, 23
Text⏎~~~~ Title ~~~~⏎~~~~More | Text⏎ Title ⏎More
an open⏎```python⏎fence | an open⏎python⏎fence
```python⏎# not a title⏎print(a * b * c)⏎``` | ⏎# not a title⏎print(a * b * c)⏎
a < b and c > d, a <b and c> d, x<y | a < b and c > d, a <b and c> d, x<y
<p>Hello <b>world</b>.</p><p>Next<br/>line</p> | Hello world.⏎⏎Next⏎line
one<br>two<hr>three | one⏎two⏎⏎three
<ul><li>Milk</li><li>Eggs</li></ul>End | Milk⏎⏎Eggs⏎⏎End
<tr><td>Ann</td><td>23</td></tr> | Ann, 23
<a href="x" title="a > b">link</a> <img src='i' alt='A cat'/> | link A cat
a<!-- a comment -->b <script>alert("x")</script> <STYLE>p{}</STYLE> c | ab   c
an unclosed <!-- comment, <script>words | an unclosed  comment, words
H<sub>2</sub>O, 10<sup>2</sup>, the end<sup>12</sup> of 1<sup>st</sup> | H2O, 10², the end of 1st
He fell. <Mission failed; Time: 8 hours> | He fell. Mission failed; Time: 8 hours  # geometer/FBReaderJ-plugin-tts#3
He has fallen. &lt;Mission failed&gt; | He has fallen. Mission failed  # geometer/FBReaderJ-plugin-tts#3
&ndash; Hola, dijo | – Hola, dijo  # dudarenok-maker/Castwright#2310
AT&amp;T, R&D, caf&eacute;&nbsp;&#8220;x&#x201d; &amp;nbsp;y &foo; | AT&T, R&D, café “x”  y &foo;  # eheikes/tts#76
a list of words[12] here.[1][2] End[a]. | a list of words here. End.
as in the text [1]. More [2, 3]! | as in the text. More!  # open-webui/open-webui#19060
the link text something like this[15] is annoying | the link text something like this is annoying  # aedocw/epub2tts#4
a link[12](#fn12) and a note[^1].⏎⏎[^1]: Smith | a link and a note.⏎⏎ Smith  # joethei/obsidian-tts#25
It is so.[citation needed] He[who?] said | It is so. He said  # kiwix/kiwix-android#3119
words¹ and more.² Then ends.¹² | words and more. Then ends.  # lesleyrs/clipboard-narrator#3
x², 10², 5 m², mc², sin² x, km³, (a+b)² | x², 10², 5 m², mc², sin² x, km³, (a+b)²
The price* is high† now. | The price is high now.
teh [sic] end, array[12], x[1], args[0] | teh [sic] end, array[12], x[1], args[0]
[1] Smith, see [12]. Press [5]. | [1] Smith, see [12]. Press [5].
as said【12†source】 here | as said here
Stop!!!!!! What?!?! No?? Yes ! ! ! | Stop! What?! No? Yes !
Is it!? I never meant that.... She left. | Is it!? I never meant that.... She left.
But...... and yet..... fine... | But... and yet... fine...
Chapter One ............ 12 | Chapter One, 12
so----it goes--on -- and ends-- | so—it goes—on — and ends—
a =========== b ____ c ~~~~ d | a  b  c  d
use --help or -x, i++ and C++ a->b | use --help or -x, i++ and C++ a->b
好！！！真的？？。。。 | 好！真的？。
we’re here, don`t go, l’homme | we're here, don't go, l'homme  # FluidInference/FluidAudio#774
rock ’n’ roll, the ’90s, ’Tis | rock 'n' roll, the '90s, 'Tis
“Yes,” ‘no’ „doch“ «oui» ``so'' | “Yes,” ‘no’ „doch“ «oui» “so”
Good luck 🤞 | Good luck  # andrewn/neue-radio#64
你好😊这个功能很棒👍 | 你好 这个功能很棒  # NousResearch/hermes-agent#18598
Great job 👍🏽! See you 👨‍👩‍👧 there 🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿. | Great job! See you there.
😀 Hello❤️world 🎉 Next | Hello world, Next
Press 1️⃣ or 2️⃣3️⃣ and #️⃣ | Press 1 or 2 3 and
© 2024 Acme™, ®, a → b ✓ Brand™️ ½ | © 2024 Acme™, ®, a → b ✓ Brand™ ½
Wow ❗ Really❓ 2 ➕ 2 | Wow! Really? 2 + 2
Thanks :-) See you ;) and :D | Thanks, See you and
I <3 you. Love it <3 | I you. Love it
if x =3 then :3 | if x =3 then :3
p <3 and x <3, ratio 3:2 (see: this), 10:30 | p <3 and x <3, ratio 3:2 (see: this), 10:30
"""

ROWS = [line.partition("  # ")[0] for line in CASES.strip().splitlines()]


def cleaned(text: str, language: str = "en-US", **more: Clean | Emoji) -> str:
    return clean_up(SourceText.of(text), language, **more).text


def test_there_are_cases() -> None:
    assert len(ROWS) >= 100


@pytest.mark.parametrize("row", ROWS)
def test_cleans(row: str) -> None:
    written, _, clean = row.replace("⏎", "\n").rpartition(" | ")
    assert cleaned(written) == clean


def test_pipes_outside_tables_stay() -> None:
    for text in ("cat file | sort | uniq", "|x| is 5, and |y| is 6.", "a|b\nc|d"):
        assert cleaned(text) == text


def test_none_leaves_all_but_emoji() -> None:
    text = "# Title\n**bold** commit-\ntee &amp; <b>x</b> word[1] !!!! :-)"
    assert cleaned(text, clean=Clean.NONE) == text
    assert cleaned("Hi 😀 **you**\u200b", clean=Clean.NONE) == "Hi **you**"


NAMED = """
en | Good luck 🤞 | Good luck, crossed fingers
en | Good luck 🤞! | Good luck, crossed fingers!
en | 😀 Hello 👍🏽👍🏽 you | grinning face, Hello, thumbs up, you
en | So 🇩🇪 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿. | So, flag of Germany, and, flag of England.
en | She is a 👩🏽‍🚀 | She is a, woman astronaut
de | Guten Tag ❤️ | Guten Tag, rotes herz
es | Hola ❤️ | Hola, corazón rojo
pl | Witaj ❤️ | Witaj
en | Press 1️⃣ :-) | Press 1
"""


@pytest.mark.parametrize("row", NAMED.strip().splitlines())
def test_names_emoji(row: str) -> None:
    language, written, said = row.split(" | ")
    assert cleaned(written, language, emoji=Emoji.NAMED) == said


def test_words_are_decided_by_the_text_itself_first() -> None:
    assert cleaned("a data-\nbase is a data-base") == "a data-base is a data-base"
    assert cleaned("Zuk-\nov, or Zukov", "pl") == "Zukov, or Zukov"
    assert cleaned("die Bundes-\nregierung und Haupt-\nund Nebenrolle", "de") == (
        "die Bundesregierung und Haupt-\nund Nebenrolle"
    )


def test_loads_a_word_list_only_for_a_broken_word() -> None:
    from text.cleaning import word_list

    word_list._words.cache_clear()
    cleaned("A well-known text, without one - or two.")
    assert word_list._words.cache_info().currsize == 0
    cleaned("A commit-\ntee.")
    assert word_list._words.cache_info().currsize == 1
    assert "committee" in WordList("en-GB") and "tive" not in WordList("en") and "Committee's" in WordList("en")
    assert "wort" not in WordList("xx") and not WordList("xx").exists


def test_a_heading_and_items_get_pauses() -> None:
    text = cleaned("# Title\nSome text that follows it.\n- first item\n- second item\nThe **end**")
    assert [one.text for one in split(text, "en", 200)] == [
        "Title", "Some text that follows it.", "first item", "second item The end",
    ]  # fmt: skip


# -- what must hold for any text

SAFE = st.text("abcdefgXYZäß", min_size=1, max_size=6).filter(lambda word: word not in ("x", "X"))
MARKS = st.sampled_from([
    " ", "\n", "\n\n", "* ", " *", "**", " **", "_ ", " _", "# ", "\n# ", "\n- ", "\n> ", " `", "` ", "```\n", "[",
    "]", "](//1.2)", " | ", "|\n|", "---", "\n---\n", "!!", "...", "......", " :-) ", " \u2764 ", "\u2019", "\u201c",
    "&amp;", "<b>", "</b>", " < ", " > ", "<p>", "<br>", ">", "-\n", "- ", "\u00ad\n", "~~", "==", "\\",
    ")", "(", "\U0001f600", " \n", "[1]", "\u00b9", "*", "\u2020",
])  # fmt: skip
MIXED = st.lists(st.tuples(SAFE, st.lists(MARKS, max_size=4).map("".join)), max_size=12)
LETTERS = re.compile("[a-zA-Zäß]+")


@settings(max_examples=150)
@given(MIXED)
def test_loses_no_word_and_keeps_its_place(parts: list[tuple[str, str]]) -> None:
    text = re.sub("~~~+", "~~", "".join(word + marks for word, marks in parts))  # a fence may name a language
    bare = re.sub(r"</?b>|<p>|<br>|&amp;", lambda found: " " * len(found[0]), text)
    assume("<" not in bare and "&" not in bare)  # other tags than the marks' own have letters that are not words
    for language in ("en", "xx"):
        clean = clean_up(SourceText.of(text), language)
        assert "".join(LETTERS.findall(clean.text)) == "".join(LETTERS.findall(bare)), (text, clean.text)
        for found in LETTERS.finditer(clean.text):
            start, end = clean.source(*found.span())
            assert found[0] == "".join(LETTERS.findall(bare[start:end])), (text, clean.text)


@settings(max_examples=50)
@given(st.text())
def test_never_raises(text: str) -> None:
    for emoji in Emoji:
        for clean in Clean:
            found = clean_up(SourceText.of(text), "en", clean, emoji)
            for at in range(len(found)):
                start, end = found.source(at, at + 1)
                assert 0 <= start <= end <= len(text)


HOSTILE = [
    "<", "<a ", "<a b=\"", "<!--", "<script>", "</", "<b>", "<x ", "<x@", "&", "&amp;", "&#", "[", "]", "[a](",
    "[a](b", "[a](b 'c", "![", "[a][", "](", "[](())", "[1]", "a[1]", "[1,", "[note ", "*", "* ", " *", "a*", "*a ",
    "**", "**a", "_", "_a ", "`", "`` ` ", "~~", "==", "\\", "\\*", "|", "| ", "|-", "|-|\n", "a|b\n", "-", "- ",
    "-\n", "a-\n", "a- b", "a-", "\n- ", "\n", "\n ", "> ", "\n> ", "\n>", ">", "# ", "\n# ", "```\n", "\n```",
    "---\n", "=\n", "!", "! ", "!?", ".", ". ", "...1\n", ",", "_", "~", "a\u00b9", "\u00b9", "\u00ad", "\u00ad\n",
    "a\u00ad \n", " ", "\t", " \n", "a \n", ":", ":-", ":)", " :)", "<3", " <3", "\u2019", "a\u2019", "``", "''",
    "\U0001f600", "\U0001f600 ", "\U0001f600\u200d", "\U0001f3fb", "\U0001f1e6", "1\ufe0f\u20e3", "\u2020", "\u3010",
    "\u30101\u2020", "[^", "[^a", "[a]: /", "\n[a]: /b '", "a" * 50 + "-\n", "<sup>", "<td>", "<p>", "<img alt='",
    "]]>",
]  # fmt: skip


def seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def test_takes_linear_time() -> None:
    """Text that makes a bad pattern scan again and again: prose of this size takes 0.005 s, quadratic time 1 s."""
    cleaned("A commit-\ntee 😀", emoji=Emoji.NAMED)  # loads what is loaded once
    for piece in HOSTILE:
        for tail in ("", "a)]>'\" 1"):
            text = piece * (16_000 // len(piece)) + tail
            taken = seconds(lambda text=text: cleaned(text, emoji=Emoji.NAMED))
            assert taken < 0.6 or seconds(lambda text=text: cleaned(text, emoji=Emoji.NAMED)) < 0.6, piece


def test_prose_is_not_damaged() -> None:
    """A book: only emphasis, runs, and the typographic apostrophe change."""
    for path in sorted(data_path("texts").glob("*.txt")):
        text = path.read_text("utf-8")
        clean = cleaned(text)
        plain = clean_up(SourceText.of(text), "en", Clean.NONE).text

        def words(text: str) -> Iterator[str]:
            return (found[0].replace("’", "'") for found in re.finditer(r"[^\W_]+(?:['’][^\W_]+)*", text))

        assert list(words(clean)) == list(words(plain))
        assert clean.count("\n\n") - plain.count("\n\n") < 10
