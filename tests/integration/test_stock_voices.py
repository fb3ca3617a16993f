"""The stock voices' embeddings: those that come with the code are what the models give, others are made once."""

from __future__ import annotations

import numpy as np
import pytest

from core.names import Role
from models.catalog import load_catalog
from pipelines.connections import Connections
from tests.conftest import S3
from tests.integration.test_api import settings_for
from workers.steps.listen import cosine
from workers.stock_voices import stock_voices
from workers.stock_voices.stock_voices import Loaded, StockVoices, embed_voice, shipped, stock_name

CATALOG = load_catalog()
ENCODER = CATALOG.get("ge2e")
JOE = (CATALOG.get("piper-joe"), CATALOG.get("piper-joe").voices["joe"])


@pytest.fixture
def connections(valkey: str, seaweedfs: S3) -> Connections:
    return Connections.connect(settings_for(valkey, seaweedfs))


def test_every_stock_voice_comes_with_the_code() -> None:
    """Where this fails: python -m workers.stock_voices.stock_voices."""
    wanted = {
        stock_name(encoder, *voice)
        for encoder in CATALOG.of(Role.EMBED)
        for voice in stock_voices.stock_voices(CATALOG)
    }
    assert shipped().keys() == wanted
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-3) for vector in shipped().values())


def test_what_comes_with_the_code_is_what_the_models_give(connections: Connections) -> None:
    [known] = StockVoices(connections).embeddings(ENCODER, [JOE])
    made = embed_voice(Loaded(connections.files), ENCODER, *JOE)
    assert known.model == made.model == "ge2e"
    assert cosine(known, made) > 0.999


def test_a_voice_that_does_not_come_with_the_code_is_made_once(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    [known] = StockVoices(connections).embeddings(ENCODER, [JOE])
    monkeypatch.setattr(stock_voices, "SAMPLE", "The birch canoe slid on the smooth planks.")
    [made] = StockVoices(connections).embeddings(ENCODER, [JOE])
    monkeypatch.setattr(stock_voices, "embed_voice", None)  # nobody speaks again
    [kept] = StockVoices(connections).embeddings(ENCODER, [JOE])
    assert np.array_equal(made.vector, kept.vector)
    assert cosine(made, known) > 0.8
