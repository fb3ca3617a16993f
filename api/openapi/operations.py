"""Every operation of the API, for the OpenAPI description: one table, by Flask's name of the endpoint.

It may hold more than there are routes: only what exists is published. A route without an entry fails a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from api.openapi.parameters import (
    CURSOR,
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    IF_RANGE,
    JOB_FILTERS,
    LAST_EVENT_ID,
    LIMIT,
    OWN_ID,
    PREFER,
    RANGE,
    STREAM,
    STREAM_FORMAT,
)
from audio.encode import CONTENT_TYPES
from schemas import responses as answers
from schemas import webhook_responses as told

#: Tags, and what each is about.
TAGS = {
    "Jobs": "Text to speech, and recordings to what is in them: submit, poll, listen, cancel, retry.",
    "Recordings": "A recording in, what is in it out, in one call.",
    "Batches": "Many jobs submitted and followed as one.",
    "Voices": "The voices there are, and those made from recordings.",
    "Uploads": "Recordings that are too large for a JSON body.",
    "Webhooks": "Who is told of what happens.",
    "What there is": "Pipelines and models.",
    "Operation": "Health, metrics and this description.",
}

#: Problems that any operation under ``/v1`` may answer with, and those of every body.
_EVERY = (401, 403, 429, 503)
_BODY = (400, 413, 422)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer that is no problem: ``model`` as JSON, or ``media`` types with the schema of each."""

    text: str
    model: type[BaseModel] | tuple[type[BaseModel], ...] | None = None
    media: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    links: str | None = None  #: what may be done with it: a name of `parameters.LINKS`


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What an endpoint takes and gives; its words are those of the view function's docstring."""

    id: str
    tag: str
    replies: Mapping[int, Reply]
    json: str | None = None  #: component of a JSON body
    form: str | None = None  #: component of a multipart body
    data: bool = False  #: the body is a file's bytes
    body_optional: bool = False
    parameters: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[int, ...] = ()  #: besides those that follow from the path, the body and the key
    public: bool = False  #: needs no key
    hidden: bool = False  #: not published

    @property
    def has_body(self) -> bool:
        return self.data or bool(self.json or self.form)

    def all_problems(self, *, in_path: bool) -> list[int]:
        """Statuses of all problems that it may answer with; ``in_path``: an id in its path may be unknown."""
        found = {*self.problems, *(() if self.public else _EVERY)}
        if in_path:
            found.add(404)
        if self.has_body:
            found.update(_BODY)
        return sorted(found)


def _json(model: type[BaseModel], text: str, **more: Any) -> Reply:
    return Reply(text=text, model=model, **more)


def _lines(text: str) -> Reply:
    shape = {"type": "string", "contentMediaType": "application/x-ndjson", "description": "Each line a ManifestEntry"}
    return Reply(text=text, media={"application/x-ndjson": shape})


_GONE = Reply(text="It is gone.")
_BINARY: Mapping[str, Mapping[str, Any]] = {kind: {} for kind in CONTENT_TYPES.values()}
_MADE = {
    202: Reply(
        text="It is taken in; the whole job where it ended within the wait.",
        model=(answers.AcceptedJob, answers.Job),
        headers=("Location",),
        links="job",
    )
}
_JOB = _json(answers.Job, "The job.", links="job")
_BATCH = _json(answers.Batch, "The batch.", links="batch")
_VOICE = _json(answers.StoredVoice, "The voice.", links="voice")
_WEBHOOK = _json(told.WebhookEndpoint, "The endpoint.", links="webhook")


def _door(name: str, body: str) -> Operation:
    return Operation(
        id=name,
        tag="Recordings",
        json=f"{body}Request",
        form=f"{body}Form",
        parameters=(PREFER, IDEMPOTENCY_KEY),
        replies={200: _json(answers.Job, "The job, which has ended.", headers=("Location",), links="job"), **_MADE},
        problems=(404, 409),
    )


OPERATIONS: dict[str, Operation] = {
    "jobs.create": Operation(
        id="createJob",
        tag="Jobs",
        json="JobRequest",
        form="JobForm",
        parameters=(IDEMPOTENCY_KEY, PREFER),
        replies=_MADE,
        problems=(404, 409),
    ),
    "jobs.put": Operation(
        id="putJob",
        tag="Jobs",
        json="JobRequest",
        form="JobForm",
        parameters=(OWN_ID, PREFER),
        replies={200: _json(answers.Job, "The same job again.", headers=("Location",), links="job"), **_MADE},
        problems=(409,),
    ),
    "history.list_jobs": Operation(
        id="listJobs",
        tag="Jobs",
        parameters=JOB_FILTERS,
        replies={200: _json(answers.JobList, "A page of jobs.")},
        problems=(422,),
    ),
    "jobs.get": Operation(id="getJob", tag="Jobs", parameters=(PREFER,), replies={200: _JOB}),
    "jobs.delete": Operation(id="deleteJob", tag="Jobs", replies={204: _GONE}),
    "jobs.cancel": Operation(id="cancelJob", tag="Jobs", replies={200: _JOB}, problems=(409,)),
    "jobs.retry": Operation(id="retryJob", tag="Jobs", replies={202: _JOB}, problems=(409,)),
    "jobs.audio": Operation(
        id="getJobAudio",
        tag="Jobs",
        parameters=(STREAM, STREAM_FORMAT, RANGE, IF_RANGE, IF_NONE_MATCH),
        replies={
            200: Reply(
                text="The audio.", media={**_BINARY, "audio/pcm": {}}, headers=("Accept-Ranges", "Content-Disposition")
            ),
            206: Reply(text="A part of it.", media=_BINARY, headers=("ETag", "Accept-Ranges", "Content-Range")),
            304: Reply(text="It is the same still.", headers=("ETag",)),
        },
        problems=(409, 416, 422),
    ),
    "following.events": Operation(
        id="streamJobEvents",
        tag="Jobs",
        parameters=(LAST_EVENT_ID,),
        replies={
            200: Reply(text="Server-sent events until the job's end.", media={"text/event-stream": {}}),
            204: Reply(text="Nothing comes behind the last event: it was the job's end."),
        },
        problems=(422,),
    ),
    "doors.embed": _door("embed", "Embed"),
    "doors.vad": _door("vad", "Vad"),
    "doors.transcribe": _door("transcribe", "Transcribe"),
    "batches.create": Operation(
        id="createBatch",
        tag="Batches",
        json="BatchRequest",
        parameters=(IDEMPOTENCY_KEY,),
        replies={202: _json(answers.Batch, "It is taken in.", headers=("Location",), links="batch")},
        problems=(404, 409),
    ),
    "batches.list_batches": Operation(
        id="listBatches",
        tag="Batches",
        parameters=(LIMIT, CURSOR),
        replies={200: _json(answers.BatchList, "A page of batches.")},
        problems=(422,),
    ),
    "batches.get": Operation(id="getBatch", tag="Batches", replies={200: _BATCH}),
    "batches.manifest": Operation(
        id="getBatchManifest",
        tag="Batches",
        replies={200: _lines("A line for each item, as JSON Lines.")},
        problems=(409,),
    ),
    "batches.zip_": Operation(
        id="getBatchZip",
        tag="Batches",
        replies={
            200: Reply(text="The ZIP file.", media={"application/zip": {}}, headers=("Content-Disposition",)),
        },
        problems=(409,),
    ),
    "batches.cancel": Operation(id="cancelBatch", tag="Batches", replies={200: _BATCH}, problems=(409,)),
    "batches.retry": Operation(id="retryBatch", tag="Batches", replies={202: _BATCH}, problems=(409,)),
    "batches.delete": Operation(id="deleteBatch", tag="Batches", replies={204: _GONE}, problems=(409,)),
    "voices.list_voices": Operation(
        id="listVoices", tag="Voices", replies={200: _json(answers.VoiceList, "Every voice.")}
    ),
    "voices.create": Operation(
        id="createVoice",
        tag="Voices",
        json="VoiceRequest",
        form="VoiceForm",
        replies={202: _json(answers.StoredVoice, "It is being made.", headers=("Location",), links="voice")},
        problems=(404,),
    ),
    "voices.get": Operation(
        id="getVoice",
        tag="Voices",
        replies={200: Reply(text="The voice.", model=(answers.StockVoice, answers.StoredVoice), links="voice")},
    ),
    "voices.rename": Operation(id="renameVoice", tag="Voices", json="VoiceChange", replies={200: _VOICE}),
    "voices.delete": Operation(id="deleteVoice", tag="Voices", replies={204: _GONE}),
    "voices.preview": Operation(
        id="previewVoice",
        tag="Voices",
        json="PreviewRequest",
        body_optional=True,
        parameters=(PREFER,),
        replies=_MADE,
        problems=(409,),
    ),
    "uploads.create": Operation(
        id="createUpload",
        tag="Uploads",
        replies={201: _json(answers.Upload, "Where to bring the bytes.", links="upload")},
    ),
    "uploads.put": Operation(
        id="putUpload",
        tag="Uploads",
        data=True,
        replies={200: _json(answers.Uploaded, "What has arrived.")},
        problems=(409,),
    ),
    "uploads.delete": Operation(id="deleteUpload", tag="Uploads", replies={204: _GONE}),
    "webhooks.create": Operation(
        id="createWebhook",
        tag="Webhooks",
        json="WebhookRequest",
        replies={
            201: _json(
                told.NewWebhookEndpoint,
                "The endpoint, with its secret.",
                headers=("Location",),
                links="webhook",
            )
        },
        problems=(409,),
    ),
    "webhooks.list_endpoints": Operation(
        id="listWebhooks", tag="Webhooks", replies={200: _json(told.WebhookEndpointList, "Every endpoint.")}
    ),
    "webhooks.get": Operation(id="getWebhook", tag="Webhooks", replies={200: _WEBHOOK}),
    "webhooks.change": Operation(id="changeWebhook", tag="Webhooks", json="WebhookChange", replies={200: _WEBHOOK}),
    "webhooks.delete": Operation(id="deleteWebhook", tag="Webhooks", replies={204: _GONE}),
    "webhooks.rotate": Operation(
        id="rotateWebhookSecret", tag="Webhooks", replies={200: _json(told.RotatedSecret, "The new secret.")}
    ),
    "webhooks.test": Operation(
        id="testWebhook",
        tag="Webhooks",
        replies={202: _json(told.Delivery, "It is on its way.", links="delivery")},
    ),
    "webhooks.list_deliveries": Operation(
        id="listDeliveries",
        tag="Webhooks",
        parameters=(LIMIT, CURSOR),
        replies={200: _json(told.DeliveryList, "A page of deliveries.")},
        problems=(422,),
    ),
    "webhooks.list_job_deliveries": Operation(
        id="listJobDeliveries",
        tag="Webhooks",
        replies={200: _json(told.DeliveryList, "All of them.")},
    ),
    "webhooks.get_delivery": Operation(
        id="getDelivery",
        tag="Webhooks",
        replies={200: _json(told.Delivery, "The delivery.", links="delivery")},
    ),
    "webhooks.redeliver": Operation(
        id="redeliver",
        tag="Webhooks",
        replies={202: _json(told.Delivery, "It is on its way.", links="delivery")},
        problems=(409,),
    ),
    "webhooks.own_secret": Operation(
        id="getWebhookSecret", tag="Webhooks", replies={200: _json(told.WebhookSecret, "The secret.")}
    ),
    "webhooks.rotate_own_secret": Operation(
        id="rotateOwnWebhookSecret",
        tag="Webhooks",
        replies={200: _json(told.RotatedSecret, "The new secret.")},
    ),
    "listing.pipelines": Operation(
        id="listPipelines", tag="What there is", replies={200: _json(answers.PipelineList, "Every pipeline.")}
    ),
    "listing.models": Operation(
        id="listModels", tag="What there is", replies={200: _json(answers.ModelList, "Every model.")}
    ),
    "health.healthz": Operation(
        id="isAlive", tag="Operation", public=True, replies={200: _json(answers.Alive, "It lives.")}
    ),
    "health.readyz": Operation(
        id="isReady",
        tag="Operation",
        public=True,
        replies={
            200: _json(answers.Ready, "It can take jobs."),
            503: _json(answers.Ready, "It cannot; the checks say why."),
        },
    ),
    "health.metrics": Operation(
        id="getMetrics",
        tag="Operation",
        public=True,
        replies={
            200: Reply(text="Metrics as text.", media={"text/plain; version=0.0.4; charset=utf-8": {"type": "string"}})
        },
        problems=(503,),
    ),
    "openapi.document": Operation(
        id="getDescription",
        tag="Operation",
        public=True,
        replies={200: Reply(text="This description.", media={"application/json": {"type": "object"}})},
    ),
    "docs.page": Operation(
        id="getDocs",
        tag="Operation",
        public=True,
        replies={200: Reply(text="A page to read and to try.", media={"text/html; charset=utf-8": {"type": "string"}})},
    ),
    "docs.asset": Operation(id="getDocsAsset", tag="Operation", public=True, hidden=True, replies={}),
    "docs.root": Operation(id="getRoot", tag="Operation", public=True, hidden=True, replies={}),
}
