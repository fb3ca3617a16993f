"""``assemble``: a job's utterances to one file, in constant memory, on the CPU."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from audio.chapters import book_chapters
from audio.encode import Encoder
from audio.formats import content_type
from audio.join import Level, Piece, join, left_out, level_to
from audio.loudness import Meter
from audio.samples import Samples
from audio.sinks.timed_text import Caption
from audio.trim import Trimmed, trim
from core.errors import ArtifactMissing
from core.failpoints import reach
from core.names import JobState
from core.work import ItemRef, UtteranceWork
from pipelines.connections import Connections
from storage.ledger.records import Outcome, UtteranceState, Work
from storage.objects.job_objects import results_folder
from storage.objects.job_record import pack_record, record_name
from storage.objects.manifest import manifest_name, pack_manifest
from text.captions.subtitles import Cue
from workers.artifacts import read_artifact, read_speech
from workers.assembly.covers import cover_of
from workers.assembly.destinations import copy_to_destination
from workers.assembly.utterance_files import SpokenUtterances, write_utterance_files
from workers.retry import retry_until_available
from workers.timing.files import subtitle_cues, write_times
from workers.timing.timeline import Timeline


def assemble(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """Joins, encodes once and uploads; the result names the object."""
    document, output = work.document, work.document.output
    utterances, states = connections.ledger.utterances(ref.job, inputs=False)
    rate = _sample_rate(connections, work)
    kind = output.format
    name = f"{results_folder(document.owner, ref.job, ref.generation)}audio.{kind.value}"
    with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
        path = Path(folder) / f"audio.{kind.value}"
        with Encoder(
            *(path, kind, rate, output.sample_rate),
            encoding=output.encoding,
            bit_rate=output.bit_rate,
            tags=output.tags,
            cover=cover_of(connections, work),
            captions=output.subtitles is not None,
        ) as encoder:
            timeline = Timeline(connections.objects, utterances, rate)
            pieces = _pieces(connections, utterances, states, timeline)
            kept = trim(pieces, rate) if output.trim else Trimmed(pieces, 0)
            level = None if output.loudness is None else level_to(output.loudness, kept.pieces, rate)
            reached = _encode(kept.pieces, rate, level, encoder)
            timeline.cut(kept.offset, encoder.taken)
            chapters = _chapters(work.outputs.chapters or (), timeline.starts, rate)
            cues = subtitle_cues(connections, ref, work, timeline)
            captions = (Caption(cue.start, cue.end, cue.text) for cue in cues)
            encoded = encoder.close(book_chapters(chapters, output.tags), captions)
        reach("assemble.encoded")
        media = content_type(kind, encoder.rate, encoder.encoding)
        retry_until_available(lambda: connections.objects.put_file(name, path, media))
        copied = copy_to_destination(connections, ref, work, path, media)
        timed = _times(connections, ref, work, timeline, cues, Path(folder))
    reach("assemble.uploaded")
    audio: dict[str, Any] = {
        "object": name,
        "format": kind.value,
        "duration": round(encoded.duration, 4),
        "sample_rate": encoded.sample_rate,
        **({"encoding": encoder.encoding.value} if encoder.encoding else {}),
        "bytes": encoded.bytes,
        "sha256": encoded.sha256,
        **reached,
        **copied,
    }
    result = {"audio": audio, "characters": document.characters, "seed": document.seed, **timed}
    if work.outputs.chapters is not None:
        result["chapters"] = chapters
    if output.utterances:
        spoken = SpokenUtterances(
            works=utterances, states=states, pieces=pieces, starts=timeline.starts, rate=rate, level=level
        )
        result["utterances"] = write_utterance_files(connections, ref, work, spoken)
    if work.outputs.match is not None:
        result["match"] = work.outputs.match
    if (work.outputs.prepared or {}).get("runs", 1) > 1:  # readers may not have seen all utterances yet
        manifest = manifest_name(document.owner, ref.job, ref.generation)
        data = pack_manifest(utterances)
        retry_until_available(lambda: connections.objects.put(manifest, data, "application/msgpack"))
    _write_record(connections, ref, result)
    return Outcome(ref=ref, station=work.plan.steps[ref.step].station, result=result)


def _encode(pieces: Sequence[Piece], rate: int, level: Level | None, encoder: Encoder) -> dict[str, float | None]:
    """Encode the joined pieces; return their loudness in LUFS if the job sets one."""
    if level is None:
        for samples in join(pieces, rate):
            encoder.write(samples)
        return {}
    meter = Meter(rate, peaks=False)
    for samples in join(pieces, rate, level=level):
        meter.add(samples)
        encoder.write(samples)
    loudness = meter.integrated()
    return {"loudness": round(loudness, 1) if math.isfinite(loudness) else None}


def _chapters(begun: Sequence[tuple[str, int]], starts: Sequence[int], rate: int) -> list[dict[str, Any]]:
    """Where each chapter starts, in seconds; ``begun``: its title and first utterance, ``starts``: in samples."""
    return [{"title": title, "start": round(starts[first] / rate, 3)} for title, first in begun]


def _times(
    connections: Connections, ref: ItemRef, work: Work, timeline: Timeline, cues: list[Cue], folder: Path
) -> dict[str, dict[str, Any]]:
    """Write and upload the times and subtitles that the job wants; return what the result says of them."""
    results = results_folder(work.document.owner, ref.job, ref.generation)
    found: dict[str, dict[str, Any]] = {}
    for name, file in write_times(connections, ref, work, timeline, cues, folder).items():
        stored = f"{results}{file.path.name}"
        retry_until_available(partial(connections.objects.put_file, stored, file.path, file.content_type))
        copied = copy_to_destination(connections, ref, work, file.path, file.content_type)
        found[name] = {"object": stored, **file.facts, **copied}
    return found


def _write_record(connections: Connections, ref: ItemRef, result: Mapping[str, Any]) -> None:
    """Write the job's record beside its audio. It is valid once the ledger has recorded the same."""
    job = connections.ledger.get(ref.job)
    if job is not None and job.generation == ref.generation:
        name = record_name(job.owner, ref.job, ref.generation)
        data = pack_record(job, result, time.time())
        retry_until_available(lambda: connections.objects.put(name, data, "application/json"))


def drop_unwanted(connections: Connections, ref: ItemRef, owner: str) -> None:
    """Delete the objects of a generation that has ended without a result or no longer exists, for example because its
    job was deleted."""
    job = connections.ledger.get(ref.job)
    ours = job is not None and job.generation == ref.generation
    if not ours or (job is not None and job.state in (JobState.FAILED, JobState.CANCELED)):
        connections.objects.delete(*connections.objects.names(results_folder(owner, ref.job, ref.generation)))


def _sample_rate(connections: Connections, work: Work) -> int:
    """The sample rate of the last utterance step in Hz."""
    rate = connections.catalog.sample_rate(work.plan)
    if rate is None:
        raise ArtifactMissing("The catalog has no sample rate for the last stage of the utterances.")
    return rate


class UtterancesMissing(ArtifactMissing):
    """Artifacts of utterances are missing and will be rendered again."""

    def __init__(self, indices: list[int]) -> None:
        super().__init__()
        self.indices = indices


def _pieces(connections: Connections, utterances: list[UtteranceWork], states: str, timeline: Timeline) -> list[Piece]:
    """The utterances for `join`; each that is read is noted in ``timeline``."""

    def read(index: int, work: UtteranceWork) -> Samples:
        try:
            samples, _, facts = retry_until_available(lambda: read_artifact(connections.objects, work.artifact))
        except ArtifactMissing as error:
            raise UtterancesMissing(_unusable(connections, utterances, states) or [index]) from error
        timeline.note(index, samples, facts)
        return samples

    def silence(index: int) -> Samples:
        samples = left_out(timeline.rate)
        timeline.note(index, samples, None)
        return samples

    return [
        (partial(silence, index) if state == UtteranceState.FAILED else partial(read, index, work), work.pause)
        for index, (work, state) in enumerate(zip(utterances, states, strict=True))
    ]


def _unusable(connections: Connections, utterances: list[UtteranceWork], states: str) -> list[int]:
    """Which of the utterances that did not fail have no artifact in storage (any more), or one that cannot be read."""

    def unusable(work: UtteranceWork) -> bool:
        try:
            retry_until_available(lambda: read_speech(connections.objects, work.artifact))
        except ArtifactMissing:
            return True
        return False

    pairs = enumerate(zip(utterances, states, strict=True))
    return [index for index, (work, state) in pairs if state != UtteranceState.FAILED and unusable(work)]
