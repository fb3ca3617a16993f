"""Counters shared by all processes: stored in Redis, read by the API's ``/metrics``.

Workers come and go and several of them serve one model, so a counter in one process's memory is of little use. These
counters only grow, whichever process counts. Jobs that end are counted by the ledger (``finish`` in
``ledger/lua/jobs.lua``), in the change that ends them.
"""

from __future__ import annotations

from collections.abc import Iterable

import redis

from core.redis import redis_errors
from storage.ledger.keys import key

_KEY = key("metrics")

#: Counter names, their help and their labels.
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "chorus_jobs_created_total": ("Jobs accepted.", ("pipeline",)),
    "chorus_jobs_ended_total": ("Jobs that ended.", ("state",)),
    "chorus_microbatches_total": ("Micro-batches run.", ("model",)),
    "chorus_microbatch_items_total": ("Items run in micro-batches.", ("model",)),
    "chorus_items_failed_total": ("Items that ended with an error.", ("station", "code")),
    "chorus_run_seconds_total": ("Seconds spent inside run().", ("model",)),
    "chorus_busy_seconds_total": ("Seconds in which a model worker held at least one item.", ("model",)),
    "chorus_webhook_attempts_total": ("Attempts at deliveries.", ("outcome",)),
    "chorus_audio_seconds_total": ("Seconds of speech rendered.", ("model",)),
}

#: One count: name of the counter, its label values in order, and by how much it grows.
Count = tuple[str, tuple[str, ...], float]


def count(client: redis.Redis, counts: Iterable[Count]) -> None:
    """Adds to counters in one round trip. Raises `LedgerUnavailable`."""
    pipe = client.pipeline(transaction=False)
    for name, labels, amount in counts:
        if amount:
            pipe.hincrbyfloat(_KEY, "|".join((name, *labels)), amount)
    with redis_errors():
        pipe.execute()


def read_counters(client: redis.Redis) -> dict[str, dict[tuple[str, ...], float]]:
    """All counters: value by name and label values."""
    with redis_errors():
        fields = client.hgetall(_KEY)
    found: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in COUNTERS}
    for field, value in fields.items():
        name, *labels = _text(field).split("|")
        if name in found:
            found[name][tuple(labels)] = float(value)
    return found


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
