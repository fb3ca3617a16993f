"""Starts the workers on Celery: models in micro-batches, CPU steps in prefork processes."""

from __future__ import annotations

import gc
import logging
from collections.abc import Collection, Sequence
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_ready, worker_shutting_down
from celery.utils.log import get_multiprocessing_logger

from broker.app import make_app, station_queue, task_name
from core.errors import ConfigurationError
from core.names import Role
from core.pulse import Pulse
from core.settings import Settings
from core.work import CPU
from models.base import Bounds, Model
from models.catalog import load_model, placed
from models.shared.devices import place
from pipelines.connections import Connections
from workers.heartbeat import Heartbeat, worker_name
from workers.microbatch.batcher import MicroBatcher
from workers.microbatch.consumer import (
    LeaseStep,
    LostChildrenStep,
    MicroBatchStep,
    MicroBatchTask,
    PulseStep,
    Settlements,
)
from workers.microbatch.entries import Served
from workers.steps.cpu import add_cpu_task
from workers.steps.registry import model_steps

log = logging.getLogger(__name__)

#: Micro-batches that are released to one worker: one runs, one waits.
PREFETCH_BATCHES = 2

#: Seconds after which the item of a CPU worker's child that died runs elsewhere. Celery takes ten, for results that
#: may be on their way, and looks every five; here no one waits for a result, and a second run changes nothing.
LOST_CHILD_DELAY = 0.5

#: Seconds that a stopping worker is given to finish the micro-batch that runs.
STOP_TIMEOUT = 20.0


def capacity_of(bounds: Bounds) -> int:
    """The capacity of a worker in items of one model: one micro-batch runs, the next one waits.

    If items are computed one by one, half a micro-batch waits: a worker that holds more than it needs leaves another
    idle at the end of the work.
    """
    return PREFETCH_BATCHES * bounds.items if bounds.padded else bounds.items + max(1, bounds.items // 2)


def load_models(connections: Connections, names: Sequence[str], roles: Collection[Role], device: str) -> list[Model]:
    """The named models, each loaded on its device: its entry's, or the process's ``device``.

    Raises `ConfigurationError` where a model has no such device, or does what none of ``roles`` is."""
    specs = [connections.catalog.get(name) for name in dict.fromkeys(names)]
    for spec in specs:
        if spec.role not in roles:
            raise ConfigurationError(f"No worker implements the step {spec.role.value!r} of {spec.name}.")
    placements = [place(spec, device) for spec in specs]
    for spec, placement in zip(specs, placements, strict=True):
        log.info("%s runs %s: %s", spec.name, placed(spec, placement), placement.reason)
    models = []
    for spec, placement in zip(specs, placements, strict=True):
        models.append(load_model(spec, connections.files(spec), placement.device))
        log.info("%s is loaded", spec.name)
    return models


def _keep_logging(**_: object) -> None:
    """Keeps Celery, in this process and its children, from setting levels and adding handlers that hide no secrets."""
    if (pools := get_multiprocessing_logger()) is not None:  # it has no parent
        pools.handlers[:] = logging.getLogger().handlers


def _run_celery(app: Celery, heartbeat: Heartbeat, **options: Any) -> int:
    # A strong reference, because Celery only keeps weak ones to receivers.
    def ready(**_: object) -> None:
        heartbeat.start()

    def stopping(**_: object) -> None:
        heartbeat.stop()

    pulse = Pulse()
    pulse.start()
    setup_logging.connect(_keep_logging, weak=False)
    app.steps["consumer"].add(PulseStep.bound_to(pulse))
    worker_ready.connect(ready, weak=False)
    worker_shutting_down.connect(stopping, weak=False)
    worker = app.Worker(
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
        hostname=heartbeat.record.name,
        **options,
    )
    worker.start()
    return int(worker.exitcode or 0)


def run_model_worker(settings: Settings, names: Sequence[str]) -> int:
    """Load the named models once, then process their queues until stopped; return the exit code."""
    connections = Connections.connect(settings)
    by_role = model_steps(connections)
    models = load_models(connections, names, by_role, settings.device)
    gc.collect()
    gc.freeze()  # models and their runtimes stay to the end: the collector need not look at them again
    served = {model.spec.name: Served(model=model, bounds=model.bounds) for model in models}
    settlements = Settlements()
    batcher = MicroBatcher(connections, served, by_role, settlements.put)
    capacity = {name: capacity_of(s.model.bounds) for name, s in served.items()}
    app = make_app(settings, credit=capacity)
    app.conf.update(
        worker_prefetch_multiplier=sum(capacity.values()),
        worker_enable_remote_control=False,
        task_queues=[station_queue(name) for name in served],
    )
    for name in served:
        task = type("ModelTask", (MicroBatchTask,), {"station": name, "batcher": batcher, "name": task_name(name)})
        app.register_task(task())
    app.steps["consumer"].add(MicroBatchStep.bound_to(batcher, settlements, STOP_TIMEOUT))
    app.steps["consumer"].add(LeaseStep.bound_to(settings.lease))
    batcher.start()
    devices = ",".join(dict.fromkeys(model.device for model in models))
    heartbeat = Heartbeat(connections, worker_name("-".join(served)), capacity, devices, batcher.pace.seconds)
    return _run_celery(app, heartbeat, pool="solo", concurrency=1)


def run_cpu_worker(settings: Settings, processes: int) -> int:
    """Drains the CPU queue with ``processes`` prefork children; the exit code."""
    connections = Connections.connect(settings)
    app = make_app(settings)
    app.conf.update(
        worker_prefetch_multiplier=PREFETCH_BATCHES,
        worker_enable_remote_control=False,
        worker_max_memory_per_child=2_000_000,
        worker_lost_wait=LOST_CHILD_DELAY,
        task_queues=[station_queue(CPU)],
    )
    add_cpu_task(app)
    app.steps["consumer"].add(LostChildrenStep.bound_to(LOST_CHILD_DELAY))
    app.steps["consumer"].add(LeaseStep.bound_to(settings.lease))
    heartbeat = Heartbeat(connections, worker_name("cpu"), {CPU: PREFETCH_BATCHES * processes}, "cpu")
    return _run_celery(app, heartbeat, pool="prefork", concurrency=processes)
