"""The ``model`` section of the ``config.json`` that families of VITS have in common, as upstream writes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.vits.config import DecoderSizes

Size = Annotated[int, Field(ge=1, le=8192)]


class Lenient(BaseModel):
    """Reads the fields that matter and ignores all others."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ModelSizes(Lenient):
    """Sizes of a network."""

    inter_channels: Size
    hidden_channels: Size
    filter_channels: Size
    n_heads: Size
    n_layers: Size
    kernel_size: Size
    resblock: Literal["1", "2"]
    resblock_kernel_sizes: list[Size]
    resblock_dilation_sizes: list[list[Size]]
    upsample_rates: list[Size]
    upsample_initial_channel: Size
    upsample_kernel_sizes: list[Size]
    gin_channels: Size = 256

    @property
    def decoder(self) -> DecoderSizes:
        return DecoderSizes(
            blocks=self.resblock,
            rates=tuple(self.upsample_rates),
            rate_kernels=tuple(self.upsample_kernel_sizes),
            channels=self.upsample_initial_channel,
            kernels=tuple(self.resblock_kernel_sizes),
            dilations=tuple(tuple(dilations) for dilations in self.resblock_dilation_sizes),
        )
