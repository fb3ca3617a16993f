"""A running stack as tests look at it: over HTTP, and behind its back in ledger and storage."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from cli.local.stack import Stack
from core.names import JobState
from core.redis import connect
from core.settings import Settings
from storage.objects.objects import Objects
from tests.waiting import wait_for


class StackAccess:
    """Submits, waits, and reads what lies in ledger and storage."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.http = httpx.Client(base_url=stack.url, headers={"X-API-Key": stack.api_key}, timeout=60)
        self.home = stack.home
        env = self.home.environment()
        self.redis = connect(env["CHORUS_REDIS_URL"])
        self.objects = Objects(
            Settings(
                s3_endpoint=env["CHORUS_S3_ENDPOINT"],
                s3_bucket=env["CHORUS_S3_BUCKET"],
                s3_access_key=env["CHORUS_S3_ACCESS_KEY"],
                s3_secret_key=SecretStr(env["CHORUS_S3_SECRET_KEY"]),
            )
        )

    def close(self) -> None:
        self.http.close()
        self.redis.close()
        self.objects.client.close()

    def __enter__(self) -> StackAccess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post("/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        assert answer.headers["Location"] == job["links"]["self"]
        return job

    def get(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.http.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        return job

    def wait(self, job_id: str, seconds: float = 120) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            job = self.get(job_id)
            return job if JobState(job["state"]).ended else None

        return wait_for(ended, seconds, lambda: f"the job to end: {json.dumps(self.get(job_id))}", every=0.1)

    def wait_for_all(self, seconds: float) -> None:
        """Waits until no job of this owner is queued or running."""

        def left() -> list[dict[str, Any]]:
            states = ("queued", "running")
            pages = [self.http.get("/v1/jobs", params={"state": s}).raise_for_status().json() for s in states]
            return [job for page in pages for job in page["data"]]

        wait_for(lambda: not left(), seconds, lambda: f"these jobs to end: {json.dumps(left())[:4000]}", every=0.2)

    def settled_voice(self, voice: str, seconds: float = 60) -> dict[str, Any]:
        """A stored voice once it is ready or has failed."""

        def settled() -> dict[str, Any] | None:
            found: dict[str, Any] = self.http.get(f"/v1/voices/{voice}").raise_for_status().json()
            return found if found["state"] != "preparing" else None

        return wait_for(settled, seconds, lambda: self.http.get(f"/v1/voices/{voice}").text, every=0.1)

    def ended_batch(self, batch: str, seconds: float) -> dict[str, Any]:
        """A batch once it is neither queued nor running."""

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.http.get(f"/v1/batches/{batch}").raise_for_status().json()
            return found if found["state"] not in ("queued", "running") else None

        return wait_for(ended, seconds, lambda: self.http.get(f"/v1/batches/{batch}").text, every=0.2)

    def run(self, body: dict[str, Any], seconds: float = 120) -> dict[str, Any]:
        return self.wait(self.submit(body)["id"], seconds)

    def audio(self, job_id: str) -> bytes:
        return self.http.get(f"/v1/jobs/{job_id}/audio").raise_for_status().content

    def metrics(self) -> dict[str, float]:
        """Every sample by name and labels as the text format writes them."""
        text = self.http.get("/metrics").raise_for_status().text
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f'{k}="{v}"' for k, v in sample.labels.items())
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Holds a process of the stack, with its children, still; and the supervisor, which would end it after 30 s."""
        assert self.stack.process is not None
        pid = next(p["pid"] for p in self.state()["processes"] if p["name"] == name)
        main = psutil.Process(pid)
        held = [psutil.Process(self.stack.process.pid), main, *main.children(recursive=True)]
        for process in held:
            process.suspend()
        try:
            yield
        finally:
            for process in reversed(held):
                process.resume()

    def utterances(self, owner: str = "local") -> dict[str, bytes]:
        """All artifacts of an owner by object name."""
        return {name: self.objects.get(name) for name in self.objects.names(f"{owner}/utterances/")}

    def forget_utterances(self, owner: str = "local") -> None:
        """Deletes an owner's artifacts and whatever the ledger remembers of them."""
        self.objects.delete(*self.objects.names(f"{owner}/utterances/"))
        self.redis.delete(f"ch:artifacts:{owner}")

    def state(self) -> dict[str, Any]:
        """What the supervisor last wrote down."""
        state = self.home.state()
        assert state is not None
        return state

    def wait_for_state(self, name: str, check: Callable[[dict[str, Any]], bool], seconds: float) -> None:
        wait_for(lambda: any(p["name"] == name and check(p) for p in self.state()["processes"]), seconds, self.state)
