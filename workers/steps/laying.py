"""Lays a job's utterances down in the ledger, a portion of its text at a time.

The first portion is short, so that its utterances are rendered while the rest of a book is still being prepared. After
each portion the item goes back to its station and waits for its turn: a book holds no other job up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import ArtifactMissing, InvalidText
from core.failpoints import reach
from core.names import Role
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from pipelines.loaded_lexicons import lexicon_of
from storage.ledger.documents import JobDocument
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Outcome, Work
from workers.recordings.cuts import cuts
from workers.recordings.decode import read_samples
from workers.retry import retry_until_available
from workers.steps.naming import piece_work, stages_of, utterance_work
from workers.steps.utterances import MAX_WARNINGS, Place, Reader, Spoken
from workers.timing.places import WordPlacer

#: Characters of text after which a run ends: the first run, and the others. One that has found no utterance goes on for
#: ten times as long.
FIRST_RUN = 2_000
RUN = 40_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """How far a job's text is prepared."""

    place: Place
    utterances: int = 0
    begun: tuple[int, ...] = ()  #: the first utterance of each chapter so far
    warnings: tuple[dict[str, Any], ...] = ()
    runs: int = 0

    @staticmethod
    def of(outputs: StepOutputs) -> Prepared:
        """Where the last run has ended; the beginning in the first run."""
        if (known := outputs.prepared) is None:
            return Prepared(Place())
        return Prepared(
            Place(known["chapter"], known["at"]),
            known["utterances"],
            tuple(known["begun"]),
            tuple(known["warnings"]),
            known["runs"],
        )

    def to_outputs(self) -> StepOutputs:
        """As the next run gets it."""
        return StepOutputs(
            prepared={
                "chapter": self.place.chapter,
                "at": self.place.at,
                "utterances": self.utterances,
                "begun": self.begun,
                "warnings": self.warnings,
                "runs": self.runs,
            }
        )


def lay_down(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """Store the next utterances, with the inputs, names and seeds of all their stages; nothing if the job has no text.

    At the end its outputs have ``chapters`` if the job has titles or several chapters: the title and the first
    utterance of each.
    """
    step, document, before = work.plan.first_stage, work.document, Prepared.of(work.outputs)
    if step is None:
        return Outcome(ref=ref, station=CPU)
    if work.plan.stages[0].role is Role.CONVERT:
        return _lay_pieces(connections, ref, work, step)
    titles, chapters = job_text(connections, ref, document)
    reader = reader_of(connections, work)
    found, now = _read_on(reader, chapters, before)
    over = now.place.chapter >= len(chapters)
    if over and not now.utterances:
        raise InvalidText("Nothing in the text can be spoken.")
    if now.utterances > (most := connections.settings.max_utterances):
        detail = f"The text has more than {most} utterances, the maximum per job."
        raise InvalidText(detail, code="text_too_long")
    stages = stages_of(connections, work)
    placer = WordPlacer(reader, chapters) if document.output.times_words else None
    works = [utterance_work(stages, document, said, placer.words(said) if placer else None) for said in found]
    connections.ledger.enqueue_utterances(
        ref,
        step,
        works,
        connections.ledger.existing(document.owner, [one.artifact for one in works]),
        first=before.utterances,
        errors={index: said.error for index, said in enumerate(found) if said.error is not None},
        warnings=now.warnings,
    )
    reach("prepare.enqueued")
    outputs = now.to_outputs()
    if over and (len(titles) > 1 or any(titles)):
        outputs = replace(outputs, chapters=list(zip(titles, now.begun, strict=True)))
    return Outcome(ref=ref, station=CPU, outputs=outputs, laid=(before.utterances, now.utterances), more=not over)


def _lay_pieces(connections: Connections, ref: ItemRef, work: Work, step: int) -> Outcome:
    """Lay a recording that is converted down, piece by piece."""
    name, sha256 = work.outputs.source, work.outputs.source_sha256
    if name is None or sha256 is None:
        raise ArtifactMissing("The job has no recording.")
    rate = connections.catalog.sample_rate(work.plan) or 0
    pieces = cuts(retry_until_available(lambda: read_samples(connections.objects, name, rate)), rate)
    stages = stages_of(connections, work)
    works = [piece_work(stages, work.document, sha256, piece) for piece in pieces]
    existing = connections.ledger.existing(work.document.owner, [one.artifact for one in works])
    connections.ledger.enqueue_utterances(ref, step, works, existing)
    reach("prepare.enqueued")
    return Outcome(ref=ref, station=CPU, laid=(0, len(works)))


def reader_of(connections: Connections, work: Work) -> Reader:
    """What reads the job's text for the model of its first stage, or for the one that its document names."""
    model = work.document.synthesizer or work.plan.stages[0].station
    frontend = connections.frontend(connections.catalog.get(model))
    lexicon = lexicon_of(connections, work.document)
    voice = work.outputs.voice or work.document.voice or ""
    return Reader(work.document, voice, frontend, lexicon.rewrites if lexicon else None)


def _read_on(reader: Reader, chapters: Sequence[str], before: Prepared) -> tuple[list[Spoken], Prepared]:
    """The utterances of one run, and how far the text is prepared then."""
    found: list[Spoken] = []
    begun, warnings = list(before.begun), list(before.warnings)
    place: Place | None = before.place
    characters, most = 0, RUN if before.runs else FIRST_RUN
    while place is not None and characters < (most if found else 10 * most):
        if len(begun) <= place.chapter:
            begun.append(before.utterances + len(found))
        portion = reader.read(chapters, place)
        found += portion.spoken
        warnings += portion.warnings[: MAX_WARNINGS - len(warnings)]
        characters += portion.characters
        place = portion.next
    count = before.utterances + len(found)
    return found, Prepared(place or Place(len(chapters)), count, tuple(begun), tuple(warnings), before.runs + 1)


def job_text(connections: Connections, ref: ItemRef, document: JobDocument) -> tuple[list[str], list[str]]:
    """The job's chapters, wherever they lie: their titles and their texts."""
    name = document.text_object
    if name is None:
        chapters = json.loads(connections.ledger.text(ref.job) or "[]")
    else:
        chapters = json.loads(_stored_text(connections, name))
    return [str(chapter["title"]) for chapter in chapters], [str(chapter["text"]) for chapter in chapters]


#: The long text that this process has read last: its portions often follow each other. Its name is unique.
_last_text: dict[str, bytes] = {}


def _stored_text(connections: Connections, name: str) -> bytes:
    if name not in _last_text:
        data = retry_until_available(lambda: connections.objects.get(name))
        _last_text.clear()
        _last_text[name] = data
    return _last_text[name]
