"""Silero VAD (snakers4/silero-vad, MIT): voice activity detection, for many recordings at once.

The 16 kHz network of the package ``silero-vad``, reimplemented in torch: spectrogram and convolutions process each
window of 512 samples separately, so those of all recordings are pooled; only the LSTM runs along time, with one
state per row, and a row is dropped when its recording ends. Batched probabilities equal the package's own
to 2e-5. Measured on one thread, CPU seconds of 16 recordings through the package's own loop over ours: 9 with
the model that the package loads by itself, 4.6 with its ONNX one (ONNX Runtime with one state per row: 2 to 3).

The weights are read as the initializers of ``silero_vad_16k_op15.onnx``: the same numbers as those of
``silero_vad.jit``, but data alone, while a ``.jit`` archive holds code. (The wheel's ``.safetensors`` holds
another version's weights.)

An item's ``inputs``: ``samples`` (float32 [n] mono, or a `models.base.Recording`) at ``rate`` 16,000 Hz. Its cost is in
seconds.
"""

from __future__ import annotations

from core.names import Role, Runtime
from models.base import Family, Option

FAMILY = Family(
    type="silero",
    role=Role.VAD,
    model="models.silero.model:SileroModel",
    options={
        "threshold": Option(
            default=0.5, minimum=0.01, maximum=0.99, description="Probability at which a window is speech"
        ),
        "min_speech_duration": Option(
            default=0.25, minimum=0.0, maximum=60.0, description="Seconds: shorter speech is passed over"
        ),
        "min_silence_duration": Option(
            default=0.1, minimum=0.0, maximum=60.0, description="Seconds: shorter silence parts no speech"
        ),
        "speech_pad": Option(
            default=0.03, minimum=0.0, maximum=10.0, description="Seconds that each segment is widened by, either side"
        ),
        "max_speech_duration": Option(
            default=0.0, minimum=0.0, maximum=86_400.0, description="Seconds: longer speech is cut; 0 for never"
        ),
    },
    weights=("model",),
    runtime=Runtime.TORCH,
)
