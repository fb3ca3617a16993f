"""The reference encoder: spectrograms to speaker embeddings. Works on padded rows."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

FILTERS = (32, 32, 64, 64, 128, 128)
UNITS = 128


class ReferenceEncoder(nn.Module):
    """Strided convolutions over a linear spectrogram and a GRU (Skerry-Ryan et al. 2018, arXiv:1803.09047, as in
    myshell-ai/OpenVoice, MIT)."""

    def __init__(self, bins: int, conditioning: int) -> None:
        super().__init__()
        pairs = zip((1, *FILTERS), FILTERS, strict=False)
        self.convs = nn.ModuleList(nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in pairs)
        width = bins
        for _ in FILTERS:
            width = (width - 1) // 2 + 1
        self.gru = nn.GRU(FILTERS[-1] * width, UNITS, batch_first=True)
        self.proj = nn.Linear(UNITS, conditioning)
        self.layernorm = nn.LayerNorm(bins)

    def forward(self, spectra: Tensor, lengths: Tensor) -> Tensor:
        """``spectra`` [rows, frames, bins] and their ``lengths`` int64 [rows] on the CPU → [rows, conditioning].

        Frames past a row's length are cleared after each layer, and the GRU stops there, so a row does not depend on
        its padding."""
        x = _clear(self.layernorm(spectra)[:, None], lengths)
        for convolution in self.convs:
            lengths = (lengths - 1) // 2 + 1
            x = _clear(functional.relu_(convolution(x)), lengths)
        rows = x.transpose(1, 2).flatten(2)
        _, last = self.gru(pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False))
        return self.proj(last[0])  # type: ignore[no-any-return]


def _clear(x: Tensor, lengths: Tensor) -> Tensor:
    """Set ``x`` [rows, channels, frames, width] to zero past each row's length, in place."""
    for row, length in enumerate(lengths.tolist()):
        x[row, :, length:] = 0
    return x
