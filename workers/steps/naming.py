"""The work of an utterance: what each of its stages gets, and the names of what they render."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.work import StageWork, UtteranceWork, WordPlaces
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
    sources: Mapping[str, str] = field(default_factory=dict)  #: of a converter: its source embeddings by base voice


def stages_of(connections: Connections, work: Work) -> list[Stage]:
    """The stages of a job's utterances, in order."""
    digest = ""
    if any(step.inputs for step in work.plan.stages):
        embedding = retry_until_available(lambda: read_embedding(connections, work))
        digest = hashlib.sha256(embedding.model.encode() + b"\0" + embedding.vector.tobytes()).hexdigest()
    specs = [connections.catalog.get(step.station) for step in work.plan.stages]
    return [
        replace(stage_of(spec, work.document, digest if step.inputs else ""), sources=_sources(specs[0], spec))
        for spec, step in zip(specs, work.plan.stages, strict=True)
    ]


def _sources(speaker: ModelSpec, converter: ModelSpec) -> dict[str, str]:
    """The source embedding of each base voice of ``speaker`` that ``converter`` has one for."""
    known = {name.removeprefix("source_") for name in converter.weights if name.startswith("source_")}
    return {voice.name: voice.source for voice in speaker.voices.values() if voice.source in known}


def stage_of(spec: ModelSpec, document: JobDocument, embedding: str = "") -> Stage:
    """The stage of a job's utterances that ``spec`` renders."""
    identity = (spec.name, spec.fingerprint(), family_of(spec.type).code_version)
    return Stage(identity, options_of(spec, document), embedding)


def utterance_work(
    stages: Sequence[Stage], document: JobDocument, said: Spoken, words: WordPlaces | None = None
) -> UtteranceWork:
    """One utterance as the models of its stages will get it; its inputs and options are those of the first. ``words``:
    its own, if their times are wanted.

    An artifact is named after everything that its samples follow from, and after nothing else: owner, model, weights
    and code, tokens, voice, speaker embedding, options, seed, and the stage before it. Its noise is seeded from the
    same, without the owner.
    """
    works = _stage_works(stages, document, said.inputs, said.options, said.voice)
    source = (said.chapter, *said.source)
    return UtteranceWork(stages=works, pause=said.utterance.pause, source=source, words=words)


def piece_work(stages: Sequence[Stage], document: JobDocument, sha256: str, span: tuple[int, int]) -> UtteranceWork:
    """One piece of the recording with that ``sha256`` that is converted: samples from the first to before the second of
    ``span``."""
    inputs = {"recording": sha256, "start": span[0], "end": span[1]}
    return UtteranceWork(stages=_stage_works(stages, document, inputs, {}, ""), pause=0.0)


def _stage_works(
    stages: Sequence[Stage], document: JobDocument, inputs: Mapping[str, Any], more: Mapping[str, Any], voice: str
) -> tuple[StageWork, ...]:
    works: list[StageWork] = []
    before = b""
    for stage in stages:
        source = stage.sources.get(voice) if works else None
        own = inputs if not works else {"source": source} if source else {}
        options = stage.options if works else {**stage.options, **more}
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
    return tuple(works)
