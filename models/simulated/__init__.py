"""A synthesizer that only sleeps: for load tests, benchmarks and tests of failures.

A micro-batch takes the largest ``batch_seconds`` of its items and the sum of their ``item_seconds``, and each
item returns a quiet tone as long as its text. ``fail`` makes an item fail on purpose. No entry of the
product's ``models.yaml`` uses it; ``benchmarks/models.yaml`` does.
"""

from __future__ import annotations

from core.names import Role
from models.base import Family, Option

FAMILY = Family(
    type="simulated",
    role=Role.SYNTHESIZE,
    model="models.simulated.model:SimulatedModel",
    frontend="models.simulated.frontend:SimulatedFrontend",
    options={
        "batch_seconds": Option(default=0.1, minimum=0.0, maximum=3600.0, description="Of every micro-batch"),
        "item_seconds": Option(default=0.005, minimum=0.0, maximum=3600.0, description="Of every item in it"),
        "fail": Option(
            default="no",
            choices=("no", "error", "crash", "memory", "exit"),
            description="error: this item; crash: its whole micro-batch; memory: out of memory; exit: the process",
        ),
    },
)
