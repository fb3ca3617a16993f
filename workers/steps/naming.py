"""The work of an utterance: what each of its stages gets, and the names of what they render."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.work import StageWork, UtteranceWork
from models.base import ModelSpec
from models.families import family_of
from pipelines.connections import Connections
from storage.ledger.documents import JobDocument
from storage.ledger.records import Work
from workers.retry import retry_until_available
from workers.steps.listen import options_of, read_embedding
from workers.steps.utterances import Spoken


@dataclass(frozen=True, slots=True)
class Stage:
    """What all utterances of a job have in common at one of their steps."""

    identity: tuple[str, str, int]  #: the model's name, weights and code
    options: Mapping[str, Any]
    embedding: str = ""  #: digest of the speaker embedding, if the step needs one


def stages_of(connections: Connections, work: Work) -> list[Stage]:
    """The stages of a job's utterances, in order."""
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


def utterance_work(stages: Sequence[Stage], document: JobDocument, said: Spoken) -> UtteranceWork:
    """One utterance as the models of its stages will get it; its inputs and options are those of the first.

    An artifact is named after everything that its samples follow from, and after nothing else: owner, model, weights
    and code, tokens, voice, speaker embedding, options, seed, and the stage before it. Its noise is seeded from the
    same, without the owner.
    """
    works: list[StageWork] = []
    before = b""
    for stage in stages:
        own = {} if works else said.inputs
        options = stage.options if works else {**stage.options, **said.options}
        content = [*stage.identity, own, options, document.seed]
        content += [stage.embedding] if stage.embedding else []
        content += [before.hex()] if before else []
        before = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
        name = hashlib.sha256(document.owner.encode() + b"\0" + before).hexdigest()[:40]
        works.append(
            StageWork(
                inputs=own,
                options=options,
                seed=int.from_bytes(before[:8], "big"),
                artifact=f"{document.owner}/utterances/{name}.flac",
            )
        )
    return UtteranceWork(stages=tuple(works), pause=said.utterance.pause, source=(said.chapter, *said.source))
