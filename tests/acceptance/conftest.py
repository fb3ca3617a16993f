"""The order of the acceptance tests."""

from __future__ import annotations

from pathlib import Path

import pytest

#: Seconds that whole files take, roughly, on one of two cores.
LONG = {
    "test_schemathesis": 90,
    "test_cloning": 90,
    "test_long_recordings": 80,
    "test_kill_points": 80,
    "test_up": 70,
    "test_client": 60,
    "test_naughty_strings": 60,
    "test_voices": 50,
    "test_webhooks": 40,
    "test_jobs": 40,
    "test_failures": 30,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: two processes share the files (`pytest -n 2 --dist loadfile`), and neither ends long after the
    other."""
    here = Path(__file__).parent
    items.sort(key=lambda item: -LONG.get(item.path.stem, 0) if item.path.parent == here else 0)
