"""``chorus up``: run broker, storage, API and workers on one machine until it is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.live import Live
from rich.table import Table

from cli.local.embedded import SEAWEEDFS_PORTS
from cli.local.home import Home, is_alive, port_is_free
from cli.local.layout import Layout, default_model_workers, processes
from cli.local.supervisor import Backoff, Process, State, Status, Supervisor, kill_session
from core.errors import ConfigurationError
from core.settings import load_settings
from models.base import ModelSpec
from models.catalog import load_catalog, placed
from models.shared.devices import Placement, place
from pipelines.definitions import StepData, load_pipelines

# -- output


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
        """Write the state of all processes to ``state.json``."""
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


def speaking_pipeline(models: Sequence[str]) -> str | None:
    """The first pipeline that needs only a text and one of ``models``, None if there is none."""
    types = {load_catalog().get(name).type for name in models}
    return next(
        (
            pipeline.name
            for pipeline in load_pipelines().values()
            if len(pipeline.steps) == 1 and pipeline.gives is StepData.SPEECH and pipeline.steps[0].type in types
        ),
        None,
    )


def _welcome(home: Home, layout: Layout) -> str:
    key, pipeline = home.api_key_file, speaking_pipeline(layout.models)
    told = f"\nChorus listens on {layout.url}\nAPI key:  {key}\nLogs:     {home.logs}\nStop it with Ctrl-C.\n"
    if pipeline is None:
        return told
    body = json.dumps({"pipeline": pipeline, "text": "Hello from Chorus."})
    return (
        f"{told}\nTry:  curl -H \"Authorization: Bearer $(cat '{key}')\" -H 'Content-Type: application/json' \\\n"
        f"           -d '{body}' {layout.url}/v1/jobs\n"
    )


# -- the command


def end_leftovers(home: Home, timeout: float = 5.0) -> list[str]:
    """Ends the processes of an earlier ``chorus up`` that was killed, and returns their names.

    The kernel has already sent them SIGTERM; two servers must never run on the same data."""
    found = [p for p in (home.state() or {}).get("processes", []) if is_alive(p.get("pid"), p.get("created"))]
    for entry in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(entry["pid"], signal.SIGTERM)
    end = time.monotonic() + timeout
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
    if port:  # requested explicitly: do not choose another one
        if not port_is_free(port, host):
            raise ConfigurationError(f"Port {port} of {host} is in use by another program.", code="port_taken")
        home.keep_port("api", port)
    wanted = {} if port == 0 else {"api": settings.api_port}
    ports, notes = home.ports(("api", "valkey", *SEAWEEDFS_PORTS), wanted, {"api": host})
    models = tuple(dict.fromkeys(models)) or tuple(load_catalog().models)
    specs = [load_catalog().get(name) for name in models]
    placements = {spec.name: place(spec, settings.device) for spec in specs}
    layout = Layout(
        host=host,
        ports=ports,
        bucket=settings.s3_bucket,
        models=models,
        model_workers=count
        or default_model_workers(devices={placements[spec.name].device for spec in specs if spec.per_core}),
        devices={name: placement.device for name, placement in placements.items()},
    )
    return layout, [*notes, *_told(specs, placements)]


def _told(specs: Sequence[ModelSpec], placements: Mapping[str, Placement]) -> list[str]:
    """A line for all models that run in one place for one reason."""
    found: dict[str, list[str]] = {}
    for spec in specs:
        where = f"{placed(spec, placements[spec.name])}: {placements[spec.name].reason}"
        found.setdefault(where, []).append(spec.name)
    return [f"{', '.join(names)} {'runs' if len(names) == 1 else 'run'} {where}" for where, names in found.items()]


def _raise_exit(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _pull(models: Sequence[str], console: Console) -> None:
    from cli.commands.weights import pull_models

    # SIGTERM unwinds like Ctrl-C does, so that a download in a child process ends too.
    before = signal.signal(signal.SIGTERM, _raise_exit)
    try:
        pull_models(models, console)
    finally:
        signal.signal(signal.SIGTERM, before)


def run(
    home: Home,
    layout: Layout,
    console: Console,
    *,
    parts: Sequence[Process] | None = None,
    backoff: Backoff | None = None,
) -> None:
    """Run the layout, or these ``parts`` of it, until a signal.

    Raises `ConfigurationError` if a part never becomes ready."""
    view = _View(home, layout, console)
    chosen = processes(home, layout) if parts is None else parts
    view.supervisor = Supervisor(chosen, on_change=view.change, on_tick=view.tick, backoff=backoff)
    view.save()
    try:
        with view.shown():
            view.supervisor.run()
    finally:
        view.save(ended=True)


@click.command()
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder for data, ports and keys [.chorus]."
)
@click.option("--host", help="Address on which the API listens [127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the API; 0 chooses any [8080, or a free one].")
@click.option("--models", multiple=True, metavar="NAME", help="Model to serve; can be repeated [all].")
@click.option(
    "--model-workers",
    type=click.IntRange(1, 256),
    help="Processes for models that use one per core of the CPU; on a GPU each model has one.",
)
def up(
    home: Path | None, host: str | None, port: int | None, models: tuple[str, ...], model_workers: int | None
) -> None:
    """Run all of Chorus on this machine until Ctrl-C."""
    console = Console()
    place = Home(home or load_settings().home)
    os.environ["CHORUS_HOME"] = str(place.path)  # the models of its own are those of this folder
    with place.locked():
        for name in end_leftovers(place):
            click.echo(f"Stopped {name}, which was left over from an earlier run.")
        layout, notes = _lay_out(place, host, port, models, model_workers)
        for note in notes:
            click.echo(note)
        _pull(layout.models, console)
        run(place, layout, console)
