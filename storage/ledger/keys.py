"""Names of keys in Redis. ``lua/keys.lua`` lists what the scripts read and write; besides, there are:

- ``ch:idem:{owner}:{digest}``: string: the claim of an ``Idempotency-Key``: see `storage.ledger.idempotency`
- ``ch:voice:{voice}``: hash: owner, document (JSON), and ``ready:{model}``: an embedding (JSON)
- ``ch:voices:{owner}``: zset: voice -> created
- ``ch:signing:{owner}``: string: secrets (JSON) for URLs that jobs name
- ``ch:webhooks:{owner}``: zset: endpoint -> created
- ``ch:limited``: set: owners with limits of their own
- ``ch:worker:{worker}``: string: the last heartbeat of a worker (JSON)
- ``ch:workers``, ``ch:workers:{station}``: zset: worker -> time until which it counts as alive
- ``ch:capacity:{station}``: hash: worker -> released items that it has capacity for
- ``ch:turns:{station}``: zset: turn at long work -> when its lease expires
- ``ch:round``: string: exists while a reaper runs
- ``ch:probe``, ``ch:swept``: written to check that Redis accepts writes; exists until the next sweep is due

No module outside ``storage`` names a key.
"""

from __future__ import annotations


def key(kind: str, *names: str) -> str:
    """The key ``ch:{kind}:{name}...``, as ``K`` in ``lua/keys.lua`` makes it."""
    return ":".join(("ch", kind, *names))
