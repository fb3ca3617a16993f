"""Audio formats of files: their media types, and which sample rates, sample encodings, bit rates and tags each has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from core.errors import FieldError, InvalidRequest
from core.names import AudioFormat, SampleEncoding

CONTENT_TYPES: Mapping[AudioFormat, str] = {
    AudioFormat.WAV: "audio/wav",
    AudioFormat.FLAC: "audio/flac",
    AudioFormat.MP3: "audio/mpeg",
    AudioFormat.OPUS: "audio/ogg; codecs=opus",
    AudioFormat.M4A: "audio/mp4",
    AudioFormat.M4B: "audio/mp4",
    AudioFormat.PCM: "audio/pcm",
}
MULAW_TYPE = "audio/PCMU"  #: of raw μ-law (RFC 4856)

LOWEST_RATE, HIGHEST_RATE = 8_000, 48_000  #: Hz
OPUS_RATE = 48_000  #: Hz, of every decoded Opus stream (RFC 6716)
G711_RATE = 8_000  #: Hz, of μ-law (ITU-T G.711) unless another rate is asked for

_MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
#: Formats that support only some rates.
RATES: Mapping[AudioFormat, tuple[int, ...]] = {
    AudioFormat.MP3: _MPEG_RATES,
    AudioFormat.OPUS: (8_000, 12_000, 16_000, 24_000, 48_000),
    AudioFormat.M4A: _MPEG_RATES,
    AudioFormat.M4B: _MPEG_RATES,
}

_PCM = (SampleEncoding.PCM_S16, SampleEncoding.PCM_S24, SampleEncoding.FLOAT, SampleEncoding.MULAW)
#: Formats that have a choice of sample encodings; the first is the default.
ENCODINGS: Mapping[AudioFormat, tuple[SampleEncoding, ...]] = {
    AudioFormat.WAV: _PCM,
    AudioFormat.FLAC: (SampleEncoding.PCM_S16, SampleEncoding.PCM_S24),
    AudioFormat.PCM: _PCM,
}

#: Bit rates of MPEG-1 Layer III (ISO/IEC 11172-3), of MPEG-2 (13818-3), and of MPEG 2.5, below 16 kHz.
_MPEG1 = tuple(1000 * k for k in (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320))
_MPEG2 = tuple(1000 * k for k in (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160))
_MPEG25 = _MPEG2[:8]
OPUS_BIT_RATES = range(6_000, 256_001)  #: of one channel (libopus)
#: One channel of AAC has at most 6,144 bits in a frame of 1,024 samples (ISO/IEC 14496-3, 4.5.3.1): six for each.
AAC_LOWEST, AAC_HIGHEST, AAC_BITS_PER_SAMPLE = 16_000, 256_000, 6

#: Tags that a file can hold; `TAGS` says which formats lack some.
TAG_NAMES = (
    *("title", "artist", "album", "album_artist", "composer"),
    *("genre", "date", "track", "comment", "copyright"),
)
#: RIFF INFO has no chunk for the artist of the album and for the composer.
_RIFF_TAGS = frozenset(TAG_NAMES) - {"album_artist", "composer"}
TAGS: Mapping[AudioFormat, Collection[str]] = {AudioFormat.WAV: _RIFF_TAGS, AudioFormat.PCM: frozenset()}


def content_type(format: AudioFormat, rate: int, encoding: SampleEncoding | None = None) -> str:
    """The media type of a file. That of raw samples describes them completely."""
    if format is not AudioFormat.PCM:
        return CONTENT_TYPES[format]
    if encoding is SampleEncoding.MULAW:
        return f"{MULAW_TYPE}; rate={rate}; channels=1"
    kind = "; encoding=float" if encoding is SampleEncoding.FLOAT else ""
    bits = {SampleEncoding.PCM_S24: 24, SampleEncoding.FLOAT: 32}.get(encoding or SampleEncoding.PCM_S16, 16)
    return f"{CONTENT_TYPES[format]}; rate={rate}; channels=1; bits={bits}{kind}"


def encoding_of(format: AudioFormat, encoding: SampleEncoding | None = None) -> SampleEncoding | None:
    """The sample encoding asked for, else the format's default; None for lossy formats.

    Raises `InvalidRequest` (``unsupported_encoding``) where ``format`` cannot have it."""
    known = ENCODINGS.get(format, ())
    if encoding is None:
        return known[0] if known else None
    if encoding in known:
        return encoding
    allowed = f"supports {', '.join(known)}" if known else "has no choice of sample encodings"
    detail = f"{format.value} {allowed}, not {encoding.value}."
    raise _unsupported("encoding", "unsupported_encoding", "The encoding is not supported", detail)


def check_rate(format: AudioFormat, rate: int) -> None:
    """Raises `InvalidRequest` (``unsupported_sample_rate``) where ``format`` cannot have ``rate`` Hz."""
    rates = RATES.get(format)
    if rate in rates if rates else LOWEST_RATE <= rate <= HIGHEST_RATE:
        return
    allowed = ", ".join(map(str, rates)) if rates else f"{LOWEST_RATE} to {HIGHEST_RATE}"
    detail = f"{format.value} supports {allowed} Hz, not {rate}."
    raise _unsupported("sample_rate", "unsupported_sample_rate", "The sample rate is not supported", detail)


def bit_rates(format: AudioFormat, rate: int) -> Sequence[int]:
    """The bit rates, in bits per second, that ``format`` has at ``rate`` Hz; none for lossless formats."""
    if format is AudioFormat.OPUS:
        return OPUS_BIT_RATES
    if format is AudioFormat.MP3:
        return _MPEG1 if rate >= 32_000 else _MPEG2 if rate >= 16_000 else _MPEG25
    if format in (AudioFormat.M4A, AudioFormat.M4B):
        return range(AAC_LOWEST, min(AAC_HIGHEST, AAC_BITS_PER_SAMPLE * rate) + 1)
    return ()


def all_bit_rates(format: AudioFormat) -> Sequence[int]:
    """The bit rates that ``format`` has at one sample rate or another, ascending."""
    if format is AudioFormat.MP3:
        return sorted({*_MPEG1, *_MPEG2})
    return bit_rates(format, HIGHEST_RATE)


def check_bit_rate(format: AudioFormat, bit_rate: int, rate: int | None = None) -> None:
    """Raises `InvalidRequest` (``unsupported_bit_rate``) where ``format`` cannot have ``bit_rate`` at ``rate`` Hz.

    ``rate``: None for a rate that is still to be chosen."""
    known = all_bit_rates(format) if rate is None else bit_rates(format, rate)
    if bit_rate in known:
        return
    where = "" if rate is None else f" at {rate} Hz"
    if not known:
        detail = f"{format.value} has no bit rate: it is lossless."
    elif isinstance(known, range):
        detail = f"{format.value} supports {known[0]} to {known[-1]} bit/s{where}, not {bit_rate}."
    else:
        detail = f"{format.value} supports {', '.join(map(str, known))} bit/s{where}, not {bit_rate}."
    raise _unsupported("bit_rate", "unsupported_bit_rate", "The bit rate is not supported", detail)


def check_tags(format: AudioFormat, tags: Mapping[str, str]) -> None:
    """Raises `InvalidRequest` (``unsupported_tag``) for a tag that files of ``format`` cannot hold."""
    known = TAGS.get(format, TAG_NAMES)
    for name in tags:
        if name not in known:
            kept = f"supports {', '.join(one for one in TAG_NAMES if one in known)}" if known else "has no tags"
            detail = f"{format.value} {kept}; it cannot hold {name}."
            raise _unsupported(f"tags.{name}", "unsupported_tag", "The tag is not supported", detail)


def check_output(
    format: AudioFormat,
    *,
    sample_rate: int | None = None,
    encoding: SampleEncoding | None = None,
    bit_rate: int | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Raises `InvalidRequest` for a combination that no file can have: see `check_rate`, `encoding_of`,
    `check_bit_rate` and `check_tags`. What passes here can be encoded whatever the rate of its source is."""
    encoding_of(format, encoding)
    if sample_rate is not None:
        check_rate(format, sample_rate)
    if bit_rate is not None:
        check_bit_rate(format, bit_rate, sample_rate)
    check_tags(format, tags or {})


def output_rate(
    format: AudioFormat,
    source_rate: int,
    sample_rate: int | None,
    *,
    encoding: SampleEncoding | None = None,
    bit_rate: int | None = None,
) -> int:
    """The rate in Hz to encode at: the requested one, else the source's or the next higher one that ``format``
    supports with ``bit_rate``, else the next lower one. μ-law has `G711_RATE` unless another one is requested."""
    if sample_rate is not None:
        check_rate(format, sample_rate)
        return sample_rate
    if format is AudioFormat.OPUS:
        return OPUS_RATE
    if encoding is SampleEncoding.MULAW:
        return G711_RATE
    rates = RATES.get(format)
    if rates is None:
        return min(max(source_rate, LOWEST_RATE), HIGHEST_RATE)
    fitting = [rate for rate in rates if bit_rate is None or bit_rate in bit_rates(format, rate)]
    return next((rate for rate in fitting if rate >= source_rate), fitting[-1])


def _unsupported(field: str, code: str, problem: str, detail: str) -> InvalidRequest:
    return InvalidRequest(f"{problem}: {detail}", code=code, fields=[FieldError(f"output.{field}", code, detail)])
