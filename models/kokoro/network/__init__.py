"""Kokoro's network in torch: StyleTTS 2 (Li et al. 2023, arXiv:2306.07691) without its diffusion, with an iSTFTNet
decoder (Kaneko et al. 2022, arXiv:2203.02395) that is driven by a harmonic source.

Parts and tensors have the names of hexgrad/kokoro (Apache-2.0), with weight normalization folded when the weights are
loaded. An item is the same alone and in any micro-batch, to 1e-4: durations and pitch are computed in float64, because
the phase of the source adds up all errors of the pitch; items stand end to end in one row, with gaps between them that
are kept at zero (`models.kokoro.network.layout`), and each is normalized by its own frames alone.

Only `Model.load` may import these modules, except `sizes`: they import torch.
"""
