"""The processes of ``chorus up``: their commands and the order in which they start."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cli.local.embedded import SeaweedFS, Valkey
from cli.local.home import LOOPBACK, Home
from cli.local.supervisor import Process
from core.errors import ChorusError
from core.names import Role
from models.base import ModelSpec
from models.catalog import load_catalog

DEFAULT_MODELS = ("piper-joe",)

#: Bytes of memory that one Piper process is reckoned to take, and that are left for everything else.
_PER_WORKER, _RESERVED = 600 * 2**20, 2 * 2**30


#: Roles whose models get a process of their own.
_BY_ITSELF = (Role.SYNTHESIZE, Role.CONVERT, Role.TRANSCRIBE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The layout of ``chorus up``: address and ports, models, and the number of model workers."""

    host: str
    ports: Mapping[str, int]
    bucket: str
    models: tuple[str, ...] = DEFAULT_MODELS
    model_workers: int = 1
    devices: Mapping[str, str] = field(default_factory=dict)  #: by model; the CPU for those that are not named

    @property
    def url(self) -> str:
        """The API's address for clients on this machine."""
        host = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.ports['api']}"


def default_model_workers(
    cores: int | None = None, memory: int | None = None, devices: Collection[str] = ("cpu",)
) -> int:
    """The number of processes for the models that use one per core, which run on ``devices``.

    On a CPU one per core (ONNX Runtime gains little from a second thread on sentences), limited by physical memory
    (bytes), and at least one. If all run on GPUs, one, whatever the cores: a micro-batch fills the GPU.
    """
    if "cpu" not in devices:
        return 1
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if memory is None:
        memory = psutil.virtual_memory().total
    return max(1, min(cores, (memory - _RESERVED) // _PER_WORKER))


def program(*arguments: str) -> list[str]:
    """The command that runs ``chorus`` with ``arguments`` under this interpreter.

    ``-P``: a folder named ``api`` or ``cli`` in the working directory must not be imported."""
    return [sys.executable, "-P", "-m", "cli.main", *arguments]


def source_path() -> dict[str, str]:
    """PYTHONPATH with the folder that this package was loaded from: a clone need not be installed."""
    root = str(Path(__file__).resolve().parents[2])
    kept = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{root}{os.pathsep}{kept}" if kept else root}


# -- what runs


def _serves(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=1) as answer:  # noqa: S310  http
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


class _Registration:
    """A worker is ready once it has registered after this start, not after an earlier one."""

    def __init__(self, redis_url: str, name: str) -> None:
        self._url = redis_url
        self._name = name
        self._started = 0.0

    def before_start(self) -> None:
        self._started = time.time()

    def ready(self) -> bool:
        from core.redis import connect
        from storage.ledger.registry import live_workers

        with contextlib.closing(connect(self._url, timeout=1.0)) as client:
            workers = live_workers(client)
        return any(w["name"] == self._name and w.get("seen", self._started) >= self._started for w in workers)


def _free(redis_url: str, worker: str) -> None:
    """Return the items of a worker that has ended at once. If Redis is unavailable, its leases expire instead."""
    from broker.holders import give_back
    from core.redis import connect

    with contextlib.suppress(ChorusError), contextlib.closing(connect(redis_url, timeout=1.0)) as client:
        give_back(client, worker)


def ensure_api_key(home: Home, redis_url: str) -> None:
    """Create an API key for the owner ``local`` unless the home folder has a valid one.

    Raises `LedgerUnavailable`."""
    from core.redis import connect
    from storage.access.admission import Authenticator
    from storage.access.keys import create_key
    from storage.access.limits import UNLIMITED

    with contextlib.closing(connect(redis_url)) as client:
        secret = home.api_key()
        if secret is None or not Authenticator(client, UNLIMITED).is_valid(secret, "local"):
            home.save_api_key(create_key(client, owner="local", name="local"))


def processes(home: Home, layout: Layout) -> list[Process]:
    """Everything that ``chorus up`` runs, in order of start."""
    access, secret = home.s3_key()
    ports = layout.ports
    valkey = Valkey(home.valkey_data, ports["valkey"])
    seaweedfs = SeaweedFS(home.seaweedfs_data, ports, access, secret, layout.bucket)
    env = {
        **source_path(),
        **home.environment(ports, bucket=layout.bucket, host=layout.host),
        "PYTHONUNBUFFERED": "1",
    }
    servers = [
        Process(
            name="valkey",
            command=valkey.command(),
            env=valkey.env,
            ready=valkey.ready,
            log=home.logs / "valkey.log",
            stop_timeout=3.0,
        ),
        Process(
            name="seaweedfs",
            command=seaweedfs.command(),
            env=seaweedfs.env,
            ready=seaweedfs.ready,
            log=home.logs / "seaweedfs.log",
            stop_timeout=4.0,  # it takes two seconds to end in good order
            after_stop=seaweedfs.tidy,
        ),
    ]
    needs = tuple(server.name for server in servers)
    api = Process(
        name="api",
        command=program("api"),
        env=env,
        ready=lambda: _serves(layout.url),
        after=needs,
        before_start=lambda: ensure_api_key(home, valkey.url),
        log=home.logs / "api.log",
        stop_timeout=3.0,
        pulse=home.pulse("api"),
    )
    reaper, sender = (
        Process(
            name=name,
            command=program(name),
            env=env,
            after=needs,
            log=home.logs / f"{name}.log",
            stop_timeout=3.0,
            pulse=home.pulse(name),
        )
        for name in ("reaper", "sender")
    )
    workers = [_worker("cpu", ("cpu",), home, env, valkey.url, needs)]
    # One thread per process: a second one waits for the first more than it helps.
    one_thread = {**env, "OMP_NUM_THREADS": "1"}
    specs = [load_catalog().get(name) for name in layout.models]
    for name, served in groups(specs, layout.model_workers, layout.devices):
        on_cpu = any(_is_on_cpu(model, layout.devices) for model in served)
        workers.append(_worker(name, served, home, one_thread if on_cpu else env, valkey.url, needs))
    return [*servers, api, reaper, sender, *workers]


def groups(
    models: Sequence[ModelSpec], count: int, devices: Mapping[str, str] | None = None
) -> list[tuple[str, tuple[str, ...]]]:
    """The model workers: the name and the models of each, which run on ``devices`` by name, or else on the CPU.

    ``count`` processes are divided evenly among the models on the CPU that use one per core, at least one for each; the
    first ones get the remainder. Every other synthesizer has its own process, and so has each model that converts or
    transcribes, since that can take long. All other models that process recordings share one. On a GPU one process is
    enough for any model: a second one would hold its weights again and take turns with the first.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    per_core = [m.name for m in models if m.per_core and _is_on_cpu(m.name, devices or {})]
    each, more = divmod(count, len(per_core) or 1)
    for place, name in enumerate(per_core):
        share = max(1, each + (place < more))
        found.extend((f"{name}-{number}", (name,)) for number in range(1, share + 1))
    others = [m for m in models if m.name not in per_core]
    found.extend((f"{m.name}-1", (m.name,)) for m in others if m.role in _BY_ITSELF)
    if listening := tuple(m.name for m in others if m.role not in _BY_ITSELF):
        found.append(("listen", listening))
    return found


def _is_on_cpu(model: str, devices: Mapping[str, str]) -> bool:
    return devices.get(model, "cpu") == "cpu"


def _worker(
    name: str, what: Sequence[str], home: Home, env: Mapping[str, str], redis_url: str, needs: tuple[str, ...]
) -> Process:
    registration = _Registration(redis_url, name)
    return Process(
        name=name,
        command=program("worker", *what),
        env={**env, "CHORUS_WORKER_NAME": name},
        before_start=registration.before_start,
        ready=registration.ready,
        after=needs,
        log=home.logs / f"{name}.log",
        stop_timeout=4.0,  # what it was doing runs again elsewhere
        start_timeout=180.0,
        after_stop=lambda: _free(redis_url, name),
        pulse=home.pulse(name),
    )
