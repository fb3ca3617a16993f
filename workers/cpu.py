"""The CPU worker's one task: the CPU steps of any job, in prefork processes, so that no GIL binds them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from celery import Celery

from broker.app import task_name
from core.errors import ChorusError, InternalError
from core.names import Role
from core.settings import settings
from core.work import CPU, ItemRef
from storage.ledger import Outcome, Work
from workers.assemble import assemble
from workers.prepare import prepare
from workers.services import Services, as_chorus_error, patiently

log = logging.getLogger(__name__)

Step = Callable[[Services, ItemRef, Work], Outcome]

#: What each CPU step does.
STEPS: Mapping[Role, Step] = {Role.PREPARE: prepare, Role.ASSEMBLE: assemble}


@lru_cache(maxsize=1)
def services() -> Services:
    """This process's connections, made after the fork."""
    return Services.connect(settings())


def run_cpu_item(connections: Services, item: str) -> None:
    """Takes one CPU item, does its step, and records how it ended."""
    ref = ItemRef.parse(item)
    work = patiently(lambda: connections.ledger.take([ref]))[0]
    # Where nobody wants it any more, recording it only gives its place at the station to another.
    outcome = _do(connections, ref, work) if work else Outcome(ref=ref, station=CPU)
    patiently(lambda: connections.advance([outcome]))


def _do(connections: Services, ref: ItemRef, work: Work) -> Outcome:
    role = work.plan.steps[ref.step].role
    try:
        return patiently(lambda: STEPS[role](connections, ref, work))
    except ChorusError as error:
        return Outcome(ref=ref, station=CPU, error=as_chorus_error(error, InternalError, role.value))
    except Exception as error:
        log.exception("%s of %s failed", role.value, ref)
        return Outcome(ref=ref, station=CPU, error=as_chorus_error(error, InternalError, role.value))


def add_cpu_task(app: Celery) -> Any:
    """Registers the CPU task with ``app``."""

    def cpu(item: str) -> None:
        run_cpu_item(services(), item)

    return app.task(cpu, name=task_name(CPU), ignore_result=True, acks_late=True)
