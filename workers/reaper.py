"""The reaper: compares ledger and queues, so that the promise holds whatever the broker did."""

from __future__ import annotations

import logging
import threading

from core.errors import ChorusError
from core.work import CPU
from workers.services import Services

log = logging.getLogger(__name__)

#: Seconds between two rounds.
INTERVAL = 2.0


def reap(services: Services) -> int:
    """One round: ends what is past its deadline and releases what may go; how many jobs were overdue."""
    overdue = services.ledger.end_overdue()
    services.dispatcher.release([CPU, *services.catalog.models])
    return overdue


def run_reaper(services: Services, stop: threading.Event) -> None:
    """Rounds until ``stop``. Any number of reapers may run: each round is safe beside another."""
    while not stop.wait(INTERVAL):
        try:
            if overdue := reap(services):
                log.warning("%d jobs were past their deadline", overdue)
        except ChorusError as error:
            log.warning("this round failed: %s", error)
