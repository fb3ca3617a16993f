"""What the API's tests share. Each module says what its ``app`` is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.redis import connect
from storage.access.keys import create_key


@pytest.fixture
def client(app: Flask, valkey: str) -> Iterator[FlaskClient]:
    """A client of the owner ``ann``."""
    with app.test_client() as found:
        found.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann")
        yield found
