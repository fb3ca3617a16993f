"""Submission: validate a request, plan it, store its inputs, and create the job in the ledger.

The API submits one job at a time, and the ``expand`` step a whole batch, both through `Submitter`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import IO, Any

from audio.cover import check_cover
from audio.formats import check_output
from core import ids
from core.errors import (
    ChorusError,
    FieldError,
    InvalidRequest,
    LedgerUnavailable,
    NotFound,
    StorageUnavailable,
    Unavailable,
    Unroutable,
)
from core.names import AudioFormat, OnError, Role, Timestamps
from core.work import ItemRef, Plan
from models.base import ModelSpec
from pipelines.connections import Connections
from pipelines.definitions import StepData, get_pipeline
from pipelines.intake import Intake, of_field
from pipelines.lexicons import lexicons_of
from pipelines.plan import PlannedJob, PlanRequest, plan_job
from pipelines.texts import JobText, text_of
from schemas.requests import JobRequest, Output, ReferenceInput, WebhookInput
from storage.access.caller import Caller
from storage.access.charge import Charge
from storage.ledger.documents import CoverDocument, JobDocument, OutputDocument
from storage.ledger.records import Hook, NewJob
from storage.metrics import count
from storage.objects.destinations import find_destination
from storage.objects.job_objects import new_text_name
from storage.webhooks.endpoints import Webhooks, own_hook

#: Maximum bytes of a text in the ledger; longer texts are stored as objects.
TEXT_IN_LEDGER = 32_768

#: LUFS of an M4B unless the job sets another loudness: audio books are between -23 and -18 (ACX).
BOOK_LOUDNESS = -18.0

#: A sentence, near enough.
CHARACTERS_PER_UTTERANCE = 80

#: Seconds after which a request that found no worker may try again: the time in which a worker registers.
NO_WORKER_RETRY = 5.0

#: Files of a multipart body, by field: ``reference``, ``recording``.
Files = Mapping[str, IO[bytes]]


def estimated_load(characters: int) -> int:
    """The estimated number of utterances of a text with this many characters; the exact one is known after
    ``prepare``."""
    return 1 + characters // CHARACTERS_PER_UTTERANCE


def check_served(plan: Plan, live: Collection[str]) -> None:
    """Raises `Unavailable` (``no_worker``) where no live worker serves a step of ``plan``."""
    missing = dict.fromkeys(step.station for step in plan.steps if step.station not in live)
    if missing:
        detail = f"No worker serves {' and '.join(missing)} at the moment."
        raise Unavailable(detail, code="no_worker", retry_after=NO_WORKER_RETRY)


@dataclass(frozen=True, slots=True)
class Submitter:
    """Accepts jobs. Safe to share between threads."""

    connections: Connections

    @property
    def intake(self) -> Intake:
        """Stores recordings and embeddings."""
        return Intake(self.connections)

    def submit(
        self,
        body: JobRequest,
        caller: Caller,
        files: Files | None = None,
        job_id: str | None = None,
        live: Collection[str] | None = None,
        **facts: Any,
    ) -> bool:
        """Create a job, charge it to ``caller`` and release its first step; False if the id ``job_id`` already exists.

        A rejected request stores nothing, except for a recording under its hash. ``live``: the stations that
        workers serve, for a job that is not to wait for one (see `check_served`); ``facts`` are added to the job's
        document. Raises `RequestError`, among these `RateLimited` beyond a limit of the caller.
        """
        job = self.prepare(body, caller.owner, files, job_id, caller.max_expires_in)
        if live is not None:
            check_served(job.plan, live)
        document = replace(job.document, **facts)
        heard = sum(recording.seconds for recording in document.recordings())
        charge = Charge.of(caller, characters=document.characters, audio_seconds=heard)
        job = replace(job, document=document, charge=charge)
        written = self.create(job)
        with contextlib.suppress(LedgerUnavailable):  # the job is accepted
            count(self.connections.redis, [("chorus_jobs_created_total", (job.document.pipeline,), 1.0)])
        return written

    def prepare(
        self,
        body: JobRequest,
        owner: str,
        files: Files | None = None,
        job_id: str | None = None,
        ceiling: int | None = None,
        batch: ItemRef | None = None,
        *,
        text_only: bool = False,
    ) -> NewJob:
        """The job for `create`: validated, planned, its recordings stored. Raises `RequestError`.

        ``text_only``: planned as if all that it needs beside its text were given.
        """
        files, settings = files or {}, self.connections.settings
        text = text_of(body, settings.max_text_characters)
        body = _with_stored_voice(body)
        _check_pipeline(body, files)
        planned = self._plan(body, files, frozenset(StepData) - {StepData.TEXT} if text_only else frozenset())
        text.check_language(planned.language)
        text.check_voices(self._speaking(planned))
        self._check_output(body.output)
        _check_timing(body, planned)
        _check_extras(body.output, planned)
        lexicons = lexicons_of(self.connections, owner, body, planned.language)
        retention, hook = self.retention(body.expires_in, ceiling), self.hook(body.webhook, owner)
        inputs = self._store_inputs(body, owner, files, planned.encoder or "")
        document = _document(body, owner, planned, text)
        output = replace(document.output, cover=self._store_cover(body.output, owner))
        return NewJob(
            id=job_id or ids.JOB.new(),
            owner=owner,
            priority=body.priority,
            plan=planned.plan,
            document=replace(document, output=output, lexicons=lexicons, **inputs),
            text=json.dumps(list(text.chapters), ensure_ascii=False) if text.chapters else None,
            deadline=body.deadline or settings.job_deadline,
            keep=retention,
            silence=body.on_error is OnError.SILENCE,
            load=estimated_load(text.characters),
            hook=hook,
            batch=batch,
        )

    def create(self, job: NewJob, *, release: bool = True) -> bool:
        """Create a prepared job, storing a long text in the object storage; False if its id is taken.

        Raises what `Ledger.create` raises. The text of a job that was not created is deleted. If that is unknown, or
        if the process dies, the sweep deletes it.
        """
        data = b"" if job.text is None else job.text.encode()
        if len(data) <= TEXT_IN_LEDGER:
            return self.connections.ledger.create(job, release=release)
        name = new_text_name(job.owner, job.id)
        self.connections.objects.put(name, data, "application/json")
        try:
            stored = replace(job, document=replace(job.document, text_object=name), text=None)
            written = self.connections.ledger.create(stored, release=release)
        except LedgerUnavailable:  # it may be written down all the same
            raise
        except ChorusError:
            self._drop(name)
            raise
        if not written:
            there = self.connections.ledger.get(job.id)
            # The existing job has this same text if the call was repeated because its first response was lost.
            if there is None or there.document.text_object != name:
                self._drop(name)
        return written

    def _drop(self, name: str) -> None:
        with contextlib.suppress(StorageUnavailable):
            self.connections.objects.delete(name)

    def retention(self, asked: int | None, ceiling: int | None) -> int:
        """The retention in seconds. Raises `InvalidRequest` (``expires_in_too_long``) above the maximum of the key."""
        most = min(ceiling or self.connections.settings.max_expires_in, self.connections.settings.max_expires_in)
        if asked is not None and asked > most:
            detail = f"Results can be kept for at most {most} seconds."
            fields = [FieldError("expires_in", "expires_in_too_long", detail)]
            raise InvalidRequest(detail, code="expires_in_too_long", fields=fields)
        return asked or min(self.connections.settings.expires_in, most)

    def hook(self, webhook: str | WebhookInput | None, owner: str) -> Hook | None:
        """The only webhook notified of a job or batch; None for all endpoints that subscribe to its events.

        Raises `InvalidRequest`: ``webhook_not_found``, or what `Egress.check` raises.
        """
        if webhook is None:
            return None
        if isinstance(webhook, WebhookInput):
            with of_field("webhook.url"):
                self.connections.egress.check(webhook.url)
            return own_hook(webhook.url, webhook.events)
        try:
            Webhooks(self.connections.redis).get(owner, webhook)
        except NotFound as error:
            fields = [FieldError("webhook", error.code, error.message)]
            raise InvalidRequest(error.message, code=error.code, fields=fields) from error
        return Hook(webhook)

    def _check_output(self, output: Output) -> None:
        check_output(
            output.format,
            sample_rate=output.sample_rate,
            encoding=output.encoding,
            bit_rate=output.bit_rate,
            tags=output.tags.model_dump(exclude_none=True),
        )
        if output.destination is not None:
            find_destination(self.connections.settings.destinations, output.destination)

    def _plan(self, body: JobRequest, files: Files, assumed: frozenset[StepData]) -> PlannedJob:
        request = PlanRequest(
            pipeline=get_pipeline(body.pipeline or "", self.connections.pipelines),
            given=_given(body, files),
            language=body.language,
            voice=body.voice,
            base_voice=body.base_voice,
            vad=body.vad,
            models=body.models,
            options=body.options,
            assumed=assumed,
        )
        return plan_job(request, self.connections.catalog)

    def _speaking(self, planned: PlannedJob) -> ModelSpec | None:
        """The model that speaks the text."""
        names = (step.model for step in planned.plan.steps if step.role is Role.SYNTHESIZE)
        return next((self.connections.catalog.get(name) for name in names if name), None)

    def _store_cover(self, output: Output, owner: str) -> CoverDocument | None:
        """Store the cover of the audio, if it has one."""
        return None if output.cover is None else self.intake.cover(owner, output.cover, "output.cover")

    def _store_inputs(self, body: JobRequest, owner: str, files: Files, encoder: str) -> dict[str, Any]:
        """Store recordings and embeddings; called only once the job has a plan."""
        taken: dict[str, Any] = {}
        for name in ("reference", "recording"):
            source = files.get(name) or getattr(body, name)
            if source is None:
                continue
            if isinstance(source, ReferenceInput) and source.voice is not None:
                taken["embedding"] = self.connections.voices.embedding(
                    owner, source.voice, body.pipeline or "", encoder
                )
            elif isinstance(source, ReferenceInput) and source.embedding is not None:
                taken["embedding"] = self.intake.embedding(owner, source.embedding, encoder)
            else:
                taken[name] = self.intake.recording(owner, name, source)
        return taken


def _with_stored_voice(body: JobRequest) -> JobRequest:
    """``voice: vo_…`` is the same as ``reference: {"voice": "vo_…"}``."""
    if body.voice is None or not ids.VOICE.begins(body.voice):
        return body
    if body.reference is not None:
        detail = "Send either a stored voice or a reference, not both."
        raise InvalidRequest(detail, code="two_voices", fields=[FieldError("voice", "two_voices", detail)])
    with of_field("voice"):
        return body.model_copy(update={"voice": None, "reference": ReferenceInput.stored(body.voice)})


def _check_pipeline(body: JobRequest, files: Files) -> None:
    if body.pipeline is not None:
        return
    if body.reference is not None or "reference" in files:
        detail = (
            "No cloning model is installed, so a job with a reference must name a pipeline. 'voice_match' speaks with"
            " the stock voice nearest to the reference; it does not clone."
        )
        raise Unroutable(detail, code="no_cloning_model", fields=[FieldError("pipeline", "no_cloning_model", detail)])
    detail = "This field is required."
    raise InvalidRequest(
        f"pipeline: {detail}", code="missing_field", fields=[FieldError("pipeline", "missing_field", detail)]
    )


def _check_timing(body: JobRequest, planned: PlannedJob) -> None:
    """Raises `InvalidRequest` (``no_text``) where times of a text are wanted and none is spoken."""
    if planned.plan.find(Role.SYNTHESIZE) is not None:
        return
    wanted = {"timestamps": body.output.timestamps is not Timestamps.NONE, "subtitles": body.output.subtitles}
    if fields := [f"output.{name}" for name, asked in wanted.items() if asked]:
        detail = "The pipeline speaks no text, of which there could be times or subtitles."
        raise InvalidRequest(detail, code="no_text", fields=[FieldError(field, "no_text", detail) for field in fields])


def _check_extras(output: Output, planned: PlannedJob) -> None:
    """Raises `InvalidRequest` for a cover or files of utterances that the result cannot have."""
    if output.cover is not None:
        check_cover(output.format)
    asked = {"cover": output.cover is not None, "utterances": output.utterances}
    for name in [name for name, given in asked.items() if given and planned.gives is not StepData.SPEECH]:
        detail = f"The result of this pipeline is no audio, so it has no {name}."
        raise InvalidRequest(detail, code="unused_input", fields=[FieldError(f"output.{name}", "unused_input", detail)])


def _given(body: JobRequest, files: Files) -> frozenset[StepData]:
    given = {StepData(name) for name in files}
    if body.text is not None or body.chapters is not None:
        given.add(StepData.TEXT)
    if body.reference is not None:
        made = body.reference.embedding is not None or body.reference.voice is not None
        given.add(StepData.EMBEDDING if made else StepData.REFERENCE)
    if body.recording is not None:
        given.add(StepData.RECORDING)
    if body.segments is not None:
        given.add(StepData.SEGMENTS)
    return frozenset(given)


def _loudness(output: Output) -> float | None:
    """The loudness asked for, in LUFS; that of audio books by default."""
    return BOOK_LOUDNESS if output.loudness is None and output.format is AudioFormat.M4B else output.loudness


def _document(body: JobRequest, owner: str, planned: PlannedJob, text: JobText) -> JobDocument:
    """The job's document: what its steps need to know, without the text."""
    return JobDocument(
        owner=owner,
        pipeline=body.pipeline or "",
        gives=planned.gives.value,
        language=planned.language,
        voice=planned.voice,
        options={k: v for k, v in planned.options.items() if k != "seed"},
        seed=planned.options.get("seed", 0),
        output=OutputDocument(
            format=body.output.format,
            sample_rate=body.output.sample_rate,
            encoding=body.output.encoding,
            bit_rate=body.output.bit_rate,
            loudness=_loudness(body.output),
            trim=body.output.trim,
            tags=body.output.tags.model_dump(exclude_none=True),
            destination=body.output.destination,
            timestamps=body.output.timestamps,
            subtitles=body.output.subtitles,
            utterances=body.output.utterances,
        ),
        characters=text.characters,
        markup=body.markup,
        normalize=body.normalize,
        clean=body.clean,
        emoji=body.emoji,
        segments=None if body.segments is None else tuple((s.start, s.end) for s in body.segments),
        metadata=body.metadata,
    )
