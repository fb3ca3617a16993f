"""No secret leaves by the log: in messages, arguments, extras and exceptions, as text and as JSON."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from core.logs import set_up_logging
from core.redaction import HIDDEN, Redactor
from core.settings import Settings

KEY = "chorus_Zm9vYmFyYmF6cXV4-Zm9vYmFyYmF6cXV4_XYZabc12"
HOOK = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD/EBrsMSsH8A="
S3_SECRET = 'hush/"quoted"+\\x'
REDIS_PASSWORD = "p@ss/w?rd#1"
SIGNED = (
    "http://s3.example/bucket/a.wav?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F2026"
    "&X-Amz-Expires=900&X-Amz-Security-Token=FwoGZXIvYXdzEBY&X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d044"
)
#: Text, and the parts of it that must go.
TOLD: list[tuple[str, tuple[str, ...]]] = [
    (f"the key {KEY}, and more", (KEY[7:],)),
    (f"GET /v1/jobs?api_key=plainvalue&limit=3 {KEY}", ("plainvalue", KEY[7:])),
    (f"{{'secret': '{HOOK}'}}", (HOOK[6:],)),
    ("Authorization: Bearer abc.def-ghi", ("abc.def",)),
    ("{'HTTP_AUTHORIZATION': 'Basic YTpi', 'HTTP_X_API_KEY': 'short', 'PATH': '/ok'}", ("YTpi", "short")),
    ("[('X-Api-Key', 'short'), ('Accept', 'ok')]", ("short",)),
    (r"{\"authorization\": \"Bearer tiny\", \"a\": 1}", ("tiny",)),
    (r"b'GET / HTTP/1.1\r\nX-API-Key: short\r\nAccept: ok\r\n'", ("short",)),
    ("sent with bearer abcdefgh12345", ("abcdefgh12345",)),
    ("redis://:pa55word@cache:6379/0 is away", ("pa55word",)),
    ("redis://user:p@ss@cache:6379/0 is away", ("p@ss", "ss@")),
    ("https://ann:hidden@hooks.example/x?token=topsecret#a", ("hidden", "topsecret", "ann:")),
    (f"GET {SIGNED} failed", ("fe5f80f7", "FwoGZX", "AKIA")),
    ("AWS4-HMAC-SHA256 Credential=A/b, Signature=0123456789abcdef0123456789abcdef01", ("0123456789abcdef",)),
    ("AUTH failed: password=open-sesame, db=0", ("open-sesame",)),
    ("{'aws_secret_access_key': 'wJalrXUtnFEMI'}", ("wJalrXUtnFEMI",)),
]


@pytest.mark.parametrize(("text", "hidden"), TOLD)
def test_what_looks_like_a_secret_is_hidden(text: str, hidden: tuple[str, ...]) -> None:
    said = Redactor()(text)
    assert HIDDEN in said
    assert [part for part in hidden if part in said] == []


@pytest.mark.parametrize(
    "text",
    [
        "The API listens on ('127.0.0.1', 8080)",
        "chorus_client.contents and chorus_x are modules",
        "The key key_0123456789abcdef of ann was revoked",
        "GET http://127.0.0.1:8333/bucket/ann/jobs/job_1/a.wav?partNumber=1 took 3 s",
        "redis://127.0.0.1:6379/0 is away",
        "mail to a@b.example",
        "the password is wrong",
        "the signature=unknown",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert Redactor()(text) == text


def test_known_values_are_hidden_however_they_are_written() -> None:
    redact = Redactor([S3_SECRET, "short"])
    for spelling in (S3_SECRET, json.dumps({"a": S3_SECRET}), repr(S3_SECRET), "hush%2F%22quoted%22%2B%5Cx"):
        assert "hush" not in redact(f"<{spelling}>"), spelling
    assert redact("a short text") == "a short text", "what is found in ordinary words is not looked for"


def test_the_time_is_linear() -> None:
    def seconds(length: int) -> float:
        texts = [
            part * (length // len(part)) for part in ("a", "://", "authorization ", "x-api-key:", "bearer ", "@:/")
        ]
        began = time.process_time()
        for text in texts:
            Redactor(["secret-value"])(text)
        return time.process_time() - began

    assert seconds(800_000) < 20 * max(seconds(100_000), 0.005)


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process with secrets in its settings writes to standard error."""
    root, out = logging.getLogger(), io.StringIO()
    kept = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    monkeypatch.setattr(sys, "stderr", out)
    set_up_logging(
        Settings(
            redis_url=f"redis://:{REDIS_PASSWORD}@cache:6379/0",
            s3_secret_key=SecretStr(S3_SECRET),
            log_level="DEBUG",
            log_format=request.param,
        )
    )
    yield out
    root.handlers[:], (sys.excepthook, threading.excepthook) = kept[0], kept[2:]
    root.setLevel(kept[1])
    logging.captureWarnings(False)


def clean(out: io.StringIO, least: int) -> str:
    """The log, in which nothing of the secrets is left."""
    text = out.getvalue()
    assert text.count(HIDDEN) >= least, text
    for secret in (KEY[7:], HOOK[6:], "hush", REDIS_PASSWORD, "p%40ss", "fe5f80f7"):
        assert secret not in text
    return text


def test_messages_arguments_and_extras(written: io.StringIO) -> None:
    log = logging.getLogger("some.library")
    log.debug("asked with %s and %r", KEY, {"X-API-Key": "abc"})
    log.info(f"link {SIGNED}")
    log.warning("sent", extra={"headers": {"Authorization": f"Bearer {KEY}"}, "secret": HOOK})
    log.error("S3 said %s; Redis at %s", S3_SECRET, f"redis://:{REDIS_PASSWORD}@cache:6379/0")
    text = clean(written, 5)
    if text.startswith("{"):
        assert [json.loads(line)["level"] for line in text.splitlines()] == ["DEBUG", "INFO", "WARNING", "ERROR"]


def test_exceptions_with_their_causes(written: io.StringIO) -> None:
    try:
        try:
            raise KeyError(f"redis://:{REDIS_PASSWORD}@cache:6379/0")
        except KeyError as error:
            raise RuntimeError(f"{KEY} {HOOK} {S3_SECRET}") from error
    except RuntimeError:
        logging.getLogger("api").exception("A request failed.", stack_info=True)
    assert "Traceback" in clean(written, 4)


def test_what_ends_a_process_or_a_thread(written: io.StringIO) -> None:
    def fail() -> None:
        raise RuntimeError(KEY)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert clean(written, 2).count("RuntimeError") >= 2


def test_a_record_that_cannot_be_written(written: io.StringIO) -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError(KEY)

    del logging.getLogger().handlers[1:]  # pytest's own would raise
    logging.getLogger("api").error("two %d", KEY)
    logging.getLogger("api").error("%s", Broken())
    broken: Any = clean(written, 0)
    assert broken.count("was not logged") == 2
