"""The API under gunicorn's threads, as it once was: the baseline of ``slow_clients``."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication

from api import create_app
from core.logs import set_up_logging
from core.settings import load_settings


class Baseline(BaseApplication):
    """gunicorn around the app."""

    def __init__(self) -> None:
        self._settings = load_settings()
        set_up_logging(self._settings)
        super().__init__()

    def load_config(self) -> None:
        s = self._settings
        for name, value in {
            "bind": f"{s.api_host}:{s.api_port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": s.api_threads + s.api_streams,
            "keepalive": 30,
            "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app(self._settings)


if __name__ == "__main__":
    Baseline().run()
