"""``preview``, on the CPU: what would be spoken of a text, utterance by utterance, with nothing rendered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from core.errors import DeadlineExceeded, InvalidRequest, InvalidText
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Outcome, Work
from text.marks import inline_parts, inline_spans
from text.source import Rewrite, SourceText
from workers.steps.laying import job_text, reader_of
from workers.steps.utterances import MAX_WARNINGS, Reader, Spoken, read_all

#: Seconds that one preview may take. Nobody waits for it after that.
LONGEST = 10.0


def preview(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """The utterances of a preview's text as its result; ``refused`` instead, an error, where a job of it would fail."""
    _, chapters = job_text(connections, ref, work.document)
    reader = replace(reader_of(connections, work), phonetic=True)
    try:
        return Outcome(ref=ref, station=CPU, result=_previewed(reader, chapters))
    except InvalidRequest as error:
        return Outcome(ref=ref, station=CPU, result={"refused": error.to_dict()})


def _previewed(reader: Reader, chapters: Sequence[str]) -> dict[str, Any]:
    found: list[Spoken] = []
    warnings: list[dict[str, Any]] = []
    end = time.monotonic() + LONGEST
    for portion in read_all(reader, chapters):
        found += portion.spoken
        warnings += portion.warnings[: MAX_WARNINGS - len(warnings)]
        if time.monotonic() > end:
            raise DeadlineExceeded(f"The preview took longer than {LONGEST:g} s.")
    if not found:
        raise InvalidText("Nothing in the text can be spoken.")
    utterances = [_shape(reader, chapters[spoken.chapter], spoken) for spoken in found]
    utterances[-1]["pause"] = 0.0
    seconds = sum(one["seconds"] + one["pause"] for one in utterances)
    return {"seconds": round(seconds, 2), "utterances": utterances, "warnings": warnings}


def _shape(reader: Reader, chapter: str, spoken: Spoken) -> dict[str, Any]:
    start, end = spoken.source
    words = "".join(f"/{part}/" if is_ipa else part for part, is_ipa in inline_parts(spoken.words))
    shape: dict[str, Any] = {
        "text": _as_written(spoken.written, chapter),
        "spoken": " ".join(words.split()),
        "phonemes": spoken.phonemes,
        "chapter": spoken.chapter,
        "start": start,
        "end": end,
        "pause": round(spoken.utterance.pause, 3),
        "seconds": 0.0,
    }
    if spoken.error is not None:
        return {**shape, "error": spoken.error.to_dict()}
    seconds = reader.frontend.seconds(spoken.inputs, {**reader.document.options, **spoken.options})
    return {**shape, "seconds": round(seconds, 2)}


def _as_written(written: SourceText, chapter: str) -> str:
    """The text of an utterance with the words of its chapter in place of phonemes."""
    spans = inline_spans(written.text)
    words = (chapter[slice(*written.source(*span))] for span in spans)
    return written.rewritten(Rewrite(*span, said) for span, said in zip(spans, words, strict=True)).text
