"""What every worker process holds: settings, connections, ledger, storage, dispatch and the catalog."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import tenacity
from redis import Redis

from broker.dispatch import Dispatcher
from core.errors import ChorusError, Unavailable
from core.failpoints import reach
from core.metrics import Count, count
from core.redis import connect
from core.settings import Settings
from core.work import ItemRef
from models.base import Frontend, ModelSpec
from models.catalog import Catalog, frontend_class, load_catalog
from models.weights import WeightsCache, files_of
from pipelines.definitions import load_pipelines
from pipelines.submission import Submitter
from storage.ledger import Advanced, Ledger, Outcome
from storage.objects import Objects

log = logging.getLogger(__name__)

#: Mean seconds until an item that failed in a way that may pass is tried again.
RETRY_DELAY = 3.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Services:
    """The connections of one process. Made after a fork, never before it."""

    settings: Settings
    redis: Redis
    ledger: Ledger
    objects: Objects
    dispatcher: Dispatcher
    catalog: Catalog
    weights: WeightsCache
    submitter: Submitter
    frontends: dict[str, Frontend] = field(default_factory=dict)  #: by model, as they are needed

    @staticmethod
    def connect(settings: Settings, client: Redis | None = None, catalog: Catalog | None = None) -> Services:
        """The connections that ``settings`` name; another client or catalog may stand in."""
        client, catalog = client or connect(settings.redis_url), catalog or load_catalog()
        ledger, objects, dispatcher = Ledger(client), Objects(settings), Dispatcher(client)
        weights = WeightsCache(settings.cache.expanduser(), s3=lambda: objects.client)
        return Services(
            settings=settings,
            redis=client,
            ledger=ledger,
            objects=objects,
            dispatcher=dispatcher,
            catalog=catalog,
            weights=weights,
            submitter=Submitter.make(settings, ledger, objects, dispatcher, catalog, load_pipelines()),
        )

    def files(self, spec: ModelSpec) -> Callable[[str], Path]:
        """Where the weight files of a model are, by name; fetched if need be."""
        return files_of(spec, self.weights)

    def frontend(self, spec: ModelSpec) -> Frontend:
        """What turns text into the inputs of a model; read once."""
        if spec.name not in self.frontends:
            self.frontends[spec.name] = frontend_class(spec)(spec, self.files(spec))
        return self.frontends[spec.name]

    def advance(self, outcomes: Iterable[Outcome], counts: Iterable[Count] = ()) -> Advanced:
        """Records how items ended and releases what may follow."""
        outcomes = list(outcomes)
        advanced = self.ledger.advance(outcomes)
        reach("advanced")
        self.dispatcher.release(advanced.stations)
        failed = [
            ("chorus_items_failed_total", (o.station, o.error.code), 1.0) for o in outcomes if o.error is not None
        ]
        count(self.redis, [*counts, *failed])
        return advanced


def patiently(call: Callable[[], Answer], stop: threading.Event | None = None) -> Answer:
    """Calls until Redis and storage are there again, with growing gaps up to 5 s.

    Once ``stop`` is set the last `Unavailable` is raised instead: what is not acknowledged runs elsewhere.
    """
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Unavailable),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5.0),
        stop=tenacity.stop_when_event_set(stop) if stop else tenacity.stop_never,
        sleep=tenacity.sleep_using_event(stop) if stop else tenacity.nap.sleep,
        before_sleep=lambda state: log.warning("waiting: %s", state.outcome and state.outcome.exception()),
        reraise=True,
    ):
        with attempt:
            return call()
    raise Unavailable


def failure(ref: ItemRef, station: str, error: ChorusError) -> Outcome:
    """How an item ends that failed: tried again after a while, with jitter, where that may help."""
    delay = RETRY_DELAY * random.uniform(0.5, 1.5) if error.retryable else None
    return Outcome(ref=ref, station=station, error=error, again_in=delay)


def as_chorus_error(error: BaseException, kind: type[ChorusError], step: str) -> ChorusError:
    """Any exception as one of ours, with the step that it ended; what was not foreseen becomes ``kind``."""
    if isinstance(error, ChorusError):
        error.step = error.step or step
        return error
    return kind(f"{type(error).__name__}: {error}"[:500], step=step)
