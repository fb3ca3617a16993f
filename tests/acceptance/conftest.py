"""The order of the acceptance tests."""

from __future__ import annotations

from pathlib import Path

import pytest

#: Seconds that whole files take, roughly, beside others.
LONG = {
    "test_schemathesis": 130,
    "test_openvoice": 110,
    "test_kill_points": 90,
    "test_up": 80,
    "test_cloning": 75,
    "test_long_recordings": 70,
    "test_client": 60,
    "test_webhooks": 45,
    "test_naughty_strings": 40,
    "test_jobs": 35,
    "test_failures": 30,
    "test_openai_speech": 60,
    "test_openai_transcriptions": 50,
    "test_voices": 30,
    "test_following": 25,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: where processes share the files (`pytest -n 3 --dist loadfile`), all end at about the same
    time."""
    here = Path(__file__).parent
    items.sort(key=lambda item: -LONG.get(item.path.stem, 0) if item.path.parent == here else 0)
