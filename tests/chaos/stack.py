"""The stack that chaos is brought upon: simulated models, several workers, restarted at once, short leases."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from cli.local.stack import Stack
from cli.local.supervisor import spawn
from tests.shared_data import ROOT

#: Seconds of a lease.
LEASE = 5.0

SIMULATED = {
    "CHORUS_MODELS_FILE": str(ROOT / "benchmarks/models.yaml"),
    "CHORUS_PIPELINES_FILE": str(ROOT / "benchmarks/pipelines.yaml"),
}


class ChaosStack(Stack):
    """As `Stack`, but by ``tests.chaos.up``. ``redis_port`` and ``s3_port`` are those of fault proxies."""

    def __init__(
        self,
        home: Path,
        *,
        model_workers: int = 1,
        cpu_workers: int = 1,
        redis_port: int | None = None,
        s3_port: int | None = None,
        env: Mapping[str, str] | None = None,
        stall: float = 30.0,
    ) -> None:
        super().__init__(home, env={**SIMULATED, "CHORUS_LEASE": f"{LEASE:g}", **(env or {})})
        self._options = ["--home", str(self.home.path), "--model-workers", str(model_workers)]
        self._options += ["--cpu-workers", str(cpu_workers), "--stall", str(stall)]
        for option, port in (("--redis-port", redis_port), ("--s3-port", s3_port)):
            if port:
                self._options += [option, str(port)]

    def start(self) -> None:
        self.home.state_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.chaos.up", *self._options]
        self.process = spawn(command, env=self._env, log=self.log)
