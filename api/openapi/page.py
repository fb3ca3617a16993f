"""``/docs``: the description as a page to read and to try, by Swagger UI.

Its files come from a wheel and are served from here, so that the page works where nothing else can be reached and
its Content-Security-Policy allows nothing from elsewhere.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from pathlib import Path

from flask import Blueprint, Response, redirect, send_file, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as WerkzeugResponse

from api.openapi.operation import ResponseSpec, operation, unpublished
from core.errors import ConfigurationError, NotFound

routes = Blueprint("docs", __name__)

_TEXT = {"type": "string"}

_WHEEL = "flask_openapi3_swagger"

#: Files of the wheel by the name that they are served under.
_FILES = {
    "swagger-ui.css": "css/swagger-ui.css",
    "swagger-ui-bundle.js": "js/swagger-ui-bundle.js",
    "swagger.svg": "images/swagger.svg",
}

#: Seconds that browsers cache the files; their addresses contain the wheel's version.
_KEPT = 30 * 86_400

#: Nothing from elsewhere, and no script but those files: Swagger UI needs images as data, and blobs for audio.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

#: What of a browser the page never asks for (Permissions Policy).
_UNUSED = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"

_ASSETS = Path(__file__).parent / "assets"

#: Files of our own, by the name that they are served under.
_OWN = ("start.js", "page.css")


@routes.get("/")
@unpublished
def root() -> WerkzeugResponse:
    """Redirect to the docs, with a link to the description (RFC 8631)."""
    answer = redirect(url_for("docs.page"))
    description, page_ = url_for("openapi.document"), url_for("docs.page")
    answer.headers["Link"] = f'<{description}>; rel="service-desc", <{page_}>; rel="service-doc"'
    return answer


@routes.get("/docs")
@operation("getDocs", {200: ResponseSpec(text="A page to read and to try.", media={"text/html; charset=utf-8": _TEXT})})
def page() -> Response:
    """The description as a page to read and to try."""
    text = Markup((_ASSETS / "page.html").read_text()).format(  # noqa: S704
        description=url_for("openapi.document"),
        icon=_address("swagger.svg"),
        style=_address("swagger-ui.css"),
        own_style=_address("page.css"),
        bundle=_address("swagger-ui-bundle.js"),
        start=_address("start.js"),
    )
    headers = {
        "Content-Security-Policy": _POLICY,
        "Permissions-Policy": _UNUSED,
        "Cache-Control": "no-cache",
    }
    return Response(text, headers=headers, content_type="text/html; charset=utf-8")


@routes.get("/docs/<name>")
@unpublished
def asset(name: str) -> Response:
    """A file of the page."""
    if name in _OWN:
        path = _ASSETS / name
    elif name in _FILES:
        path = _folder() / _FILES[name]
    else:
        raise NotFound("There is no resource at this address.")
    return send_file(path, max_age=_KEPT)


def _address(name: str) -> str:
    """Where a file of the page is, with what changes whenever it does."""
    return url_for("docs.asset", name=name, v=f"{version('chorus-speech')}-{version(_WHEEL.replace('_', '-'))}")


def _folder() -> Path:
    """Swagger UI's files; the package that carries them is not imported."""
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise ConfigurationError(f"{_WHEEL} is not installed, so there is no documentation page.")
    return Path(found.origin).parent / "templates" / "swagger"
