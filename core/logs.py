"""Logging: one line an event, as text or JSON, without secrets."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
import time
from types import TracebackType
from typing import Any

from core.redaction import Redactor
from core.settings import Settings

log = logging.getLogger(__name__)

_KNOWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: Libraries whose lower levels tell of every request, with its headers, or of every task.
_NOISY = ("botocore", "boto3", "urllib3", "s3transfer", "phonemizer", "kombu", "amqp")


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with whatever was passed as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({k: v for k, v in vars(record).items() if k not in _KNOWN})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class RedactingHandler(logging.StreamHandler[Any]):
    """Writes to standard error what is left of a record without its secrets.

    On the handler, not on a logger: a logger's filters do not see the records of the loggers below it, and only the
    formatted line has the arguments and the exception in it.
    """

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Says that a record could not be written. The default prints its arguments as they are."""
        kind = sys.exc_info()[0]
        with contextlib.suppress(OSError, ValueError):
            name = kind.__name__ if kind else "error"
            self.stream.write(f"A record of {record.name} ({record.pathname}:{record.lineno}) was not logged: {name}\n")


def set_up_logging(settings: Settings) -> None:
    """Sends the log of this process to standard error, with whatever exceptions end it or one of its threads."""
    handler = RedactingHandler(Redactor.of(settings))
    if settings.log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if settings.log_level == "INFO":  # it tells of every task
        logging.getLogger("celery").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("This process ends.", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not issubclass(ended.exc_type, SystemExit):
        name = ended.thread.name if ended.thread else "?"
        log.critical("The thread %s ended.", name, exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback))
