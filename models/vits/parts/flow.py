"""The flow between the prior's latents and the posterior's: affine couplings (of the mean alone), on packed rows."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.vits.config import NetworkSizes, WaveNetSizes
from models.vits.parts.attention import Transformer
from models.vits.parts.layers import WaveNet
from models.vits.parts.packing import Packing


class Coupling(nn.Module):
    """Shifts one half of the channels by what follows from the other half and the speaker, by a WaveNet, or by a
    transformer (Kong et al. 2023, arXiv:2307.16430)."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        half = sizes.latent // 2
        self.pre = nn.Conv1d(half, sizes.hidden, 1)
        flow, given = sizes.flow, sizes.conditioning
        self.enc: WaveNet | Transformer = (
            WaveNet(sizes.hidden, flow, given) if isinstance(flow, WaveNetSizes) else Transformer(flow, given)
        )
        self.post = nn.Conv1d(sizes.hidden, half, 1)

    def forward(self, x: Tensor, packing: Packing, speaker: Tensor | None, sign: int) -> Tensor:
        kept, moved = x.chunk(2, dim=1)
        inner = self.enc(packing.clear(self.pre(kept)), packing, speaker)
        shift = packing.clear(self.post(inner))
        return torch.cat([kept, torch.add(moved, shift, alpha=sign)], dim=1)


class Flow(nn.Module):
    """Couplings with the channels flipped between them."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        # Upstream counts the flips as flows: the couplings have even numbers.
        self.flows = nn.ModuleDict({str(2 * i): Coupling(sizes) for i in range(sizes.flows)})

    def forward(self, z: Tensor, packing: Packing, speaker: Tensor | None) -> Tensor:
        """Latents of the posterior [1, latent, total] to those of the prior; ``speaker`` [items, conditioning, 1]."""
        for coupling in self.flows.values():
            z = coupling(z, packing, speaker, 1).flip(1)
        return z

    def inverse(self, z: Tensor, packing: Packing, speaker: Tensor | None) -> Tensor:
        """Latents of the prior to those of the posterior."""
        for coupling in reversed(list(self.flows.values())):
            z = cast(Coupling, coupling)(z.flip(1), packing, speaker, -1)
        return z
