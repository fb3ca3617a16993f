"""Recording how items ended, and counting it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.connections import Connections
from storage.ledger.records import Outcome
from storage.metrics import Count, count


def record(connections: Connections, outcomes: Sequence[Outcome], counts: Iterable[Count] = ()) -> list[bool]:
    """Record and count how items ended; return which of them were still wanted. Raises `LedgerUnavailable`."""
    recorded = connections.ledger.advance(outcomes)
    failed = [("chorus_items_failed_total", (o.station, o.error.code), 1.0) for o in outcomes if o.error is not None]
    count(connections.redis, [*counts, *failed])
    return recorded
