"""The sizes of a network of Kokoro; the defaults are those of the published one (82M). Imports no runtime."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

RATE = 24_000  #: Hz


@dataclass(frozen=True, slots=True, kw_only=True)
class BertSizes:
    """The ALBERT that reads the phonemes (PL-BERT)."""

    embedding: int = 128
    hidden: int = 768
    heads: int = 12
    filters: int = 2048
    layers: int = 12
    positions: int = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSizes:
    """From the decoder's hidden states, two per frame, to audio."""

    rates: tuple[int, ...] = (10, 6)  #: of upsampling
    rate_kernels: tuple[int, ...] = (20, 12)
    channels: int = 512  #: before the first upsampling; each halves them
    kernels: tuple[int, ...] = (3, 7, 11)  #: of the residual blocks
    dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5),) * 3
    window: int = 20  #: samples of the short-time Fourier transform
    hop: int = 5  #: samples of it
    harmonics: int = 8  #: of the source, beside the fundamental

    @property
    def bins(self) -> int:
        """Frequencies of the short-time Fourier transform."""
        return self.window // 2 + 1

    @property
    def columns(self) -> int:
        """Columns of the short-time Fourier transform per value of the pitch, of which a frame has two."""
        return math.prod(self.rates)

    @property
    def samples(self) -> int:
        """Samples per value of the pitch."""
        return self.columns * self.hop


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """A whole network."""

    symbols: int = 178  #: tokens that there are, the pad 0 among them
    hidden: int = 512
    style: int = 128  #: numbers of the half of a style that prosody or decoder is given
    layers: int = 3  #: of the text encoder and of the duration encoder
    kernel: int = 5  #: of the text encoder
    longest: int = 50  #: frames of a token, before speed
    width: int = 1024  #: of the decoder
    residual: int = 64  #: channels of the text that each block of the decoder is given again
    bert: BertSizes = field(default_factory=BertSizes)
    generator: GeneratorSizes = field(default_factory=GeneratorSizes)

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return 2 * self.generator.samples
