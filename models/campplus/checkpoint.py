"""The tensors of a CAM++ checkpoint of 3D-Speaker (Apache-2.0) with 192 dimensions: their names and shapes."""

from __future__ import annotations

BINS = 80
DIMENSIONS = 192
CHANNELS = 32  #: of the front end, and what each dense layer adds
BLOCKS = ((12, 1), (24, 2), (16, 2))  #: layers and dilation

#: The end of a name that every batch normalisation has from its training, and inference does not need.
COUNTER = ".num_batches_tracked"

_WIDTH = 128  #: of the TDNN, and of what a dense layer sees
_SQUEEZED = 64  #: of a context-aware mask

_Shapes = dict[str, tuple[int, ...]]


def shapes() -> _Shapes:
    """All tensors but those named ``*.num_batches_tracked``."""
    found = {**_convolution("head.conv1", "head.bn1", 1, 3)}
    for name in (f"head.layer{i}.{j}" for i in (1, 2) for j in (0, 1)):
        found |= _convolution(f"{name}.conv1", f"{name}.bn1", CHANNELS, 3)
        found |= _convolution(f"{name}.conv2", f"{name}.bn2", CHANNELS, 3)
        if name.endswith("0"):
            found |= _convolution(f"{name}.shortcut.0", f"{name}.shortcut.1", CHANNELS, 1)
    found |= _convolution("head.conv2", "head.bn2", CHANNELS, 3)
    found["xvector.tdnn.linear.weight"] = (_WIDTH, CHANNELS * BINS // 8, 5)
    found |= _normalisation("xvector.tdnn.nonlinear.batchnorm", _WIDTH)
    width = _WIDTH
    for i, (layers, _) in enumerate(BLOCKS, start=1):
        for j in range(1, layers + 1):
            found |= _dense_layer(f"xvector.block{i}.tdnnd{j}", width)
            width += CHANNELS
        found |= _normalisation(f"xvector.transit{i}.nonlinear.batchnorm", width)
        found[f"xvector.transit{i}.linear.weight"] = (width // 2, width, 1)
        width //= 2
    found |= _normalisation("xvector.out_nonlinear.batchnorm", width)
    found["xvector.dense.linear.weight"] = (DIMENSIONS, 2 * width, 1)
    return found | _normalisation("xvector.dense.nonlinear.batchnorm", DIMENSIONS, affine=False)


def _convolution(name: str, normalisation: str, inputs: int, kernel: int) -> _Shapes:
    weight = {f"{name}.weight": (CHANNELS, inputs, kernel, kernel)}
    return {**weight, **_normalisation(normalisation, CHANNELS)}


def _normalisation(name: str, channels: int, *, affine: bool = True) -> _Shapes:
    parts = ("running_mean", "running_var", *(("weight", "bias") if affine else ()))
    return {f"{name}.{part}": (channels,) for part in parts}


def _dense_layer(name: str, width: int) -> _Shapes:
    return {
        **_normalisation(f"{name}.nonlinear1.batchnorm", width),
        f"{name}.linear1.weight": (_WIDTH, width, 1),
        **_normalisation(f"{name}.nonlinear2.batchnorm", _WIDTH),
        f"{name}.cam_layer.linear_local.weight": (CHANNELS, _WIDTH, 3),
        f"{name}.cam_layer.linear1.weight": (_SQUEEZED, _WIDTH, 1),
        f"{name}.cam_layer.linear1.bias": (_SQUEEZED,),
        f"{name}.cam_layer.linear2.weight": (CHANNELS, _SQUEEZED, 1),
        f"{name}.cam_layer.linear2.bias": (CHANNELS,),
    }
