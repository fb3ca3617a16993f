"""What the families of VITS synthesizers declare alike. Imports no runtime."""

from __future__ import annotations

from core.names import Precision
from models.base import Option

#: The precisions of a decoder.
PRECISIONS = (Precision.FLOAT32, Precision.TF32, Precision.BFLOAT16)


def speaking_options(*, noise_scale: float = 0.667, noise_w: float = 0.8, unset: str = "") -> dict[str, Option]:
    """Speed and noise. ``unset``: what applies where a job sets no noise, if that is not the default."""
    return {
        "speed": Option(default=1.0, minimum=0.25, maximum=4.0, description="Times the voice's own pace"),
        "noise_scale": Option(
            default=noise_scale, minimum=0.0, maximum=2.0, description=f"Liveliness of the sound{unset}"
        ),
        "noise_w": Option(default=noise_w, minimum=0.0, maximum=2.0, description=f"Liveliness of the rhythm{unset}"),
    }
