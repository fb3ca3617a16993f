"""The choice of a transport, its pin to releases, and what it does with bytes that are no message."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Literal

import celery
import kombu
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import serialization
from kombu.exceptions import ContentDisallowed

from broker.app import WRITTEN_FOR, check_releases, make_app
from broker.messages import read
from broker.publish import envelope
from core.errors import ConfigurationError
from core.settings import Settings
from tests.shared_data import ROOT


def test_the_installed_releases_are_those_it_was_written_for() -> None:
    check_releases()
    assert {"kombu": kombu.__version__, "celery": celery.__version__} == WRITTEN_FOR


@pytest.mark.parametrize("module", [kombu, celery], ids=["kombu", "celery"])
def test_another_release_is_refused_with_the_way_out(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "5.99.1")
    with pytest.raises(ConfigurationError) as caught:
        make_app(Settings(transport="chorus"))
    for word in ("kombu 5.7.0", "celery 5.7.0", f"{module.__name__} 5.99.1", "CHORUS_TRANSPORT=redis"):
        assert word in caught.value.message
    make_app(Settings(transport="redis"))


def test_the_setting_chooses_the_transport() -> None:
    ours = make_app(Settings(redis_url="redis://127.0.0.1:1/3", transport="chorus"), {"m": 7}).connection_for_read()
    assert type(ours.transport).__module__ == "broker.transport"
    assert (ours.hostname, ours.port, ours.virtual_host) == ("127.0.0.1", 1, "3")
    assert ours.transport_options["queue_credit"] == {"chorus.model.m": 7}
    stock = make_app(Settings(transport="redis")).connection_for_read()
    assert type(stock.transport).__module__ == "kombu.transport.redis"
    secure = make_app(Settings(redis_url="rediss://127.0.0.1:1/0")).connection_for_read()
    assert type(secure.transport).__module__ == "broker.transport"
    assert secure.ssl == {"ssl_cert_reqs": "required"}


def test_the_stock_transport_does_not_need_ours() -> None:
    code = (
        "import sys; from broker.app import make_app; from core.settings import Settings\n"
        "import workers.microbatch.consumer\n"
        "make_app(Settings(transport='redis')).connection_for_read().transport\n"
        "print('broker.transport' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("transport", ["chorus", "redis"])
def test_messages_are_json_alone(transport: Literal["chorus", "redis"]) -> None:
    accepted = serialization.prepare_accept_content(make_app(Settings(transport=transport)).conf.accept_content)
    kind, encoding, sent = serialization.dumps({"item": 1}, "json")
    assert serialization.loads(sent, kind, encoding, accept=accepted) == {"item": 1}
    for other in ("pickle", "yaml"):
        kind, encoding, sent = serialization.dumps({"item": 1}, other)
        with pytest.raises(ContentDisallowed):
            serialization.loads(sent, kind, encoding, accept=accepted)


def test_an_envelope_is_read() -> None:
    message = read(envelope("m", "job/1/0/3").encode())
    assert message is not None
    assert message["headers"]["task"] == "chorus.model.m"


def changed(**changes: Any) -> bytes:
    return json.dumps({**json.loads(envelope("m", "job/1/0/3")), **changes}).encode()


def test_the_types_of_kombu_s_own_encoder_are_read() -> None:
    message = read(changed(headers={"at": {"__type__": "date", "__value__": "2026-01-02"}}))
    assert message is not None
    assert message["headers"]["at"].year == 2026


@pytest.mark.parametrize(
    "changes",
    [
        {"body": 1},
        {"body": ""},
        {"body": "!!"},
        {"headers": None},
        {"headers": {"task": [], "id": "1"}},
        {"headers": {"task": "chorus.cpu"}},
        {"properties": {}},
        {"properties": {"delivery_info": 5}},
        {"properties": {"delivery_info": {}, "body_encoding": "x"}},
    ],
    ids=str,
)
def test_a_message_that_would_end_a_worker_is_none(changes: dict[str, Any]) -> None:
    assert read(changed()) is not None
    assert read(changed(**changes)) is None


@given(
    st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_what_is_no_message_is_none(raw: bytes) -> None:
    assert read(raw) is None
