"""The Celery app: one queue and one task per station."""

from __future__ import annotations

from celery import Celery
from kombu import Exchange, Queue

from core.settings import Settings
from core.work import CPU


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


def make_app(settings: Settings) -> Celery:
    """A Celery app on the broker of ``settings``. Results are the ledger's business: there is no backend."""
    app = Celery("chorus", broker=settings.redis_url, set_as_current=False)
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
        broker_transport_options={
            "visibility_timeout": settings.lease,
            "unacked_restore_interval": max(1, round(settings.lease / 15)),
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 10,
            "socket_keepalive": True,
        },
        task_create_missing_queues=False,
        task_queues=[station_queue(CPU)],
    )
    return app
