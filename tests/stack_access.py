"""A running stack as tests look at it: over HTTP, and behind its back in ledger and storage."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from cli.local.stack import Stack
from core.redis import connect
from core.settings import Settings
from storage.objects.objects import Objects

ENDED = {"succeeded", "failed", "canceled", "expired"}


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
        end = time.monotonic() + seconds
        while (job := self.get(job_id))["state"] not in ENDED:
            assert time.monotonic() < end, f"the job hangs: {json.dumps(job)}"
            time.sleep(0.1)
        return job

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
        """Holds a process of the stack, with its children, still."""
        pid = next(p["pid"] for p in self.state()["processes"] if p["name"] == name)
        main = psutil.Process(pid)
        held = [main, *main.children(recursive=True)]
        for process in held:
            process.suspend()
        try:
            yield
        finally:
            for process in held:
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
        end = time.monotonic() + seconds
        while not any(p["name"] == name and check(p) for p in self.state()["processes"]):
            assert time.monotonic() < end, self.state()
            time.sleep(0.1)
