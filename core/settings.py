"""Settings: environment variables ``CHORUS_*``, each with a default that works on one machine."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import ConfigurationError


class Settings(BaseSettings):
    """What may be set from outside. ``CHORUS_REDIS_URL`` sets ``redis_url``, and so on."""

    model_config = SettingsConfigDict(env_prefix="CHORUS_", extra="ignore", frozen=True)

    home: Path = Field(Path(".chorus"), description="Where 'chorus up' keeps its data, ports and API key")
    cache: Path = Field(Path("~/.cache/chorus"), description="Where model weights are kept")

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Ledger and broker: Redis or Valkey")
    transport: Literal["chorus", "redis"] = Field(
        "chorus", description="Transport of the broker: ours (one Lua call for many messages) or Celery's own"
    )
    s3_endpoint: str | None = Field("http://127.0.0.1:8333", description="S3 endpoint; empty means AWS")
    s3_public_url: str | None = Field(
        None, description="Address under which clients reach S3; unset: audio flows through the API"
    )
    s3_bucket: str = Field("chorus", description="The one bucket that holds everything")
    s3_region: str = Field("us-east-1", description="Region that requests are signed for")
    s3_access_key: str = Field("", description="Access key; empty: the usual AWS chain")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="Secret key")

    api_host: str = Field("127.0.0.1", description="Address that the API listens on")
    api_port: int = Field(8080, ge=0, le=65535, description="Port that the API listens on")
    api_threads: int = Field(16, ge=1, le=256, description="Requests that one API process serves at once")
    api_streams: int = Field(
        32, ge=1, le=256, description="Streams of audio and events that one API process has open beside them"
    )
    api_streams_per_owner: int = Field(8, ge=1, le=256, description="Of these, how many one owner may have open")
    api_downloads: int = Field(
        16, ge=1, le=256, description="Downloads above 8 MiB that one API process sends at once, beside all else"
    )
    api_downloads_per_owner: int = Field(8, ge=1, le=256, description="Of these, how many one owner may have")
    api_connections: int = Field(
        4096, ge=16, description="Connections of one API process; past it the longest idle one is closed"
    )
    api_connections_per_address: int = Field(
        512, ge=1, description="Of these, how many one address may have; raise it behind a proxy"
    )
    cors_origins: str = Field(
        "", description="Origins whose pages may call the API from a browser, commas between; * for all"
    )
    api_public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="Address under which clients reach the API, for links; unset: that of the request",
    )
    auth: Literal["keys", "off"] = Field("keys", description="'off' serves everyone as owner 'local': loopback only")

    models_file: Path | None = Field(None, description="Another models.yaml")
    pipelines_file: Path | None = Field(None, description="Another pipelines.yaml")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")

    egress_allow: str = Field(
        "", description="What URLs of users may reach besides public addresses: CIDR or host:port, commas between"
    )
    egress_ports: str = Field("80,443", description="Ports that URLs of users may name")

    webhook_slots: int = Field(
        32, ge=1, le=512, description="Deliveries that a sender has under way at once in each lane"
    )
    webhook_timeout: float = Field(15.0, gt=0, le=60, description="Seconds that a webhook's receiver has to answer")
    webhook_gaps: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        pattern=r"^\d+(\.\d+)?(,\d+(\.\d+)?)*$",
        description="Seconds between the attempts at a delivery",
    )

    max_text_characters: int = Field(2_000_000, ge=1, description="Characters of text that a job may have")
    max_json_bytes: int = Field(
        16 * 2**20, ge=1024, description="Largest JSON body; recordings that are larger go as multipart or as an upload"
    )
    max_body_bytes: int = Field(64 * 2**20, ge=1024, description="Largest request body")
    max_upload_bytes: int = Field(1 << 30, ge=1024, description="Largest upload")
    max_uploads_per_owner: int = Field(100, ge=1, description="Uploads not used yet that an owner may have")
    max_upload_bytes_per_owner: int = Field(64 << 30, ge=1024, description="Bytes of all uploads of an owner")
    max_unfinished_per_owner: int = Field(50_000, ge=1, description="Unfinished utterances that an owner may have")
    max_unfinished: int = Field(200_000, ge=1, description="Unfinished utterances of all owners together")
    job_deadline: float = Field(86_400.0, gt=0, description="Seconds a job may take unless it says otherwise")
    expires_in: int = Field(30 * 86_400, ge=60, description="Seconds that results are kept unless a job says otherwise")
    max_expires_in: int = Field(
        365 * 86_400, ge=60, description="Seconds that any job may ask for its results to be kept"
    )
    destinations: str = Field(
        "", description="Buckets that jobs may have results copied to: name=s3://bucket/prefix, commas between"
    )
    sweep_interval: float = Field(3600.0, ge=1, description="Seconds between two searches for objects nobody needs")
    orphan_age: float = Field(86_400.0, ge=0, description="Seconds after which an object that nobody knows is deleted")
    lease: float = Field(30.0, ge=1, description="Seconds after which a silent worker's items run elsewhere")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: Literal["text", "json"] = Field("text", description="text, or json: one object a line")

    @model_validator(mode="after")
    def _owner_below_all(self) -> Settings:
        if self.max_unfinished_per_owner >= self.max_unfinished:
            detail = "CHORUS_MAX_UNFINISHED_PER_OWNER must be below CHORUS_MAX_UNFINISHED"
            raise PydanticCustomError("owner_bound", detail)
        return self

    @property
    def max_utterances(self) -> int:
        """Utterances that one job or batch may come to: half of what the service takes, so that none fills it."""
        return max(1, self.max_unfinished // 2)

    @property
    def public_url(self) -> str:
        """The API's address for links that are made where there is no request, without a slash at its end."""
        return (self.api_public_url or f"http://{self.api_host}:{self.api_port}").rstrip("/")

    @property
    def webhook_gap_seconds(self) -> tuple[float, ...]:
        """Seconds between the first attempt at a delivery and the second, and so on."""
        return tuple(map(float, self.webhook_gaps.split(",")))

    @property
    def on_loopback(self) -> bool:
        """Whether the API can be reached from this machine alone."""
        if self.api_host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.api_host.strip("[]")).is_loopback
        except ValueError:
            return False


def load_settings() -> Settings:
    """The settings of the environment, read anew. Raises `ConfigurationError` naming the variable."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [f"CHORUS_{str(e['loc'][0]).upper()}: {e['msg']}" if e["loc"] else e["msg"] for e in error.errors()]
        raise ConfigurationError("; ".join(wrong)) from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
