"""``/v1/models`` with OpenAI's names, over WSGI, on a real Valkey."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.errors import ConfigurationError
from core.redis import connect
from storage.access.keys import create_key
from storage.ledger.registry import WorkerRecord, announce
from tests.conftest import S3
from tests.integration.test_api import settings_for


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann", "first")
    return create_app(settings_for(valkey, seaweedfs, openai_models="tts-1=piper|kokoro,whisper-1=transcribe"))


def listed(client: FlaskClient) -> dict[str, dict[str, Any]]:
    answer = client.get("/v1/models").get_json()
    assert answer["object"] == "list"
    return {model["id"]: model for model in answer["data"]}


def test_openais_names_are_listed_with_what_they_stand_for(client: FlaskClient, valkey: str) -> None:
    found = listed(client)
    assert found["tts-1"] == {
        "id": "tts-1",
        "object": "model",
        "created": 0,
        "owned_by": "chorus",
        "maps_to": ["piper", "kokoro"],
        "serving": None,
    }
    assert found["whisper-1"]["maps_to"] == ["transcribe"]
    assert found["piper-joe"]["role"] == "synthesize"
    announce(connect(valkey), WorkerRecord(name="one", pid=1, host="here", capacity={"kokoro": 4}))
    assert listed(client)["tts-1"]["serving"] == "kokoro"
    announce(connect(valkey), WorkerRecord(name="two", pid=2, host="here", capacity={"piper-joe": 4}))
    assert listed(client)["tts-1"]["serving"] == "piper"


def test_one_model_by_name(client: FlaskClient) -> None:
    found = listed(client)
    for name in ("tts-1", "piper-joe", "whisper-tiny.en"):
        assert client.get(f"/v1/models/{name}").get_json() == found[name]
    assert client.get("/v1/models/piper").get_json()["maps_to"] == ["piper"]
    for name in ("gpt-4o", "tts-1-hd", "speaches-ai/Kokoro-82M-v1.0-ONNX"):
        answer = client.get(f"/v1/models/{name}")
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "model_not_found")


def test_a_wrong_table_stops_the_start(valkey: str, seaweedfs: S3) -> None:
    create_key(connect(valkey), "ann", "first")
    for wrong in ({"openai_models": "tts-1=bagpiper"}, {"openai_voices": "alloy=nobody"}):
        with pytest.raises(ConfigurationError, match=r"bagpiper|nobody"):
            create_app(settings_for(valkey, seaweedfs, **wrong))
