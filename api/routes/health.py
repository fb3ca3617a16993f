"""``/healthz`` (liveness), ``/readyz`` (readiness), ``/metrics`` (Prometheus)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask import Blueprint, Response, jsonify
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.context import context
from api.openapi.operation import ResponseSpec, operation
from core.errors import ChorusError, Unavailable
from core.work import CPU
from pipelines.connections import Connections
from schemas.responses import Alive, Ready
from storage.ledger.registry import live_workers
from storage.metrics import COUNTERS, read_counters

routes = Blueprint("health", __name__)

_METRICS = "text/plain; version=0.0.4; charset=utf-8"


@routes.get("/healthz")
@operation("isAlive", {200: Alive})
def healthz() -> Response:
    """Check that the API process is running."""
    return jsonify(Alive(status="ok"))


@routes.get("/readyz")
@operation(
    "isReady",
    {
        200: ResponseSpec(Ready, "The service accepts jobs."),
        503: ResponseSpec(Ready, "The service does not accept jobs; ``checks`` has the reasons."),
    },
)
def readyz() -> tuple[Response, int]:
    """Check that the ledger, the storage and a CPU worker are available."""
    checks = {"ledger": _ledger, "storage": _storage, "cpu_worker": _cpu_worker}
    found: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check(context())
            found[name] = "ok"
        except ChorusError as error:
            found[name] = error.message
    ready = set(found.values()) == {"ok"}
    return jsonify(Ready(status="ok" if ready else "unavailable", checks=found)), 200 if ready else 503


def _ledger(ctx: Connections) -> None:
    """Checks that the ledger accepts writes: a replica, for example after a failover, does not."""
    ctx.ledger.check_writable()


def _storage(ctx: Connections) -> None:
    ctx.objects.check()


def _cpu_worker(ctx: Connections) -> None:
    if not any(CPU in worker["capacity"] for worker in live_workers(ctx.redis)):
        raise ChorusError("No CPU worker is running: start one with 'chorus worker cpu'.")


class _Collector:
    """Reads the shared counters and the worker registry at each scrape."""

    def __init__(self, ctx: Connections) -> None:
        self._ctx = ctx

    def collect(self) -> Iterator[Metric]:
        counters = read_counters(self._ctx.redis)
        for name, (text, labels) in COUNTERS.items():
            family = CounterMetricFamily(name.removesuffix("_total"), text, labels=labels)
            for values, amount in counters[name].items():
                family.add_metric(values, amount)
            yield family
        batches, items = counters["chorus_microbatches_total"], counters["chorus_microbatch_items_total"]
        yield _gauge(
            "chorus_microbatch_mean_items",
            "Mean number of items in a micro-batch.",
            "model",
            ((model[0], items.get(model, 0.0) / n) for model, n in batches.items() if n),
        )
        busy, run = counters["chorus_busy_seconds_total"], counters["chorus_run_seconds_total"]
        yield _gauge(
            "chorus_outside_run_ratio",
            "Share of the model workers' busy time spent outside run().",
            "model",
            ((model[0], max(0.0, 1 - run.get(model, 0.0) / n)) for model, n in busy.items() if n),
        )
        yield from self._stations()

    def _stations(self) -> Iterator[Metric]:
        stations = [CPU, *self._ctx.catalog.models]
        released = self._ctx.ledger.released(stations)
        serving = dict.fromkeys(stations, 0)
        for worker in live_workers(self._ctx.redis):
            for station in worker["capacity"]:
                serving[station] = serving.get(station, 0) + 1
        yield _gauge("chorus_released_items", "Items that are released but not finished.", "station",
                     released.items())  # fmt: skip
        yield _gauge("chorus_workers", "Live worker processes.", "station", serving.items())


def _gauge(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


@routes.get("/metrics")
@operation(
    "getMetrics",
    {200: ResponseSpec(text="The metrics, as text.", media={_METRICS: {"type": "string"}})},
    errors=(Unavailable,),
)
def metrics() -> Response:
    """Retrieve all metrics in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(context()))
    return Response(generate_latest(registry), content_type=_METRICS)
