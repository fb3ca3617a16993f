"""The Flask app."""

from __future__ import annotations

import time

import redis
from flask import Flask

from api.context import Context, add_authentication, check_start
from api.cors import add_cors
from api.problems import add_error_handlers
from broker.dispatch import Dispatcher
from core.errors import LedgerUnavailable
from core.redis import connect
from core.settings import Settings, load_settings
from models.catalog import load_catalog
from pipelines.definitions import load_pipelines
from pipelines.submission import Submitter
from storage.destinations import destinations
from storage.ledger import Ledger
from storage.objects import Objects

#: Seconds that a starting API waits for the ledger.
START_PATIENCE = 15.0


def create_app(settings: Settings | None = None) -> Flask:
    """The API as a WSGI app. Raises `ConfigurationError` where it must not start."""
    settings = settings or load_settings()
    destinations(settings.destinations)  # a wrong one stops the process
    client = connect(settings.redis_url)
    _check_start(settings, client)
    app = Flask("chorus", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_json_bytes  # of fields that are no files
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["chorus"] = _context(settings, client)
    add_error_handlers(app)
    add_cors(app, settings.cors_origins)  # before authentication: a preflight brings no key
    add_authentication(app)
    _add_routes(app)
    return app


def _context(settings: Settings, client: redis.Redis) -> Context:
    ledger = Ledger(client, (settings.max_unfinished_per_owner, settings.max_unfinished))
    objects, dispatcher = Objects(settings), Dispatcher(client)
    catalog, pipelines = load_catalog(), load_pipelines()
    return Context(
        settings=settings,
        redis=client,
        ledger=ledger,
        objects=objects,
        dispatcher=dispatcher,
        catalog=catalog,
        pipelines=pipelines,
        submitter=Submitter.make(settings, ledger, objects, dispatcher, catalog, pipelines),
    )


def _check_start(settings: Settings, client: object) -> None:
    end = time.monotonic() + START_PATIENCE
    while True:
        try:
            return check_start(settings, client)  # type: ignore[arg-type]
        except LedgerUnavailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _add_routes(app: Flask) -> None:
    from api import (
        batches,
        docs,
        doors,
        following,
        health,
        history,
        jobs,
        listing,
        openapi,
        uploads,
        voices,
        webhooks,
    )

    modules = (batches, docs, doors, following, health, history, jobs, listing, openapi, uploads, voices, webhooks)
    for module in modules:
        app.register_blueprint(module.routes)
    openapi.publish(app)
