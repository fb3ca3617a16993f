"""Objects in S3-compatible storage: one implementation, boto3, any endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from core.errors import ArtifactMissing, ConfigurationError, StorageUnavailable
from core.settings import Settings
from storage.objects.direct_put import DirectPut

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING = {"NoSuchKey", "404", "NotFound"}

#: Seconds that the storage has to take a connection, and to go on with a response.
CONNECT_TIMEOUT, READ_TIMEOUT = 3.0, 20.0


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """The metadata of an object: its size in bytes, entity tag and media type."""

    size: int
    etag: str
    content_type: str


@dataclass(frozen=True, slots=True)
class ObjectStream:
    """The bytes of an object as they arrive; ``content_range`` is set if a part was requested."""

    body: IO[bytes]
    info: ObjectInfo
    content_range: str | None


@contextmanager
def _storage_errors(name: str = "") -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            raise ArtifactMissing(f"The object {name!r} does not exist.") from error
        raise StorageUnavailable(f"The object storage returned {code or 'an error'}. Try again shortly.") from error
    except (BotoCoreError, OSError) as error:
        raise StorageUnavailable from error


@contextmanager
def _upload_errors() -> Iterator[None]:
    """boto3's transfers have an error of their own."""
    try:
        yield
    except S3UploadFailedError as error:
        raise StorageUnavailable from error


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class Objects:
    """The objects of one bucket. Safe to share between threads.

    Every method raises `StorageUnavailable` if the storage cannot be reached or rejects the request, and
    `ArtifactMissing` if the object does not exist.
    """

    def __init__(self, settings: Settings, *, connections: int = 32) -> None:
        self.bucket = settings.s3_bucket
        self._public_url = settings.s3_public_url
        self._settings = settings
        self._connections = connections
        self._client: S3Client = self._connect(settings.s3_endpoint)
        self._direct = DirectPut(
            self._client, connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, connections=connections
        )
        self._public: S3Client | None = self._connect(self._public_url) if self._public_url else None

    def _connect(self, endpoint: str | None) -> S3Client:
        s = self._settings
        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"max_attempts": 3, "mode": "standard"},
            max_pool_connections=self._connections,
            s3={"addressing_style": "path" if endpoint else "auto"},
            # Without it botocore presigns for endpoints other than AWS's by version 2, which few servers take.
            signature_version="s3v4",
            # Servers other than AWS may not support checksums of uploads.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            return boto3.client(
                "s3",
                endpoint_url=endpoint or None,
                region_name=s.s3_region,
                aws_access_key_id=s.s3_access_key or None,
                aws_secret_access_key=s.s3_secret_key.get_secret_value() or None,
                config=config,
            )
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"The S3 settings are invalid: {error}") from error

    @property
    def client(self) -> S3Client:
        """The boto3 client, for operations without a method here."""
        return self._client

    def check(self) -> None:
        """Returns if the bucket can be reached, and raises otherwise."""
        with _storage_errors(self.bucket):
            self._client.head_bucket(Bucket=self.bucket)

    def put(self, name: str, data: bytes, content_type: str, *, if_absent: bool = False) -> bool:
        """Write a whole object. With ``if_absent`` the first write wins; False means that it already existed."""
        written = self._direct.put(name, data, content_type, if_absent=if_absent)
        if written is not None:
            return written
        extra: dict[str, Any] = {"IfNoneMatch": "*"} if if_absent else {}
        try:
            with _storage_errors(name):
                self._client.put_object(Bucket=self.bucket, Key=name, Body=data, ContentType=content_type, **extra)
        except StorageUnavailable as error:
            cause = error.__cause__
            if if_absent and isinstance(cause, ClientError) and _status(cause) in (409, 412):
                return False
            raise
        self._direct.learn(name)
        return True

    def put_file(self, name: str, path: Path, content_type: str, *, bucket: str | None = None) -> None:
        """Upload a file, in parts if it is large; it appears complete or not at all. ``bucket``: default is our own."""
        with _upload_errors(), _storage_errors(name):
            self._client.upload_file(str(path), bucket or self.bucket, name, ExtraArgs={"ContentType": content_type})

    def get(self, name: str) -> bytes:
        """A whole object."""
        with _storage_errors(name):
            data: bytes = self._client.get_object(Bucket=self.bucket, Key=name)["Body"].read()
            return data

    def get_file(self, name: str, path: Path) -> None:
        """Downloads a whole object to a file."""
        with _storage_errors(name):
            self._client.download_file(self.bucket, name, str(path))

    def stream(self, name: str, byte_range: str | None = None) -> ObjectStream:
        """An object, or the part that an HTTP ``Range`` names, as it arrives."""
        extra: dict[str, Any] = {"Range": byte_range} if byte_range else {}
        with _storage_errors(name):
            answer = self._client.get_object(Bucket=self.bucket, Key=name, **extra)
        info = ObjectInfo(answer["ContentLength"], answer["ETag"], answer["ContentType"])
        return ObjectStream(answer["Body"], info, answer.get("ContentRange"))  # type: ignore[arg-type]

    def head(self, name: str) -> ObjectInfo | None:
        """The metadata of an object, None if it does not exist."""
        try:
            with _storage_errors(name):
                answer = self._client.head_object(Bucket=self.bucket, Key=name)
        except ArtifactMissing:
            return None
        return ObjectInfo(answer["ContentLength"], answer["ETag"], answer["ContentType"])

    @property
    def public(self) -> bool:
        """Whether clients reach the storage."""
        return self._public is not None

    def upload_form(self, name: str, limit: int, *, seconds: int) -> tuple[str, dict[str, str]] | None:
        """Where to POST an object of up to ``limit`` bytes and the fields of the form, None where clients do not reach
        the storage. A presigned PUT would take any number of bytes."""
        if self._public is None:
            return None
        conditions = [["content-length-range", 1, limit]]
        form = self._public.generate_presigned_post(self.bucket, name, Conditions=conditions, ExpiresIn=seconds)
        return form["url"], form["fields"]

    def delete(self, *names: str) -> None:
        """Deletes objects; those that are not there are no error."""
        for first in range(0, len(names), 1000):
            keys: list[Any] = [{"Key": name} for name in names[first : first + 1000]]
            with _storage_errors():
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})

    def names(self, prefix: str) -> Iterator[str]:
        """The names of all objects below ``prefix``."""
        return (name for name, _ in self.ages(prefix))

    def ages(self, prefix: str) -> Iterator[tuple[str, float]]:
        """The names of all objects below ``prefix``, and when each was written (Unix seconds)."""
        with _storage_errors(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                for entry in page.get("Contents", []):
                    yield entry["Key"], entry["LastModified"].timestamp()

    def folders(self, prefix: str = "") -> list[str]:
        """The parts of object names between ``prefix`` and the next slash, including the slash."""
        with _storage_errors(prefix):
            paginator = self._client.get_paginator("list_objects_v2")
            pages = paginator.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
            return [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]

    def abort_uploads(self, before: float) -> int:
        """Ends uploads in parts that began before ``before`` (Unix seconds) and were never completed; how many."""
        ended = 0
        with _storage_errors():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket)
            for upload in [upload for page in pages for upload in page.get("Uploads", [])]:
                if upload["Initiated"].timestamp() < before:
                    self._client.abort_multipart_upload(
                        Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    ended += 1
        return ended

    def link(self, name: str, *, seconds: int, filename: str) -> str | None:
        """A presigned URL at the address that clients can reach, None if there is no such address."""
        if self._public is None:
            return None
        parameters = {
            "Bucket": self.bucket,
            "Key": name,
            "ResponseContentDisposition": f'attachment; filename="{filename}"',
        }
        url: str = self._public.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
        return url
