"""Parses requests for `api.http.front`. Rejects ambiguous framing and requests that are too large at their headers,
with a problem document."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import Error
from werkzeug.sansio.utils import host_is_trusted

from api.context import secret_of
from api.http.browsers import DEFAULTS
from api.http.problems import RETRY_AFTER, document
from core.errors import ChorusError, HttpError, InternalError, Malformed, TooLarge, Unauthorized

#: Bytes of a request's first line, and of all its headers; how many headers.
MAX_LINE, MAX_HEADERS, MAX_HEADER_COUNT = 8190, 32 * 1024, 100

#: Maximum bytes of a body without an API key, or whose key is only checked after the body.
MAX_ANONYMOUS = 64 * 1024

#: Bytes of a response that are buffered for a slow client; beyond that, a thread waits.
MAX_UNSENT = 8 * 2**20

#: Bytes of the line before a chunk, and of what follows the last one.
MAX_CHUNK_LINE, MAX_TRAILER = 1024, 8192

_FOLDED = re.compile(rb"\r?\n[ \t]")
_CHUNKED = re.compile(rb"\ntransfer-encoding:[ \t]*chunked[ \t]*(?:\r?\n|\Z)", re.IGNORECASE)
_UPLOAD = re.compile(r"/v1/uploads/[^/]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one process: bytes of bodies and of uploads, connections, seconds that an answer may lie unread."""

    body: int
    upload: int
    connections: int
    per_address: int
    stalled: float
    anonymous: bool  #: whether requests need no key


class Problem(Error):
    """An error that ends a request before it reaches the app, as a problem document. ``headers``: further ones."""

    def __init__(self, error: ChorusError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.headers = dict(headers or {})

    @staticmethod
    def of(error: Error) -> Problem:
        """The problem for one of waitress's errors. An unknown transfer coding (501) is a client error here."""
        if isinstance(error, Problem):
            return error
        if error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Problem(TooLarge("The request's body is larger than is accepted."))
        if error.code == HTTPStatus.INTERNAL_SERVER_ERROR:
            return Problem(InternalError("An unexpected error occurred in the API."))
        return malformed(HTTPStatus.BAD_REQUEST if error.code == HTTPStatus.NOT_IMPLEMENTED else error.code)

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        status = HTTPStatus(self.error.status)
        headers = [("Content-Type", "application/problem+json"), *DEFAULTS.items(), *self.headers.items()]
        if status is HTTPStatus.UNAUTHORIZED:
            headers.append(("WWW-Authenticate", 'Bearer realm="chorus"'))
        if status is HTTPStatus.SERVICE_UNAVAILABLE or self.error.retry_after is not None:
            headers.append(("Retry-After", str(math.ceil(self.error.retry_after or RETRY_AFTER))))
        return f"{status.value} {status.phrase}", headers, document(self.error)


def malformed(status: int) -> Problem:
    """The problem for malformed HTTP, with a ``status`` of its own (4xx)."""
    message = "The request is not valid HTTP or is too large."
    return Problem(HttpError(status, message, code=Malformed.code))


class _Refused(ParsingError):
    def __init__(self, problem: Problem) -> None:
        super().__init__("refused")
        self.problem = problem


class Parser(HTTPRequestParser):
    """Parses one request. Rejects ambiguous framing, and requests that are too large, at their headers."""

    limits: Limits  #: set by `Front`
    adj: Any

    def received(self, data: bytes) -> int:
        try:
            consumed = int(super().received(data))
        except ValueError:
            self.error, self.completed, consumed = malformed(HTTPStatus.BAD_REQUEST), True, len(data)
        if self.error is not None and self.error.code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            line = (self.header_plus + data)[:MAX_LINE]
            self.error = malformed(414 if b"\n" not in line else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._refusal is not None:
            self.error = self._refusal
        elif self._endless_chunk():
            self.error, self.completed = malformed(HTTPStatus.BAD_REQUEST), True
        return consumed

    def _endless_chunk(self) -> bool:
        receiver = self.body_rcv
        return isinstance(receiver, ChunkedReceiver) and (
            len(receiver.control_line) > MAX_CHUNK_LINE or len(receiver.trailer) > MAX_TRAILER
        )

    @property
    def secret(self) -> str | None:
        """The API key of the request."""
        return secret_of(self.headers.get("AUTHORIZATION", ""), self.headers.get("X_API_KEY", ""))

    @property
    def has_large_body(self) -> bool:
        """Whether so much may follow that its key is looked at first."""
        return self.body_rcv is not None and (bool(self.chunked) or self.content_length > MAX_ANONYMOUS)

    _refusal: Problem | None = None

    def parse_header(self, header_plus: bytes) -> None:
        try:
            self._check_head(header_plus)
            super().parse_header(header_plus)
            self._check_request(header_plus)
        except _Refused as refused:
            self._refusal = refused.problem
            raise

    def _check_head(self, head: bytes) -> None:
        first, _, rest = head.partition(b"\r\n")
        if len(first) > MAX_LINE:
            raise _Refused(malformed(HTTPStatus.REQUEST_URI_TOO_LONG))
        if rest.count(b"\n") > MAX_HEADER_COUNT:
            raise _Refused(malformed(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        if _FOLDED.search(b"\n" + rest) or b"\0" in head:
            raise _Refused(malformed(HTTPStatus.BAD_REQUEST))
        lines = [line.partition(b":")[0].strip().lower() for line in rest.split(b"\n")]
        if lines.count(b"host") > 1 or (first.endswith(b"/1.1") and not lines.count(b"host")):
            raise _Refused(malformed(HTTPStatus.BAD_REQUEST))
        lengths, codings = lines.count(b"content-length"), lines.count(b"transfer-encoding")
        if lengths > 1 or codings > 1 or (lengths and codings) or (codings and first.endswith(b"/1.0")):
            raise _Refused(malformed(HTTPStatus.BAD_REQUEST))
        if codings and not _CHUNKED.search(b"\n" + rest):  # 'chunked, chunked' too, which servers read differently
            raise _Refused(malformed(HTTPStatus.BAD_REQUEST))

    def _check_request(self, head: bytes) -> None:
        first = head.partition(b"\r\n")[0].rstrip()
        if self.version not in ("1.0", "1.1") or not first.endswith(b" HTTP/" + self.version.encode()):
            raise _Refused(malformed(HTTPStatus.BAD_REQUEST))
        host = self.headers.get("HOST")
        if host is not None and not host_is_trusted(host):  # invalid: no list of names is given
            raise _Refused(malformed(HTTPStatus.BAD_REQUEST))
        if self.headers.get("EXPECT", "100-continue").lower() != "100-continue":
            raise _Refused(malformed(HTTPStatus.EXPECTATION_FAILED))
        self.adj = _Bounded(self.adj, self._most())
        if self.content_length >= self.adj.max_request_body_size:
            raise _Refused(self._too_large())

    def _most(self) -> int:
        """The maximum size of the body in bytes: more for uploads, less without an API key."""
        if not self.limits.anonymous and self.secret is None:
            return MAX_ANONYMOUS
        upload = self.command == "PUT" and _UPLOAD.fullmatch(self.path)
        return 1 + (self.limits.upload if upload else self.limits.body)

    def _too_large(self) -> Problem:
        if self.adj.max_request_body_size == MAX_ANONYMOUS:
            return Problem(Unauthorized())
        return Problem(TooLarge("The request's body is larger than is accepted."))


class _Bounded:
    """waitress's settings with another bound on the body."""

    def __init__(self, adj: Any, most: int) -> None:
        self._adj = adj
        self.max_request_body_size = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adj, name)
