"""Subtitles: read back by parsers that follow the formats, whatever the text."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text.captions.subtitles import Cue, srt, vtt

_ARROW = re.compile(r"^(\d{2,}):([0-5]\d):([0-5]\d)[,.](\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)[,.](\d{3})$")


def times(line: str) -> tuple[float, float]:
    found = _ARROW.match(line)
    assert found, line
    numbers = [int(part) for part in found.groups()]
    start, end = (h * 3600 + m * 60 + s + ms / 1000 for h, m, s, ms in (numbers[:4], numbers[4:]))
    return start, end


def parse_srt(text: str) -> list[tuple[float, float, str]]:
    """As lenient players do: a line of times, wherever it stands, begins a cue, and an empty line ends it."""
    assert "\r" not in text
    found = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        if "-->" in lines[at]:
            assert lines[at - 1] == str(len(found) + 1)
            start, end = times(lines[at])
            stop = lines.index("", at)
            assert not any("-->" in line for line in lines[at + 1 : stop])
            found.append((start, end, "\n".join(lines[at + 1 : stop])))
            at = stop
        at += 1
    return found


def parse_vtt(text: str) -> list[tuple[float, float, str]]:
    """By the parser of the specification (section 6.1), as far as it concerns cues without settings."""
    first, _, rest = text.replace("\r\n", "\n").replace("\r", "\n").partition("\n")
    assert first == "WEBVTT" and "\0" not in rest
    found = []
    for block in re.split(r"\n{2,}", rest.strip("\n")):
        if not block:
            continue
        head, _, body = block.partition("\n")
        assert not re.search("[<>]|-->|&(?!amp;|lt;|gt;)", body), body
        found.append((*times(head), html.unescape(body)))
    return found


def shown(text: str) -> str:
    """What is to be seen of a text: its lines without empty ones, spaces, and characters that are none."""
    kept = "".join(c for c in text if c in "\t\n\v\f\r\x1c\x1d\x1e\x85\x1f" or not (ord(c) < 32 or 127 <= ord(c) < 160))
    kept = "".join(c for c in kept if not 0xD800 <= ord(c) < 0xE000)
    lines = [" ".join(line.split()) for line in kept.splitlines()]
    return "\n".join(line for line in lines if line)


_SECONDS = st.floats(0, 1e6)
_HOSTILE = st.lists(
    st.sampled_from(
        ["-->", "-", ">", "<b>", "&amp;", "&", "\r\n", "\n\n", "\r", "\u2028", "\0", "1", "00:00:01,000", " ", "WEBVTT"]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)
_CUES = st.lists(st.tuples(_SECONDS, st.floats(0, 60), _HOSTILE | st.text()), max_size=8)


@given(_CUES)
def test_what_is_written_is_read_back(given_cues: list[tuple[float, float, str]]) -> None:
    cues = [Cue(start, start + length, text) for start, length, text in given_cues]
    wanted = [cue for cue in cues if shown(cue.text)]
    read = ((parse_srt(srt(cues)), lambda text: re.sub("--+>", "->", text)), (parse_vtt(vtt(cues)), str))
    for found, written in read:
        assert len(found) == len(wanted)
        for (start, end, text), cue in zip(found, wanted, strict=True):
            assert text == written(shown(cue.text))
            assert start < end and abs(start - cue.start) < 0.0006 and abs(end - cue.end) < 0.0016
    srt(cues).encode()
    vtt(cues).encode()


def test_the_two_formats() -> None:
    cues = [Cue(0.0, 2.5, "Tom & <Jerry>"), Cue(2.5, 4.0005, " two\r\n\r\n --> lines\n"), Cue(5, 6, " \n")]
    assert srt(cues) == (
        "1\n00:00:00,000 --> 00:00:02,500\nTom & <Jerry>\n\n2\n00:00:02,500 --> 00:00:04,000\ntwo\n-> lines\n"
    )
    assert vtt(cues) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nTom &amp; &lt;Jerry&gt;\n\n"
        "00:00:02.500 --> 00:00:04.000\ntwo\n--&gt; lines\n"
    )
    assert (srt([]), vtt([])) == ("", "WEBVTT\n")


@pytest.mark.parametrize(
    ("start", "end", "line"),
    [
        (0.9994, 0.9995, "00:00:00.999 --> 00:00:01.000"),
        (59.9996, 59.9996, "00:01:00.000 --> 00:01:00.001"),
        (3599.9999, 3600.0, "01:00:00.000 --> 01:00:00.001"),
        (360_000.0, 3_600_000.5, "100:00:00.000 --> 1000:00:00.500"),
        (5.0, 4.0, "00:00:05.000 --> 00:00:05.001"),
        (-0.4, 1.0, "00:00:00.000 --> 00:00:01.000"),
    ],
)
def test_times(start: float, end: float, line: str) -> None:
    assert vtt([Cue(start, end, "x")]).split("\n")[2] == line
