"""The whole network, as stages that a micro-batch goes through."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from core.names import Precision
from models.vits.config import NetworkSizes
from models.vits.parts.decoder import Decoder
from models.vits.parts.durations import DurationPredictor, StochasticDurationPredictor
from models.vits.parts.flow import Flow
from models.vits.parts.packing import Packing
from models.vits.parts.posterior import PosteriorEncoder
from models.vits.parts.reference import ReferenceEncoder
from models.vits.parts.text_encoder import Prosody, TextEncoder

_LOWERED = {Precision.FLOAT16: torch.float16, Precision.BFLOAT16: torch.bfloat16}


class Network(nn.Module):
    """A VITS network: a synthesizer, or a tone converter if its sizes have a ``spectrum``."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.precision = Precision.FLOAT32
        if sizes.encoder and sizes.durations:
            hidden = sizes.encoder.hidden
            self.enc_p = TextEncoder(sizes.encoder, sizes.latent, sizes.conditioning)
            if sizes.durations.stochastic:
                self.sdp = StochasticDurationPredictor(hidden, sizes.durations, sizes.conditioning)
            if sizes.durations.deterministic:
                self.dp = DurationPredictor(hidden, sizes.durations, sizes.conditioning)
        if sizes.speakers:
            self.emb_g = nn.Embedding(sizes.speakers, sizes.conditioning)
        if sizes.spectrum is not None:
            self.enc_q = PosteriorEncoder(sizes, sizes.spectrum)
            self.ref_enc = ReferenceEncoder(sizes.spectrum, sizes.conditioning)
        self.flow = Flow(sizes)
        self.dec = Decoder(sizes.latent, sizes.decoder, sizes.conditioning)

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return self.sizes.decoder.hop

    @property
    def gap(self) -> int:
        """Frames that must lie between two items of one row."""
        return max(self.dec.reach, self.sizes.flow.reach, self.sizes.posterior.reach)

    def settle(self, device: torch.device, precision: Precision) -> Network:
        """Place the network on ``device`` for use: the encoder in float64, so the rounding of durations is the same in
        any company and on any device; the decoder in ``precision``; all else in float32. Returns itself."""
        self.precision = precision
        self.to(device)
        for part in ("enc_p", "sdp", "dp"):
            if hasattr(self, part):
                getattr(self, part).double()
        self.dec.to(_LOWERED.get(precision, torch.float32))
        self.eval().requires_grad_(False)
        return self

    def speaker(self, numbers: Tensor) -> Tensor | None:
        """The embeddings [items, conditioning, 1] of the table's speakers; None if the network has no table."""
        return cast(Tensor, self.emb_g(numbers))[:, :, None] if self.sizes.speakers else None

    def encode(
        self,
        tokens: Tensor,
        mask: Tensor,
        speaker: Tensor | None,
        noise: Tensor | None,
        share: float,
        prosody: Prosody | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Stage A, on padded rows: ``tokens`` int64 and ``mask`` [rows, time] → durations [rows, time] in frames, not
        scaled nor rounded, and the prior's mean and log deviation float32 [rows, time, latent]. All are in the
        encoder's precision, float64 once it is settled, but for what is said.

        ``noise`` [rows, 2, time] is that of the stochastic predictor, if there is one; ``share`` is its share
        of the logarithms where there are both. ``prosody``: where the encoder has tones.
        """
        mask = mask[:, None]
        given = None if speaker is None else speaker.to(mask.dtype)
        hidden, mean, log_deviation = self.enc_p(tokens, mask, given, prosody)
        logs = hidden.new_zeros(())
        if self.sizes.durations and self.sizes.durations.deterministic:
            share = share if self.sizes.durations.stochastic else 0.0
            logs = self.dp(hidden, mask, given) * (1 - share)
        else:
            share = 1.0
        if noise is not None:
            logs = logs + self.sdp(hidden, mask, given, noise) * share
        durations = (torch.exp(logs) * mask)[:, 0]
        return durations, mean.transpose(1, 2).float(), log_deviation.transpose(1, 2).float()

    def decode(self, prior: Tensor, packing: Packing, speaker: Tensor | None) -> Tensor:
        """Stage B, on packed rows: samples of the prior [1, latent, total] → audio float32 [total x hop]."""
        return self.vocode(self.flow.inverse(prior, packing, speaker), packing, speaker)

    def vocode(self, latents: Tensor, packing: Packing, speaker: Tensor | None) -> Tensor:
        """Latents of the posterior to audio float32 [total x hop], in the network's precision."""
        if self.precision is not Precision.TF32 or latents.device.type != "cuda":
            return cast(Tensor, self.dec(latents, packing, speaker))
        torch.backends.cudnn.allow_tf32 = True
        try:
            return cast(Tensor, self.dec(latents, packing, speaker))
        finally:
            torch.backends.cudnn.allow_tf32 = False
