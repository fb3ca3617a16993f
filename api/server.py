"""The API under gunicorn: its options, and a worker that answers to what is no HTTP as the API answers to all else."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.http import errors
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from api.problems import document
from api.streams import bound_writes, stop_when
from core.errors import Malformed
from core.settings import Settings

#: What gunicorn's parser raises, where the answer is not 400. A transfer coding that nobody knows would be 501: but
#: that is the client's doing as well, and no fault of the server's.
_STATUS = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}


class Worker(ThreadWorker):
    """gunicorn's threads; a request that cannot be parsed gets a problem document too."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answers to ``exc``, which ended a request before it reached the app."""
        if not isinstance(exc, errors.ParseException) or isinstance(exc, errors.ConfigurationProblem):
            super().handle_error(req, client, addr, exc)
            return
        try:
            write_nonblock(client, _answer(exc))
        except OSError:  # the client has left
            self.log.debug("a request that cannot be parsed got no answer")


def _answer(exc: errors.ParseException) -> bytes:
    status = next((status for kind, status in _STATUS.items() if isinstance(exc, kind)), HTTPStatus.BAD_REQUEST)
    error = Malformed("The request is not valid HTTP, or larger than is accepted.")
    error.status = status.value
    body = document(error)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Server(BaseApplication):
    """gunicorn around ``app``, with threads for requests and, apart from them, for streams."""

    def __init__(self, app: Flask, settings: Settings, processes: int) -> None:
        self._app = app
        self._options: dict[str, Any] = {
            "bind": f"{settings.api_host}:{settings.api_port}",
            "workers": processes,
            "worker_class": Worker,
            "threads": settings.api_threads + settings.api_streams,
            "graceful_timeout": 8,
            "timeout": 60,
            "keepalive": 30,
            "proc_name": "chorus-api",
            "limit_request_line": 8190,
            "limit_request_field_size": 16_380,
            "control_socket_disable": True,
            "when_ready": _bound,
            "post_worker_init": lambda worker: stop_when(lambda: not worker.alive),
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


def _bound(arbiter: Any) -> None:
    for listener in arbiter.LISTENERS:
        bound_writes(listener.sock)
