"""When each word is said: dynamic time warping over the attention of Whisper's decoder, as in openai-whisper.

faster-whisper's ``word_timestamps`` would also begin each next window at the last word's end instead of the decoder's
own time, and so give another text, sometimes a shorter one. So the text is decoded first, and aligned then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from audio.samples import Samples
from models.base import Word

#: What belongs to the word after it, and to the word before it: the defaults of openai-whisper.
_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"


def aligned(model: Any, samples: Samples, found: Sequence[Any], language: str) -> list[dict[str, Any]]:
    """faster-whisper's segments of a stretch as dictionaries with its ``words``; ``start`` and ``end`` as they say.

    ``model``: a `faster_whisper.WhisperModel`; ``samples``: float32 [n] at 16,000 Hz, what ``found`` was heard in."""
    from faster_whisper.audio import pad_or_trim
    from faster_whisper.tokenizer import Tokenizer

    multilingual = model.model.is_multilingual
    tokenizer = Tokenizer(
        model.hf_tokenizer, multilingual, task="transcribe", language=language if multilingual else "en"
    )
    features = model.feature_extractor(samples)
    frames = features.shape[-1] - 1
    segments: list[dict[str, Any]] = []
    spoken = 0.0  # the end of the last word, in seconds
    for seek, window in groupby(found, key=lambda segment: segment.seek):
        size = min(model.feature_extractor.nb_max_frames, frames - seek)
        encoded = model.encode(pad_or_trim(features[:, seek : seek + size]))
        ours = [{"seek": seek, "start": one.start, "end": one.end, "tokens": one.tokens, "words": []} for one in window]
        model.add_word_timestamps([ours], tokenizer, encoded, size, _PREPENDED, _APPENDED, spoken)
        segments += ours
        spoken = max(spoken, *(one["end"] for one in ours))
    return segments


def words_within(found: Iterable[dict[str, Any]], offset: float, first: float, last: float) -> tuple[Word, ...]:
    """faster-whisper's words, which begin at ``offset`` seconds of the recording, with times within [first, last]
    and none before the one ahead of it."""
    words: list[Word] = []
    at = first
    for one in found:
        word = one["word"].strip()
        if not word:
            continue
        start = min(last, max(at, offset + one["start"]))
        at = min(last, max(start, offset + one["end"]))
        if words and one["word"].startswith("-"):  # the second half of a compound, which it takes for a word
            words[-1] = Word(words[-1].start, at, words[-1].word + word)
        else:
            words.append(Word(start, at, word))
    return tuple(words)
