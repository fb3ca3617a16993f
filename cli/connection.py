"""How the commands find a running Chorus: from the environment, else from the folder of ``chorus up``."""

from __future__ import annotations

import os

import redis

from cli.local.home import Home
from core.redis import connect
from core.settings import Settings, load_settings


def ledger_client() -> redis.Redis:
    """A client for the ledger at ``CHORUS_REDIS_URL``, else for that of the stack in ``CHORUS_HOME``."""
    settings = load_settings()
    url = settings.redis_url
    if "CHORUS_REDIS_URL" not in os.environ and settings.home.exists():
        url = Home(settings.home).environment().get("CHORUS_REDIS_URL", url)
    return connect(url)


def api_address(url: str | None, key: str | None) -> tuple[str, str]:
    """URL and key of the API: as given, else ``CHORUS_URL`` and ``CHORUS_API_KEY``, else of ``chorus up``."""
    url = url or os.environ.get("CHORUS_URL")
    key = key or os.environ.get("CHORUS_API_KEY")
    if url and key is not None:
        return url, key
    found = Home.load(load_settings().home)
    return url or found.url, key if key is not None else found.api_key


def stack_settings() -> Settings:
    """The settings of the environment, completed by those of the stack in ``CHORUS_HOME`` if it exists."""
    settings = load_settings()
    if "CHORUS_REDIS_URL" not in os.environ and settings.home.exists():
        for name, value in Home(settings.home).environment().items():
            os.environ.setdefault(name, value)
        settings = load_settings()
    return settings
