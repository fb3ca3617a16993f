"""A file for each utterance of a job, beside the whole, and a manifest of them; one utterance in memory at a time."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio.encode import Encoder
from audio.formats import content_type
from audio.join import Level, Piece, join
from core.names import AudioFormat, SampleEncoding
from core.work import ItemRef, UtteranceWork
from pipelines.connections import Connections
from storage.ledger.records import UtteranceState, Work
from storage.objects.utterance_files import utterance_file, utterance_manifest_name, utterances_folder
from workers.assembly.destinations import copy_to_destination
from workers.retry import retry_until_available
from workers.steps.laying import job_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenUtterances:
    """The utterances of a job as they stand in its audio."""

    works: Sequence[UtteranceWork]
    states: str  #: one `UtteranceState` each
    pieces: Sequence[Piece]
    starts: Sequence[int]  #: in samples
    rate: int  #: Hz
    level: Level | None  #: with which the whole is encoded


def write_utterance_files(
    connections: Connections, ref: ItemRef, work: Work, spoken: SpokenUtterances
) -> Mapping[str, Any]:
    """Encode and upload every utterance that did not fail, and the manifest; return what the result says of them.

    Files have the job's format (M4A where that is M4B, which is for books), the gain of the whole, and no pauses.
    """
    with tempfile.TemporaryDirectory(prefix="chorus-") as place:
        manifest = Path(place) / "manifest.jsonl"
        files = _Files(connections, ref, work, Path(place))
        count = 0
        with manifest.open("w", encoding="utf-8") as lines:
            for line in _lines(connections, ref, work, spoken, files.write):
                lines.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
                count += line["file"] is not None
        size = manifest.stat().st_size
        files.put(manifest, "application/x-ndjson")
    return {
        "object": utterance_manifest_name(work.document.owner, ref.job, ref.generation),
        "bytes": size,
        "count": len(spoken.works),
        "files": count,
        "format": files.format.value,
        "sample_rate": files.sample_rate,
        **({"encoding": files.encoding.value} if files.encoding else {}),
    }


def _lines(
    connections: Connections,
    ref: ItemRef,
    work: Work,
    spoken: SpokenUtterances,
    write: Callable[[int, SpokenUtterances], float],
) -> Iterator[dict[str, Any]]:
    """The lines of the manifest; each file is written before its line."""
    _, chapters = job_text(connections, ref, work.document)
    format = _file_format(work)
    for index, (one, state) in enumerate(zip(spoken.works, spoken.states, strict=True)):
        failed = state == UtteranceState.FAILED
        chapter, first, last = one.source
        yield {
            "index": index,
            "state": "failed" if failed else "succeeded",
            "file": None if failed else utterance_file(index, format.value),
            "start": round(spoken.starts[index] / spoken.rate, 6),
            "duration": None if failed else round(write(index, spoken), 6),
            "chapter": chapter,
            "offset": first,
            "text": chapters[chapter][first:last] if chapters else None,
        }


def _file_format(work: Work) -> AudioFormat:
    asked = work.document.output.format
    return AudioFormat.M4A if asked is AudioFormat.M4B else asked


class _Files:
    """Writes the files through one path of a temporary folder."""

    def __init__(self, connections: Connections, ref: ItemRef, work: Work, place: Path) -> None:
        self._connections = connections
        self._work = work
        self.sample_rate = 0  #: of the files in Hz, once there is one
        self.encoding: SampleEncoding | None = None
        self._place = place
        self._prefix = utterances_folder(work.document.owner, ref.job, ref.generation)
        self._ref = ref
        self.format = _file_format(work)

    def write(self, index: int, spoken: SpokenUtterances) -> float:
        """Encode one utterance and upload it; return its duration in seconds."""
        path = self._place / utterance_file(index, self.format.value)
        read, _ = spoken.pieces[index]
        output = self._work.document.output
        with Encoder(
            *(path, self.format, spoken.rate, output.sample_rate),
            encoding=output.encoding,
            bit_rate=output.bit_rate,
        ) as encoder:
            for samples in join([(read, 0.0)], spoken.rate, level=spoken.level):
                encoder.write(samples)
            encoded = encoder.close()
        self.sample_rate, self.encoding = encoder.rate, encoder.encoding
        self.put(path, content_type(self.format, encoder.rate, encoder.encoding))
        path.unlink()
        return encoded.duration

    def put(self, path: Path, content_type: str) -> None:
        """Upload a file; to the job's destination too, if it names one."""
        objects, data = self._connections.objects, path.read_bytes()
        retry_until_available(lambda: objects.put(f"{self._prefix}{path.name}", data, content_type))
        copy_to_destination(self._connections, self._ref, self._work, path, content_type, "utterances/")
