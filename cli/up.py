"""``chorus up``: broker, storage, API and workers of one machine, kept running until it is told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click
import psutil
from rich.console import Console
from rich.live import Live
from rich.table import Table

from cli.embedded import SEAWEEDFS_PORTS, SeaweedFS, Valkey
from cli.state import LOOPBACK, Home, is_alive, port_is_free
from cli.supervisor import Process, State, Status, Supervisor, kill_session, spawn, tail
from core.errors import ConfigurationError
from core.settings import load_settings

DEFAULT_MODELS = ("piper-joe",)

#: Bytes of memory that one Piper process is reckoned to take, and that are left for everything else.
_PER_WORKER, _RESERVED = 600 * 2**20, 2 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What ``chorus up`` runs: where the API listens, and how many processes serve which model."""

    host: str
    ports: Mapping[str, int]
    bucket: str
    models: tuple[str, ...] = DEFAULT_MODELS
    model_workers: int = 1

    @property
    def url(self) -> str:
        """The API's address for clients on this machine."""
        host = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.ports['api']}"


def default_model_workers(cores: int | None = None, memory: int | None = None) -> int:
    """Piper processes for this machine: one per core (ONNX Runtime gains little from a second thread
    on sentences), as far as physical memory (bytes) reaches, and at least one."""
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if memory is None:
        memory = psutil.virtual_memory().total
    return max(1, min(cores, (memory - _RESERVED) // _PER_WORKER))


def program(*arguments: str) -> list[str]:
    """The command that runs ``chorus`` with ``arguments`` under this interpreter.

    ``-P``: a folder named ``api`` or ``cli`` where the user stands is not ours."""
    return [sys.executable, "-P", "-m", "cli.main", *arguments]


def _source_path() -> dict[str, str]:
    """PYTHONPATH with the folder that this package was loaded from: a clone need not be installed."""
    root = str(Path(__file__).resolve().parents[1])
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
    """A worker is ready once it entered itself in the registry after this start, not an earlier one."""

    def __init__(self, redis_url: str, name: str) -> None:
        self._url = redis_url
        self._name = name
        self._started = 0.0

    def before_start(self) -> None:
        self._started = time.time()

    def ready(self) -> bool:
        from core.redis import connect
        from storage.registry import live_workers

        with contextlib.closing(connect(self._url, timeout=1.0)) as client:
            workers = live_workers(client)
        return any(w["name"] == self._name and w.get("seen", self._started) >= self._started for w in workers)


def ensure_api_key(home: Home, redis_url: str) -> None:
    """Makes the owner ``local`` a key where the home keeps none that is still valid.

    Raises `LedgerUnavailable`."""
    from core.redis import connect
    from storage.keys import create_key, find_key

    with contextlib.closing(connect(redis_url)) as client:
        secret = home.api_key()
        if secret is None or find_key(client, secret) is None:
            home.save_api_key(create_key(client, owner="local", name="local"))


def processes(home: Home, layout: Layout) -> list[Process]:
    """Everything that ``chorus up`` runs, in order of start."""
    access, secret = home.s3_key()
    ports = layout.ports
    valkey = Valkey(home.valkey_data, ports["valkey"])
    seaweedfs = SeaweedFS(home.seaweedfs_data, ports, access, secret, layout.bucket)
    env = {
        **_source_path(),
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
    )
    reaper = Process(
        name="reaper", command=program("reaper"), env=env, after=needs, log=home.logs / "reaper.log", stop_timeout=3.0
    )
    workers = [_worker("cpu", "cpu", home, env, valkey.url, needs)]
    # One thread per process: a second one waits for the first more than it helps.
    on_cpu = not os.environ.get("CHORUS_DEVICE", "").startswith("cuda")
    model_env = {**env, **({"OMP_NUM_THREADS": "1"} if on_cpu else {})}
    for model, count in _shares(layout.models, layout.model_workers):
        names = (f"{model}-{number}" for number in range(1, count + 1))
        workers.extend(_worker(name, model, home, model_env, valkey.url, needs) for name in names)
    return [*servers, api, reaper, *workers]


def _shares(models: Sequence[str], total: int) -> list[tuple[str, int]]:
    """How many of ``total`` processes each model gets: evenly, the first ones more, none without."""
    each, more = divmod(total, len(models))
    return [(model, max(1, each + (place < more))) for place, model in enumerate(models)]


def _worker(
    name: str, what: str, home: Home, env: Mapping[str, str], redis_url: str, needs: tuple[str, ...]
) -> Process:
    registration = _Registration(redis_url, name)
    return Process(
        name=name,
        command=program("worker", what),
        env={**env, "CHORUS_WORKER_NAME": name},
        before_start=registration.before_start,
        ready=registration.ready,
        after=needs,
        log=home.logs / f"{name}.log",
        stop_timeout=4.0,  # what it was doing runs again elsewhere: its leases end
        start_timeout=180.0,
    )


# -- what the user sees


def _line(status: Status) -> str:
    words = [f"{status.name:<12}", status.state.value]
    if status.state is State.RESTARTING:
        words.append(f"in {status.wait:.1f} s")
    if status.pid:
        words.append(f"pid {status.pid}")
    if status.restarts:
        words.append(f"restarts {status.restarts}")
    return " ".join(words) + (f" ({status.detail})" if status.detail else "")


_STYLES = {State.READY: "green", State.RESTARTING: "red", State.STOPPED: "dim"}


def _table(statuses: Sequence[Status]) -> Table:
    table = Table("process", "state", "pid", "restarts", "", box=None, pad_edge=False)
    for s in statuses:
        state = f"restarting in {s.wait:.0f} s" if s.state is State.RESTARTING else s.state.value
        table.add_row(
            s.name, f"[{_STYLES.get(s.state, 'yellow')}]{state}[/]", str(s.pid or ""), str(s.restarts), s.detail
        )
    return table


class _View:
    """A live table on a terminal, else one line per change; and ``state.json`` for other programs."""

    def __init__(self, home: Home, layout: Layout, console: Console) -> None:
        self._home = home
        self._layout = layout
        self._console = console
        self._created = psutil.Process().create_time()
        self._announced = False
        # No thread of rich's own: children are started from this process.
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._next_draw = 0.0
        self.supervisor: Supervisor | None = None

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        with self._live or contextlib.nullcontext():
            yield

    def change(self, status: Status) -> None:
        self.save()
        self._next_draw = 0.0
        if self._live is None:
            click.echo(_line(status))

    def tick(self) -> None:
        supervisor = self.supervisor
        if supervisor is None:
            return
        if supervisor.ready and not self._announced:
            self._announced = True
            self._console.print(_welcome(self._home, self._layout), highlight=False, markup=False, soft_wrap=True)
        if self._live is not None and time.monotonic() >= self._next_draw:
            self._next_draw = time.monotonic() + 0.5
            self._live.update(_table(supervisor.statuses()), refresh=True)

    def save(self, *, ended: bool = False) -> None:
        """Writes what runs now to ``state.json``."""
        supervisor = self.supervisor
        if supervisor is None:
            return
        if supervisor.stopping:
            state = "stopped" if ended else "stopping"
        else:
            state = "ready" if supervisor.ready else "degraded" if self._announced else "starting"
        self._home.save_state(
            {
                "pid": None if ended else os.getpid(),
                "created": self._created,
                "url": self._layout.url,
                "state": state,
                "processes": [
                    {
                        "name": s.name,
                        "state": s.state.value,
                        "pid": s.pid,
                        "created": s.created,
                        "restarts": s.restarts,
                        "detail": s.detail,
                    }
                    for s in supervisor.statuses()
                ],
            }
        )


def _welcome(home: Home, layout: Layout) -> str:
    body = '{"pipeline": "piper", "text": "Hello from Chorus."}'
    key = home.api_key_file
    return (
        f"\nChorus listens on {layout.url}\n"
        f"API key:  {key}\nLogs:     {home.logs}\nEnd it with Ctrl-C.\n\n"
        f"Try:  curl -H \"Authorization: Bearer $(cat '{key}')\" -H 'Content-Type: application/json' \\\n"
        f"           -d '{body}' {layout.url}/v1/jobs\n"
    )


# -- the command


def end_leftovers(home: Home, patience: float = 5.0) -> list[str]:
    """Ends the processes of an earlier ``chorus up`` that was killed, and returns their names.

    The kernel has asked them to end already; on the same data two servers must not run."""
    found = [p for p in (home.state() or {}).get("processes", []) if is_alive(p.get("pid"), p.get("created"))]
    for entry in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(entry["pid"], signal.SIGTERM)
    end = time.monotonic() + patience
    while any(is_alive(p["pid"], p["created"]) for p in found) and time.monotonic() < end:
        time.sleep(0.05)
    for entry in found:
        if is_alive(entry["pid"], entry["created"]):
            kill_session(entry["pid"])
    return [entry["name"] for entry in found]


def _lay_out(
    home: Home, host: str | None, port: int | None, models: Sequence[str], count: int | None
) -> tuple[Layout, list[str]]:
    settings = load_settings()
    host = host or settings.api_host
    if port is None and "api_port" in settings.model_fields_set:
        port = settings.api_port
    if port:  # asked for by name: another one would not do
        if not port_is_free(port, host):
            raise ConfigurationError(f"Port {port} of {host} is taken by another program.", code="port_taken")
        home.keep_port("api", port)
    wanted = {} if port == 0 else {"api": settings.api_port}
    ports, notes = home.ports(("api", "valkey", *SEAWEEDFS_PORTS), wanted, {"api": host})
    layout = Layout(
        host=host,
        ports=ports,
        bucket=settings.s3_bucket,
        models=tuple(dict.fromkeys(models)) or DEFAULT_MODELS,
        model_workers=count or default_model_workers(),
    )
    return layout, notes


def _raise_exit(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _pull(models: Sequence[str], console: Console) -> None:
    from cli.weights import pull_models

    # SIGTERM unwinds like Ctrl-C does, so that a download in a child process ends too.
    before = signal.signal(signal.SIGTERM, _raise_exit)
    try:
        pull_models(models, console)
    finally:
        signal.signal(signal.SIGTERM, before)


def run(home: Home, layout: Layout, console: Console) -> None:
    """Runs the layout until a signal. Raises `ConfigurationError` where a part never comes up."""
    view = _View(home, layout, console)
    view.supervisor = Supervisor(processes(home, layout), on_change=view.change, on_tick=view.tick)
    view.save()
    try:
        with view.shown():
            view.supervisor.run()
    finally:
        view.save(ended=True)


@click.command()
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of data, ports and keys [.chorus]."
)
@click.option("--host", help="Address that the API listens on [127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the API; 0 takes any [8080, or a free one].")
@click.option("--models", multiple=True, metavar="NAME", help="Model to serve; may be given again [piper-joe].")
@click.option("--model-workers", type=click.IntRange(1, 256), help="Processes that serve them [one per core].")
def up(
    home: Path | None, host: str | None, port: int | None, models: tuple[str, ...], model_workers: int | None
) -> None:
    """Run the whole service on this machine, until Ctrl-C."""
    console = Console()
    place = Home(home or load_settings().home)
    with place.locked():
        for name in end_leftovers(place):
            click.echo(f"{name} was left over from an earlier run; it was ended.")
        layout, notes = _lay_out(place, host, port, models, model_workers)
        for note in notes:
            click.echo(note)
        _pull(layout.models, console)
        run(place, layout, console)


# -- from Python


class Stack:
    """A whole ``chorus up`` in a process of its own, for tests and the demo.

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
        self._env = {**_source_path(), **(env or {})}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.home.logs / "up.log"

    def start(self) -> None:
        """Starts it and returns at once. Call it from the main thread."""
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
        """Waits until every process is ready. Raises `ConfigurationError` with the log's end where one
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
        """Ends it with SIGTERM, after ``timeout`` seconds by force; returns its exit code."""
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
