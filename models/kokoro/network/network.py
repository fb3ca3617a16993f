"""The whole network, as the stages that a micro-batch goes through."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.names import Precision
from models.kokoro.network.decoder import Decoder
from models.kokoro.network.encoder import Bert, Sentences, TextEncoder
from models.kokoro.network.layers import StyleNorm
from models.kokoro.network.layout import Layout
from models.kokoro.network.prosody import ProsodyPredictor
from models.kokoro.network.sizes import Sizes
from models.kokoro.network.source import Spectrum

_LOWERED = {Precision.BFLOAT16: torch.bfloat16}


class Network(nn.Module):
    """Kokoro's network. A style has two halves: that of the decoder, then that of the prosody."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.precision = Precision.FLOAT32
        self.bert = Bert(sizes)
        self.bert_encoder = nn.Linear(sizes.bert.hidden, sizes.hidden)
        self.predictor = ProsodyPredictor(sizes)
        self.text_encoder = TextEncoder(sizes)
        self.decoder = Decoder(sizes)

    def settle(self, device: torch.device, precision: Precision) -> Network:
        """Place the network on ``device`` for use: the decoder in ``precision``, but for its source and what it
        computes of the style; all before it in float64. Returns itself."""
        self.precision = precision
        self.to(device).double()
        self.decoder.to(_LOWERED.get(precision, torch.float32))
        for part in self.decoder.modules():
            if isinstance(part, StyleNorm):
                part.float()
        self.decoder.generator.m_source.double()
        self.spectrum = Spectrum(self.sizes.generator, device)
        return self.eval().requires_grad_(False)

    def encode(self, tokens: Tensor, sentences: Sentences, styles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Stage A: ``tokens`` int64 [tokens], ``styles`` float64 [items, 2 n] → durations float64 [tokens] in frames,
        neither scaled nor rounded; what prosody needs of each token, float64 [tokens, n]; what the decoder needs of it,
        float32 [tokens, hidden]."""
        read = self.bert_encoder(self.bert.read(tokens, sentences))
        durations, encoded = self.predictor.durations(read, styles[:, self.sizes.style :], sentences)
        return durations, encoded, self.text_encoder(tokens, sentences).float()

    def decode(
        self, encoded: Tensor, text: Tensor, tokens: Tensor, noise: Tensor, styles: Tensor, layout: Layout
    ) -> Tensor:
        """Stage B: ``encoded`` and ``text`` of all tokens as `encode` gave them, the token of each frame of the layout
        int64 [total], ``noise`` float64 [total x hop], ``styles`` as above → audio float32 [total x hop]."""
        style, of_prosody = styles[:, : self.sizes.style].float(), styles[:, self.sizes.style :]
        stretched = encoded.index_select(0, tokens.index_select(0, layout.order.index))
        pitch, energy = self.predictor.curves(stretched, of_prosody, layout)
        row = layout.clear(text.index_select(0, tokens).t()[None].contiguous())
        given = (row, pitch, energy, noise, layout, style, self.spectrum)
        if self.precision is not Precision.TF32 or row.device.type != "cuda":
            audio: Tensor = self.decoder(*given)
            return audio
        torch.backends.cudnn.allow_tf32 = True
        try:
            audio = self.decoder(*given)
        finally:
            torch.backends.cudnn.allow_tf32 = False
        return audio
