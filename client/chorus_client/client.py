"""The synchronous client: see `Client`."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from zipfile import is_zipfile

import httpx

from chorus_client.connection import Connection, answer_of, connection, failed, timeouts
from chorus_client.contents import Content, Source
from chorus_client.errors import BadDownload, ChorusError
from chorus_client.models import Batch, Event, Job, Lexicon, Page, TextPreview, Upload, Usage, Voice, WebhookEndpoint
from chorus_client.operations import Entries, Operations, Recording
from chorus_client.protocol import Call, EventReader, Operation, Pause, Reply, Retry, Tries
from chorus_client.transfers import Download, arriving, events_in

T = TypeVar("T")


class Client:
    """A client for the Chorus API. ``with Client() as chorus: chorus.speak("Hello.")``

    The defaults of URL and key are ``CHORUS_URL`` and ``CHORUS_API_KEY``. Calls that fail temporarily are retried
    (``retry``). Every method raises `ApiError` if the API returns an error, and `ConnectionFailed` if it cannot be
    reached. Safe to share between threads.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, timeout: float = 60.0, retry: Retry | None = None
    ) -> None:
        self._connection: Connection = connection(url, api_key)
        self._retry = retry or Retry()
        self._operations = Operations(self._retry)
        self._http = httpx.Client(timeout=timeouts(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __repr__(self) -> str:
        return f"Client({self._connection.shown!r})"

    def create(
        self,
        pipeline: str | None = None,
        text: str | None = None,
        *,
        id: str | None = None,
        wait: float = 0.0,
        **job: Any,
    ) -> Job:
        """Submit a job: ``pipeline``, ``text`` and any other field of a job (``voice``, ``reference``, ``output`` …).

        ``reference`` and ``recording`` can be paths, open binary files or bytes. ``id``: an id of your own, so that
        repeating the call creates one job only. ``wait``: seconds that the API may wait for the end of the job.
        """
        return self._run(self._operations.create({"pipeline": pipeline, "text": text, **job}, id, wait))

    def get(self, job: str | Job) -> Job:
        """Fetch a job."""
        return self._run(self._operations.get(job))

    def wait(
        self, job: str | Job, timeout: float | None = None, on_progress: Callable[[Job], None] | None = None
    ) -> Job:
        """Wait until the job has ended, and return it. Raises `WaitTimeout`."""
        return self._run(self._operations.wait(job, timeout, on_progress))

    def cancel(self, job: str | Job) -> Job:
        """Cancel a job at once."""
        return self._run(self._operations.act(job, "cancel"))

    def retry(self, job: str | Job) -> Job:
        """Retry a job that failed or was canceled."""
        return self._run(self._operations.act(job, "retry"))

    def delete(self, job: str | Job) -> None:
        """Delete a job and its results."""
        self._run(self._operations.delete("jobs", job))

    def page(self, **filters: Any) -> Page[Job]:
        """A page of jobs, newest first: ``limit``, ``cursor``, ``state``, ``pipeline``, ``batch``, ``created_after``,
        ``created_before``, ``metadata`` …"""
        return self._run(self._operations.page(filters))

    def upload(self, content: Content) -> Upload:
        """Upload a file (a path, or a file open for binary reading) or bytes."""
        return self._run(self._operations.upload(content))

    def delete_upload(self, upload: str | Upload) -> None:
        """Delete an upload. Jobs and voices created from it are kept."""
        self._run(self._operations.delete_upload(upload))

    def transcribe(self, recording: Recording, **job: Any) -> Job:
        """Transcribe a recording: see ``result.transcript``. Raises `JobFailed`."""
        return self._run(self._operations.sync_endpoint("transcribe", recording, job))

    def embed(self, recording: Recording, **job: Any) -> Job:
        """Compute the speaker embedding of a recording: see ``result.embedding``. Raises `JobFailed`."""
        return self._run(self._operations.sync_endpoint("embed", recording, job))

    def vad(self, recording: Recording, **job: Any) -> Job:
        """Find the speech in a recording: see ``result.segments``. Raises `JobFailed`."""
        return self._run(self._operations.sync_endpoint("vad", recording, job))

    def preview_text(self, text: str | None = None, *, pipeline: str = "piper", **fields: Any) -> TextPreview:
        """What would be spoken of a text, without rendering it. ``fields``: ``voice``, ``language``, ``options`` … of a
        job, and ``chapters`` instead of ``text``."""
        return self._run(self._operations.preview_text({"pipeline": pipeline, "text": text, **fields}))

    def create_batch(
        self,
        items: Iterable[Mapping[str, Any]] | Content,
        *,
        defaults: Mapping[str, Any] | None = None,
        strict: bool | None = None,
        **more: Any,
    ) -> Batch:
        """Submit many jobs as one batch: a list of items, or a JSON Lines file as a path or open file."""
        return self._run(self._operations.create_batch(items, {"defaults": defaults, "strict": strict, **more}))

    def batch(self, batch: str | Batch) -> Batch:
        """Fetch a batch."""
        return self._run(self._operations.get_batch(batch))

    def batches(self) -> list[Batch]:
        """List all batches, newest first."""
        return self._run(self._operations.batches())

    def wait_batch(
        self, batch: str | Batch, timeout: float | None = None, on_progress: Callable[[Batch], None] | None = None
    ) -> Batch:
        """Wait until all jobs of the batch have ended, and return it. Raises `WaitTimeout`."""
        return self._run(self._operations.wait_batch(batch, timeout, on_progress))

    def manifest(self, batch: str | Batch) -> list[dict[str, Any]]:
        """The result of each item, in order."""
        return self._run(self._operations.manifest(batch))

    def cancel_batch(self, batch: str | Batch) -> Batch:
        """Cancel a batch and all its jobs at once."""
        return self._run(self._operations.act_batch(batch, "cancel"))

    def retry_batch(self, batch: str | Batch) -> Batch:
        """Retry the failed and canceled jobs of a batch."""
        return self._run(self._operations.act_batch(batch, "retry"))

    def delete_batch(self, batch: str | Batch) -> None:
        """Delete a batch, its jobs and their results."""
        self._run(self._operations.delete("batches", batch))

    def create_voice(
        self,
        name: str,
        recordings: Iterable[Recording],
        *,
        pipelines: Iterable[str] | None = None,
        consent: str | None = None,
    ) -> Voice:
        """Create a voice from recordings. Use `wait_voice` to wait until it is ready."""
        return self._run(self._operations.create_voice(name, recordings, pipelines, consent))

    def voices(self) -> list[Voice]:
        """List model voices and stored voices."""
        return self._run(self._operations.voices())

    def voice(self, voice: str | Voice) -> Voice:
        """Fetch a voice."""
        return self._run(self._operations.get_voice(voice))

    def wait_voice(self, voice: str | Voice, timeout: float | None = 300.0) -> Voice:
        """Wait until the voice is ready, and return it. Raises `VoiceFailed`, `WaitTimeout`."""
        return self._run(self._operations.wait_voice(voice, timeout))

    def rename_voice(self, voice: str | Voice, name: str) -> Voice:
        """Rename a stored voice."""
        return self._run(self._operations.rename_voice(voice, name))

    def delete_voice(self, voice: str | Voice) -> None:
        """Delete a stored voice, its recordings and its embeddings."""
        self._run(self._operations.delete("voices", voice))

    def preview_voice(
        self,
        voice: str | Voice,
        text: str | None = None,
        *,
        pipeline: str | None = None,
        output: Mapping[str, Any] | None = None,
    ) -> Job:
        """Create a job that speaks a sentence with a voice."""
        return self._run(self._operations.preview_voice(voice, {"text": text, "pipeline": pipeline, "output": output}))

    def create_lexicon(self, name: str, entries: Entries, *, language: str | None = None) -> Lexicon:
        """Create a lexicon: a list of entries, or a file in PLS, CSV or TSV. PLS may name the ``language`` itself."""
        return self._run(self._operations.create_lexicon(name, entries, language))

    def lexicons(self) -> list[Lexicon]:
        """List lexicons in their latest versions, without their entries."""
        return self._run(self._operations.lexicons())

    def lexicon(self, lexicon: str | Lexicon, version: int | None = None) -> Lexicon:
        """Fetch a lexicon: its latest version, or another one."""
        return self._run(self._operations.get_lexicon(lexicon, version))

    def change_lexicon(
        self,
        lexicon: str | Lexicon,
        *,
        name: str | None = None,
        language: str | None = None,
        entries: Entries | None = None,
        if_version: int | None = None,
    ) -> Lexicon:
        """Add a version to a lexicon. ``if_version``: only if this is still its latest version."""
        changes = {"name": name, "language": language}
        return self._run(self._operations.change_lexicon(lexicon, changes, entries, if_version))

    def delete_lexicon(self, lexicon: str | Lexicon) -> None:
        """Delete a lexicon. Jobs that use it are not affected."""
        self._run(self._operations.delete("lexicons", lexicon))

    def create_webhook(
        self, url: str, events: Iterable[str] | None = None, description: str | None = None
    ) -> WebhookEndpoint:
        """Create an endpoint. Its ``secret`` is returned only once."""
        return self._run(
            self._operations.create_webhook(
                {"url": url, "events": None if events is None else list(events), "description": description}
            )
        )

    def webhooks(self) -> list[WebhookEndpoint]:
        """List all endpoints, without their secrets."""
        return self._run(self._operations.webhooks())

    def webhook(self, webhook: str | WebhookEndpoint) -> WebhookEndpoint:
        """Fetch an endpoint."""
        return self._run(self._operations.get_webhook(webhook))

    def webhook_secret(self) -> str:
        """The secret that signs deliveries to URLs that jobs name."""
        return self._run(self._operations.webhook_secret())

    def change_webhook(self, webhook: str | WebhookEndpoint, **changes: Any) -> WebhookEndpoint:
        """Change ``url``, ``events``, ``enabled`` or ``description``."""
        return self._run(self._operations.change_webhook(webhook, changes))

    def rotate_webhook(self, webhook: str | WebhookEndpoint) -> str:
        """Create a new secret and return it; the old one stays valid for a day."""
        return str(self._run(self._operations.act_webhook(webhook, "rotate"))["secret"])

    def test_webhook(self, webhook: str | WebhookEndpoint) -> dict[str, Any]:
        """Send a test event, and return its delivery."""
        return self._run(self._operations.act_webhook(webhook, "test"))

    def delete_webhook(self, webhook: str | WebhookEndpoint) -> None:
        """Delete an endpoint."""
        self._run(self._operations.delete("webhooks", webhook))

    def deliveries(self, webhook: str | WebhookEndpoint) -> list[dict[str, Any]]:
        """List the deliveries of an endpoint with their attempts, newest first."""
        return self._run(self._operations.deliveries(webhook))

    def job_deliveries(self, job: str | Job) -> list[dict[str, Any]]:
        """All deliveries of a job's events, oldest first, including those to a URL of its own."""
        return self._run(self._operations.job_deliveries(job))

    def delivery(self, delivery: str) -> dict[str, Any]:
        """Fetch a delivery."""
        return self._run(self._operations.delivery(delivery))

    def wait_delivery(self, delivery: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the next attempt at a delivery. Its ``state`` is still ``waiting`` if another attempt follows.
        Raises `WaitTimeout`."""
        return self._run(self._operations.wait_delivery(delivery, timeout))

    def redeliver(self, delivery: str) -> dict[str, Any]:
        """Send a delivery again."""
        return self._run(self._operations.redeliver(delivery))

    def pipelines(self) -> list[dict[str, Any]]:
        """All pipelines, with their inputs, results and options."""
        return self._run(self._operations.listed("pipelines"))

    def models(self) -> list[dict[str, Any]]:
        """List all models, with the number of workers that serve each."""
        return self._run(self._operations.listed("models"))

    def usage(
        self, first: date | str | None = None, last: date | str | None = None, *, owner: str | None = None
    ) -> Usage:
        """What was used by day (UTC) and API key: in the last 30 days, or from ``first`` to ``last``.

        ``owner``: another owner, for keys with the scope ``admin``.
        """
        return self._run(self._operations.usage(first, last, owner))

    def ready(self) -> bool:
        """Whether the service accepts jobs."""
        return self._run(self._operations.ready())

    def jobs(self, **filters: Any) -> Iterator[Job]:
        """Iterate over all matching jobs, newest first. Filters are those of `page`; ``limit`` is the size of a
        page."""
        cursor = filters.pop("cursor", None)
        while True:
            page = self.page(**filters, cursor=cursor)
            yield from page.data
            cursor = page.next
            if cursor is None:
                return

    def speak(self, text: str, *, pipeline: str = "piper", timeout: float | None = None, **job: Any) -> bytes:
        """Synthesize text, and return the bytes of the audio file: submits, waits, downloads. Raises `JobFailed`,
        `WaitTimeout`."""
        made = self.create(pipeline, text, **job)
        return self.audio(self._run(self._operations.ended_well(made, timeout, None)))

    def audio(self, job: str | Job) -> bytes:
        """The audio of a finished job as bytes, verified by its sha256. Raises `BadDownload`."""
        file = io.BytesIO()
        self._download(job, file, None)
        return file.getvalue()

    def save(self, job: str | Job, path: str | Path, on_progress: Callable[[int, int], None] | None = None) -> Path:
        """Save a finished job's audio. ``path`` appears complete or not at all; a broken connection is resumed.
        ``on_progress`` receives the bytes done and the total. Raises `BadDownload`."""
        target = Path(path)
        with arriving(target) as part, part.open("wb") as file:
            self._download(job, file, on_progress)
        return target

    def _download(self, job: str | Job, file: BinaryIO, told: Callable[[int, int], None] | None) -> None:
        download = Download(self._run(self._operations.audio(job)), file, told)
        tries = Tries(self._retry)
        while not download.complete:
            try:
                with self._opened(download.call()) as answer:
                    download.begins(answer)
                    for chunk in answer.iter_bytes():
                        if download.take(chunk):
                            tries.went_on()
                download.ends()
            except ChorusError as error:
                time.sleep(tries.failed(error))
        download.check()

    def timestamps(self, job: str | Job) -> dict[str, Any]:
        """When the utterances of a finished job are said, and its words if it asked for these."""
        return self._run(self._operations.timestamps(job))

    def utterances(self, job: str | Job) -> list[dict[str, Any]]:
        """The utterances of a finished job with ``output={"utterances": True}``, each with its file, place and text."""
        return self._run(self._operations.utterances(job))

    def utterance(self, job: str | Job, index: int) -> bytes:
        """The audio of one utterance of such a job."""
        return self._run(self._operations.utterance(job, index))

    def subtitles(self, job: str | Job) -> str:
        """The subtitles of a finished job that asked for them."""
        return self._run(self._operations.subtitles(job))

    def save_zip(self, batch: str | Batch, path: str | Path) -> Path:
        """Save all finished files of a batch and its manifest as a ZIP; ``path`` appears complete or not at all. Raises
        `BadDownload`."""
        target, tries = Path(path), Tries(self._retry)
        with arriving(target) as part:
            while not part.exists():
                try:
                    with self._opened(self._operations.zip(batch)) as answer, part.open("wb") as file:
                        for chunk in answer.iter_bytes():
                            file.write(chunk)
                except ChorusError as error:
                    part.unlink(missing_ok=True)
                    time.sleep(tries.failed(error))
            if not is_zipfile(part):
                raise BadDownload("The downloaded file is not a ZIP.")
        return target

    def stream(self, job: str | Job, format: str | None = None) -> Generator[bytes, None, None]:
        """Stream a job's audio in order while it is rendered. Raises `ConnectionFailed` if the stream is interrupted,
        which includes a failed job, or if nothing arrives for ten minutes."""
        tries, begun = Tries(self._retry), False
        while True:
            try:
                with self._opened(self._operations.stream(job, format)) as answer:
                    for chunk in answer.iter_bytes():
                        begun = True
                        yield chunk
                    return
            except ChorusError as error:
                if begun:
                    raise
                delay = tries.failed(error)
            time.sleep(delay)

    def events(self, job: str | Job) -> Generator[Event, None, None]:
        """Stream a job's events from its start to its end. Reconnects if the connection breaks."""
        reader, tries = EventReader(), Tries(self._retry)
        while True:
            try:
                with self._opened(self._operations.events(job, reader.last_id)) as answer:
                    if answer.status_code == 204:
                        return
                    reader.connected()
                    for chunk in answer.iter_bytes():
                        tries.went_on()
                        for event in events_in(reader, chunk):
                            yield event
                            if event.last:
                                return
                delay = reader.retry
            except ChorusError as error:
                delay = max(tries.failed(error), reader.retry)
            time.sleep(delay)

    @contextmanager
    def _opened(self, call: Call) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(**self._connection.request(call, None)) as answer:
                if not answer.is_success:
                    answer.read()
                    answer_of(answer)
                yield answer
        except httpx.RequestError as error:
            raise failed(error) from error

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

    def _do(self, step: Call | Pause) -> Reply | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            content = step.content.chunks() if isinstance(step.content, Source) else step.content
            return answer_of(self._http.request(**self._connection.request(step, content)))
        except httpx.RequestError as error:
            raise failed(error) from error
