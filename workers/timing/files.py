"""The files of a job's times: JSON of its utterances, and subtitles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.names import SubtitleFormat, Timestamps, TimingMethod
from core.work import ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Work
from text.captions.cues import CueWord, cues_of
from text.captions.subtitles import MEDIA_TYPES, Cue, srt, vtt
from workers.steps.laying import job_text
from workers.timing.timeline import TimedUtterance, TimedWord, Timeline

#: Decimals of seconds in the files.
DIGITS = 4


@dataclass(frozen=True, slots=True)
class TimesFile:
    """A written file, and what the job's result says of it."""

    path: Path
    content_type: str
    facts: dict[str, Any]


def subtitle_cues(connections: Connections, ref: ItemRef, work: Work, timeline: Timeline) -> list[Cue]:
    """The cues of the job's subtitles; none if it does not want any. ``timeline`` has noted all utterances."""
    document = work.document
    if document.output.subtitles is None:
        return []
    _, chapters = job_text(connections, ref, document)
    utterances = timeline.utterances(chapters, document.markup, document.language or "")
    return cues_of((_cue_words(one, timeline.rate) for one in utterances), timeline.starts[-1] / timeline.rate)


def write_times(
    connections: Connections, ref: ItemRef, work: Work, timeline: Timeline, cues: list[Cue], folder: Path
) -> dict[str, TimesFile]:
    """Write the files that the job wants in ``folder``, by the names that they have in its result: ``timestamps`` and
    ``subtitles``. ``timeline`` has noted all utterances; ``cues`` are those of `subtitle_cues`."""
    document, output = work.document, work.document.output
    if output.timestamps is Timestamps.NONE and output.subtitles is None:
        return {}
    duration, method = timeline.starts[-1] / timeline.rate, timeline.method
    found = {}
    if output.timestamps is not Timestamps.NONE:
        path = folder / "timestamps.json"
        _, chapters = job_text(connections, ref, document)
        utterances = timeline.utterances(chapters, document.markup, document.language or "")
        words, several = output.timestamps is Timestamps.WORD, work.outputs.chapters is not None
        facts = write_json(
            *(path, utterances, timeline.rate),
            duration=duration,
            words=words,
            method=method if words else None,
            several=several,
        )
        found["timestamps"] = TimesFile(path, "application/json", {**facts, **_measured(path)})
    if output.subtitles is not None:
        path = folder / f"subtitles.{output.subtitles.value}"
        written = srt(cues) if output.subtitles is SubtitleFormat.SRT else vtt(cues)
        path.write_text(written, encoding="utf-8", newline="")
        facts = {"format": output.subtitles.value, "cues": len(cues), "method": method and method.value}
        found["subtitles"] = TimesFile(path, MEDIA_TYPES[output.subtitles], {**facts, **_measured(path)})
    return found


def write_json(
    path: Path,
    utterances: Iterable[TimedUtterance],
    rate: int,
    *,
    duration: float,
    words: bool,
    method: TimingMethod | None,
    several: bool,
) -> dict[str, Any]:
    """Write the utterances one by one, with their words if these are wanted; return their numbers. ``method``: where
    the times of the words are from; ``several``: the job has chapters."""
    counts = [0, 0]
    with path.open("w", encoding="ascii") as file:
        head = {"duration": round(duration, DIGITS), "method": method and method.value}
        file.write(json.dumps(head)[:-1] + ', "utterances": [')
        for number, one in enumerate(utterances):
            shape = _shape(one, rate, words=words, several=several)
            file.write((",\n" if number else "\n") + json.dumps(shape))
            counts[0] += 1
            counts[1] += len(shape.get("words", ()))
        file.write("\n]}\n")
    return {"utterances": counts[0], "words": counts[1] if words else None, "method": method and method.value}


def _shape(one: TimedUtterance, rate: int, *, words: bool, several: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {
        **_span(one, rate),
        "text": one.text,
        **({"chapter": one.chapter} if several else {}),
        "offset": one.offset,
        "length": one.length,
        **({"left_out": True} if one.left_out else {}),
    }
    if words:
        shape["method"] = one.method and one.method.value
        shape["words"] = [
            {**_span(word, rate), "word": word.word, "offset": word.offset, "length": word.length}
            for word in one.words
            if not word.mark
        ]
    return shape


def _span(one: TimedUtterance | TimedWord, rate: int) -> dict[str, float]:
    return {"start": round(one.start / rate, DIGITS), "end": round(one.end / rate, DIGITS)}


def _cue_words(one: TimedUtterance, rate: int) -> Sequence[CueWord]:
    found: list[CueWord] = []
    for word in one.words:
        if word.shown or not found:
            found.append(CueWord(word.start / rate, word.end / rate, word.shown, word.spaced))
        else:
            found[-1] = replace(found[-1], end=word.end / rate)
    return found


def _measured(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
