"""Who may call what: every request needs an API key with the scope of its operation, except for a few public routes.

401: no valid key. 403: the key lacks the scope. 429: the limits of the key or its owner refuse the request. 503: none
of this can be known, since the ledger is away.
"""

from __future__ import annotations

import math

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import NotFound

from api.context import LOCAL_OWNER, authenticator, context, secret_of_request
from api.http.parser import Problem
from api.openapi.operation import PUBLIC, operation_of, scope_of
from core.errors import Forbidden, RateLimited, Unauthorized
from storage.access.admission import WINDOW, Admission, Authenticator
from storage.access.caller import Caller


def add_authentication(app: Flask) -> None:
    """Require an API key for every request except for those to `PUBLIC` routes, count it, and check its scope."""

    @app.before_request
    def authenticate() -> None:
        if _is_public():
            return
        if context().settings.auth == "off":
            g.caller = Caller(owner=LOCAL_OWNER)
            return
        secret = secret_of_request()
        if secret is None:
            raise Unauthorized
        g.admission = authenticator().admit(secret)
        if not g.admission.admitted:
            raise _limited(g.admission)
        g.caller = g.admission.caller
        _check_scope(g.caller)

    @app.after_request
    def tell_limits(answer: Response) -> Response:
        if "admission" in g:
            answer.headers.update(limit_headers(g.admission))
        return answer


def limit_headers(admission: Admission) -> dict[str, str]:
    """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10) for the limit that ends first,
    of the key or its owner. ``t`` is the time until there are more requests."""
    quota = admission.tighter
    if quota is None:
        return {}
    return {
        "RateLimit-Policy": f'"requests";q={quota.limit};w={WINDOW}',
        "RateLimit": f'"requests";r={quota.remaining};t={math.ceil(quota.reset)}',
    }


def early_refusal(authenticator: Authenticator, secret: str) -> Problem | None:
    """Why a request with this key would be refused now, before its body is read; it is not counted yet. Raises
    `Unauthorized` and `LedgerUnavailable`."""
    admission = authenticator.peek(secret)
    return None if admission.admitted else Problem(_limited(admission), limit_headers(admission))


def _limited(admission: Admission) -> RateLimited:
    return RateLimited(
        "The limit on requests per minute of the API key or its owner is reached. Try again later.",
        retry_after=max(1.0, admission.retry_after),
    )


def _is_public() -> bool:
    """Whether the request needs no key: its route is public, or it reaches no view at all. Below ``/v1``, also a path
    that does not exist needs a key."""
    if request.url_rule is not None:
        return request.url_rule.rule in PUBLIC
    missing = isinstance(request.routing_exception, NotFound)
    return request.path in PUBLIC or (missing and not request.path.startswith("/v1"))


def _check_scope(caller: Caller) -> None:
    if request.endpoint is None or request.method == "OPTIONS":
        return
    scope = scope_of(operation_of(current_app.view_functions[request.endpoint]), request.method)
    if scope is not None and scope not in caller.scopes:
        raise Forbidden(f"The API key lacks the scope '{scope}'.", code="missing_scope")
