"""Every call of the API as an operation: its requests, and its result. See `protocol`."""

from __future__ import annotations

import base64
import json
import math
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from chorus_client.contents import Content, is_file, source_of
from chorus_client.errors import ApiError, ChorusError, JobFailed, VoiceFailed
from chorus_client.models import (
    Audio,
    Batch,
    Job,
    Lexicon,
    LexiconEntry,
    Page,
    TextPreview,
    Upload,
    Usage,
    Voice,
    WebhookEndpoint,
)
from chorus_client.protocol import Call, Operation, Reply, Retry, once, sent, settled, until

#: A recording: a path, an open binary file, its bytes, or one of the API's own forms, such as {"upload": "up_…"} or
#: {"url": "https://…"}.
Recording = Content | Mapping[str, Any]

#: Bytes from which on a recording is uploaded by itself instead of travelling inside the request.
UPLOAD_FROM = 8 * 2**20

#: The entries of a lexicon: each an entry or a mapping; or the path of a file in PLS, CSV or TSV.
Entries = Iterable[LexiconEntry | Mapping[str, Any]] | str | Path

#: Media types of lexicons by the extension of their file.
_LEXICON_FILES = {
    ".pls": "application/pls+xml",
    ".xml": "application/pls+xml",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
}

Told = Callable[[Job], None]


#: Refusals that mean that an earlier attempt at the same call arrived.
_ARRIVED = {
    "cancel": frozenset({"job_canceled", "batch_canceled"}),
    "retry": frozenset({f"{kind}_{state}" for kind in ("job", "batch") for state in ("queued", "running")}),
}


def path_of(thing: str | Job | Batch | Voice | Lexicon | WebhookEndpoint | Upload) -> str:
    """The id of a resource, escaped for a path. Raises `ChorusError` if it is empty."""
    name = quote(thing if isinstance(thing, str) else thing.id, safe="")
    if not name:
        raise ChorusError("The id is empty.")
    # Dots alone would be taken for steps in the path.
    return name.replace(".", "%2E") if name in (".", "..") else name


def ours(url: str, path: str) -> str:
    """``path`` if ``url`` is the API's own address for it: behind a proxy the API may not know its public address."""
    return path if urlsplit(url).path.endswith(path) else url


def _arrived(action: str) -> Callable[[ApiError], bool]:
    return lambda error: error.code in _ARRIVED[action]


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    found = _given(filters)
    for name, value in _given(found.pop("metadata", {})).items():
        found[f"metadata.{name}"] = value
    return {k: v.astimezone().isoformat() if isinstance(v, datetime) else v for k, v in found.items()}


def _document(answer: Reply) -> dict[str, Any]:
    if not isinstance(answer.json, dict):
        raise ChorusError("The response is not from Chorus. Is the address correct?")
    return answer.json


def _nothing(_: Any) -> None:
    pass


def _lexicon_call(method: str, path: str, head: Mapping[str, Any], entries: Entries | None) -> Call:
    """A call with a lexicon as its body: JSON, or a file with the other fields in the query."""
    if isinstance(entries, str | Path):
        kind = _LEXICON_FILES.get(Path(entries).suffix.lower())
        if kind is None:
            raise ChorusError(f"{entries}: a lexicon is a file with one of {', '.join(_LEXICON_FILES)}.")
        data = Path(entries).read_bytes()
        return Call(method, path, params=_given(head), headers={"Content-Type": kind}, content=data, timeout=300.0)
    body = _given(head)
    if entries is not None:
        body["entries"] = [asdict(one) if isinstance(one, LexiconEntry) else dict(one) for one in entries]
    return Call(method, path, json=body, timeout=300.0)


class Operations:
    """The operations with one retry policy."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    def _sent(self, call: Call, within: float = math.inf) -> Operation[Reply]:
        return sent(call, self._retry, within)

    def _json(self, method: str, path: str, **more: Any) -> Operation[dict[str, Any]]:
        return _document((yield from self._sent(Call(method, path, **more))))

    def _all(self, path: str) -> Operation[list[dict[str, Any]]]:
        """The entries of all pages of a list."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = yield from self._json("GET", path, params=_given({"limit": 100, "cursor": cursor}))
            found += page["data"]
            cursor = page["next"]
            if cursor is None:
                return found

    # -- jobs

    def create(self, body: Mapping[str, Any], own_id: str | None, wait: float) -> Operation[Job]:
        """Submit a job, with an id of the caller's own if given."""
        whole = yield from self._with_recordings(body)
        headers = {"Prefer": f"wait={round(wait)}"} if wait else {}
        if own_id is None:
            call = once(Call("POST", "/v1/jobs", json=whole, headers=headers))
        else:
            call = Call("PUT", f"/v1/jobs/{path_of(own_id)}", json=whole, headers=headers)
        if wait:
            call = replace(call, timeout=60.0 + wait)
        return Job.of(_document((yield from self._sent(call))))

    def _with_recordings(self, body: Mapping[str, Any]) -> Operation[dict[str, Any]]:
        whole = _given(body)
        for name in ("reference", "recording"):
            if name in whole:
                whole[name] = yield from self._recording(whole[name])
        output = whole.get("output")
        if isinstance(output, Mapping) and output.get("cover") is not None:
            whole["output"] = {**output, "cover": (yield from self._recording(output["cover"]))}
        return whole

    def _recording(self, given: Recording) -> Operation[dict[str, Any]]:
        if isinstance(given, Mapping):
            return dict(given)
        source = source_of(given)
        if source.size >= UPLOAD_FROM:
            return {"upload": (yield from self.upload(given)).id}
        return {"base64": base64.b64encode(source.read()).decode()}

    def upload(self, content: Content) -> Operation[Upload]:
        """Upload bytes."""
        source = source_of(content)
        upload = Upload.of((yield from self._json("POST", "/v1/uploads")))
        # Object storage requires the length in advance.
        kind = "application/octet-stream"
        if upload.fields is not None:
            boundary = secrets.token_hex(16)
            source, kind = source.in_form(upload.fields, boundary), f"multipart/form-data; boundary={boundary}"
        headers = {"Content-Type": kind, "Content-Length": str(source.size)}
        url = ours(upload.url, f"/v1/uploads/{path_of(upload.id)}")
        yield from self._sent(Call(upload.method, url, content=source, headers=headers, timeout=3600.0))
        return upload

    def delete_upload(self, upload: str | Upload) -> Operation[None]:
        """Delete an upload. Jobs and voices created from it are kept."""
        yield from self._sent(Call("DELETE", f"/v1/uploads/{path_of(upload)}"))

    def get(self, job: str | Job, wait: float = 0.0, within: float = math.inf) -> Operation[Job]:
        call = Call("GET", f"/v1/jobs/{path_of(job)}")
        if wait >= 1:
            call = replace(call, headers={"Prefer": f"wait={int(wait)}"}, timeout=60.0 + wait)
        return Job.of(_document((yield from self._sent(call, within))))

    def wait(self, job: str | Job, timeout: float | None, told: Told | None) -> Operation[Job]:
        # With a progress callback, poll often.
        longest = 1.0 if told else 20.0
        return until(lambda left: self.get(job, min(left, longest), left), lambda j: j.done, timeout, told or _nothing)

    def ended_well(self, job: str | Job, timeout: float | None, told: Told | None) -> Operation[Job]:
        """Like `wait`. Raises `JobFailed` if the job did not succeed."""
        found = yield from self.wait(job, timeout, told)
        return _well(found)

    def act(self, job: str | Job, action: str) -> Operation[Job]:
        """``cancel`` or ``retry``."""
        call = Call("POST", f"/v1/jobs/{path_of(job)}/{action}")
        answer = yield from settled(call, self._retry, _arrived(action))
        return Job.of(_document(answer)) if answer else (yield from self.get(job))

    def delete(self, kind: str, thing: str | Job | Batch | Voice | Lexicon | WebhookEndpoint) -> Operation[None]:
        """``kind``: ``jobs``, ``batches``, ``voices``, ``lexicons`` or ``webhooks``."""
        call = Call("DELETE", f"/v1/{kind}/{path_of(thing)}")
        yield from settled(call, self._retry, lambda error: error.status == 404)

    def page(self, filters: Mapping[str, Any]) -> Operation[Page[Job]]:
        found = yield from self._json("GET", "/v1/jobs", params=_filters(filters))
        return Page(tuple(map(Job.of, found["data"])), found["next"])

    def sync_endpoint(self, name: str, recording: Recording, options: Mapping[str, Any]) -> Operation[Job]:
        """``embed``, ``vad`` or ``transcribe``, waited for."""
        body = yield from self._with_recordings({**options, "recording": recording})
        call = once(Call("POST", f"/v1/{name}", json=body, timeout=120.0))
        job = Job.of(_document((yield from self._sent(call))))
        return (yield from self.ended_well(job, None, None)) if not job.done else _well(job)

    def preview_text(self, body: Mapping[str, Any]) -> Operation[TextPreview]:
        """What would be spoken of a text."""
        return TextPreview.of((yield from self._json("POST", "/v1/text/preview", json=_given(body))))

    # -- batches

    def create_batch(self, items: Iterable[Mapping[str, Any]] | Content, more: Mapping[str, Any]) -> Operation[Batch]:
        body = _given(more)
        if isinstance(items, str | Path | bytes) or is_file(items):
            body["upload"] = (yield from self.upload(cast(Content, items))).id
        else:
            lines = [dict(item) for item in cast(Iterable[Mapping[str, Any]], items)]
            data = "\n".join(json.dumps(line) for line in lines).encode()
            if len(data) >= UPLOAD_FROM:
                body["upload"] = (yield from self.upload(data)).id
            else:
                body["items"] = lines
        answer = yield from self._sent(once(Call("POST", "/v1/batches", json=body, timeout=120.0)))
        return Batch.of(_document(answer))

    def get_batch(self, batch: str | Batch, within: float = math.inf) -> Operation[Batch]:
        return Batch.of(_document((yield from self._sent(Call("GET", f"/v1/batches/{path_of(batch)}"), within))))

    def wait_batch(
        self, batch: str | Batch, timeout: float | None, told: Callable[[Batch], None] | None
    ) -> Operation[Batch]:
        return until(lambda left: self.get_batch(batch, left), lambda b: b.done, timeout, told or _nothing)

    def act_batch(self, batch: str | Batch, action: str) -> Operation[Batch]:
        """``cancel`` or ``retry``."""
        call = Call("POST", f"/v1/batches/{path_of(batch)}/{action}")
        answer = yield from settled(call, self._retry, _arrived(action))
        return Batch.of(_document(answer)) if answer else (yield from self.get_batch(batch))

    def manifest(self, batch: str | Batch) -> Operation[list[dict[str, Any]]]:
        answer = yield from self._sent(Call("GET", f"/v1/batches/{path_of(batch)}/manifest", timeout=600.0))
        # Not splitlines: it also splits at characters that a name may contain.
        return [json.loads(line) for line in answer.content.split(b"\n") if line]

    def batches(self) -> Operation[list[Batch]]:
        return list(map(Batch.of, (yield from self._all("/v1/batches"))))

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
        answer: Reply = yield Call("POST", "/v1/voices", json=body, timeout=300.0)
        return Voice.of(_document(answer))

    def voices(self) -> Operation[list[Voice]]:
        return [Voice.of(v) for v in (yield from self._json("GET", "/v1/voices"))["data"]]

    def get_voice(self, voice: str | Voice, within: float = math.inf) -> Operation[Voice]:
        return Voice.of(_document((yield from self._sent(Call("GET", f"/v1/voices/{path_of(voice)}"), within))))

    def wait_voice(self, voice: str | Voice, timeout: float | None) -> Operation[Voice]:
        """Wait for a voice. Raises `VoiceFailed` if it could not be created."""
        made = until(lambda left: self.get_voice(voice, left), lambda v: v.state != "preparing", timeout, _nothing)
        found: Voice = yield from made
        if found.state != "ready":
            raise VoiceFailed(found)
        return found

    def rename_voice(self, voice: str | Voice, name: str) -> Operation[Voice]:
        return Voice.of((yield from self._json("PATCH", f"/v1/voices/{path_of(voice)}", json={"name": name})))

    def preview_voice(self, voice: str | Voice, body: Mapping[str, Any]) -> Operation[Job]:
        return Job.of((yield from self._json("POST", f"/v1/voices/{path_of(voice)}/preview", json=_given(body))))

    # -- lexicons

    def create_lexicon(self, name: str, entries: Entries, language: str | None) -> Operation[Lexicon]:
        # Not tried again: a second lexicon would be another one.
        answer: Reply = yield _lexicon_call("POST", "/v1/lexicons", {"name": name, "language": language}, entries)
        return Lexicon.of(_document(answer))

    def lexicons(self) -> Operation[list[Lexicon]]:
        return [Lexicon.of(found) for found in (yield from self._json("GET", "/v1/lexicons"))["data"]]

    def get_lexicon(self, lexicon: str | Lexicon, version: int | None) -> Operation[Lexicon]:
        path = f"/v1/lexicons/{path_of(lexicon)}"
        return Lexicon.of((yield from self._json("GET", path, params=_given({"version": version}))))

    def change_lexicon(
        self, lexicon: str | Lexicon, changes: Mapping[str, Any], entries: Entries | None, if_version: int | None
    ) -> Operation[Lexicon]:
        path = f"/v1/lexicons/{path_of(lexicon)}"
        method = "PUT" if isinstance(entries, str | Path) else "PATCH"
        call = _lexicon_call(method, path, changes, entries)
        if if_version is None:
            return Lexicon.of(_document((yield from self._sent(call))))
        # Not tried again: if the first attempt arrived, the version is another one.
        answer: Reply = yield replace(call, headers={**call.headers, "If-Match": f'"{if_version}"'})
        return Lexicon.of(_document(answer))

    # -- webhooks

    def create_webhook(self, body: Mapping[str, Any]) -> Operation[WebhookEndpoint]:
        answer: Reply = yield Call("POST", "/v1/webhooks", json=_given(body))
        return WebhookEndpoint.of(_document(answer))

    def webhooks(self) -> Operation[list[WebhookEndpoint]]:
        return [WebhookEndpoint.of(w) for w in (yield from self._json("GET", "/v1/webhooks"))["data"]]

    def get_webhook(self, webhook: str | WebhookEndpoint) -> Operation[WebhookEndpoint]:
        return WebhookEndpoint.of((yield from self._json("GET", f"/v1/webhooks/{path_of(webhook)}")))

    def webhook_secret(self) -> Operation[str]:
        return str((yield from self._json("GET", "/v1/webhook-secret"))["secret"])

    def change_webhook(self, webhook: str | WebhookEndpoint, body: Mapping[str, Any]) -> Operation[WebhookEndpoint]:
        path = f"/v1/webhooks/{path_of(webhook)}"
        return WebhookEndpoint.of((yield from self._json("PATCH", path, json=_given(body))))

    def act_webhook(self, webhook: str | WebhookEndpoint, action: str) -> Operation[dict[str, Any]]:
        """``rotate`` (returns the new ``secret``) or ``test``."""
        answer: Reply = yield Call("POST", f"/v1/webhooks/{path_of(webhook)}/{action}")
        return _document(answer)

    def job_deliveries(self, job: str | Job) -> Operation[list[dict[str, Any]]]:
        return (yield from self._all(f"/v1/jobs/{path_of(job)}/deliveries"))

    def deliveries(self, webhook: str | WebhookEndpoint) -> Operation[list[dict[str, Any]]]:
        return (yield from self._all(f"/v1/webhooks/{path_of(webhook)}/deliveries"))

    def delivery(self, delivery: str, within: float = math.inf) -> Operation[dict[str, Any]]:
        return _document((yield from self._sent(Call("GET", f"/v1/deliveries/{path_of(delivery)}"), within)))

    def wait_delivery(self, delivery: str, timeout: float | None) -> Operation[dict[str, Any]]:
        """Wait until the delivery has ended or has been attempted at least once."""
        tried: Operation[dict[str, Any]] = until(
            lambda left: self.delivery(delivery, left),
            lambda d: bool(d["attempts"]) or d["state"] != "waiting",
            timeout,
            _nothing,
        )
        return (yield from tried)

    def redeliver(self, delivery: str) -> Operation[dict[str, Any]]:
        # Not tried again: the event might go out twice.
        answer: Reply = yield Call("POST", f"/v1/deliveries/{path_of(delivery)}/redeliver")
        return _document(answer)

    # -- answers that are read bit by bit

    def events(self, job: str | Job, last_id: str) -> Call:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        return Call("GET", f"/v1/jobs/{path_of(job)}/events", headers=headers, timeout=60.0)

    def stream(self, job: str | Job, format: str | None) -> Call:
        params = _given({"stream": "1", "format": format})
        return Call("GET", f"/v1/jobs/{path_of(job)}/audio", params=params, timeout=600.0)

    def zip(self, batch: str | Batch) -> Call:
        return Call("GET", f"/v1/batches/{path_of(batch)}/zip", timeout=600.0)

    def audio(self, job: str | Job) -> Operation[Audio]:
        """The address of a finished job's audio, and its properties. Raises `ChorusError` if there is none."""
        found = job
        # A presigned link is valid for an hour: fetch a new one unless it was created just now.
        if isinstance(job, str) or not job.result or not job.result.audio or not _at_api(job):
            found = yield from self.get(job)
        assert isinstance(found, Job)
        if found.result is None or found.result.audio is None:
            raise ChorusError(f"The job {found.id} is {found.state} and has no audio.")
        audio = found.result.audio
        return replace(audio, url=ours(audio.url, f"/v1/jobs/{path_of(found)}/audio"))

    def timestamps(self, job: str | Job) -> Operation[dict[str, Any]]:
        return (yield from self._json("GET", f"/v1/jobs/{path_of(job)}/timestamps", timeout=600.0))

    def subtitles(self, job: str | Job) -> Operation[str]:
        answer = yield from self._sent(Call("GET", f"/v1/jobs/{path_of(job)}/subtitles", timeout=600.0))
        return answer.content.decode()

    def utterances(self, job: str | Job) -> Operation[list[dict[str, Any]]]:
        answer = yield from self._sent(Call("GET", f"/v1/jobs/{path_of(job)}/utterances", timeout=600.0))
        return [json.loads(line) for line in answer.content.split(b"\n") if line]

    def utterance(self, job: str | Job, index: int) -> Operation[bytes]:
        call = Call("GET", f"/v1/jobs/{path_of(job)}/utterances/{index}", timeout=600.0)
        return (yield from self._sent(call)).content

    # -- what there is

    def listed(self, name: str) -> Operation[list[dict[str, Any]]]:
        """``pipelines`` or ``models``."""
        found = yield from self._json("GET", f"/v1/{name}")
        data: list[dict[str, Any]] = found["data"]
        return data

    def usage(self, first: date | str | None, last: date | str | None, owner: str | None) -> Operation[Usage]:
        days = {"from": first and str(first), "to": last and str(last)}
        return Usage.of((yield from self._json("GET", "/v1/usage", params=_given({**days, "owner": owner}))))

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


def _at_api(job: Job) -> bool:
    assert job.result is not None and job.result.audio is not None
    return ours(job.result.audio.url, f"/v1/jobs/{path_of(job)}/audio") != job.result.audio.url
