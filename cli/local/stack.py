"""``chorus up`` in a child process, for tests, benchmarks and the demo."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.commands.up import end_leftovers
from cli.local.home import Home
from cli.local.layout import program, source_path
from cli.local.supervisor import kill_session, spawn, tail
from core.errors import ConfigurationError

DEFAULT_MODELS = ("piper-joe",)


class Stack:
    """``chorus up`` in a child process.

    ``with Stack(folder) as stack: stack.wait_ready(); ... stack.url, stack.api_key``. ``home`` outlives
    it; ``env`` is added to the environment. It ends when this process does.
    """

    def __init__(
        self,
        home: Path,
        *,
        model_workers: int = 1,
        models: Sequence[str] = DEFAULT_MODELS,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.home = Home(home)
        self._options = ["--home", str(self.home.path), "--port", "0", "--model-workers", str(model_workers)]
        for model in models:
            self._options += ["--models", model]
        self._env = {**source_path(), **(env or {})}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.home.logs / "up.log"

    def start(self) -> None:
        """Start it and return at once. Call this from the main thread."""
        self.home.state_file.unlink(missing_ok=True)
        self.process = spawn(program("up", *self._options), env=self._env, log=self.log)

    def state(self) -> str:
        """``starting``, ``ready``, ``degraded``, ``stopping`` or ``stopped``."""
        found = self.home.state()
        return str(found["state"]) if found else "starting"

    def processes(self) -> dict[str, dict[str, Any]]:
        """By name: ``state``, ``pid``, ``created`` (Unix seconds), ``restarts``, ``detail``."""
        return {entry["name"]: entry for entry in (self.home.state() or {}).get("processes", [])}

    def wait_ready(self, timeout: float = 180.0) -> None:
        """Wait until every process is ready. Raises `ConfigurationError` with the end of the log if one
        never is, or after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while self.state() != "ready":
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > end:
                raise ConfigurationError(
                    f"The stack {'ended' if ended else 'was not ready in time'}:\n{tail(self.log, 40)}",
                    code="start_failed",
                )
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return Home.load(self.home.path).url

    @property
    def api_key(self) -> str:
        return Home.load(self.home.path).api_key

    @property
    def redis_url(self) -> str:
        return self.home.environment()["CHORUS_REDIS_URL"]

    def stop(self, timeout: float = 15.0) -> int | None:
        """Stop it with SIGTERM, and with SIGKILL after ``timeout`` seconds. Returns its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            kill_session(self.process.pid)
            code = self.process.wait()
        end_leftovers(self.home)  # there are some only where it was killed
        self.process = None
        return code

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
