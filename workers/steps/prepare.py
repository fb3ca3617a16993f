"""``prepare`` and ``open``, on the CPU: recordings to samples, text to utterances."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidText
from core.failpoints import reach
from core.names import Role
from core.work import CPU, ItemRef, StageWork, UtteranceWork
from models.base import ModelSpec
from models.families import family_of
from pipelines.connections import Connections
from storage.ledger.documents import JobDocument
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Outcome, Work
from workers.recordings.decode import fetch_recordings
from workers.retry import retry_until_available
from workers.steps.listen import options_of, read_embedding
from workers.steps.utterances import Spoken, spoken, warnings_of


def prepare(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """Decode the job's recording; enqueue its utterances, unless another step comes before them."""
    outputs = fetch_recordings(connections, ref, work)
    if work.document.embedding is not None:  # where the steps behind look for one
        outputs = outputs.joined(StepOutputs(embedding=work.document.embedding.object))
    if work.plan.find(Role.OPEN) is None:
        outputs = outputs.joined(enqueue_utterances(connections, ref, work))
    return Outcome(ref=ref, station=CPU, outputs=outputs)


def open_utterances(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """``open``: enqueue the utterances once their inputs, such as a voice, are known."""
    return Outcome(ref=ref, station=CPU, outputs=enqueue_utterances(connections, ref, work))


def enqueue_utterances(connections: Connections, ref: ItemRef, work: Work) -> StepOutputs:
    """Store every utterance's stages, with inputs, names and seeds, in the ledger; nothing if the job has no text.

    Returns ``chapters`` if the job has titles or several chapters: the title and the first utterance of each.
    """
    first, document = work.plan.first_stage, work.document
    if first is None:
        return StepOutputs()
    frontend = connections.frontend(connections.catalog.get(work.plan.steps[first].station))
    titles, chapters = job_text(connections, ref, document)
    found = list(spoken(chapters, document, work.outputs.voice or document.voice or "", frontend))
    if not found:
        raise InvalidText("Nothing in the text can be spoken.")
    if len(found) > (most := connections.settings.max_utterances):
        raise InvalidText(f"The text has {len(found)} utterances; the maximum per job is {most}.", code="text_too_long")
    stages = _stages(connections, work)
    works = [utterance_work(stages, document, said.inputs, said.utterance.pause) for said in found]
    errors = {index: said.error for index, said in enumerate(found) if said.error is not None}
    existing = connections.ledger.existing(document.owner, [one.artifact for one in works])
    warnings = warnings_of(chapters, document.language or "")
    connections.ledger.enqueue_utterances(ref, first, works, existing, errors=errors, warnings=warnings)
    reach("prepare.enqueued")
    return StepOutputs(chapters=_begun(titles, found)) if len(titles) > 1 or any(titles) else StepOutputs()


def _begun(titles: Sequence[str], found: Sequence[Spoken]) -> list[tuple[str, int]]:
    """Each chapter's title and the first utterance that is not before it."""
    chapters = [said.chapter for said in found]
    return [(title, bisect_left(chapters, number)) for number, title in enumerate(titles)]


def job_text(connections: Connections, ref: ItemRef, document: JobDocument) -> tuple[list[str], list[str]]:
    """The job's chapters, wherever they lie: their titles and their texts."""
    name = document.text_object
    data = (
        connections.ledger.text(ref.job)
        if name is None
        else retry_until_available(lambda: connections.objects.get(name))
    )
    chapters = json.loads(data or "[]")
    return [str(chapter["title"]) for chapter in chapters], [str(chapter["text"]) for chapter in chapters]


@dataclass(frozen=True, slots=True)
class Stage:
    """What all utterances of a job have in common at one of their steps."""

    identity: tuple[str, str, int]  #: the model's name, weights and code
    options: Mapping[str, Any]
    embedding: str = ""  #: digest of the speaker embedding, if the step needs one


def _stages(connections: Connections, work: Work) -> list[Stage]:
    digest = ""
    if any(step.inputs for step in work.plan.stages):
        embedding = retry_until_available(lambda: read_embedding(connections, work))
        digest = hashlib.sha256(embedding.model.encode() + b"\0" + embedding.vector.tobytes()).hexdigest()
    return [
        stage_of(connections.catalog.get(step.station), work.document, digest if step.inputs else "")
        for step in work.plan.stages
    ]


def stage_of(spec: ModelSpec, document: JobDocument, embedding: str = "") -> Stage:
    """The stage of a job's utterances that ``spec`` renders."""
    identity = (spec.name, spec.fingerprint(), family_of(spec.type).code_version)
    return Stage(identity, options_of(spec, document), embedding)


def utterance_work(
    stages: Sequence[Stage], document: JobDocument, inputs: Mapping[str, Any], pause: float
) -> UtteranceWork:
    """One utterance as the models of its stages will get it; ``inputs`` are those of the first.

    An artifact is named after everything that its samples follow from, and after nothing else: owner, model, weights
    and code, tokens, voice, speaker embedding, options, seed, and the stage before it. Its noise is seeded from the
    same, without the owner.
    """
    works: list[StageWork] = []
    before = b""
    for stage in stages:
        own = {} if works else inputs
        content = [*stage.identity, own, stage.options, document.seed]
        content += [stage.embedding] if stage.embedding else []
        content += [before.hex()] if before else []
        before = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
        name = hashlib.sha256(document.owner.encode() + b"\0" + before).hexdigest()[:40]
        works.append(
            StageWork(
                inputs=own,
                options=stage.options,
                seed=int.from_bytes(before[:8], "big"),
                artifact=f"{document.owner}/utterances/{name}.flac",
            )
        )
    return UtteranceWork(stages=tuple(works), pause=pause)
