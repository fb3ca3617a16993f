"""The CPU worker's one task: the CPU steps of any job, in prefork processes, so that no GIL binds them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from celery import Celery

from broker.app import task_name
from core.errors import ChorusError, InternalError, Poisoned, Unavailable
from core.failpoints import reach
from core.names import Role
from core.settings import settings
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Outcome, Work
from workers.microbatch.suspects import Verdict, judge
from workers.outcomes import record
from workers.recordings.long_decodes import NoTurn
from workers.retry import as_chorus_error, failed, retry_until_available
from workers.steps.assemble import UtterancesMissing, drop_unwanted
from workers.steps.registry import CPU_STEPS

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def connections() -> Connections:
    """This process's connections, created after the fork."""
    return Connections.connect(settings())


def run_cpu_item(connections: Connections, item: str) -> None:
    """Takes one CPU item, does its step, and records how it ended."""
    ref = ItemRef.parse(item)
    work = retry_until_available(lambda: connections.ledger.take(CPU, [ref]))[0]
    outcome = _turned_away(ref, work) if work else None
    if outcome is None:
        if work is None or not retry_until_available(lambda: connections.ledger.start(CPU, [ref]))[0]:
            retry_until_available(lambda: connections.ledger.release([CPU]))
            return
        reach("cpu.started")
        outcome = _do(connections, ref, work)
    if outcome is not None:
        recorded = retry_until_available(lambda: record(connections, [outcome]))
        reach("cpu.recorded")
        if work is not None and not all(recorded):
            _withdraw(connections, ref, work)


def _withdraw(connections: Connections, ref: ItemRef, work: Work) -> None:
    """Delete the objects that a step wrote for a job that no longer wants them."""
    if work.plan.steps[ref.step].role is Role.ASSEMBLE:
        retry_until_available(lambda: drop_unwanted(connections, ref, work.document.owner))


def _turned_away(ref: ItemRef, work: Work) -> Outcome | None:
    """What becomes of an item that is not to run (yet). In a process that does one step at a time each is alone."""
    verdict, wait = judge(work.starts, time.time() - work.last_start)
    if verdict is Verdict.POISONED:
        return Outcome(ref=ref, station=CPU, error=Poisoned(step=work.plan.steps[ref.step].role.value))
    return Outcome(ref=ref, station=CPU, again_in=wait) if verdict is Verdict.WAIT else None


def _do(connections: Connections, ref: ItemRef, work: Work) -> Outcome | None:
    """The outcome of the item; None if it was sent back to have artifacts rendered again."""
    role = work.plan.steps[ref.step].role
    try:
        try:
            return retry_until_available(_Try(connections, ref, work))
        except UtterancesMissing as missing:
            _send_back(connections, ref, work, missing.indices)
            return None
        except NoTurn as none:
            retry_until_available(lambda: connections.ledger.clear_started([ref]))
            return Outcome(ref=ref, station=CPU, again_in=none.again_in)
    except ChorusError as error:
        return failed(ref, CPU, as_chorus_error(error, InternalError, role.value))
    except Exception as error:
        log.exception("%s of %s failed", role.value, ref)
        return failed(ref, CPU, as_chorus_error(error, InternalError, role.value))


def _send_back(connections: Connections, ref: ItemRef, work: Work, indices: Sequence[int]) -> None:
    """Send utterances back to be rendered again. Raises `ArtifactsLost` if that has not helped before."""
    retry_until_available(lambda: connections.ledger.render_again(ref, indices))


@dataclass(slots=True)
class _Try:
    """A step that was marked as started. A process that dies while it waits for storage did not die of its item."""

    connections: Connections
    ref: ItemRef
    work: Work
    marked: bool = True

    def __call__(self) -> Outcome:
        if not self.marked:
            self.connections.ledger.start(CPU, [self.ref])
            self.marked = True
        try:
            return CPU_STEPS[self.work.plan.steps[self.ref.step].role](self.connections, self.ref, self.work)
        except Unavailable:
            with contextlib.suppress(Unavailable):
                self.connections.ledger.clear_started([self.ref])
                self.marked = False
            raise


def add_cpu_task(app: Celery) -> Any:
    """Registers the CPU task with ``app``."""

    def cpu(item: str) -> None:
        run_cpu_item(connections(), item)

    return app.task(cpu, name=task_name(CPU), ignore_result=True, acks_late=True)
