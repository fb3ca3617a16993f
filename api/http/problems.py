"""Errors as RFC 9457 problem documents that also carry OpenAI's ``error`` object."""

from __future__ import annotations

import json
import logging
import math
from http import HTTPStatus

from flask import Flask, Response
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from core.errors import (
    ChorusError,
    HttpError,
    InternalError,
    NotFound,
    RangeNotSatisfiable,
    TooLarge,
    Unavailable,
)
from core.validation import from_validation
from schemas.responses import FieldProblem, OpenAIError, Problem

log = logging.getLogger(__name__)

#: Default of ``Retry-After``, in seconds.
RETRY_AFTER = 2

_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def document(error: ChorusError) -> bytes:
    """The problem document of an error, as JSON."""
    status = error.status
    title = HTTPStatus(status).phrase
    found = Problem(
        type=f"urn:chorus:problem:{error.code}",
        title=title,
        status=status,
        detail=error.message,
        code=error.code,
        step=error.step,
        retryable=error.retryable,
        errors=[FieldProblem(field=f.field, code=f.code, detail=f.detail) for f in error.fields],
        error=openai_error(error),
    )
    return json.dumps(found).encode()


def openai_error(error: ChorusError) -> OpenAIError:
    """The error as OpenAI writes it."""
    status = error.status
    return OpenAIError(
        message=error.message,
        type=_OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
        param=error.fields[0].field if error.fields else None,
        code=error.code,
    )


def problem(error: ChorusError) -> Response:
    """The response for ``error``."""
    answer = Response(document(error), status=error.status, content_type="application/problem+json")
    if isinstance(error, Unavailable) or error.retry_after is not None:
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after or RETRY_AFTER))
    if isinstance(error, RangeNotSatisfiable):
        answer.headers["Content-Range"] = f"bytes */{error.size}"
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="chorus"'
    return answer


def _http_error(error: HTTPException) -> ChorusError:
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        return TooLarge("The request's body is larger than is accepted.")
    if status == 404:
        return NotFound("There is no resource at this address.")
    if 400 <= status < 500:
        phrase = HTTPStatus(status).phrase
        code = phrase.lower().replace(" ", "_").replace("-", "_")
        return HttpError(status, error.description or phrase, code=code)
    return InternalError()


def add_error_handlers(app: Flask) -> None:
    """Every error leaves the API as a problem document."""

    @app.errorhandler(ChorusError)
    def chorus(error: ChorusError) -> Response:
        if error.status >= 500:
            log.warning("%s: %s", error.code, error.message)
        return problem(error)

    @app.errorhandler(ValidationError)
    def validation(error: ValidationError) -> Response:
        return problem(from_validation(error))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        answer = problem(_http_error(error))
        for name, value in error.get_headers():
            if name.lower() in ("allow", "content-range"):
                answer.headers[name] = value
        return answer

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.exception("A request failed.", exc_info=error)
        return problem(InternalError("An unexpected error occurred in the API."))
