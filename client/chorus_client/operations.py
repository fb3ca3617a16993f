"""Every call of the API as an operation: which requests it takes, and what comes back. See `protocol`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chorus_client.errors import ChorusError, JobFailed, VoiceFailed
from chorus_client.models import Batch, Job, Page, Upload, Voice, WebhookEndpoint
from chorus_client.protocol import Answer, Call, Operation, Retry, once, sent, until

#: A recording: a path, its bytes, or one of the API's own forms, such as {"upload": "up_…"} or {"url": "https://…"}.
Recording = str | Path | bytes | Mapping[str, Any]

#: Bytes from which on a recording is uploaded by itself instead of travelling inside the request.
UPLOAD_FROM = 8 * 2**20

Told = Callable[[Job], None]


def job_id(job: str | Job) -> str:
    """The id of a job, escaped for a path."""
    return quote(job if isinstance(job, str) else job.id, safe="")


def _id(thing: str | Batch | Voice | WebhookEndpoint) -> str:
    return quote(thing if isinstance(thing, str) else thing.id, safe="")


def _nothing(_: Any) -> None:
    pass


class Operations:
    """The operations under one policy of retries."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    def _sent(self, call: Call) -> Operation[Answer]:
        return sent(call, self._retry)

    def _json(self, method: str, path: str, **more: Any) -> Operation[Any]:
        answer = yield from self._sent(Call(method, path, **more))
        return answer.json

    # -- jobs

    def create(self, body: Mapping[str, Any], own_id: str | None, wait: float) -> Operation[Job]:
        """Submits a job, under an id of one's own where there is one."""
        whole = yield from self._with_recordings(body)
        headers = {"Prefer": f"wait={round(wait)}"} if wait else {}
        if own_id is None:
            call = once(Call("POST", "/v1/jobs", json=whole, headers=headers))
        else:
            call = Call("PUT", f"/v1/jobs/{quote(own_id, safe='')}", json=whole, headers=headers)
        answer = yield from self._sent(replace(call, timeout=60.0 + wait))
        return Job.of(answer.json)

    def _with_recordings(self, body: Mapping[str, Any]) -> Operation[dict[str, Any]]:
        whole = {name: value for name, value in body.items() if value is not None}
        for name in ("reference", "recording"):
            if name in whole:
                whole[name] = yield from self._recording(whole[name])
        return whole

    def _recording(self, given: Recording) -> Operation[dict[str, Any]]:
        if isinstance(given, Mapping):
            return dict(given)
        if isinstance(given, str | Path):
            path = Path(given)
            if path.stat().st_size >= UPLOAD_FROM:
                upload = yield from self.upload(path)
                return {"upload": upload.id}
            given = path.read_bytes()
        elif len(given) >= UPLOAD_FROM:
            upload = yield from self.upload(given)
            return {"upload": upload.id}
        return {"base64": base64.b64encode(given).decode()}

    def upload(self, content: Path | bytes) -> Operation[Upload]:
        """Brings bytes to a place that requests may name."""
        upload = Upload.of((yield from self._json("POST", "/v1/uploads")))
        headers = {"Content-Type": "application/octet-stream"}
        yield from self._sent(Call("PUT", upload.url, content=content, headers=headers, timeout=3600.0))
        return upload

    def get(self, job: str | Job, wait: float = 0.0) -> Operation[Job]:
        headers = {"Prefer": f"wait={round(wait)}"} if wait >= 1 else {}
        found = yield from self._json("GET", f"/v1/jobs/{job_id(job)}", headers=headers, timeout=60.0 + wait)
        return Job.of(found)

    def wait(self, job: str | Job, timeout: float | None, told: Told | None) -> Operation[Job]:
        # Somebody who is told of progress is told often.
        longest = 1.0 if told else 20.0
        return until(lambda wait: self.get(job, min(wait, longest)), lambda j: j.done, timeout, told or _nothing)

    def ended_well(self, job: str | Job, timeout: float | None, told: Told | None) -> Operation[Job]:
        """As `wait`. Raises `JobFailed` where the job ended otherwise than well."""
        found = yield from self.wait(job, timeout, told)
        if found.state != "succeeded":
            raise JobFailed(found)
        return found

    def act(self, job: str | Job, action: str) -> Operation[Job]:
        """``cancel`` or ``retry``."""
        return Job.of((yield from self._json("POST", f"/v1/jobs/{job_id(job)}/{action}")))

    def delete(self, path: str) -> Operation[None]:
        yield from self._sent(Call("DELETE", path))

    def page(self, filters: Mapping[str, Any]) -> Operation[Page[Job]]:
        found = yield from self._json("GET", "/v1/jobs", params={k: v for k, v in filters.items() if v is not None})
        return Page(tuple(map(Job.of, found["data"])), found["next"])

    def door(self, name: str, recording: Recording, options: Mapping[str, Any]) -> Operation[Job]:
        """``embed``, ``vad`` or ``transcribe``, waited for."""
        body = yield from self._with_recordings({**options, "recording": recording})
        call = once(Call("POST", f"/v1/{name}", json=body, timeout=120.0))
        answer = yield from self._sent(call)
        job = Job.of(answer.json)
        return (yield from self.ended_well(job, None, None)) if not job.done else _well(job)

    # -- batches

    def create_batch(self, items: Iterable[Mapping[str, Any]] | Path, more: Mapping[str, Any]) -> Operation[Batch]:
        body = {name: value for name, value in more.items() if value is not None}
        if isinstance(items, Path):
            upload = yield from self.upload(items)
            body["upload"] = upload.id
        else:
            lines = [dict(item) for item in items]
            data = "\n".join(json.dumps(line) for line in lines).encode()
            if len(data) >= UPLOAD_FROM:
                upload = yield from self.upload(data)
                body["upload"] = upload.id
            else:
                body["items"] = lines
        answer = yield from self._sent(once(Call("POST", "/v1/batches", json=body, timeout=120.0)))
        return Batch.of(answer.json)

    def get_batch(self, batch: str | Batch) -> Operation[Batch]:
        return Batch.of((yield from self._json("GET", f"/v1/batches/{_id(batch)}")))

    def wait_batch(
        self, batch: str | Batch, timeout: float | None, told: Callable[[Batch], None] | None
    ) -> Operation[Batch]:
        return until(lambda _: self.get_batch(batch), lambda b: b.done, timeout, told or _nothing)

    def act_batch(self, batch: str | Batch, action: str) -> Operation[Batch]:
        """``cancel`` or ``retry``."""
        return Batch.of((yield from self._json("POST", f"/v1/batches/{_id(batch)}/{action}")))

    def manifest(self, batch: str | Batch) -> Operation[list[dict[str, Any]]]:
        answer = yield from self._sent(Call("GET", f"/v1/batches/{_id(batch)}/manifest", timeout=600.0))
        return [json.loads(line) for line in answer.content.decode().splitlines()]

    def batches(self) -> Operation[list[Batch]]:
        found: list[Batch] = []
        cursor = None
        while True:
            params = {"limit": 100, **({"cursor": cursor} if cursor else {})}
            page = yield from self._json("GET", "/v1/batches", params=params)
            found += map(Batch.of, page["data"])
            cursor = page["next"]
            if cursor is None:
                return found

    # -- voices

    def create_voice(
        self, name: str, recordings: Iterable[Recording], pipelines: Iterable[str] | None, consent: str | None
    ) -> Operation[Voice]:
        body: dict[str, Any] = {"name": name, "recordings": []}
        for recording in recordings:
            body["recordings"].append((yield from self._recording(recording)))
        if pipelines is not None:
            body["pipelines"] = list(pipelines)
        if consent is not None:
            body["consent"] = consent
        # Not tried again: a second voice would be another one.
        answer: Answer = yield Call("POST", "/v1/voices", json=body, timeout=300.0)
        return Voice.of(answer.json)

    def voices(self) -> Operation[list[Voice]]:
        return [Voice.of(v) for v in (yield from self._json("GET", "/v1/voices"))["data"]]

    def get_voice(self, voice: str | Voice) -> Operation[Voice]:
        return Voice.of((yield from self._json("GET", f"/v1/voices/{_id(voice)}")))

    def wait_voice(self, voice: str | Voice, timeout: float | None) -> Operation[Voice]:
        """Raises `VoiceFailed` where it could not be made."""
        made = until(lambda _: self.get_voice(voice), lambda v: v.state != "preparing", timeout, _nothing)
        found: Voice = yield from made
        if found.state != "ready":
            raise VoiceFailed(found)
        return found

    def rename_voice(self, voice: str | Voice, name: str) -> Operation[Voice]:
        return Voice.of((yield from self._json("PATCH", f"/v1/voices/{_id(voice)}", json={"name": name})))

    def preview_voice(self, voice: str | Voice, body: Mapping[str, Any]) -> Operation[Job]:
        asked = {name: value for name, value in body.items() if value is not None}
        return Job.of((yield from self._json("POST", f"/v1/voices/{_id(voice)}/preview", json=asked)))

    # -- webhooks

    def create_webhook(self, body: Mapping[str, Any]) -> Operation[WebhookEndpoint]:
        asked = {name: value for name, value in body.items() if value is not None}
        answer: Answer = yield Call("POST", "/v1/webhooks", json=asked)
        return WebhookEndpoint.of(answer.json)

    def webhooks(self) -> Operation[list[WebhookEndpoint]]:
        return [WebhookEndpoint.of(w) for w in (yield from self._json("GET", "/v1/webhooks"))["data"]]

    def change_webhook(self, webhook: str | WebhookEndpoint, body: Mapping[str, Any]) -> Operation[WebhookEndpoint]:
        asked = {name: value for name, value in body.items() if value is not None}
        return WebhookEndpoint.of((yield from self._json("PATCH", f"/v1/webhooks/{_id(webhook)}", json=asked)))

    def act_webhook(self, webhook: str | WebhookEndpoint, action: str) -> Operation[dict[str, Any]]:
        """``rotate`` (gives the new ``secret``) or ``test``."""
        answer: Answer = yield Call("POST", f"/v1/webhooks/{_id(webhook)}/{action}")
        found: dict[str, Any] = answer.json
        return found

    def deliveries(self, webhook: str | WebhookEndpoint) -> Operation[list[dict[str, Any]]]:
        found = yield from self._json("GET", f"/v1/webhooks/{_id(webhook)}/deliveries", params={"limit": 100})
        data: list[dict[str, Any]] = found["data"]
        return data

    def redeliver(self, delivery: str) -> Operation[dict[str, Any]]:
        found: dict[str, Any] = yield from self._json("POST", f"/v1/deliveries/{quote(delivery, safe='')}/redeliver")
        return found

    # -- what there is

    def listed(self, name: str) -> Operation[list[dict[str, Any]]]:
        """``pipelines`` or ``models``."""
        found = yield from self._json("GET", f"/v1/{name}")
        data: list[dict[str, Any]] = found["data"]
        return data

    def ready(self) -> Operation[bool]:
        try:
            yield Call("GET", "/readyz")
        except ChorusError:
            return False
        return True


def _well(job: Job) -> Job:
    if job.state != "succeeded":
        raise JobFailed(job)
    return job
