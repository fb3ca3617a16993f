"""The sizes of a VITS network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerSizes:
    """A transformer with relative positions."""

    hidden: int = 192
    filters: int = 768
    heads: int = 2
    layers: int = 6
    kernel: int = 3  #: of the feed-forward convolutions
    window: int = 4  #: furthest relative position that is told from further ones
    conditioned: int | None = None  #: number of the layer before which the speaker is added, if one is

    @property
    def reach(self) -> int:
        """Positions on either side that a layer's convolution sees."""
        return self.kernel // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSizes(TransformerSizes):
    """The text encoder."""

    symbols: int  #: tokens that there are
    tones: int = 0  #: that a table of embeddings has; 0 where tokens have no tones, languages and features of BERT
    languages: int = 0
    features: Mapping[str, int] = field(default_factory=dict)  #: numbers of a feature, by projection


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationSizes:
    """The duration predictors: the stochastic one, the deterministic one, or both."""

    stochastic: bool = True
    deterministic: bool = False
    filters: int = 256  #: of the deterministic one
    kernel: int = 3
    flows: int = 4  #: convolutional flows of the stochastic one
    layers: int = 3  #: of its separable convolutions
    bins: int = 10  #: of its splines
    tail: float = 5.0  #: bound outside of which its splines are the identity


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveNetSizes:
    """A stack of gated convolutions."""

    kernel: int = 5
    dilation: int = 1  #: its power by the layer's number
    layers: int = 4

    @property
    def reach(self) -> int:
        """Frames on either side that a layer sees."""
        return int(self.dilation ** (self.layers - 1)) * (self.kernel // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderSizes:
    """The HiFi-GAN decoder (Kong et al. 2020, arXiv:2010.05646)."""

    blocks: str  #: "1" or "2": which residual blocks
    rates: tuple[int, ...]  #: of upsampling; their product is the hop
    rate_kernels: tuple[int, ...]
    channels: int  #: before the first upsampling; each halves them
    kernels: tuple[int, ...]  #: of the residual blocks
    dilations: tuple[tuple[int, ...], ...]
    slope: float = 0.1  #: of the leaky rectifiers

    @property
    def hop(self) -> int:
        """Samples per frame."""
        hop = 1
        for rate in self.rates:
            hop *= rate
        return hop


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSizes:
    """A whole network. A synthesizer has ``encoder`` and ``durations``, a tone converter ``spectrum``."""

    latent: int  #: channels between encoder, flow and decoder
    hidden: int  #: of flow and posterior encoder
    decoder: DecoderSizes
    encoder: EncoderSizes | None = None
    durations: DurationSizes | None = None
    flows: int = 4
    flow: WaveNetSizes | TransformerSizes = field(default_factory=WaveNetSizes)
    posterior: WaveNetSizes = field(default_factory=lambda: WaveNetSizes(layers=16))
    spectrum: int | None = None  #: bins of the linear spectrogram, of a tone converter
    speakers: int = 0  #: that a table of embeddings has
    conditioning: int = 0  #: numbers of a speaker's embedding; 0 without
