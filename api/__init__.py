"""Floor 5: the HTTP API. Imports no worker and no torch, so that it starts in a second."""

from api.app import create_app

__all__ = ["create_app"]
