"""The client without a server: retries, addresses, secrets, events, webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import inspect
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from chorus_client import (
    ApiError,
    AsyncClient,
    Audio,
    BadSignature,
    ChorusError,
    Client,
    ConnectionFailed,
    Job,
    Upload,
    WaitTimeout,
    WebhookEndpoint,
    verify_webhook,
)
from chorus_client.connection import answer_of, connection
from chorus_client.models import LexiconEntry, TextWarning
from chorus_client.operations import Operations, ours, path_of
from chorus_client.protocol import Call, EventReader, Operation, Pause, Reply, Retry, Tries, problem_of, sent, until
from hypothesis import given
from hypothesis import strategies as st

from tests.shared_data import data_path

KEY = "chorus_secret-of-mine"


# -- both clients are one


def public(kind: type) -> dict[str, Callable[..., Any]]:
    return {name: f for name, f in vars(kind).items() if inspect.isfunction(f) and not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    assert list(public(Client)) == list(public(AsyncClient))
    assert inspect.signature(Client.__init__) == inspect.signature(AsyncClient.__init__)


@pytest.mark.parametrize("name", public(Client))
def test_a_method_has_the_same_signature_in_both(name: str) -> None:
    waiting, awaited = public(Client)[name], public(AsyncClient)[name]
    one, other = inspect.signature(waiting), inspect.signature(awaited)
    assert one.parameters == other.parameters
    if inspect.isgeneratorfunction(waiting):
        assert inspect.isasyncgenfunction(awaited)
        assert other.return_annotation == f"Async{one.return_annotation.replace(', None, None]', ', None]')}"
    else:
        assert inspect.iscoroutinefunction(awaited)
        assert other.return_annotation == one.return_annotation
    assert waiting.__doc__ and awaited.__doc__


# -- retries


def drive(operation: Operation[Any], *answers: Reply | ChorusError) -> tuple[Any, list[Call], list[float]]:
    """Runs an operation on the answers given, one for each call; its result, the calls, the pauses."""
    calls: list[Call] = []
    pauses: list[float] = []
    left = list(answers)
    try:
        step = next(operation)
        while True:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                step = operation.send(None)
                continue
            calls.append(step)
            answer = left.pop(0)
            step = operation.throw(answer) if isinstance(answer, ChorusError) else operation.send(answer)
    except StopIteration as stop:
        assert not left
        return stop.value, calls, pauses


def ok(**document: Any) -> Reply:
    return Reply(200, {}, b"", document)


def refusal(status: int, code: str = "error", retry_after: float | None = None) -> ApiError:
    return ApiError(status, {"code": code}, retry_after)


@pytest.mark.parametrize("error", [*map(refusal, (429, 502, 503, 504)), ConnectionFailed("gone")])
def test_what_may_pass_is_tried_again(error: ChorusError) -> None:
    answer, calls, pauses = drive(sent(Call("GET", "/"), Retry()), error, error, ok())
    assert answer.status == 200 and len(calls) == 3
    assert 0.125 <= pauses[0] <= 0.25 and 0.25 <= pauses[1] <= 0.5


@pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 422, 500])
def test_what_does_not_pass_is_raised_at_once(status: int) -> None:
    with pytest.raises(ApiError):
        drive(sent(Call("GET", "/"), Retry()), refusal(status))


def test_what_is_larger_than_a_whole_limit_is_raised_at_once() -> None:
    with pytest.raises(ApiError):
        drive(sent(Call("POST", "/"), Retry()), ApiError(429, {"code": "characters_limit", "retryable": False}))


def test_retry_after_is_kept_to_and_bounded() -> None:
    _, _, pauses = drive(sent(Call("GET", "/"), Retry()), refusal(503, retry_after=7), ok())
    assert pauses == [7]
    with pytest.raises(ApiError):
        drive(sent(Call("GET", "/"), Retry()), refusal(503, retry_after=3600))
    with pytest.raises(ConnectionFailed):
        drive(sent(Call("GET", "/"), Retry(attempts=3)), *[ConnectionFailed("gone")] * 3)


def test_the_time_for_trying_again_begins_at_the_first_failure() -> None:
    tries = Tries(Retry(seconds=0.3, first=0.01))
    time.sleep(0.4)  # a long upload, which then breaks
    tries.failed(ConnectionFailed("gone"))
    time.sleep(0.4)
    with pytest.raises(ConnectionFailed):
        tries.failed(ConnectionFailed("gone"))
    tries.went_on()
    tries.failed(ConnectionFailed("gone"))


def test_delays_stay_bounded_however_many_there_are() -> None:
    assert Retry().delay(5000, ConnectionFailed("gone")) <= 10


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5), ("", None), ("²", None), ("soon", None), ("-1", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after_as_it_is_sent(value: str, seconds: float | None) -> None:
    assert problem_of(503, {"retry-after": value}, None).retry_after == seconds


def test_retry_after_as_a_date() -> None:
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    found = problem_of(503, {"retry-after": value}, None).retry_after
    assert found is not None and 25 < found <= 30


def test_an_act_whose_answer_was_lost_is_no_error() -> None:
    operations, gone = Operations(Retry()), ConnectionFailed("gone")
    there = ok(id="job_1", state="canceled")
    job, calls, _ = drive(operations.act("job_1", "cancel"), gone, refusal(409, "job_canceled"), there)
    assert job.state == "canceled" and [c.method for c in calls] == ["POST", "POST", "GET"]
    job, *_ = drive(operations.act("job_1", "retry"), gone, refusal(409, "job_queued"), ok(id="job_1", state="queued"))
    assert job.state == "queued"
    batch, *_ = drive(
        operations.act_batch("batch_1", "cancel"), gone, refusal(409, "batch_canceled"), ok(id="b", state="canceled")
    )
    assert batch.state == "canceled"
    assert drive(operations.delete("voices", "vo_1"), gone, refusal(404, "voice_not_found"))[0] is None
    for operation, error in (
        (operations.act("job_1", "cancel"), refusal(409, "job_canceled")),
        (operations.delete("voices", "vo_1"), refusal(404)),
    ):
        with pytest.raises(ApiError):
            drive(operation, error)
    with pytest.raises(ApiError):
        drive(operations.act("job_1", "cancel"), gone, refusal(409, "job_succeeded"))


def test_what_is_tried_again_makes_nothing_twice() -> None:
    gone = ConnectionFailed("gone")
    job, batch = ok(id="job_1", state="queued"), ok(id="batch_1", state="queued")
    operations = Operations(Retry())
    for operation, answer in (
        (operations.create({"pipeline": "piper", "text": "Hi."}, None, 0), job),
        (operations.create_batch([{"job": {"text": "Hi."}}], {}), batch),
    ):
        _, calls, _ = drive(operation, gone, answer)
        assert len({call.headers["Idempotency-Key"] for call in calls}) == 1
    with pytest.raises(ConnectionFailed):
        drive(operations.create_voice("Ann", [{"upload": "up_1"}], None, None), gone)
    with pytest.raises(ConnectionFailed):
        drive(operations.redeliver("de_1"), gone)


# -- lexicons


def test_a_lexicon_is_sent_as_json_or_as_a_file(tmp_path: Path) -> None:
    operations, answer = Operations(Retry()), ok(id="le_1", version=2, entries=[{"word": "Joe", "ipa": "x"}])
    entries = [LexiconEntry("Joe", ipa="x"), {"word": "SQL", "say": "sequel"}]
    found, [call], _ = drive(operations.create_lexicon("Names", entries, "en"), answer)
    assert (found.version, found.entries) == (2, (LexiconEntry("Joe", ipa="x"),))
    assert (call.method, call.path) == ("POST", "/v1/lexicons")
    joe = {"word": "Joe", "say": None, "ipa": "x", "case_sensitive": False, "whole_word": True}
    assert call.json == {"name": "Names", "language": "en", "entries": [joe, entries[1]]}
    (tmp_path / "names.PLS").write_bytes(b"<lexicon/>")
    _, [call], _ = drive(operations.change_lexicon("le_1", {"name": None}, tmp_path / "names.PLS", None), answer)
    assert (call.method, call.path, call.params, call.content) == ("PUT", "/v1/lexicons/le_1", {}, b"<lexicon/>")
    assert call.headers == {"Content-Type": "application/pls+xml"}
    with pytest.raises(ChorusError, match=r"\.csv"):
        drive(operations.create_lexicon("Names", tmp_path / "names.txt", None))


def test_a_change_to_one_version_is_tried_once() -> None:
    operations, gone, answer = Operations(Retry()), ConnectionFailed("gone"), ok(id="le_1", version=2)
    _, calls, _ = drive(operations.change_lexicon("le_1", {"name": "b"}, None, None), gone, answer)
    assert [(call.method, call.json) for call in calls] == [("PATCH", {"name": "b"})] * 2
    with pytest.raises(ConnectionFailed):
        drive(operations.change_lexicon("le_1", {"name": "b"}, None, 1), gone)
    _, [call], _ = drive(operations.change_lexicon("le_1", {}, [], 1), answer)
    assert (call.headers, call.json) == ({"If-Match": '"1"'}, {"entries": []})
    with pytest.raises(ConnectionFailed):
        drive(operations.create_lexicon("Names", [], "en"), gone)


# -- waiting


def test_waiting_asks_for_no_more_than_is_left() -> None:
    asked: list[float] = []

    def ask(left: float) -> Operation[str]:
        asked.append(left)
        yield Call("GET", "/")
        return "running"

    with pytest.raises(WaitTimeout):
        drive(until(ask, lambda state: state == "ended", 0.0, lambda _: None), ok())
    assert asked == [0.0]


def test_waiting_does_not_outlast_its_time_where_the_api_is_away() -> None:
    with pytest.raises(ConnectionFailed):
        drive(Operations(Retry()).wait("job_1", 0.05, None), ConnectionFailed("gone"))


# -- addresses and secrets


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("job_1", "job_1"),
        ("a/../b?c#d", "a%2F..%2Fb%3Fc%23d"),
        ("..", "%2E%2E"),
        ("x://y", "x%3A%2F%2Fy"),
        ("é", "%C3%A9"),
    ],
)
def test_ids_are_escaped_everywhere(name: str, path: str) -> None:
    assert path_of(name) == path_of(Job(name, "queued")) == path
    operations = Operations(Retry(attempts=1))
    reached: list[Operation[Any]] = [
        operations.get(name),
        operations.act(name, "cancel"),
        operations.create({}, name, 0),
        *(operations.delete(kind, name) for kind in ("jobs", "batches", "voices", "webhooks")),
        operations.get_batch(name),
        operations.act_batch(name, "retry"),
        operations.manifest(name),
        operations.get_voice(name),
        operations.rename_voice(name, "x"),
        operations.preview_voice(name, {}),
        operations.change_webhook(name, {}),
        operations.act_webhook(name, "rotate"),
        operations.deliveries(name),
        operations.delivery(name),
        operations.redeliver(name),
    ]
    calls = [next(operation) for operation in reached]
    calls += [operations.zip(name), operations.events(name, ""), operations.stream(name, None)]
    for call in calls:
        assert isinstance(call, Call)
        assert call.path.split("/")[3] == path and call.path.startswith("/v1/")
        assert f"/{path}" in str(httpx.URL("http://a" + call.path))  # httpx takes no step back


def test_an_empty_id_is_refused() -> None:
    with pytest.raises(ChorusError):
        path_of("")


@pytest.mark.parametrize(
    ("url", "has_key"),
    [
        ("/v1/jobs", True),
        ("https://chorus.example/x", True),
        ("https://CHORUS.example:443/x", True),
        ("http://chorus.example/x", False),
        ("https://chorus.example:8443/x", False),
        ("https://chorus.example.evil.example/x", False),
        ("https://chorus.example@evil.example/x", False),
        ("https://s3.example/bucket/x?X-Amz-Signature=1", False),
    ],
)
def test_the_key_goes_to_the_api_alone(url: str, has_key: bool) -> None:
    request = connection("https://chorus.example/", KEY).request(Call("GET", url), None)
    assert (request["headers"].get("X-API-Key") == KEY) is has_key
    assert (KEY in str(request)) is has_key


def test_the_apis_own_addresses_are_reached_as_the_client_reaches_them() -> None:
    path = "/v1/jobs/job_1/audio"
    assert ours(f"http://10.0.0.1:8080{path}", path) == path
    assert ours("https://s3.example/bucket/job_1.wav?x=1", path) == "https://s3.example/bucket/job_1.wav?x=1"


def test_secrets_are_shown_nowhere() -> None:
    url = "https://ann:pa55@chorus.example"
    for kind in (Client, AsyncClient):
        client = kind(url, KEY)
        assert repr(client) == f"{kind.__name__}('https://chorus.example')"
        assert KEY not in repr(client._connection) and "pa55" not in repr(client._connection)
    assert "whsec" not in repr(WebhookEndpoint("we_1", secret="whsec_1"))
    assert "Signature" not in repr(Upload("up_1", "https://s3/x?X-Amz-Signature=1"))
    assert "Signature" not in repr(Audio("https://s3/x?X-Amz-Signature=1", "wav", 1, 8000, 1, ""))


def test_a_key_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    assert connection("http://a", f"{KEY}\n").api_key == KEY
    for key in (f"{KEY}\nX: y", f"{KEY}é"):
        with pytest.raises(ChorusError) as refused:
            connection("http://a", key)
        assert KEY not in str(refused.value)


def test_an_address_that_is_none_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHORUS_URL", raising=False)
    for url in (None, "127.0.0.1:8080", "ftp://a", "http://", "http://a:b"):
        with pytest.raises(ChorusError):
            Client(url)


# -- answers


def test_other_peoples_answers_are_errors_too() -> None:
    html = httpx.Response(502, headers={"Content-Type": "application/json"}, content=b"<html>")
    strange = httpx.Response(400, json={"errors": {"a": 1}, "detail": ["x"]})
    for response, status in ((html, 502), (strange, 400), (httpx.Response(301), 301)):
        with pytest.raises(ApiError) as raised:
            answer_of(response)
        assert raised.value.status == status
    with pytest.raises(ChorusError, match="Is the address correct"):
        drive(Operations(Retry()).get("job_1"), Reply(200, {}, b"<html>", None))


def test_lists_are_read_to_their_end() -> None:
    pages = ok(data=[{"id": "de_2"}], next="c"), ok(data=[{"id": "de_1"}], next=None)
    found, calls, _ = drive(Operations(Retry()).deliveries("we_1"), *pages)
    assert [one["id"] for one in found] == ["de_2", "de_1"]
    assert [call.params for call in calls] == [{"limit": 100}, {"limit": 100, "cursor": "c"}]


def test_a_delivery_is_waited_for_until_it_was_tried() -> None:
    waiting, tried = ok(state="waiting", attempts=[]), ok(state="waiting", attempts=[{"status": 500}])
    assert drive(Operations(Retry()).wait_delivery("de_1", 9), waiting, tried)[0] == tried.json
    with pytest.raises(WaitTimeout):
        drive(Operations(Retry()).wait_delivery("de_1", 0), waiting)


def test_filters_as_the_api_takes_them() -> None:
    moment = datetime(2026, 5, 3, tzinfo=UTC)
    asked = {"metadata": {"book": "kings"}, "created_after": moment, "state": None, "limit": 5}
    _, (call,), _ = drive(Operations(Retry()).page(asked), ok(data=[], next=None))
    assert call.params is not None and set(call.params) == {"metadata.book", "created_after", "limit"}
    assert datetime.fromisoformat(call.params["created_after"]) == moment


def test_a_manifest_is_parted_at_line_feeds_alone() -> None:
    lines = [{"custom_id": "a\u2028b\x85c"}, {"custom_id": "d"}]
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    assert drive(Operations(Retry()).manifest("b"), Reply(200, {}, content, None))[0] == lines


# -- events


def read(*chunks: bytes) -> list[tuple[str, str, str | None]]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


def test_a_stream_of_events_as_the_standard_has_it() -> None:
    stream = (
        b"\xef\xbb\xbf: a comment\n\nid: 1\ndata: first\ndata:  line\n\n"  # a BOM; one space goes
        b"event:add\r\ndata:73857293\r\n\r\ndata\r\rdata\ndata\n\nevent: nothing\n\nunknown: x\ndata: \xe2\x80\xa8\n\n"
        b"data: half"
    )
    found = [
        ("message", "first\n line", "1"),
        ("add", "73857293", None),
        ("message", "", None),
        ("message", "\n", None),
        ("message", "\u2028", None),
    ]
    assert read(stream) == found
    assert read(*(bytes([byte]) for byte in stream)) == found


def test_ids_and_the_time_before_coming_back() -> None:
    reader = EventReader()
    reader.feed(b"id: 7\ndata: a\n\nid: b\0d\ndata: b\n\ndata: c\n\n")
    assert reader.last_id == "7"
    reader.feed(b"id: 8\ndata: half")
    assert reader.last_id == "7"  # not before the event is whole
    reader.connected()
    assert reader.feed(b"\ndata: {}\n\n") == [("message", "{}", None)] and reader.last_id == "7"
    reader.feed(b"id\ndata: d\n\n")
    assert reader.last_id == ""
    for value, seconds in ((b"1500", 1.5), (b"soon", 1.5), (b"\xc2\xb2", 1.5), (b"9" * 5000, 60.0)):
        reader.feed(b"retry: " + value + b"\n")
        assert reader.retry == seconds


fields = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=12)
events = st.lists(st.tuples(fields, st.lists(fields, min_size=1, max_size=3), st.none() | fields), max_size=5)


@given(events, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 400)), st.text(max_size=3))
def test_events_come_out_as_they_went_in_however_they_are_cut(
    sent_events: list[tuple[str, list[str], str | None]], end: str, cuts: list[int], comment: str
) -> None:
    lines: list[str] = []
    for kind, data, identity in sent_events:
        lines += [f": {comment.splitlines()[0] if comment.splitlines() else ''}", f"event: {kind}"]
        lines += [f"data: {line}" for line in data]
        lines += [*([] if identity is None else [f"id: {identity}"]), ""]
    stream = "".join(line + end for line in lines).encode()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    assert read(*chunks) == [(kind or "message", "\n".join(data), identity) for kind, data, identity in sent_events]


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_no_stream_breaks_the_reader(chunks: list[bytes]) -> None:
    assert read(*chunks) == read(b"".join(chunks))


# -- webhooks


def vector() -> tuple[str, dict[str, str], str, float]:
    found = json.loads(data_path("api/standardwebhooks_vector.json").read_text())
    names = {
        "webhook-id": "webhook_id",
        "webhook-timestamp": "webhook_timestamp",
        "webhook-signature": "webhook_signature",
    }
    headers = {name: found[field] for name, field in names.items()}
    return found["secret"], headers, found["payload"], float(found["webhook_timestamp"])


def test_the_vector_of_standard_webhooks() -> None:
    secret, headers, body, now = vector()
    assert verify_webhook(secret, headers, body, now=now) == json.loads(body)
    upper = {name.title(): value for name, value in headers.items()}
    several = {**upper, "Webhook-Signature": f"v1,AAAA v1a,BBBB {headers['webhook-signature']}"}
    other = "whsec_" + base64.b64encode(b"another").decode()
    assert verify_webhook([other, secret], several, body.encode(), now=now - 299) == json.loads(body)


def changed(**headers: str | None) -> dict[str, str]:
    _, found, _, _ = vector()
    renamed = {f"webhook-{name}": value for name, value in headers.items()}
    return {name: value for name, value in {**found, **renamed}.items() if value is not None}


@pytest.mark.parametrize(
    "headers",
    [
        {"id": "msg_other"},
        {"timestamp": "1614265331"},
        {"timestamp": "soon"},
        {"signature": None},
        {"signature": ""},
        {"signature": "v1,é"},
        {"signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"id": "\ud800"},
    ],
)
def test_another_delivery_is_refused(headers: dict[str, str | None]) -> None:
    secret, _, body, now = vector()
    with pytest.raises(BadSignature):
        verify_webhook(secret, changed(**headers), body, now=now)


def test_a_delivery_of_another_time_or_body_or_secret_is_refused() -> None:
    secret, headers, body, now = vector()
    wrong: list[tuple[str | list[str], str, float]] = [
        (secret, body, now + 301),
        (secret, body, now - 301),
        (secret, body + " ", now),
        ([], body, now),
        ("whsec_é", body, now),
        ("whsec_abc", body, now),
    ]
    for known, arrived, moment in wrong:
        with pytest.raises(BadSignature):
            verify_webhook(known, headers, arrived, now=moment)


@pytest.mark.parametrize("secret", ["", "whsec_"])
def test_nobody_can_sign_with_no_secret(secret: str) -> None:
    signed = hmac.new(b"", b"msg_1.1000.{}", hashlib.sha256).digest()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1000",
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    with pytest.raises(BadSignature):
        verify_webhook(secret, headers, b"{}", now=1000)


def test_a_jobs_warnings_are_told() -> None:
    warning = {"code": "unspeakable_text", "message": "Left out.", "chapter": 1, "start": 3, "end": 9, "new": True}
    job = Job.of({"id": "job_1", "state": "succeeded", "warnings": [warning]})
    assert job.warnings == (TextWarning(code="unspeakable_text", message="Left out.", chapter=1, start=3, end=9),)
    assert Job.of({"id": "job_1", "state": "queued"}).warnings == ()
