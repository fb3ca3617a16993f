"""A worker's registration in the ledger, and its name there."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping

from core.errors import Unavailable
from pipelines.connections import Connections
from storage.ledger.registry import HEARTBEAT, WorkerRecord, announce, withdraw
from workers.retry import retry_until_available

log = logging.getLogger(__name__)


def worker_name(default: str) -> str:
    """The name of this process: ``CHORUS_WORKER_NAME``, or a generated one."""
    return os.environ.get("CHORUS_WORKER_NAME") or f"{default}@{socket.gethostname()}:{os.getpid()}"


class Heartbeat:
    """Renews this worker's registration every few seconds, from its own thread."""

    def __init__(
        self,
        connections: Connections,
        name: str,
        capacity: Mapping[str, int],
        device: str,
        pace: Mapping[str, float] | None = None,
    ) -> None:
        self._connections = connections
        self._stop = threading.Event()
        self.record = WorkerRecord(
            name=name,
            pid=os.getpid(),
            host=socket.gethostname(),
            capacity=capacity,
            device=device,
            pace={} if pace is None else pace,
        )
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        retry_until_available(lambda: announce(self._connections.redis, self.record))
        retry_until_available(lambda: self._connections.ledger.release(self.record.capacity))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        try:
            withdraw(self._connections.redis, self.record)
        except Unavailable as error:
            log.info("not withdrawn: %s", error)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            try:
                announce(self._connections.redis, self.record)
            except Unavailable as error:
                log.warning("no heartbeat: %s", error)
