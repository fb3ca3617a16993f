"""Multipart bodies and base64: what is taken as it comes from ordinary tools, and what an error says."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.redis import connect
from storage.access.keys import create_key
from tests.conftest import S3
from tests.integration.test_api import settings_for
from tests.unit.test_decode import wav

RECORDING = wav(b"\xfb\xff\xfe\x10" * 4_001)
PLAIN = base64.b64encode(RECORDING).decode()
WRAPPED = base64.encodebytes(RECORDING).decode()


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


def fields(answer: Any) -> list[tuple[str, str]]:
    return [(each["field"], each["code"]) for each in answer.get_json()["errors"]]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"output": '{"utterances": "yes"}'}, "output.utterances"),
        ({"job": '{"output": {"utterances": 1}}'}, "output.utterances"),
        ({"output": '{"subtitles": "ass"}'}, "output.subtitles"),
    ],
)
def test_what_a_field_of_json_has_wrong_is_named(client: FlaskClient, form: dict[str, str], field: str) -> None:
    data = {"pipeline": "piper", "text": "Hello.", **form}
    answer = client.post("/v1/jobs", data=data, content_type="multipart/form-data")
    assert (answer.status_code, fields(answer)) == (422, [(field, "invalid_value")])


@pytest.mark.parametrize(
    "given",
    [
        PLAIN,
        WRAPPED,
        WRAPPED.replace("\n", "\r\n"),
        PLAIN.rstrip("="),
        base64.urlsafe_b64encode(RECORDING).decode(),
        base64.urlsafe_b64encode(RECORDING).decode().rstrip("="),
        "data:audio/wav;base64," + WRAPPED,
    ],
)
def test_base64_of_every_usual_kind_is_the_same_recording(client: FlaskClient, given: str) -> None:
    assert PLAIN.endswith("=") and "+" in PLAIN and "/" in PLAIN
    answer = client.post("/v1/jobs", json={"pipeline": "vad", "recording": {"base64": given}})
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    "given",
    [
        PLAIN.replace("+", "-", 1),  # both alphabets
        PLAIN[:40] + " " + PLAIN[40:],
        PLAIN[:40] + "\x00" + PLAIN[40:],
        PLAIN.rstrip("=")[:-1].ljust(4 * (len(PLAIN) // 4) + 1, "A"),
        PLAIN + "=",
        "=" + PLAIN,
        PLAIN[:40] + "ä" + PLAIN[41:],
        PLAIN[:40] + "=" + PLAIN[41:],
    ],
)
def test_what_is_no_base64_is_refused(client: FlaskClient, given: str) -> None:
    answer = client.post("/v1/jobs", json={"pipeline": "vad", "recording": {"base64": given}})
    assert (answer.status_code, fields(answer)) == (422, [("recording", "not_base64")])


@pytest.mark.parametrize(
    ("path", "form", "field", "code"),
    [
        ("jobs", {"output": "{"}, "output", "not_json"),
        ("jobs", {"output": '1, "x": 2'}, "output", "not_json"),
        ("jobs", {"metadata": "[" * 40 + "]" * 40}, "metadata", "not_json"),
        ("jobs", {"job": "hello"}, "job", "not_json"),
        ("jobs", {"seed": "many"}, "seed", "not_json"),
        ("jobs", {"unheard": "1"}, "unheard", "unknown_field"),
        ("jobs", {"other": (io.BytesIO(b"x"), "a.wav")}, "other", "unknown_field"),
        ("voices", {"name": "a", "recordings": "hello"}, "recordings.0", "not_json"),
        ("voices", {"name": "a", "other": (io.BytesIO(b"x"), "a.wav")}, "other", "unknown_field"),
    ],
)
def test_an_error_of_a_form_names_its_field(
    client: FlaskClient, path: str, form: dict[str, Any], field: str, code: str
) -> None:
    whole = {"pipeline": "piper", "text": "Hello.", **form} if path == "jobs" else form
    answer = client.post(f"/v1/{path}", data=whole, content_type="multipart/form-data")
    assert answer.status_code in (400, 422), answer.text
    assert (field, code) in fields(answer), answer.text
