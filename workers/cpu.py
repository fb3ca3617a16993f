"""The CPU worker's one task: the CPU steps of any job, in prefork processes, so that no GIL binds them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from celery import Celery

from broker.app import task_name
from core.errors import ChorusError, InternalError, Poisoned
from core.failpoints import reach
from core.names import Role
from core.settings import settings
from core.work import CPU, ItemRef
from storage.ledger import Outcome, Work
from workers.assemble import UtterancesMissing, assemble
from workers.enrol import enrol
from workers.expand import expand
from workers.prepare import open_utterances, prepare
from workers.services import Services, as_chorus_error, failure, patiently

log = logging.getLogger(__name__)

Step = Callable[[Services, ItemRef, Work], Outcome]

#: Processes that may die in one CPU step of a job before it is not run again. Its mates are in other processes,
#: so that all it costs is time; and a worker may well be killed more than once for reasons of its own.
POISONED = 5

#: What each CPU step does.
STEPS: Mapping[Role, Step] = {
    Role.PREPARE: prepare,
    Role.OPEN: open_utterances,
    Role.ASSEMBLE: assemble,
    Role.EXPAND: expand,
    Role.ENROL: enrol,
}


@lru_cache(maxsize=1)
def services() -> Services:
    """This process's connections, made after the fork."""
    return Services.connect(settings())


def run_cpu_item(connections: Services, item: str) -> None:
    """Takes one CPU item, does its step, and records how it ended."""
    ref = ItemRef.parse(item)
    work = patiently(lambda: connections.ledger.take(CPU, [ref]))[0]
    if work is None or not patiently(lambda: connections.ledger.start(CPU, [ref]))[0]:
        patiently(lambda: connections.dispatcher.release([CPU]))
        return
    reach("cpu.started")
    outcome = _do(connections, ref, work) if work.starts < POISONED else _poisoned(ref, work)
    if outcome is not None:
        patiently(lambda: connections.advance([outcome]))
        reach("cpu.recorded")


def _poisoned(ref: ItemRef, work: Work) -> Outcome:
    return Outcome(ref=ref, station=CPU, error=Poisoned(step=work.plan.steps[ref.step].role.value))


def _do(connections: Services, ref: ItemRef, work: Work) -> Outcome | None:
    """How the item ended; None where it went back to have artifacts rendered again."""
    role = work.plan.steps[ref.step].role
    try:
        try:
            return patiently(lambda: STEPS[role](connections, ref, work))
        except UtterancesMissing as missing:
            _send_back(connections, ref, work, missing.indices)
            return None
    except ChorusError as error:
        return failure(ref, CPU, as_chorus_error(error, InternalError, role.value))
    except Exception as error:
        log.exception("%s of %s failed", role.value, ref)
        return failure(ref, CPU, as_chorus_error(error, InternalError, role.value))


def _send_back(connections: Services, ref: ItemRef, work: Work, indices: Sequence[int]) -> None:
    """Has utterances rendered again. Raises `ArtifactsLost` where that does not help."""
    patiently(lambda: connections.ledger.render_again(ref, indices))
    reach("cpu.sent_back")
    patiently(lambda: connections.dispatcher.release({CPU, *(s.station for s in work.plan.steps)}))


def add_cpu_task(app: Celery) -> Any:
    """Registers the CPU task with ``app``."""

    def cpu(item: str) -> None:
        run_cpu_item(services(), item)

    return app.task(cpu, name=task_name(CPU), ignore_result=True, acks_late=True)
