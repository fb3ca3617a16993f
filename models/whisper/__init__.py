"""Whisper (Radford et al. 2022, arXiv:2212.04356) on CTranslate2 through faster-whisper.

Whisper invents text where nobody speaks (SYSTRAN/faster-whisper#506), so it only gets what Silero VAD detects as
speech, in stretches of at most 30 s that start and end in silence; times lie within them. Text that repeats itself
is decoded again with a penalty on repetition, and left out if it still repeats: sampling, as in the paper, would
give the same recording a different text each time. A recording is read stretch by stretch, so that hours take no more
memory than seconds.

The times of words are where the attention of the decoder lies (dynamic time warping, as in openai-whisper). With them
the ends of segments are those of their last words, so they differ a little from those without.

``preprocessor`` is the ``preprocessor_config.json`` of checkpoints that hear 128 bands of mel, since large-v3.

An item's ``inputs``: ``samples`` (float32 [n] mono, or a `models.base.Recording`) at ``rate`` 16,000 Hz, and perhaps
``language`` (BCP 47). Its cost is in seconds of audio.
"""

from __future__ import annotations

from core.names import Role, Runtime
from models.base import Family, Option

#: Characters of a prompt, and of hot words: more than Whisper reads, which is 223 tokens.
MAX_PROMPT = 4000

FAMILY = Family(
    type="whisper",
    role=Role.TRANSCRIBE,
    model="models.whisper.model:WhisperModel",
    weights=("model", "config", "tokenizer", "vocabulary", "vad"),
    more_weights=("preprocessor",),
    runtime=Runtime.CTRANSLATE2,
    options={
        "words": Option(default=False, description="Say when each word is said"),
        "decoding": Option(default=False, description="Give tokens, probabilities and compression of each segment"),
        "prompt": Option(
            default="",
            maximum=MAX_PROMPT,
            description="Text as if said before: names, spelling, style; its end is used",
        ),
        "hotwords": Option(
            default="", maximum=MAX_PROMPT, description="Words that may be said; their beginning is used"
        ),
    },
    code_version=2,
)
