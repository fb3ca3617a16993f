"""Recordings to transcripts, stretch by stretch."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from audio.samples import Samples
from core.errors import ChorusError, ModelFailed, WeightsError
from core.names import Runtime
from models.base import Item, Model, Output, Segment, Transcript
from models.shared.devices import parse, usable
from models.shared.recordings import RATE, recording_of
from models.silero.model import SileroModel
from models.silero.segments import Parameters, segments

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
        heard: list[Segment] = []
        # Item by item: in company, a probability at the threshold might fall to its other side.
        (probabilities,) = self._vad.probabilities([item])
        for start, end in stretches(segments(probabilities, len(recording), _SPEECH)):
            found, language = self._hear(recording[round(start * RATE) : round(end * RATE)], language)
            heard += _within(found, start, end)
        text = " ".join(segment.text or "" for segment in heard)
        return Transcript(text=text, language=language or _UNDETERMINED, segments=tuple(heard))

    def _hear(self, samples: Samples, language: str | None) -> tuple[list[Any], str]:
        """faster-whisper's segments of one stretch, without what repeats itself, and the language."""
        found: list[Any] = []
        for way in _WAYS:
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


def stretches(speech: Iterable[Segment]) -> list[tuple[float, float]]:
    """Speech as stretches ``(start, end)``, in seconds, of at most `WINDOW` each: what lies close together is one."""
    found: list[tuple[float, float]] = []
    for segment in speech:
        if found and segment.start - found[-1][1] <= _LONGEST_SILENCE and segment.end - found[-1][0] <= WINDOW:
            found[-1] = (found[-1][0], segment.end)
        else:
            found.append((segment.start, segment.end))
    return found


def _within(found: Iterable[Any], start: float, end: float) -> list[Segment]:
    """The segments of a stretch with times in the recording, without those after the end of the stretch."""
    heard = []
    for segment in found:
        text = segment.text.strip()
        if text and start + segment.start < end:
            heard.append(Segment(start + segment.start, min(end, start + segment.end), text))
    return heard
