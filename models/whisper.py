"""Whisper (Radford et al. 2022, arXiv:2212.04356) on CTranslate2 through faster-whisper.

An item's ``inputs``: ``samples`` float32 [n] mono at ``rate`` 16,000 Hz, and perhaps ``language`` (BCP 47).
Its cost is in seconds of audio.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import ChorusError, ModelFailed, WeightsError
from core.names import ModelType, Role
from models.base import Family, Item, Model, Output, Segment, Transcript

RATE = 16_000

FAMILY = Family(
    type=ModelType.WHISPER,
    role=Role.TRANSCRIBE,
    model="models.whisper:WhisperModel",
    weights=("model", "config", "tokenizer", "vocabulary"),
)


class WhisperModel(Model):
    """Transcribes recordings. Raises `WeightsError` from `load`."""

    _model: Any = None

    def load(self, device: str) -> None:
        from faster_whisper import WhisperModel as FasterWhisper

        kind, _, index = device.partition(":")
        # CTranslate2 wants its files side by side under their own names.
        folder = Path(tempfile.mkdtemp(prefix="chorus-whisper-"))
        try:
            for name in self.spec.weights:
                path = self.files(name)
                (folder / path.name).symlink_to(path)
            self._model = FasterWhisper(
                str(folder),
                device=kind,
                device_index=int(index or 0),
                compute_type="int8" if kind == "cpu" else "float16",
                cpu_threads=1,
                local_files_only=True,
            )
        except (RuntimeError, OSError) as error:
            raise WeightsError(f"{self.spec.name} cannot be loaded: {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def cost(self, item: Item) -> int:
        return max(1, math.ceil(len(item.inputs["samples"]) / RATE))

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        return [self._run_one(item) for item in items]

    def _run_one(self, item: Item) -> Output | ChorusError:
        if item.inputs["rate"] != RATE:
            return ModelFailed(f"Whisper hears {RATE} Hz, not {item.inputs['rate']}.")
        language = item.inputs.get("language")
        if language is None and len(self.spec.languages) == 1:
            language = self.spec.languages[0]
        found, info = self._model.transcribe(
            item.inputs["samples"],
            language=language.split("-")[0] if language else None,
            beam_size=5,
            temperature=0.0,  # the same recording gives the same text
            condition_on_previous_text=False,
        )
        segments = tuple(Segment(s.start, s.end, s.text.strip()) for s in found)
        text = " ".join(s.text or "" for s in segments).strip()
        return Transcript(text=text, language=info.language, segments=segments)
