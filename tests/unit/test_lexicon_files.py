"""`text.lexicon.files`: lexicons as others write them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidText
from text.lexicon import Entry
from text.lexicon.files import read_pls, read_table

PLS = """<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en-US">
  <meta name="author" content="Ann"/>
  <lexeme><grapheme>Joe</grapheme><grapheme> Jo </grapheme><phoneme> dʒˈoʊ </phoneme><alias>other</alias></lexeme>
  <lexeme role="x:y">
    <grapheme>W3C</grapheme>
    <phoneme>a</phoneme><alias prefer="true">World Wide Web &amp; <!-- no --> Consortium</alias>
    <example>not this</example>
  </lexeme>
  <lexeme><grapheme>bead</grapheme><phoneme alphabet="x-sampa">b i: d</phoneme></lexeme>
  <lexeme><grapheme>Joe</grapheme><alias>second</alias></lexeme>
</lexicon>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_pls_document(encoding: str) -> None:
    found = read_pls(PLS.replace("UTF-8", encoding.removesuffix("-sig")).encode(encoding))
    assert found.language == "en-US"
    assert found.entries == (
        Entry("Joe", ipa="dʒˈoʊ", case_sensitive=True),
        Entry("Jo", ipa="dʒˈoʊ", case_sensitive=True),
        Entry("W3C", "World Wide Web &  Consortium", case_sensitive=True),
        Entry("bead", ipa="b iː d", case_sensitive=True),
    )


def pls(inside: str, before: str = "") -> bytes:
    return f"{before}<lexicon>{inside}</lexicon>".encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not XML"),
        (b"\x00\xff", "not XML"),
        (b"<lexicon>", "not XML"),
        (b"<speak/>", "root"),
        (pls("", '<!DOCTYPE lexicon [<!ENTITY a "aaaa">]>'), "document type"),
        (pls("", '<!DOCTYPE lexicon SYSTEM "file:///etc/passwd">'), "document type"),
        (pls("&a;"), "not XML"),
        (pls("<lexeme/>"), "needs a <grapheme>"),
        (pls("<lexeme><grapheme>a</grapheme></lexeme>"), "needs a <grapheme>"),
        (pls("<lexeme><lexeme/></lexeme>"), "within another"),
        (pls("<lexeme><phoneme alphabet='arpa'>a</phoneme></lexeme>"), "'arpa' is not supported"),
        (pls("<lexeme><phoneme alphabet='x-sampa'>ö</phoneme></lexeme>"), "is not X-SAMPA"),
        (pls("<a>" * 50 + "</a>" * 50), "nested at most"),
        (pls("<a/>" * 200_001), "At most 200000 elements"),
        (pls("<lexeme>" + "<grapheme>a</grapheme>" * 101 + "</lexeme>"), "At most 100 graphemes".lower()[3:]),
        (pls("<lexeme><alias>" + "a" * 30_000 + "</alias></lexeme>"), "20000 characters"),
        (b'<?xml version="1.0" encoding="nowhere"?><lexicon/>', "ncoding"),
    ],
)
def test_other_documents_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(InvalidText, match=says) as raised:
        read_pls(data)
    assert raised.value.code == "invalid_lexicon"


def test_tables() -> None:
    plain = [Entry("Joe", "Joseph"), Entry("SQL", ipa="sˈiːkwəl"), Entry('a "b", c', "d", case_sensitive=True)]
    data = 'Joe, Joseph \r\n\r\nSQL,,sˈiːkwəl\n"a ""b"", c",d,,YES\n'.encode()
    assert list(read_table(data)) == plain
    assert list(read_table(b"\xef\xbb\xbf" + data)) == plain
    header = b"IPA\tword\tWhole_Word\n\tJoe\t\nx\tgb\tfalse\n"
    assert list(read_table(header, "\t")) == [Entry("Joe"), Entry("gb", ipa="x", whole_word=False)]
    assert list(read_table(b"word,says\n")) == [Entry("word", "says")]
    assert list(read_table(b"")) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xfe", "UTF-8"),
        (b"a,b,c,d,e,f", "6 columns"),
        (b"a,b\nc,d,,maybe", "Line 2: 'maybe' is neither"),
        (b'"a', "Line 1: This is not CSV"),
        (b'a,"b"c', "not CSV"),
        (b"a," + b"b" * 200_000, "not CSV"),
    ],
)
def test_other_tables_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(InvalidText, match=says) as raised:
        list(read_table(data))
    assert raised.value.code == "invalid_lexicon"


@given(st.binary(max_size=200) | st.text("<lexicon grapheme/>&;\"'!-[]a\n,", max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (read_pls, lambda found: list(read_table(found)), lambda found: read_pls(b"<lexicon>" + found)):
        try:
            read(data)
        except InvalidText as error:
            assert error.code == "invalid_lexicon"


def test_a_large_document_is_read_in_time() -> None:
    lexeme = "<lexeme><grapheme>w%d</grapheme><phoneme>a</phoneme></lexeme>"
    data = pls("".join(lexeme % number for number in range(50_000)))
    started = time.process_time()
    assert len(read_pls(data).entries) == 50_000
    assert time.process_time() - started < 3
