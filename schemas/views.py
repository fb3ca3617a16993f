"""Jobs and batches as clients see them: in answers, in events, and in what webhooks are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.names import BatchState, JobState
from storage.ledger.batches import Batch
from storage.ledger.records import Job, StepRecord
from storage.objects.objects import Objects

#: Seconds that a presigned link stays good.
LINK_SECONDS = 3600


def rfc3339(moment: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Views:
    """Views with links below ``root``, the API's address without a slash behind it."""

    root: str
    objects: Objects

    def links(self, job: Job) -> dict[str, str]:
        """Where else to look for a job."""
        own = f"{self.root}/v1/jobs/{job.id}"
        return {
            "self": own,
            "events": f"{own}/events",
            "audio": f"{own}/audio",
            "cancel": f"{own}/cancel",
            "retry": f"{own}/retry",
        }

    def job(self, job: Job, eta: float | None) -> dict[str, Any]:
        """The job as polled; ``eta``: seconds until its end."""
        running = job.state in (JobState.QUEUED, JobState.RUNNING)
        return {
            "id": job.id,
            "custom_id": job.document.get("custom_id"),
            "batch": job.batch,
            "state": job.state.value,
            "pipeline": job.document["pipeline"],
            "priority": job.priority.value,
            "created": rfc3339(job.created),
            "started": rfc3339(job.started),
            "ended": rfc3339(job.ended),
            "expires": rfc3339(job.expires),
            "step": job.plan.steps[job.step].role.value if running else None,
            "steps": [_step(step) for step in job.steps],
            "progress": {"done": job.done, "total": job.total, "eta": eta},
            "result": self._result(job),
            "error": job.error,
            "errors": list(job.errors),
            "warnings": list(job.warnings),
            "metadata": job.document["metadata"],
            "links": self.links(job),
        }

    def batch(self, batch: Batch) -> dict[str, Any]:
        """The batch as polled."""
        job = batch.job
        own = f"{self.root}/v1/batches/{batch.id}"
        return {
            "id": batch.id,
            "object": "batch",
            "state": batch.state.value,
            "counts": dict(batch.counts),
            "created": rfc3339(job.created),
            "started": rfc3339(job.started),
            "ended": rfc3339(batch.completed or (job.ended if batch.state is BatchState.FAILED else None)),
            "expires": rfc3339(job.expires),
            "strict": job.document["strict"],
            "error": job.error,
            "errors": [{name: value for name, value in error.items() if name != "utterance"} for error in job.errors],
            "metadata": job.document["metadata"],
            "links": {"self": own, **{name: f"{own}/{name}" for name in ("manifest", "zip", "cancel", "retry")}},
        }

    def _result(self, job: Job) -> dict[str, Any] | None:
        if job.result is None:
            return None
        result = {
            "audio": None,
            "characters": None,
            "seed": None,
            "timestamps": None,
            "embedding": None,
            "segments": None,
            "transcript": None,
            **job.result,
        }
        if audio := result["audio"]:
            name = f"{job.id}.{audio['format']}"
            url = self.objects.link(audio["object"], seconds=LINK_SECONDS, filename=name)
            result["audio"] = {
                "url": url or self.links(job)["audio"],
                **{k: v for k, v in audio.items() if k != "object"},
            }
        return result


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "model": step.model,
        "state": step.state.value,
        "started": rfc3339(step.started),
        "ended": rfc3339(step.ended),
    }
