"""How the API represents jobs, batches, voices and webhooks, in responses, events and deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast, overload

from core.names import BatchState, JobState, Role, VoiceState
from schemas import lexicon_responses, responses, timing_responses, webhook_responses
from storage.ledger.batches import Batch, BatchEntry
from storage.ledger.records import Job, StepRecord
from storage.lexicons import StoredLexicon
from storage.objects.objects import Objects
from storage.objects.utterance_files import utterances_folder
from storage.voices import StoredVoice
from storage.webhooks.deliveries import Attempt, Delivery
from storage.webhooks.endpoints import WebhookEndpoint, is_endpoint

#: Seconds that a presigned link stays good.
LINK_SECONDS = 3600

#: The fields of a result that its pipeline may not produce.
_NOTHING = dict.fromkeys(
    ("audio", "characters", "seed", "timestamps", "embedding", "segments", "transcript"),
)


@overload
def rfc3339(moment: float) -> str: ...
@overload
def rfc3339(moment: float | None) -> str | None: ...
def rfc3339(moment: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Views:
    """Views with links below ``root``, the API's address without a trailing slash."""

    root: str
    objects: Objects

    def links(self, job: Job) -> responses.JobLinks:
        """Where else to look for a job."""
        own = f"{self.root}/v1/jobs/{job.id}"
        return responses.JobLinks(
            self=own,
            events=f"{own}/events",
            audio=f"{own}/audio",
            cancel=f"{own}/cancel",
            retry=f"{own}/retry",
        )

    def accepted(self, job: Job) -> responses.AcceptedJob:
        """The response to a new job."""
        return responses.AcceptedJob(id=job.id, state=job.state, created=rfc3339(job.created), links=self.links(job))

    def job(self, job: Job, eta: float | None) -> responses.Job:
        """The job; ``eta``: seconds until its end."""
        running = job.state in (JobState.QUEUED, JobState.RUNNING)
        return responses.Job(
            id=job.id,
            custom_id=job.document.custom_id,
            batch=job.batch,
            state=job.state,
            pipeline=job.document.pipeline,
            priority=job.priority,
            created=rfc3339(job.created),
            started=rfc3339(job.started),
            ended=rfc3339(job.ended),
            expires=rfc3339(job.expires),
            step=job.plan.steps[job.step].role if running else None,
            steps=[_step(step) for step in job.steps],
            progress=responses.Progress(done=job.done, total=job.total, eta=eta),
            result=self._result(job),
            error=_failure(job.error),
            errors=cast(list[responses.UtteranceFailure], list(job.errors)),
            warnings=cast(list[responses.TextWarning], list(job.warnings)),
            lexicons=[responses.JobLexicon(id=one.id, version=one.version) for one in job.document.lexicons],
            metadata=dict(job.document.metadata),
            links=self.links(job),
        )

    def batch(self, batch: Batch) -> responses.Batch:
        """The batch."""
        job = batch.job
        own = f"{self.root}/v1/batches/{batch.id}"
        return responses.Batch(
            id=batch.id,
            object="batch",
            state=batch.state,
            counts=cast(responses.BatchCounts, dict(batch.counts)),
            created=rfc3339(job.created),
            started=rfc3339(job.started),
            ended=rfc3339(batch.completed or (job.ended if batch.state is BatchState.FAILED else None)),
            expires=rfc3339(job.expires),
            strict=bool(job.document.items and job.document.items.strict),
            error=_failure(job.error),
            errors=[_item_failure(error) for error in job.errors],
            metadata=dict(job.document.metadata),
            links=responses.BatchLinks(
                self=own,
                manifest=f"{own}/manifest",
                zip=f"{own}/zip",
                cancel=f"{own}/cancel",
                retry=f"{own}/retry",
            ),
        )

    def entry(self, entry: BatchEntry) -> responses.ManifestEntry:
        """A line of a batch's manifest."""
        job, audio = entry.job, None
        if job is not None and job.result:
            audio = job.result.get("audio")
        gone = job is None and entry.error is None
        name = f"{entry.file}.{audio['format']}" if audio else None
        url = None
        if job is not None and audio:
            link = self.objects.link(audio["object"], seconds=LINK_SECONDS, filename=name or "")
            url = link or self.links(job)["audio"]
        return responses.ManifestEntry(
            custom_id=entry.custom_id,
            job=job.id if job else None,
            state=job.state if job else JobState.EXPIRED if gone else JobState.FAILED,
            file=name,
            url=url,
            duration=audio["duration"] if audio else None,
            error=cast(dict[str, Any] | None, entry.error or (job.error if job else None)),
        )

    def utterance_file(self, job: Job, line: Mapping[str, Any]) -> responses.UtteranceFile:
        """A line of the manifest of a job's utterances, with a link to its file."""
        url = None
        if line["file"] is not None:
            name = f"{utterances_folder(job.owner, job.id, job.generation)}{line['file']}"
            url = self.objects.link(name, seconds=LINK_SECONDS, filename=f"{job.id}-{line['file']}")
            url = url or f"{self.root}/v1/jobs/{job.id}/utterances/{line['index']}"
        return cast(responses.UtteranceFile, {**line, "url": url})

    def voice(self, voice: StoredVoice, state: VoiceState, error: Mapping[str, Any] | None) -> responses.StoredVoice:
        """A stored voice, with its state and error."""
        own = f"{self.root}/v1/voices/{voice.id}"
        return responses.StoredVoice(
            id=voice.id,
            object="voice",
            name=voice.name,
            state=state,
            pipelines=list(voice.models),
            models=sorted(set(voice.models.values())),
            consent=voice.consent,
            created=rfc3339(voice.created),
            recordings=[responses.VoiceRecording(duration=one.duration, sha256=one.sha256) for one in voice.recordings],
            error=_failure(error),
            links=responses.VoiceLinks(self=own, preview=f"{own}/preview"),
        )

    def lexicon(self, lexicon: StoredLexicon) -> lexicon_responses.LexiconSummary:
        """A version of a lexicon, without its entries."""
        return lexicon_responses.LexiconSummary(
            id=lexicon.id,
            object="lexicon",
            name=lexicon.name,
            language=lexicon.language,
            version=lexicon.version,
            size=lexicon.entries,
            created=rfc3339(lexicon.created),
            updated=rfc3339(lexicon.updated),
            links=lexicon_responses.LexiconLinks(self=f"{self.root}/v1/lexicons/{lexicon.id}"),
        )

    def endpoint(self, endpoint: WebhookEndpoint) -> webhook_responses.WebhookEndpoint:
        """A webhook endpoint, without its secret."""
        own = f"{self.root}/v1/webhooks/{endpoint.id}"
        return webhook_responses.WebhookEndpoint(
            id=endpoint.id,
            object="webhook",
            url=endpoint.url,
            events=list(endpoint.events),
            description=endpoint.description,
            enabled=endpoint.enabled,
            disabled=cast(webhook_responses.Disabled, {"at": rfc3339(endpoint.disabled), "reason": endpoint.why})
            if endpoint.why
            else None,
            failing_since=rfc3339(endpoint.failing),
            created=rfc3339(endpoint.created),
            links=webhook_responses.WebhookLinks(
                self=own, deliveries=f"{own}/deliveries", test=f"{own}/test", rotate=f"{own}/rotate"
            ),
        )

    def _result(self, job: Job) -> responses.Result | None:
        if job.result is None:
            return None
        result = cast(responses.Result, {**_NOTHING, **job.result})
        if audio := job.result.get("audio"):
            name = f"{job.id}.{audio['format']}"
            url = self.objects.link(audio["object"], seconds=LINK_SECONDS, filename=name)
            shown = {"url": url or self.links(job)["audio"], **{k: v for k, v in audio.items() if k != "object"}}
            result["audio"] = cast(responses.Audio, shown)
        if timestamps := job.result.get("timestamps"):
            result["timestamps"] = cast(
                timing_responses.JobTimestamps, self._linked(job, "timestamps", timestamps, "json")
            )
        if subtitles := job.result.get("subtitles"):
            shown = self._linked(job, "subtitles", subtitles, subtitles["format"])
            result["subtitles"] = cast(timing_responses.JobSubtitles, shown)
        if files := job.result.get("utterances"):
            result["utterances"] = responses.UtteranceFiles(
                url=f"{self.root}/v1/jobs/{job.id}/utterances", count=files["count"], files=files["files"]
            )
        return result

    def _linked(self, job: Job, name: str, found: Mapping[str, Any], ending: str) -> dict[str, Any]:
        """A file of a result, with a link in place of its object."""
        url = self.objects.link(found["object"], seconds=LINK_SECONDS, filename=f"{job.id}.{ending}")
        own = f"{self.links(job)['self']}/{name}"
        return {"url": url or own, **{k: v for k, v in found.items() if k != "object"}}


def delivery_view(delivery: Delivery) -> webhook_responses.Delivery:
    """A delivery with its attempts."""
    return webhook_responses.Delivery(
        id=delivery.id,
        object="delivery",
        event=delivery.event,
        type=delivery.type,
        webhook=delivery.destination if is_endpoint(delivery.destination) else None,
        state=delivery.state,
        created=rfc3339(delivery.at),
        next=rfc3339(delivery.due),
        attempts=[_attempt(attempt) for attempt in delivery.log],
    )


def _attempt(attempt: Attempt) -> webhook_responses.DeliveryAttempt:
    return webhook_responses.DeliveryAttempt(
        at=rfc3339(attempt.at),
        seconds=attempt.seconds,
        status=attempt.status,
        code=attempt.code,
        message=attempt.message,
    )


def _step(step: StepRecord) -> responses.Step:
    return responses.Step(
        name=cast(Role, step.name),
        model=step.model,
        state=step.state,
        started=rfc3339(step.started),
        ended=rfc3339(step.ended),
    )


def _failure(error: Mapping[str, Any] | None) -> responses.Failure | None:
    """An error, as stored in the ledger."""
    return cast(responses.Failure | None, error)


def _item_failure(error: Mapping[str, Any]) -> responses.ItemFailure:
    return cast(responses.ItemFailure, {name: value for name, value in error.items() if name != "utterance"})
