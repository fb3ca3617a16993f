"""What browsers may do with responses, and what web pages may send to an API that asks for no key.

The API serves data, not documents, so browsers are told to run, embed, sniff and keep nothing of it; the page of the
docs sets a policy of its own. (OWASP REST Security Cheat Sheet; Fetch standard, "Cross-Origin-Resource-Policy".)

With ``CHORUS_AUTH=off`` the API serves whoever reaches its loopback address, and a browser on the same machine reaches
it for every page that it shows: by a form or a ``fetch`` from another origin (CSRF), or under a name of the page's own
that resolves to 127.0.0.1 (DNS rebinding). With API keys neither helps a page: keys are headers, which a page would
have to know.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Response, request

from api.http.cors import Origins
from core.errors import Forbidden
from core.settings import Settings

#: Set on a response that does not set them itself. Requests of other origins in the CORS mode, which
#: ``CHORUS_CORS_ORIGINS`` allows, are not subject to Cross-Origin-Resource-Policy.
DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_SAFE = ("GET", "HEAD", "OPTIONS")


def add_headers(app: Flask) -> None:
    """Add `DEFAULTS` to every response of ``app``."""

    @app.after_request
    def complete(answer: Response) -> Response:
        for name, value in DEFAULTS.items():
            answer.headers.setdefault(name, value)
        return answer


def add_browser_check(app: Flask, settings: Settings) -> None:
    """Refuse (403) requests under a name that is not this machine's, and changes by pages of origins that are neither
    the API's own nor in ``CHORUS_CORS_ORIGINS``. Does nothing where API keys are required."""
    if settings.auth != "off":
        return
    origins = Origins(settings.cors_origins)
    names = {"localhost", settings.api_host.strip("[]").lower()}
    if settings.api_public_url:
        names.add(_hostname(urlsplit(settings.api_public_url).netloc))

    @app.before_request
    def check() -> None:
        host = request.environ.get("HTTP_HOST")
        if host is not None and (name := _hostname(host)) not in names and not _is_loopback(name):
            raise Forbidden(
                "Without API keys, the API answers only under the names of this machine and of CHORUS_API_PUBLIC_URL.",
                code="unknown_host",
            )
        origin = request.headers.get("Origin")
        if origin is None or request.method in _SAFE or origins.allow(origin):
            return
        if host is None or _netloc(origin) != host.lower():
            raise Forbidden("Pages of this origin may not call the API.", code="unknown_origin")


def _hostname(host: str) -> str:
    """The name in a Host header, in lower case and without port or brackets; empty if it is invalid."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
