"""VITS: text to speech in one network (Kim et al. 2021, arXiv:2106.06103), and the tone conversion built on it (Qin et
al. 2023, arXiv:2312.01479).

Piper, OpenVoice and MMS are checkpoints of this network. It is no family of its own: the families read their own
checkpoints and use `models.vits.network` and `models.vits.speaking`. Parts and tensors have the names of
jaywalnut310/vits (MIT), with weight normalization folded when the weights are loaded.

An item is the same alone and in any micro-batch. The encoder works on padded rows in float64, so the rounding of
durations does not depend on the row's company. Flow and decoder work on one long row, in which items stand end to end
with gaps between them that are kept at zero (`models.vits.parts.packing`): nothing is padded, and no item reaches
another.

Only `Model.load` may import these modules, except `config`: they import torch.
"""
