"""Recordings to transcripts, stretch by stretch."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audio.samples import Samples
from core.errors import ChorusError, ModelFailed, WeightsError
from core.names import Runtime
from models.base import Decoding, Item, Model, Output, Segment, Transcript
from models.shared.devices import parse, usable
from models.shared.recordings import RATE, recording_of
from models.silero.model import SileroModel
from models.silero.segments import Parameters, segments
from models.whisper.words import aligned, words_within

#: Seconds of audio that Whisper processes at once.
WINDOW = 30.0

#: Options of voice activity detection: generous, because cut-off speech is lost and some silence does no harm.
_SPEECH = Parameters(threshold=0.4, min_silence_duration=0.5, speech_pad=0.8, max_speech_duration=WINDOW)

#: Seconds of silence that part two stretches although both would fit into one window.
_LONGEST_SILENCE = 4.0

#: Length of text over that of its zlib form, above which it repeats itself, as in the paper.
_REPETITIVE = 2.4

#: Ways to decode a stretch, until one does not repeat itself.
_WAYS: tuple[dict[str, Any], ...] = ({}, {"repetition_penalty": 1.2, "no_repeat_ngram_size": 3})

#: BCP 47 for a recording without speech: undetermined.
_UNDETERMINED = "und"


class WhisperModel(Model):
    """Transcribes recordings. Raises `WeightsError` from `load`."""

    _model: Any = None

    def load(self, device: str) -> None:
        from faster_whisper import WhisperModel as FasterWhisper

        kind, number = parse(device)
        # CTranslate2 requires its files in one folder under their own names.
        folder = Path(tempfile.mkdtemp(prefix="chorus-whisper-"))
        try:
            for name in self.spec.weights.keys() - {"vad"}:
                path = self.files(name)
                (folder / path.name).symlink_to(path)
            self._model = FasterWhisper(
                str(folder),
                device=kind,
                device_index=number,
                compute_type="int8" if kind == "cpu" else "float16",
                cpu_threads=1,
                local_files_only=True,
            )
        except (RuntimeError, OSError) as error:
            raise WeightsError(f"{self.spec.name} cannot be loaded: {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._vad = SileroModel(self.spec, lambda _: self.files("vad"))
        # Its torch may be built for the CPU where CTranslate2 is not.
        self._vad.load(device if kind == "cpu" or usable(Runtime.TORCH) > number else "cpu")
        self._vad.pause = self._pause

    def _pause(self) -> None:
        self.pause()  # which is set after `load`

    def cost(self, item: Item) -> int:
        return max(1, math.ceil(len(item.inputs["samples"]) / RATE))

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        return [self._run_one(item) for item in items]

    def _run_one(self, item: Item) -> Output | ChorusError:
        try:
            recording = recording_of(item, "Whisper")
        except ModelFailed as error:
            return error
        given = item.inputs.get("language")
        if given is None and len(self.spec.languages) == 1:
            given = self.spec.languages[0]
        language = given.split("-")[0].lower() if given else None
        ways = [{**_asked(item.options), **way} for way in _WAYS]
        heard: list[Segment] = []
        # Item by item: in company, a probability at the threshold might fall to its other side.
        (probabilities,) = self._vad.probabilities([item])
        for start, end in stretches(segments(probabilities, len(recording), _SPEECH)):
            samples = recording[round(start * RATE) : round(end * RATE)]
            found, language = self._hear(samples, language, ways)
            heard += self._segments(samples, found, language, start, item.options)
        text = " ".join(segment.text or "" for segment in heard)
        return Transcript(text=text, language=language or _UNDETERMINED, segments=tuple(heard))

    def _hear(self, samples: Samples, language: str | None, ways: Iterable[Mapping[str, Any]]) -> tuple[list[Any], str]:
        """faster-whisper's segments of one stretch, without what repeats itself, and the language.

        ``ways``: arguments of faster-whisper to decode it with, until it does not repeat itself."""
        found: list[Any] = []
        for way in ways:
            self.pause()
            heard, about = self._model.transcribe(
                samples,
                language=language,
                beam_size=5,
                temperature=0.0,  # the same recording gives the same text
                condition_on_previous_text=False,
                **way,
            )
            found, language = list(heard), str(about.language)
            if all(segment.compression_ratio <= _REPETITIVE for segment in found):
                break
        return [segment for segment in found if segment.compression_ratio <= _REPETITIVE], language or _UNDETERMINED

    def _segments(
        self, samples: Samples, found: Iterable[Any], language: str, start: float, options: Mapping[str, Any]
    ) -> list[Segment]:
        """The segments of a stretch, which begins at ``start``, with times in the recording and within the stretch."""
        end = start + len(samples) / RATE
        kept = [segment for segment in found if segment.text.strip() and start + segment.start < end]
        timed = aligned(self._model, samples, kept, language) if options.get("words") else None
        heard: list[Segment] = []
        for place, segment in enumerate(kept):
            first, last, words = start + segment.start, min(end, start + segment.end), None
            if timed is not None:
                first = min(end, max(heard[-1].end if heard else start, start + timed[place]["start"]))
                last = max(first, min(end, start + timed[place]["end"]))
                words = words_within(timed[place]["words"], start, first, last)
            decoding = _decoding(segment, start) if options.get("decoding") else None
            heard.append(Segment(first, last, segment.text.strip(), words, decoding))
        return heard


def stretches(speech: Iterable[Segment]) -> list[tuple[float, float]]:
    """Speech as stretches ``(start, end)``, in seconds, of at most `WINDOW` each: what lies close together is one."""
    found: list[tuple[float, float]] = []
    for segment in speech:
        if found and segment.start - found[-1][1] <= _LONGEST_SILENCE and segment.end - found[-1][0] <= WINDOW:
            found[-1] = (found[-1][0], segment.end)
        else:
            found.append((segment.start, segment.end))
    return found


def _asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """faster-whisper's arguments for an item's options."""
    asked: dict[str, Any] = {}
    if prompt := options.get("prompt", "").strip():
        asked["initial_prompt"] = prompt
    if hotwords := options.get("hotwords", "").strip():
        asked["hotwords"] = hotwords
    return asked


def _decoding(segment: Any, offset: float) -> Decoding:
    """How a segment of faster-whisper was decoded; ``offset``: seconds at which its stretch begins."""
    return Decoding(
        seek=round(offset * 100) + int(segment.seek),
        tokens=tuple(segment.tokens),
        temperature=float(segment.temperature or 0.0),
        avg_logprob=float(segment.avg_logprob),
        compression_ratio=float(segment.compression_ratio),
        no_speech_prob=float(segment.no_speech_prob),
    )
