"""``/docs``: the description as a page to read and to try, by Swagger UI.

Its files come from a wheel and are served from here, so that the page works where nothing else can be reached and
its Content-Security-Policy allows nothing from elsewhere.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from pathlib import Path

from flask import Blueprint, Response, redirect, request, send_file, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as Answer

from core.errors import ConfigurationError, NotFound

routes = Blueprint("docs", __name__)

_WHEEL = "flask_openapi3_swagger"

#: Files of the wheel by the name that they are served under.
_FILES = {
    "swagger-ui.css": "css/swagger-ui.css",
    "swagger-ui-bundle.js": "js/swagger-ui-bundle.js",
    "swagger.svg": "images/swagger.svg",
}

#: Seconds that a browser keeps the files; their addresses hold the wheel's version.
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

_STYLE = """
body { margin: 0; font-family: system-ui, sans-serif; }
header { max-width: 1460px; margin: 0 auto; padding: 24px 20px 0; box-sizing: border-box; line-height: 1.5; }
header h1 { margin: 0 0 8px; }
header code { background: #f0f0f0; padding: 1px 4px; }
.swagger-ui .info { margin: 16px 0; }
"""

_START = """
const here = document.getElementById("docs");
window.ui = SwaggerUIBundle({
  url: here.dataset.description,
  domNode: here,
  persistAuthorization: true,
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
"""

_OWN = {"start.js": ("text/javascript", _START), "page.css": ("text/css", _STYLE)}

_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chorus: the API</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="{style}">
<link rel="stylesheet" href="{own_style}">
</head>
<body>
<header>
<h1>Chorus</h1>
<p>Text in, speech out, as jobs. Press <b>Authorize</b> and give an API key (<code>chorus keys create NAME</code> makes
one; <code>chorus up</code> says the one that it made); this browser keeps it. Then open <b>POST /v1/jobs</b>, press
<b>Try it out</b> and <b>Execute</b>, and follow the job with its id. The description itself is
<a href="{description}">openapi.json</a>.</p>
</header>
<div id="docs" data-description="{description}"></div>
<script src="{bundle}"></script>
<script src="{start}"></script>
</body>
</html>
""")


@routes.get("/")
def root() -> Answer:
    """Leads to the docs, and says where the description is (RFC 8631)."""
    answer = redirect(url_for("docs.page"))
    description, page_ = url_for("openapi.document"), url_for("docs.page")
    answer.headers["Link"] = f'<{description}>; rel="service-desc", <{page_}>; rel="service-doc"'
    return answer


@routes.get("/docs")
def page() -> Response:
    """The description as a page to read and to try."""
    text = _PAGE.format(
        description=url_for("openapi.document"),
        icon=_address("swagger.svg"),
        style=_address("swagger-ui.css"),
        own_style=_address("page.css"),
        bundle=_address("swagger-ui-bundle.js"),
        start=_address("start.js"),
    )
    headers = {
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }
    return Response(text, headers=headers, content_type="text/html; charset=utf-8")


@routes.get("/docs/<name>")
def asset(name: str) -> Response:
    """A file of the page."""
    if name in _OWN:
        kind, text = _OWN[name]
        answer = Response(text, content_type=f"{kind}; charset=utf-8")
        answer.cache_control.public, answer.cache_control.max_age = True, _KEPT
        answer.add_etag()
        answer.make_conditional(request)
    elif name in _FILES:
        answer = send_file(_folder() / _FILES[name], max_age=_KEPT)
    else:
        raise NotFound("There is nothing at this address.")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _address(name: str) -> str:
    """Where a file of the page is, with what changes whenever it does."""
    return url_for("docs.asset", name=name, v=f"{version('chorus-speech')}-{version(_WHEEL.replace('_', '-'))}")


def _folder() -> Path:
    """Swagger UI's files; the package that carries them is not imported."""
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise ConfigurationError(f"{_WHEEL} is not installed: there is no page to show.")
    return Path(found.origin).parent / "templates" / "swagger"
