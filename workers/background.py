"""Starts the reaper and the sender. They import nothing of the steps and of Celery's workers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from core.pulse import Pulse
from core.settings import Settings
from pipelines.connections import Connections
from workers.heartbeat import Heartbeat, worker_name
from workers.upkeep.reaper import run_reaper, run_standby
from workers.webhooks.sender import run_sender


def run_reaper_process(settings: Settings) -> int:
    """Runs a reaper until SIGTERM or SIGINT."""
    return _run_until_told(settings, "reaper", run_reaper)


def run_sender_process(settings: Settings) -> int:
    """Runs a sender of webhooks until SIGTERM or SIGINT."""
    return _run_until_told(settings, "sender", _send_and_stand_by)


def _send_and_stand_by(connections: Connections, stop: threading.Event) -> None:
    threading.Thread(target=run_standby, args=(connections, stop), name="standby", daemon=True).start()
    run_sender(connections, stop)


def _run_until_told(settings: Settings, name: str, work: Callable[[Connections, threading.Event], None]) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Pulse().start()
    connections = Connections.connect(settings)
    heartbeat = Heartbeat(connections, worker_name(name), {}, "cpu")
    heartbeat.start()
    work(connections, stop)
    heartbeat.stop()
    return 0
