"""``chorus api``, ``worker``, ``reaper`` and ``sender``: single processes, for a supervisor to run."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

import click

from core.errors import ConfigurationError
from core.logs import set_up_logging
from core.pulse import Pulse
from core.settings import Settings, load_settings


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Without the garbage collector: imports make many objects and no garbage, and to look for it over and over, and
    again at the end, takes a third of the time in which a process starts and ends."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _settings() -> Settings:
    settings = load_settings()
    set_up_logging(settings)
    return settings


@click.command()
@click.option("--host", help="Address to listen on (CHORUS_API_HOST, default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (CHORUS_API_PORT, default 8080).")
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="API processes.")
def api(host: str | None, port: int | None, processes: int) -> None:
    """Run the API.

    It does not start until an API key exists ('chorus keys create OWNER'), unless CHORUS_AUTH=off and it listens
    on loopback.
    """
    if host:
        os.environ["CHORUS_API_HOST"] = host
    if port is not None:
        os.environ["CHORUS_API_PORT"] = str(port)
    with starting():
        settings = _settings()
        Pulse().start()
        from api import create_app
        from api.http.server import Server

        server = Server(create_app(settings), settings, processes)
    server.run()


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="cpu | MODEL...")
@click.option("--processes", type=click.IntRange(1, 256), help="Child processes of 'cpu' (default: one per core).")
def worker(models: tuple[str, ...], processes: int | None) -> None:
    """Run a worker.

    'chorus worker cpu' runs the CPU steps of all jobs. 'chorus worker piper-joe' loads that model once and processes
    its queue in micro-batches; one process can serve several models. 'chorus weights list' lists them.
    """
    with starting():
        settings = _settings()
        from workers import run

    if models == ("cpu",):
        sys.exit(run.run_cpu_worker(settings, processes or os.cpu_count() or 1))
    if "cpu" in models:
        raise ConfigurationError("'cpu' cannot share a worker with models. Start the models in another worker.")
    sys.exit(run.run_model_worker(settings, models))


@click.command()
def reaper() -> None:
    """Run a reaper. It ends jobs past their deadline and recovers lost items. Any number can run."""
    with starting():
        settings = _settings()
        from workers.background import run_reaper_process

    sys.exit(run_reaper_process(settings))


@click.command()
def sender() -> None:
    """Run a sender. It sends events to webhook endpoints. Any number can run; without one, events wait."""
    with starting():
        settings = _settings()
        from workers.background import run_sender_process

    sys.exit(run_sender_process(settings))
