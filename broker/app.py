"""The Celery app: one queue and one task per station, and the transport that carries them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import celery
import kombu
from celery import Celery
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from core.errors import ConfigurationError
from core.settings import Settings
from core.work import CPU

#: The releases that ``broker/transport.py`` and ``workers/microbatch/consumer.py`` were written for.
WRITTEN_FOR = {"kombu": "5.7.0", "celery": "5.7.0"}


def queue_name(station: str) -> str:
    """The queue that a station's workers drain."""
    return "chorus.cpu" if station == CPU else f"chorus.model.{station}"


def task_name(station: str) -> str:
    """The task that a station's messages name."""
    return queue_name(station)


def station_queue(station: str) -> Queue:
    """The queue of a station, declared on the default exchange."""
    name = queue_name(station)
    return Queue(name, Exchange(""), routing_key=name)


def wake_key(queue: str) -> str:
    """The list on which consumers of ``queue`` wait for a token."""
    return f"wake:{queue}"


def wake_calls(queue: str) -> list[tuple[Any, ...]]:
    """The commands that wake a consumer of ``queue``, as method of a Redis client and its arguments."""
    key = wake_key(queue)
    return [("lpush", key, 1), ("ltrim", key, 0, 0), ("expire", key, 60)]


def wake_commands(pipe: Any, queue: str) -> None:
    """Add the wake commands to a pipeline; send them after the messages."""
    for name, *arguments in wake_calls(queue):
        getattr(pipe, name)(*arguments)


def wake(client: Any, queue: str) -> None:
    """Wakes a consumer of ``queue``, in one round trip."""
    pipe = client.pipeline(transaction=False)
    wake_commands(pipe, queue)
    pipe.execute()


def check_releases() -> None:
    """Raises `ConfigurationError` where kombu or Celery is not of the release our transport was written for."""
    found = {"kombu": kombu.__version__, "celery": celery.__version__}
    if found != WRITTEN_FOR:
        here, wanted = (" and ".join(f"{name} {of[name]}" for name in WRITTEN_FOR) for of in (found, WRITTEN_FOR))
        raise ConfigurationError(
            f"Chorus's transport requires {wanted}, but {here} are installed. "
            "Set CHORUS_TRANSPORT=redis to use Celery's own transport instead.",
            code="transport_release",
        )


def make_app(settings: Settings, credit: Mapping[str, int] | None = None) -> Celery:
    """A Celery app on the broker of ``settings``. It has no result backend, because the ledger records results.

    ``credit`` is the number of messages per station that a worker may hold; the default is Celery's prefetch count.
    Raises `ConfigurationError` if our transport does not support the installed releases.
    """
    app = Celery("chorus", broker=settings.redis_url, set_as_current=False)
    if settings.redis_url.startswith("rediss:"):  # certificates are checked, as for the ledger
        app.conf.broker_use_ssl = {"ssl_cert_reqs": "required"}
    if settings.transport == "chorus":
        check_releases()
        TRANSPORT_ALIASES["chorus"] = "broker.transport:Transport"
        app.conf.broker_transport = "chorus"
        options: dict[str, Any] = {
            "unacked_restore_interval": min(1.0, settings.lease / 5),
            "health_check_interval": 5,
            "queue_credit": {queue_name(station): room for station, room in (credit or {}).items()},
        }
    else:
        options = {
            "unacked_restore_interval": max(1, round(settings.lease / 15)),
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 10,
            "socket_keepalive": True,
        }
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_serializer="json",
        accept_content=["json"],
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"visibility_timeout": settings.lease, **options},
        task_create_missing_queues=False,
        task_queues=[station_queue(CPU)],
    )
    return app
