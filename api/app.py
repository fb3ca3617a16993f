"""The Flask app."""

from __future__ import annotations

import tenacity
from flask import Flask

from api.context import check_start
from api.http.authentication import add_authentication
from api.http.browsers import add_browser_check, add_headers
from api.http.cors import add_cors
from api.http.problems import add_error_handlers
from core.errors import LedgerUnavailable
from core.redis import connect
from core.settings import Settings, load_settings
from pipelines.connections import Connections
from storage.access.admission import Authenticator
from storage.access.limits import default_limits
from storage.objects.destinations import destinations

#: Seconds that a starting API waits for the ledger.
START_TIMEOUT = 15.0


def create_app(settings: Settings | None = None) -> Flask:
    """Create the API as a WSGI app. Raises `ConfigurationError` if it must not start."""
    settings = settings or load_settings()
    destinations(settings.destinations)  # a wrong one stops the process
    client = connect(settings.redis_url)
    _check_start(settings, client)
    app = Flask("chorus", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_json_bytes  # of fields that are no files
    app.url_map.merge_slashes = False  # '//v1/jobs' is a 404: a redirect would answer before the key is checked
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["chorus"] = Connections.connect(settings, client)
    app.extensions["authenticator"] = Authenticator(client, default_limits(settings))
    add_error_handlers(app)
    add_headers(app)
    add_cors(app, settings.cors_origins)  # before authentication: a preflight brings no key
    add_browser_check(app, settings)
    add_authentication(app)
    _add_routes(app)
    return app


def _check_start(settings: Settings, client: object) -> None:
    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(LedgerUnavailable),
        wait=tenacity.wait_fixed(0.2),
        stop=tenacity.stop_after_delay(START_TIMEOUT),
        reraise=True,
    )
    tries(check_start, settings, client)


def _add_routes(app: Flask) -> None:
    from api.openapi import document, page
    from api.routes import (
        batches,
        catalog,
        health,
        job_list,
        job_streams,
        job_times,
        jobs,
        lexicons,
        sync,
        text,
        uploads,
        utterances,
        voices,
        webhooks,
    )
    from api.routes.access import keys, usage
    from api.speech import routes as speech
    from api.transcription import captioned
    from api.transcription import routes as transcription

    speaking = (jobs, job_list, job_streams, job_times, utterances, speech, sync)
    stored = (batches, voices, lexicons, text, uploads)
    for module in (
        *speaking,
        *stored,
        transcription,
        captioned,
        webhooks,
        keys,
        usage,
        catalog,
        health,
        document,
        page,
    ):
        app.register_blueprint(module.routes)
    document.publish(app)
