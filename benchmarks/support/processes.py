"""Worker processes that only benchmarks run.

``python -m benchmarks.support.processes unstored MODEL``, or ``plain URL [results]``.
"""

from __future__ import annotations

import sys
import time

from celery import Celery

from core.logs import set_up_logging
from core.names import Role
from core.settings import load_settings
from models.base import Item, ModelSpec, Output
from pipelines.connections import Connections
from storage.ledger.records import Work
from workers import run
from workers.steps.base import ModelStep, Stored
from workers.steps.speech import SynthesizeStep

#: Queue and tasks of the plain Celery worker.
PLAIN_QUEUE = "plain"
PLAIN_NOOP, PLAIN_SIM = "plain.noop", "plain.sim"

#: Seconds that the simulated model takes for an utterance by itself.
ONE_BY_ONE = 0.1 + 0.005


class Unstored(SynthesizeStep):
    """Synthesis that keeps no artifact: what is left is ledger, broker and worker."""

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        """Nothing."""
        return Stored()


def unstored_steps(connections: Connections) -> dict[Role, ModelStep]:
    """In place of `workers.run.model_steps`."""
    return {Role.SYNTHESIZE: Unstored(connections)}


def plain_app(redis_url: str, *, results: bool) -> Celery:
    """Celery as one would set it up: a task per utterance, the stock transport, acknowledged late.

    ``results``: each task's end is recorded in Redis, as the ledger records each utterance's."""
    app = Celery("plain", broker=redis_url, backend=redis_url if results else None, set_as_current=False)
    app.conf.update(
        task_ignore_result=not results,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=PLAIN_QUEUE,
        worker_prefetch_multiplier=64,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
    )

    def noop(utterance: str) -> None:
        """Takes no time."""

    def sim(utterance: str) -> None:
        time.sleep(ONE_BY_ONE)

    app.task(noop, name=PLAIN_NOOP, shared=False)
    app.task(sim, name=PLAIN_SIM, shared=False)
    return app


def main(arguments: list[str]) -> int:
    """Runs one worker until SIGTERM; its exit code."""
    settings = load_settings()
    set_up_logging(settings)
    kind, *rest = arguments
    if kind == "unstored":
        run.model_steps = unstored_steps  # type: ignore[attr-defined]
        return run.run_model_worker(settings, rest)
    url, *results = rest
    worker = plain_app(url, results=bool(results)).Worker(
        pool="threads", concurrency=1, without_mingle=True, without_gossip=True, loglevel="WARNING"
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
