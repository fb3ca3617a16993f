"""The client that waits: see `Client`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from chorus_client.connection import Connection, answer_of, connection, failed, hashed
from chorus_client.errors import BadDownload, ChorusError, ConnectionFailed
from chorus_client.models import Audio, Batch, Event, Job, Page, Upload, Voice, WebhookEndpoint
from chorus_client.operations import Operations, Recording, job_id
from chorus_client.protocol import Answer, Call, EventReader, Operation, Pause, Retry

T = TypeVar("T")

_CHUNK = 1 << 16


class Client:
    """Chorus over HTTP. ``with Client() as chorus: chorus.speak("Hello.")``

    URL and key are those given, else ``CHORUS_URL`` and ``CHORUS_API_KEY``. Calls that fail in a way that may pass are
    tried again (``retry``); every method raises `ApiError` where the API refuses and `ConnectionFailed` where it cannot
    be reached. Safe to share between threads.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, timeout: float = 60.0, retry: Retry | None = None
    ) -> None:
        self._connection: Connection = connection(url, api_key)
        self._retry = retry or Retry()
        self._operations = Operations(self._retry)
        self._http = httpx.Client(timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def __repr__(self) -> str:
        return f"Client({self._connection.url!r})"

    def create(
        self,
        pipeline: str | None = None,
        text: str | None = None,
        *,
        id: str | None = None,
        wait: float = 0.0,
        **job: Any,
    ) -> Job:
        """Submits a job: ``pipeline``, ``text`` and any other field of a job (``voice``, ``reference``, ``output`` …).

        ``reference`` and ``recording`` may be paths or bytes. ``id``: one of your own, so that the same call made twice
        is one job. ``wait``: seconds that the answer may wait for the job's end."""
        return self._run(self._operations.create({"pipeline": pipeline, "text": text, **job}, id, wait))

    def get(self, job: str | Job) -> Job:
        """The job as it stands."""
        return self._run(self._operations.get(job))

    def wait(
        self, job: str | Job, timeout: float | None = None, on_progress: Callable[[Job], None] | None = None
    ) -> Job:
        """The job once it has ended, however it did. Raises `WaitTimeout`."""
        return self._run(self._operations.wait(job, timeout, on_progress))

    def cancel(self, job: str | Job) -> Job:
        """Ends a job at once."""
        return self._run(self._operations.act(job, "cancel"))

    def retry(self, job: str | Job) -> Job:
        """Begins a job anew that failed or was canceled."""
        return self._run(self._operations.act(job, "retry"))

    def delete(self, job: str | Job) -> None:
        """Takes a job and its results away."""
        self._run(self._operations.delete(f"/v1/jobs/{job_id(job)}"))

    def page(self, **filters: Any) -> Page[Job]:
        """A page of jobs, newest first: ``limit``, ``cursor``, ``state``, ``pipeline``, ``batch`` …"""
        return self._run(self._operations.page(filters))

    def upload(self, content: Path | bytes) -> Upload:
        """Brings a file or bytes to a place that requests may name."""
        return self._run(self._operations.upload(content))

    def transcribe(self, recording: Recording, **job: Any) -> Job:
        """What is said in a recording: ``result.transcript``. Raises `JobFailed`."""
        return self._run(self._operations.door("transcribe", recording, job))

    def embed(self, recording: Recording, **job: Any) -> Job:
        """The speaker embedding of a recording: ``result.embedding``. Raises `JobFailed`."""
        return self._run(self._operations.door("embed", recording, job))

    def vad(self, recording: Recording, **job: Any) -> Job:
        """Where speech is in a recording: ``result.segments``. Raises `JobFailed`."""
        return self._run(self._operations.door("vad", recording, job))

    def create_batch(
        self,
        items: Iterable[Mapping[str, Any]] | Path,
        *,
        defaults: Mapping[str, Any] | None = None,
        strict: bool | None = None,
        **more: Any,
    ) -> Batch:
        """Submits many jobs as one: items, or a file of JSON Lines."""
        return self._run(self._operations.create_batch(items, {"defaults": defaults, "strict": strict, **more}))

    def batch(self, batch: str | Batch) -> Batch:
        """The batch as it stands."""
        return self._run(self._operations.get_batch(batch))

    def batches(self) -> list[Batch]:
        """All batches, newest first."""
        return self._run(self._operations.batches())

    def wait_batch(
        self, batch: str | Batch, timeout: float | None = None, on_progress: Callable[[Batch], None] | None = None
    ) -> Batch:
        """The batch once all its jobs have ended. Raises `WaitTimeout`."""
        return self._run(self._operations.wait_batch(batch, timeout, on_progress))

    def manifest(self, batch: str | Batch) -> list[dict[str, Any]]:
        """What became of each item, in order."""
        return self._run(self._operations.manifest(batch))

    def cancel_batch(self, batch: str | Batch) -> Batch:
        """Ends a batch and all its jobs at once."""
        return self._run(self._operations.act_batch(batch, "cancel"))

    def retry_batch(self, batch: str | Batch) -> Batch:
        """Begins the jobs anew that failed or were canceled."""
        return self._run(self._operations.act_batch(batch, "retry"))

    def delete_batch(self, batch: str | Batch) -> None:
        """Takes a batch, its jobs and their results away."""
        self._run(self._operations.delete(f"/v1/batches/{batch if isinstance(batch, str) else batch.id}"))

    def create_voice(
        self,
        name: str,
        recordings: Iterable[Recording],
        *,
        pipelines: Iterable[str] | None = None,
        consent: str | None = None,
    ) -> Voice:
        """Makes a voice from recordings; it is ready a little later: see `wait_voice`."""
        return self._run(self._operations.create_voice(name, recordings, pipelines, consent))

    def voices(self) -> list[Voice]:
        """The models' voices and the stored ones."""
        return self._run(self._operations.voices())

    def voice(self, voice: str | Voice) -> Voice:
        """One voice as it stands."""
        return self._run(self._operations.get_voice(voice))

    def wait_voice(self, voice: str | Voice, timeout: float | None = 300.0) -> Voice:
        """The voice once it is ready. Raises `VoiceFailed`, `WaitTimeout`."""
        return self._run(self._operations.wait_voice(voice, timeout))

    def rename_voice(self, voice: str | Voice, name: str) -> Voice:
        """Gives a stored voice another name."""
        return self._run(self._operations.rename_voice(voice, name))

    def delete_voice(self, voice: str | Voice) -> None:
        """Takes a stored voice away everywhere."""
        self._run(self._operations.delete(f"/v1/voices/{voice if isinstance(voice, str) else voice.id}"))

    def preview_voice(
        self,
        voice: str | Voice,
        text: str | None = None,
        *,
        pipeline: str | None = None,
        output: Mapping[str, Any] | None = None,
    ) -> Job:
        """A job that lets a voice say a sentence."""
        return self._run(self._operations.preview_voice(voice, {"text": text, "pipeline": pipeline, "output": output}))

    def create_webhook(
        self, url: str, events: Iterable[str] | None = None, description: str | None = None
    ) -> WebhookEndpoint:
        """Makes an endpoint; its ``secret`` is shown this once."""
        return self._run(
            self._operations.create_webhook(
                {"url": url, "events": None if events is None else list(events), "description": description}
            )
        )

    def webhooks(self) -> list[WebhookEndpoint]:
        """All endpoints, without their secrets."""
        return self._run(self._operations.webhooks())

    def change_webhook(self, webhook: str | WebhookEndpoint, **changes: Any) -> WebhookEndpoint:
        """Changes ``url``, ``events``, ``enabled`` or ``description``."""
        return self._run(self._operations.change_webhook(webhook, changes))

    def rotate_webhook(self, webhook: str | WebhookEndpoint) -> str:
        """A new secret; the old one stays good for a day."""
        return str(self._run(self._operations.act_webhook(webhook, "rotate"))["secret"])

    def test_webhook(self, webhook: str | WebhookEndpoint) -> dict[str, Any]:
        """Sends a test event; its delivery."""
        return self._run(self._operations.act_webhook(webhook, "test"))

    def delete_webhook(self, webhook: str | WebhookEndpoint) -> None:
        """Takes an endpoint away."""
        self._run(self._operations.delete(f"/v1/webhooks/{webhook if isinstance(webhook, str) else webhook.id}"))

    def deliveries(self, webhook: str | WebhookEndpoint) -> list[dict[str, Any]]:
        """The latest deliveries of an endpoint, with their attempts."""
        return self._run(self._operations.deliveries(webhook))

    def redeliver(self, delivery: str) -> dict[str, Any]:
        """Sends an event once more."""
        return self._run(self._operations.redeliver(delivery))

    def pipelines(self) -> list[dict[str, Any]]:
        """Every pipeline: what it needs, gives and may be told."""
        return self._run(self._operations.listed("pipelines"))

    def models(self) -> list[dict[str, Any]]:
        """Every model, and how many workers serve it."""
        return self._run(self._operations.listed("models"))

    def ready(self) -> bool:
        """Whether the service takes jobs."""
        return self._run(self._operations.ready())

    def jobs(self, **filters: Any) -> Iterator[Job]:
        """All jobs that fit, newest first, page by page."""
        cursor = None
        while True:
            page = self.page(**filters, cursor=cursor)
            yield from page.data
            cursor = page.next
            if cursor is None:
                return

    def speak(self, text: str, *, pipeline: str = "piper", timeout: float | None = None, **job: Any) -> bytes:
        """Speech as the bytes of a file: submits, waits, downloads. Raises `JobFailed`, `WaitTimeout`."""
        made = self.create(pipeline, text, **job)
        return self.audio(self._run(self._operations.ended_well(made, timeout, None)))

    def audio(self, job: str | Job) -> bytes:
        """A finished job's audio, whole, checked against its sha256."""
        audio = self._audio_of(job)
        attempt = 0
        while True:
            try:
                with self._opened(Call("GET", audio.url)) as answer:
                    data = answer.read()
                break
            except (httpx.TransportError, ConnectionFailed) as error:
                attempt += 1
                if attempt >= self._retry.attempts:
                    raise failed(error) from error
                time.sleep(self._retry.delay(attempt, failed(error)))
        if hashed([data]) != audio.sha256:
            raise BadDownload("the audio is not what the job says")
        return data

    def save(self, job: str | Job, path: str | Path, on_progress: Callable[[int, int], None] | None = None) -> Path:
        """Saves a finished job's audio; ``path`` appears whole or not at all. A broken connection is taken up where it
        broke. ``on_progress`` is told of bytes done and in all."""
        audio = self._audio_of(job)
        target = Path(path)
        part = target.with_name(f".{target.name}.part")
        try:
            self._download(audio, part, on_progress)
            with part.open("rb") as file:
                if hashed(iter(lambda: file.read(_CHUNK), b"")) != audio.sha256:
                    raise BadDownload("the audio is not what the job says")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def _download(self, audio: Audio, part: Path, told: Callable[[int, int], None] | None) -> None:
        attempt, done = 0, 0
        with part.open("wb") as file:
            while done < audio.bytes:
                headers = {"Range": f"bytes={done}-"} if done else {}
                try:
                    with self._opened(Call("GET", audio.url, headers=headers)) as answer:
                        if done and answer.status_code != 206:
                            done = 0
                            file.seek(0)
                            file.truncate()
                        for chunk in answer.iter_bytes(_CHUNK):
                            file.write(chunk)
                            done += len(chunk)
                            if told:
                                told(done, audio.bytes)
                except (httpx.TransportError, ConnectionFailed) as error:
                    attempt += 1
                    if attempt >= self._retry.attempts:
                        raise failed(error) from error
                    time.sleep(self._retry.delay(attempt, failed(error)))

    def save_zip(self, batch: str | Batch, path: str | Path) -> Path:
        """Saves every finished file of a batch, and its manifest, as one ZIP."""
        target = Path(path)
        part = target.with_name(f".{target.name}.part")
        name = batch if isinstance(batch, str) else batch.id
        try:
            with self._opened(Call("GET", f"/v1/batches/{name}/zip")) as answer, part.open("wb") as file:
                try:
                    for chunk in answer.iter_bytes(_CHUNK):
                        file.write(chunk)
                except httpx.TransportError as error:
                    raise failed(error) from error
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def stream(self, job: str | Job, format: str | None = None) -> Iterator[bytes]:
        """A job's audio as it is made, in order. Raises `ConnectionFailed` where it breaks off, as it does when the job
        fails."""
        params = {"stream": "1", **({"format": format} if format else {})}
        with self._opened(Call("GET", f"/v1/jobs/{job_id(job)}/audio", params=params, timeout=120.0)) as answer:
            try:
                yield from answer.iter_bytes()
            except httpx.TransportError as error:
                raise failed(error) from error

    def events(self, job: str | Job) -> Iterator[Event]:
        """What happens to a job, from its beginning to its end; connects again where the connection breaks."""
        reader, attempt = EventReader(), 0
        while True:
            headers = {"Accept": "text/event-stream"}
            if reader.last_id:
                headers["Last-Event-ID"] = reader.last_id
            try:
                with self._opened(Call("GET", f"/v1/jobs/{job_id(job)}/events", headers=headers)) as answer:
                    if answer.status_code == 204:
                        return
                    for line in answer.iter_lines():
                        if found := reader.line(line):
                            attempt = 0
                            event = Event(found[0], json.loads(found[1]), found[2])
                            yield event
                            if event.type in ("job.succeeded", "job.failed", "job.canceled"):
                                return
            except (httpx.TransportError, ConnectionFailed) as error:
                attempt += 1
                if attempt >= self._retry.attempts:
                    raise failed(error) from error
            time.sleep(reader.retry)

    def _audio_of(self, job: str | Job) -> Audio:
        found = job if isinstance(job, Job) and job.result else self.get(job)
        if found.result is None or found.result.audio is None:
            raise ChorusError(f"the job {found.id} is {found.state} and has no audio")
        return found.result.audio

    def _opened(self, call: Call) -> _Opened:
        return _Opened(self._http, self._connection, call)

    def _run(self, operation: Operation[T]) -> T:
        try:
            step: Call | Pause = next(operation)
            while True:
                try:
                    answer = self._do(step)
                except ChorusError as error:
                    step = operation.throw(error)
                else:
                    step = operation.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _do(self, step: Call | Pause) -> Answer | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            if isinstance(step.content, Path):
                with step.content.open("rb") as file:
                    return answer_of(self._http.request(**self._connection.request(step, file)))
            return answer_of(self._http.request(**self._connection.request(step, step.content)))
        except httpx.TransportError as error:
            raise failed(error) from error


class _Opened:
    """An answer whose body is still to be read; one that is an error is raised."""

    def __init__(self, http: httpx.Client, connection: Connection, call: Call) -> None:
        self._stream = http.stream(**connection.request(call, None))

    def __enter__(self) -> httpx.Response:
        try:
            answer = self._stream.__enter__()
        except httpx.TransportError as error:
            raise failed(error) from error
        if answer.is_error:
            answer.read()
            self._stream.__exit__(None, None, None)
            answer_of(answer)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.__exit__(kind, error, trace)
