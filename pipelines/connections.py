"""The shared state of one process: settings, connections, the catalog, and the objects built on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from redis import Redis

from broker.publish import publish_many
from core.outgoing.egress import Egress
from core.redis import connect
from core.settings import Settings
from models.base import Frontend, ModelSpec
from models.catalog import Catalog, frontend_class, load_catalog
from models.weights import WeightsCache, files_of
from pipelines.definitions import Pipeline, load_pipelines
from pipelines.openai_names import OpenAINames
from storage.access.usage import Usage
from storage.ledger.batches import Batches
from storage.ledger.ledger import Ledger
from storage.lexicons import Lexicons
from storage.objects.objects import Objects
from storage.objects.uploads import Uploads
from storage.voices import Voices


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """The connections of one process: API, worker or reaper. Must be created after a fork, never before it.

    Safe to share between threads.
    """

    settings: Settings
    redis: Redis
    ledger: Ledger
    objects: Objects
    catalog: Catalog
    pipelines: Mapping[str, Pipeline]
    openai_names: OpenAINames
    egress: Egress
    weights: WeightsCache
    frontends: dict[str, Frontend] = field(default_factory=dict)  #: by model, as they are needed

    @staticmethod
    def connect(settings: Settings, client: Redis | None = None, catalog: Catalog | None = None) -> Connections:
        """Create the connections for ``settings``; a test can pass another client or catalog.

        Raises `ConfigurationError` if a file or setting is invalid.
        """
        client = client or connect(settings.redis_url)
        objects = Objects(settings)
        catalog, pipelines = catalog or load_catalog(), load_pipelines()
        return Connections(
            settings=settings,
            redis=client,
            ledger=Ledger(
                client,
                partial(publish_many, client),
                bounds=(settings.max_unfinished_per_owner, settings.max_unfinished),
            ),
            objects=objects,
            catalog=catalog,
            pipelines=pipelines,
            openai_names=OpenAINames.read(settings.openai_models, settings.openai_voices, catalog, pipelines),
            egress=Egress.configured(settings.egress_allow, settings.egress_ports),
            weights=WeightsCache(settings.cache.expanduser(), s3=lambda: objects.client),
        )

    @property
    def voices(self) -> Voices:
        """The stored voices."""
        return Voices(self.ledger, self.objects)

    @property
    def lexicons(self) -> Lexicons:
        """The lexicons."""
        return Lexicons(self.redis, self.objects)

    @property
    def batches(self) -> Batches:
        """The batches."""
        return Batches(self.ledger, self.objects)

    @property
    def usage(self) -> Usage:
        """The use by day."""
        return Usage(self.redis)

    @property
    def uploads(self) -> Uploads:
        """The uploads."""
        return Uploads(self.redis, self.objects, self.settings)

    def files(self, spec: ModelSpec) -> Callable[[str], Path]:
        """The paths of a model's weight files, by name; downloaded if necessary."""
        return files_of(spec, self.weights)

    def frontend(self, spec: ModelSpec) -> Frontend:
        """What turns text into the inputs of a model; read once."""
        if spec.name not in self.frontends:
            self.frontends[spec.name] = frontend_class(spec)(spec, self.files(spec))
        return self.frontends[spec.name]
