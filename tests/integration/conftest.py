"""What the API's tests share, and the order of the integration tests. Each module says what its ``app`` is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.redis import connect
from storage.access.keys import create_key

#: The files that take longest. They run first: where processes share the files (`pytest -n 2 --dist loadfile`), none
#: is left with one of them at the end.
LONG = (
    "test_melo",
    "test_kokoro",
    "test_dense_texts",
    "test_api",
    "test_long_jobs",
    "test_lexicons",
    "test_models_command",
    "test_ledger_model",
    "test_heard",
    "test_openvoice",
    "test_whisper",
    "test_following",
    "test_heavy_bodies",
    "test_delivery_model",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here, last = Path(__file__).parent, len(LONG)
    places = {here / f"{name}.py": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, last))


@pytest.fixture
def client(app: Flask, valkey: str) -> Iterator[FlaskClient]:
    """A client of the owner ``ann``."""
    with app.test_client() as found:
        found.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann")
        yield found
