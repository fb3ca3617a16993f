"""Audio books and covers: what players and PyAV read in the files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import given
from hypothesis import strategies as st

from audio.chapters import MAX_TITLE_BYTES, ChapterMark, book_chapters, marks_of, readable_title
from audio.cover import COVER_FORMATS, Cover, read_cover
from audio.encode import Encoder
from audio.sinks.timed_text import Caption
from core.errors import InvalidRequest
from core.names import AudioFormat
from tests.pictures import jpeg, png

RATE = 24_000


def encode(
    path: Path,
    format: AudioFormat = AudioFormat.M4B,
    *,
    seconds: float = 4.0,
    chapters: list[ChapterMark] | None = None,
    cover: Cover | None = None,
    tags: dict[str, str] | None = None,
) -> Path:
    times = np.arange(round(seconds * RATE)) / RATE
    with Encoder(path, format, RATE, cover=cover, tags=tags) as encoder:
        encoder.write((0.2 * np.sin(2 * np.pi * 220 * times)).astype(np.float32))
        encoder.close(chapters or ())
    return path


def chapters_of(path: Path) -> list[tuple[str, float, float]]:
    with av.open(str(path)) as file:
        return [
            (one["metadata"]["title"], float(one["start"] * one["time_base"]), float(one["end"] * one["time_base"]))
            for one in file.chapters()
        ]


def cover_of(path: Path) -> bytes | None:
    with av.open(str(path)) as file:
        for stream in file.streams:
            if stream.disposition & Disposition.attached_pic:
                return bytes(next(file.demux(stream)))
    return None


def boxes(data: bytes) -> list[bytes]:
    """The types of the outermost boxes (ISO/IEC 14496-12, 4.2)."""
    found, at = [], 0
    while at < len(data):
        found.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4])
    return found


def test_a_book_has_chapters_cover_and_tags(tmp_path: Path) -> None:
    chapters = [ChapterMark("Prologue", 0.0), ChapterMark("Ünïcode 🎧", 1.25), ChapterMark("", 3.0)]
    tags = {"title": "A Book", "artist": "An Author", "album": "A Series", "composer": "A Narrator", "date": "2026"}
    path = encode(tmp_path / "a.m4b", chapters=chapters, cover=read_cover(jpeg()), tags=tags)
    assert chapters_of(path) == [("Prologue", 0.0, 1.25), ("Ünïcode 🎧", 1.25, 3.0), ("Chapter 3", 3.0, 4.0)]
    assert cover_of(path) == jpeg()
    data = path.read_bytes()
    assert data[4:12] == b"ftypM4B " and boxes(data)[:2] == [b"ftyp", b"moov"] and b"chpl" in data
    assert b"stik\0\0\0\x11data\0\0\0\x15\0\0\0\0\x02" in data, "the kind of media is an audio book"
    with av.open(str(path)) as file:
        assert {name: file.metadata[name] for name in tags} == tags
        assert (file.metadata["genre"], file.metadata["media_type"]) == ("Audiobook", "2")
        audio = file.streams.audio[0]
        assert (audio.codec_context.name, audio.rate) == ("aac", RATE)
        assert file.duration is not None and file.duration / 1e6 == pytest.approx(4.0, abs=0.02)


def captions_of(path: Path) -> list[tuple[float, float, str]]:
    """The texts of the track of subtitles that are not empty, with their start and end."""
    found = []
    with av.open(str(path)) as file:
        [track] = file.streams.subtitles
        for packet in file.demux(track):
            if (text := bytes(packet)[2:].decode()) and packet.pts is not None and packet.duration is not None:
                start, length = (float(time * packet.time_base) for time in (packet.pts, packet.duration))
                found.append((start, start + length, text))
    return found


def test_a_book_has_subtitles(tmp_path: Path) -> None:
    captions = [
        Caption(0.5, 1.25, "One\nand two ü 🎧"),
        Caption(1.25, 2.0, "directly behind"),
        Caption(2.5, 2.5, "of no length"),
        Caption(3.0, 3.9, "x" * 70_000),
    ]
    with Encoder(tmp_path / "a.m4b", AudioFormat.M4B, RATE, captions=True, cover=read_cover(png())) as encoder:
        encoder.write(np.zeros(4 * RATE, np.float32))
        encoder.close([ChapterMark("a", 0.0), ChapterMark("b", 2.0)], captions)
    assert captions_of(tmp_path / "a.m4b") == [
        (0.5, 1.25, "One\nand two ü 🎧"),
        (1.25, 2.0, "directly behind"),
        (2.5, pytest.approx(2.501), "of no length"),
        (3.0, pytest.approx(3.9), "x" * 65_535),
    ]
    assert [title for title, _, _ in chapters_of(tmp_path / "a.m4b")] == ["a", "b"]
    assert cover_of(tmp_path / "a.m4b") == png()
    with av.open(str(tmp_path / "a.m4b")) as file:
        assert file.streams.subtitles[0].codec_context.name == "mov_text"
        assert file.duration is not None and file.duration / 1e6 == pytest.approx(4.0, abs=0.03)


def test_a_book_of_captions_alone(tmp_path: Path) -> None:
    with Encoder(tmp_path / "a.m4b", AudioFormat.M4B, RATE, captions=True) as encoder:
        encoder.write(np.zeros(RATE, np.float32))
        encoder.close()
    assert captions_of(tmp_path / "a.m4b") == []


def test_the_genre_can_be_another(tmp_path: Path) -> None:
    with av.open(str(encode(tmp_path / "a.m4b", tags={"genre": "Fantasy"}))) as file:
        assert (file.metadata["genre"], file.metadata["media_type"]) == ("Fantasy", "2")


@pytest.mark.parametrize("format", COVER_FORMATS)
@pytest.mark.parametrize("picture", [png(), jpeg(), png(padding=3_000_000)], ids=["png", "jpeg", "3 MB"])
def test_covers_come_back_byte_for_byte(tmp_path: Path, format: AudioFormat, picture: bytes) -> None:
    path = encode(tmp_path / "a", format, seconds=1.0, cover=read_cover(picture), tags={"title": "T"})
    assert cover_of(path) == picture
    with av.open(str(path)) as file:
        assert file.metadata["title"] == "T"
        samples = sum(frame.samples for frame in file.decode(file.streams.audio[0]))
    assert samples / RATE == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("format", sorted(set(AudioFormat) - set(COVER_FORMATS)))
def test_other_formats_have_no_cover(tmp_path: Path, format: AudioFormat) -> None:
    with pytest.raises(InvalidRequest) as found:
        encode(tmp_path / "a", format, cover=read_cover(png()))
    assert found.value.code == "unsupported_cover"
    assert not (tmp_path / "a").exists()


def test_a_thousand_chapters(tmp_path: Path) -> None:
    chapters = [ChapterMark(f"Chapter {n} of a thousand", n * 0.004) for n in range(1000)]
    found = chapters_of(encode(tmp_path / "a.m4b", chapters=chapters))
    assert [(title, start) for title, start, _ in found] == [(c.title, pytest.approx(c.start)) for c in chapters]


def test_chapters_that_are_empty_keep_their_place(tmp_path: Path) -> None:
    """A text without words makes no sound, so chapters may begin together, or where the audio ends."""
    chapters = [ChapterMark("a", 0.0), ChapterMark("b", 0.0), ChapterMark("c", 2.0), ChapterMark("d", 4.0)]
    found = chapters_of(encode(tmp_path / "a.m4b", chapters=chapters))
    assert [title for title, _, _ in found] == ["a", "b", "c", "d"]
    assert [start for _, start, _ in found] == pytest.approx([0.0, 0.0, 2.0, 4.0], abs=0.002)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("  Two\twords ", "Two words"),
        ("a\0b\x1b[31m\r\nc\x7f\u2028d\ud800", "a b [31m c d"),
        ("\0", "Chapter 7"),
        ("\u200f\u202eabc", "\u200f\u202eabc"),
        ("x" * 10_000, "x" * 252 + "…"),
        ("🎧" * 10_000, "🎧" * 63 + "…"),
    ],
)
def test_titles_are_readable(tmp_path: Path, title: str, shown: str) -> None:
    assert readable_title(title, 7) == shown
    found = chapters_of(encode(tmp_path / "a.m4b", seconds=0.5, chapters=[ChapterMark(title, 0.0)]))
    assert found[0][0] == shown.replace("7", "1")


@given(st.text(st.characters(), max_size=400), st.integers(1, 1000))
def test_every_title_fits(title: str, number: int) -> None:
    shown = readable_title(title, number)
    assert shown and len(shown.encode()) <= MAX_TITLE_BYTES
    assert "\0" not in shown and "\n" not in shown


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 1e6))
def test_marks_cover_the_whole_in_order(starts: list[float], duration: float) -> None:
    marks = marks_of([ChapterMark("", start) for start in sorted(starts)], duration)
    whole = round(duration * 1000)
    assert all(0 <= one["start"] <= one["end"] <= whole for one in marks)
    assert all(one["end"] == later["start"] for one, later in pairwise(marks))
    assert marks[-1]["end"] == whole


def test_a_book_without_chapters_is_one() -> None:
    assert book_chapters([], {"title": "The Whole"}) == [ChapterMark("The Whole", 0.0)]
    assert book_chapters([], {}) == [ChapterMark("", 0.0)]
    assert book_chapters([{"title": "a", "start": 1.5}], {}) == [ChapterMark("a", 1.5)]
