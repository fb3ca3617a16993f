"""Settings: environment variables ``CHORUS_*``, each with a default that works on one machine."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import ConfigurationError


class Settings(BaseSettings):
    """The settings. ``CHORUS_REDIS_URL`` sets ``redis_url``, and so on."""

    model_config = SettingsConfigDict(env_prefix="CHORUS_", extra="ignore", frozen=True)

    home: Path = Field(Path(".chorus"), description="Folder in which 'chorus up' keeps its data, ports and API key")
    cache: Path = Field(Path("~/.cache/chorus"), description="Folder in which model weights are kept")

    redis_url: str = Field("redis://127.0.0.1:6379/0", repr=False, description="Ledger and broker: Redis or Valkey")
    transport: Literal["chorus", "redis"] = Field(
        "chorus",
        description="Transport of the broker: 'chorus' (many messages in one Lua call) or 'redis' (Celery's own)",
    )
    s3_endpoint: str | None = Field("http://127.0.0.1:8333", description="S3 endpoint; empty: AWS")
    s3_public_url: str | None = Field(
        None, description="Address at which clients reach S3; unset: audio is sent through the API"
    )
    s3_bucket: str = Field("chorus", description="Bucket that holds all objects")
    s3_region: str = Field("us-east-1", description="Region for which requests are signed")
    s3_access_key: str = Field("", description="Access key; empty: the standard AWS credential chain")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="Secret key")

    api_host: str = Field("127.0.0.1", description="Address on which the API listens")
    api_port: int = Field(8080, ge=0, le=65535, description="Port on which the API listens")
    api_threads: int = Field(16, ge=1, le=256, description="Requests that one API process serves at once")
    api_streams: int = Field(
        32,
        ge=1,
        le=256,
        description="Audio and event streams that one API process serves, in addition to CHORUS_API_THREADS",
    )
    api_streams_per_owner: int = Field(
        8, ge=1, le=256, description="Streams that one owner may have open in one API process"
    )
    api_downloads: int = Field(
        16,
        ge=1,
        le=256,
        description="Downloads above 8 MiB that one API process sends at once, in addition to CHORUS_API_THREADS",
    )
    api_downloads_per_owner: int = Field(
        8, ge=1, le=256, description="Downloads above 8 MiB that one owner may have open in one API process"
    )
    api_connections: int = Field(
        4096,
        ge=16,
        description="Connections of one API process; beyond it, the connection that has been idle longest is closed",
    )
    api_connections_per_address: int = Field(
        512, ge=1, description="Connections that one client address may have; raise it behind a proxy"
    )
    cors_origins: str = Field(
        "", description="Origins whose pages may call the API from a browser, separated by commas; * for all"
    )
    api_public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="Address at which clients reach the API, for links; unset: the address of the request",
    )
    auth: Literal["keys", "off"] = Field(
        "keys", description="'off' serves every request as owner 'local'; only allowed on loopback"
    )

    models_file: Path | None = Field(None, description="A models.yaml to use instead of the built-in one")
    own_models_file: Path | None = Field(
        None, description="Models of this installation, laid over models.yaml; unset: models.yaml in CHORUS_HOME"
    )
    pipelines_file: Path | None = Field(None, description="A pipelines.yaml to use instead of the built-in one")
    families: str = Field("", description="Folders with additional model families, separated as in PATH")
    openai_models: str | None = Field(
        None,
        description="Pipelines and models that OpenAI's names of models stand for: tts-1=piper|kokoro, separated by"
        " commas; the first that workers serve is taken. Unset: what speaks a text, and what transcribes",
    )
    openai_voices: str = Field(
        "",
        description="Voices that OpenAI's names of voices stand for: alloy=joe, separated by commas; those that are not"
        " named stand for the voices of the model by turn",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$",
        description="auto, cpu, cuda or cuda:N; used for models whose entry has no device",
    )

    egress_allow: str = Field(
        "",
        description="Non-public addresses that user-supplied URLs, and redirects of a model hub, may reach: CIDR or"
        " host:port, separated by commas",
    )
    egress_ports: str = Field("80,443", description="Ports that user-supplied URLs may use, separated by commas")

    webhook_slots: int = Field(32, ge=1, le=512, description="Deliveries that a sender sends at once in each lane")
    webhook_timeout: float = Field(15.0, gt=0, le=60, description="Seconds that a webhook's receiver has to respond")
    webhook_gaps: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        pattern=r"^\d+(\.\d+)?(,\d+(\.\d+)?)*$",
        description="Seconds between the attempts at a delivery",
    )

    max_text_characters: int = Field(2_000_000, ge=1, description="Characters of text in one job, at most")
    max_json_bytes: int = Field(
        16 * 2**20, ge=1024, description="Largest JSON body; send larger recordings as multipart or as an upload"
    )
    max_body_bytes: int = Field(64 * 2**20, ge=1024, description="Largest request body")
    max_upload_bytes: int = Field(1 << 30, ge=1024, description="Largest upload")
    max_uploads_per_owner: int = Field(100, ge=1, description="Unused uploads that an owner may have")
    max_upload_bytes_per_owner: int = Field(
        64 << 30, ge=1024, description="Bytes of all uploads of an owner, until they are deleted or a day old"
    )
    max_unfinished_per_owner: int = Field(50_000, ge=1, description="Unfinished utterances that an owner may have")
    max_unfinished: int = Field(200_000, ge=1, description="Unfinished utterances of all owners together")
    limit_requests_per_minute: int | None = Field(
        None, ge=1, le=100_000, description="Requests that an owner may make in any 60 seconds; unset: unlimited"
    )
    limit_open_jobs: int | None = Field(
        None, ge=0, le=10**12, description="Jobs of an owner that have not ended, at most; unset: unlimited"
    )
    limit_characters_per_day: int | None = Field(
        None,
        ge=0,
        le=10**12,
        description="Characters of text that an owner may submit in a day (UTC); unset: unlimited",
    )
    limit_audio_seconds_per_day: int | None = Field(
        None,
        ge=0,
        le=10**12,
        description="Seconds of recordings that an owner may submit in a day (UTC); unset: unlimited",
    )
    job_deadline: float = Field(86_400.0, gt=0, description="Seconds that a job may take, by default")
    expires_in: int = Field(
        30 * 86_400, ge=60, description="Seconds that results are kept after the end of a job, by default"
    )
    max_expires_in: int = Field(365 * 86_400, ge=60, description="Seconds that results may be kept, at most")
    destinations: str = Field(
        "", description="Buckets to which jobs may have results copied: name=s3://bucket/prefix, separated by commas"
    )
    sweep_interval: float = Field(3600.0, ge=1, description="Seconds between two searches for unused objects")
    orphan_age: float = Field(
        86_400.0, ge=0, description="Seconds after which an object that no record refers to is deleted"
    )
    lease: float = Field(
        30.0, ge=1, description="Seconds after which the items of an unresponsive worker run elsewhere"
    )

    normalizer: Literal["builtin", "wetext", "nemo", "kitten"] = Field(
        "builtin",
        description="What normalizes English: 'builtin', or a package: 'wetext', 'nemo' or 'kitten' (-text-processing)",
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: Literal["text", "json"] = Field("text", description="text, or json: one object per line")

    @field_validator("models_file", "own_models_file", "pipelines_file", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return value or None  # an empty path would be the current folder

    @model_validator(mode="after")
    def _owner_below_all(self) -> Settings:
        if self.max_unfinished_per_owner >= self.max_unfinished:
            detail = "CHORUS_MAX_UNFINISHED_PER_OWNER must be below CHORUS_MAX_UNFINISHED"
            raise PydanticCustomError("owner_bound", detail)
        return self

    @property
    def max_utterances(self) -> int:
        """The maximum number of utterances of one job or batch: half of the service's limit, so that none can fill
        it."""
        return max(1, self.max_unfinished // 2)

    @property
    def own_models(self) -> Path:
        """The file of the installation's own models, which need not exist."""
        return (self.own_models_file or self.home / "models.yaml").expanduser().absolute()

    @property
    def public_url(self) -> str:
        """The API's address for links created outside of a request, without a trailing slash."""
        return (self.api_public_url or f"http://{self.api_host}:{self.api_port}").rstrip("/")

    @property
    def webhook_gap_seconds(self) -> tuple[float, ...]:
        """Seconds between the first and second attempt at a delivery, and so on."""
        return tuple(map(float, self.webhook_gaps.split(",")))

    @property
    def on_loopback(self) -> bool:
        """Whether the API can only be reached from this machine."""
        if self.api_host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.api_host.strip("[]")).is_loopback
        except ValueError:
            return False


def load_settings() -> Settings:
    """Read the settings from the environment. Raises `ConfigurationError` naming the variable."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [f"CHORUS_{str(e['loc'][0]).upper()}: {e['msg']}" if e["loc"] else e["msg"] for e in error.errors()]
        raise ConfigurationError("; ".join(wrong)) from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
