"""Enrolment of stored voices: voice activity detection and embedding of recordings, once for each pipeline."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.errors import ChorusError, FieldError, InvalidRequest
from core.names import Priority, Role
from core.work import Plan, PlanStep
from models.catalog import Catalog
from pipelines.candidates import available
from pipelines.connections import Connections
from pipelines.definitions import Pipeline, PipelineStep, StepData, get_pipeline
from pipelines.plan import PlanRequest, encoder_of, plan_job
from storage.access.caller import Caller
from storage.access.charge import Charge
from storage.ledger.documents import EnrolmentDocument, JobDocument, RecordingDocument
from storage.ledger.records import NewJob
from storage.voices import StoredVoice


def encoders(names: Sequence[str] | None, pipelines: Mapping[str, Pipeline], catalog: Catalog) -> dict[str, str]:
    """By pipeline, the model whose embedding a stored voice needs; for all pipelines that use a voice if ``names`` is
    None.

    Raises `InvalidRequest`: ``unknown_pipeline``, or ``no_stored_voices`` if a pipeline does not use an embedding.
    """
    able = [name for name, pipeline in available(pipelines, catalog).items() if takes_stored_voices(pipeline)]
    for name in names or ():
        get_pipeline(name, pipelines)
        if name not in able:
            detail = f"Pipeline {name!r} does not support stored voices. Supported by: {', '.join(able) or 'none'}."
            raise InvalidRequest(
                detail, code="no_stored_voices", fields=[FieldError("pipelines", "no_stored_voices", detail)]
            )
    found = {name: encoder_of(pipelines[name], catalog).name for name in dict.fromkeys(names or able)}
    if not found:
        raise InvalidRequest("No pipeline supports stored voices.", code="no_stored_voices")
    return found


def takes_stored_voices(pipeline: Pipeline) -> bool:
    """Whether it speaks with the speaker embedding of a stored voice."""
    return pipeline.embedding_step is not None and pipeline.gives is StepData.SPEECH


def enrol(connections: Connections, voice: StoredVoice, caller: Caller) -> None:
    """Saves a voice and enqueues the jobs that make its embeddings, one for each model. Its recordings are charged with
    the first of these jobs.

    Raises `RateLimited` beyond a limit, and what else `Ledger.create` raises; the voice is deleted then.
    """
    connections.voices.write(voice)
    charge = Charge.of(caller, audio_seconds=sum(part.seconds for part in voice.recordings))
    try:
        for number, (model, pipeline) in enumerate({model: name for name, model in voice.models.items()}.items()):
            connections.ledger.create(_job(connections, voice, pipeline, model, None if number else charge))
    except ChorusError:
        with contextlib.suppress(ChorusError):
            connections.voices.delete(voice.owner, voice.id)
        raise


def _job(connections: Connections, voice: StoredVoice, pipeline: str, model: str, charge: Charge | None) -> NewJob:
    plan = _plan(connections, pipeline, model)
    return NewJob(
        id=voice.jobs()[model],
        owner=voice.owner,
        priority=Priority.NORMAL,
        plan=Plan((*plan.steps, PlanStep(role=Role.ENROL))),
        document=_document(voice, pipeline),
        deadline=connections.settings.job_deadline,
        keep=connections.settings.expires_in,
        listed=False,
        charge=charge,
    )


def _document(voice: StoredVoice, pipeline: str) -> JobDocument:
    return JobDocument(
        owner=voice.owner,
        pipeline=pipeline,
        gives=StepData.EMBEDDING.value,
        reference=RecordingDocument(parts=tuple(voice.recordings)),
        enrolment=EnrolmentDocument(voice=voice.id, folder=voice.folder),
    )


#: The default steps from recordings to an embedding, for pipelines without their own.
_ENROLMENT = Pipeline(
    name="enrolment",
    description="A speaker embedding of a stored voice.",
    steps=(
        PipelineStep(role=Role.VAD, type=None, needs=(StepData.REFERENCE,), gives=StepData.SEGMENTS),
        PipelineStep(
            role=Role.EMBED,
            type=None,
            needs=(StepData.REFERENCE, StepData.SEGMENTS),
            gives=StepData.EMBEDDING,
        ),
    ),
)


def _to_embedding(pipeline: Pipeline) -> Pipeline:
    """The steps of the pipeline up to the embedding of a reference, or the default ones if it has none."""
    for number, step in enumerate(pipeline.steps):
        if step.gives is StepData.EMBEDDING and StepData.REFERENCE in step.needs:
            return replace(pipeline, steps=pipeline.steps[: number + 1])
    return _ENROLMENT


def _plan(connections: Connections, pipeline: str, encoder: str) -> Plan:
    request = PlanRequest(
        pipeline=_to_embedding(connections.pipelines[pipeline]),
        given=frozenset({StepData.REFERENCE}),
        models={Role.EMBED: encoder},
    )
    return plan_job(request, connections.catalog).plan
