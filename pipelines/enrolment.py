"""Voices made from recordings: voice activity and embedding once, for each pipeline that the voice is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.errors import FieldError, InvalidRequest
from core.names import Priority, Role
from core.work import Plan, PlanStep
from models.catalog import Catalog
from pipelines.connections import Connections
from pipelines.definitions import Gift, Pipeline, get_pipeline
from pipelines.plan import Wish, route
from storage.ledger.records import NewJob
from storage.voices import StoredVoice


def encoders(names: Sequence[str] | None, pipelines: Mapping[str, Pipeline], catalog: Catalog) -> dict[str, str]:
    """By pipeline, the model whose embedding a stored voice needs there; all that take a voice where ``names`` is None.

    Raises `InvalidRequest`: ``unknown_pipeline``, or ``no_stored_voices`` where one has no use for an embedding."""
    able = [name for name, pipeline in pipelines.items() if _to_embedding(pipeline) and _speaks(pipeline)]
    for name in names or ():
        get_pipeline(name, pipelines)
        if name not in able:
            detail = f"Pipeline {name!r} does not support stored voices. Supported by: {', '.join(able) or 'none'}."
            raise InvalidRequest(
                detail, code="no_stored_voices", fields=[FieldError("pipelines", "no_stored_voices", detail)]
            )
    found = {}
    for name in dict.fromkeys(names or able):
        step = _plan(pipelines[name], catalog).find(Role.EMBED)
        found[name] = step.station if step else ""
    if not found:
        raise InvalidRequest("No pipeline supports stored voices.", code="no_stored_voices")
    return found


def enrol(connections: Connections, voice: StoredVoice) -> None:
    """Writes a voice down and lets the jobs go that make its embeddings, one for each model."""
    connections.voices.write(voice)
    jobs = voice.jobs()
    for pipeline, model in voice.models.items():
        plan = _plan(connections.pipelines[pipeline], connections.catalog)
        connections.ledger.create(
            NewJob(
                id=jobs[model],
                owner=voice.owner,
                priority=Priority.NORMAL,
                plan=Plan((*plan.steps, PlanStep(role=Role.ENROL))),
                document=_document(voice, pipeline),
                deadline=connections.settings.job_deadline,
                keep=connections.settings.expires_in,
                listed=False,
            )
        )


def _document(voice: StoredVoice, pipeline: str) -> dict[str, Any]:
    return {
        "owner": voice.owner,
        "pipeline": pipeline,
        "gives": Gift.EMBEDDING.value,
        "voice": voice.id,
        "folder": voice.folder,
        "reference": {"parts": list(voice.recordings)},
        "options": {},
        "characters": 0,
        "metadata": {},
    }


def _to_embedding(pipeline: Pipeline) -> Pipeline | None:
    """The pipeline as far as the embedding that it takes from a reference."""
    for number, step in enumerate(pipeline.steps):
        if step.gives is Gift.EMBEDDING and Gift.REFERENCE in step.needs:
            return replace(pipeline, steps=pipeline.steps[: number + 1])
    return None


def _speaks(pipeline: Pipeline) -> bool:
    return pipeline.gives is Gift.SPEECH


def _plan(pipeline: Pipeline, catalog: Catalog) -> Plan:
    beginning = _to_embedding(pipeline)
    if beginning is None:
        raise InvalidRequest(f"Pipeline {pipeline.name!r} does not support stored voices.", code="no_stored_voices")
    return route(Wish(pipeline=beginning, given=frozenset({Gift.REFERENCE})), catalog).plan
