"""The options of commands that ask for audio: its format, samples, loudness, edges, tags and times."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import click

from core.names import SampleEncoding, SubtitleFormat, Timestamps


def _finite(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("It must be a finite number.")
    return value


def _tags(_: click.Context, __: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    found = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{value!r} is not NAME=TEXT.")
        if not value.isprintable():
            raise click.BadParameter(f"{value!r} has characters that are not text.")
        found[name] = text
    return found


_TIMES = (
    click.option(
        "--timestamps",
        type=click.Choice([one.value for one in Timestamps if one is not Timestamps.NONE]),
        help="Save when each utterance, or each word too, is said, as JSON beside the audio.",
    ),
    click.option(
        "--subtitles",
        type=click.Choice([one.value for one in SubtitleFormat]),
        help="Save subtitles beside the audio.",
    ),
)

_OPTIONS = (
    click.option("--format", help="wav, flac, mp3, opus, m4a, m4b, pcm (default: OUTPUT's extension, else wav)."),
    click.option("--sample-rate", type=int, help="Sample rate in Hz (default: the voice's own)."),
    click.option(
        "--sample-encoding",
        "encoding_of_samples",
        type=click.Choice([one.value for one in SampleEncoding]),
        help="Samples of wav, flac and pcm (default: pcm_s16; docs/audio.md says which has which).",
    ),
    click.option("--bit-rate", type=int, help="Bits per second of mp3, opus, m4a and m4b."),
    click.option("--loudness", type=float, callback=_finite, help="Target loudness in LUFS."),
    click.option("--trim", is_flag=True, help="Remove silence at the start and the end."),
    click.option(
        "--tag",
        "tags",
        multiple=True,
        metavar="NAME=TEXT",
        callback=_tags,
        help="Tag of the file, such as title, artist, album, date or track.",
    ),
    click.option("--cover", type=click.Path(exists=True, dir_okay=False), help="JPEG or PNG for m4b, m4a, mp3, flac."),
    *_TIMES,
)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; their values come as ``shape``, the ``output`` of a job with the fields that were given."""

    @functools.wraps(command)
    def with_shape(**values: Any) -> Any:
        plain = ("format", "sample_rate", "bit_rate", "loudness", "cover", "timestamps", "subtitles")
        given = {name: values.pop(name) for name in plain}
        given["encoding"] = values.pop("encoding_of_samples")
        given["trim"] = values.pop("trim") or None
        given["tags"] = values.pop("tags") or None
        return command(shape={name: value for name, value in given.items() if value is not None}, **values)

    for option in reversed(_OPTIONS):
        with_shape = option(with_shape)
    return with_shape


def times_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of times alone; their values come as ``shape``, too."""

    @functools.wraps(command)
    def with_shape(**values: Any) -> Any:
        given = {name: values.pop(name) for name in ("timestamps", "subtitles")}
        return command(shape={name: value for name, value in given.items() if value is not None}, **values)

    for option in reversed(_TIMES):
        with_shape = option(with_shape)
    return with_shape
