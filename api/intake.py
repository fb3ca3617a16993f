"""Recordings taken in: from base64, a multipart file or an upload, probed at once and kept under their hash."""

from __future__ import annotations

import base64
import binascii
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from werkzeug.datastructures import FileStorage

from api.context import context
from api.schemas import EmbeddingInput, RecordingInput
from api.uploads import upload_object
from audio.decode import check_duration, probe
from core.errors import ArtifactMissing, FieldError, InvalidAudio, InvalidRequest, NotFound, RequestError, TooLarge
from storage.embeddings import StoredEmbedding, check_embedding, embedding_name, pack_embedding, unpack_embedding


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a recording may be, in seconds."""

    least: float
    most: float


#: A reference of 1 to 600 s; any other recording up to four hours.
LIMITS = {"reference": Limits(1.0, 600.0), "recording": Limits(0.1, 4 * 3600.0)}


def take_recording(owner: str, name: str, given: RecordingInput | FileStorage) -> dict[str, Any]:
    """Keeps a recording as ``{owner}/recordings/{hash}`` and says what it is.

    ``name`` is the field, ``reference`` or ``recording``. Raises `InvalidAudio`, `TooLarge` or `NotFound`.
    """
    with _file(owner, name, given) as path:
        try:
            found = probe(path)
            check_duration(found.duration, least=LIMITS[name].least, most=LIMITS[name].most)
        except InvalidAudio as error:
            raise InvalidAudio(
                error.message, code=error.code, fields=[FieldError(name, error.code, error.message)]
            ) from error
        digest = _digest(path)
        target = f"{owner}/recordings/{digest}"
        objects = context().objects
        if objects.head(target) is None:
            objects.put_file(target, path, "application/octet-stream")
    return {"object": target, "sha256": digest, "duration": round(found.duration, 3), "container": found.container}


@contextmanager
def _file(owner: str, name: str, given: RecordingInput | FileStorage) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chorus-intake-") as folder:
        path = Path(folder) / "recording"
        if isinstance(given, FileStorage):
            given.save(path)
        elif given.base64 is not None:
            path.write_bytes(_base64(name, given.base64))
        elif given.upload is not None:
            _fetch_upload(owner, name, given.upload, path)
        else:
            detail = "Give one of upload or base64."
            raise InvalidRequest(detail, code="missing_field", fields=[FieldError(name, "missing_field", detail)])
        yield path


def _fetch_upload(owner: str, name: str, upload: str, path: Path) -> None:
    target = upload_object(owner, upload)
    objects = context().objects
    info = objects.head(target)
    if info is None:
        detail = f"Nothing has been uploaded to {upload!r} yet."
        raise InvalidRequest(detail, code="upload_empty", fields=[FieldError(name, "upload_empty", detail)])
    limit = context().settings.max_upload_bytes
    if info.size > limit:
        raise TooLarge(f"The upload has {info.size} bytes; {limit} are allowed.")
    try:
        objects.get_file(target, path)
    except ArtifactMissing as error:
        raise NotFound("The upload is gone.", code="upload_not_found") from error


def _base64(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError) as error:
        detail = "This is not base64."
        raise InvalidRequest(detail, code="not_base64", fields=[FieldError(name, "not_base64", detail)]) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def take_embedding(owner: str, given: EmbeddingInput | str, model: str) -> dict[str, Any]:
    """Keeps an embedding that a client brought. Raises `InvalidRequest`: ``invalid_embedding``, or
    ``embedding_of_another_model`` where it is not of ``model``."""
    try:
        embedding = _embedding(given)
        if embedding.model != model:
            raise InvalidRequest(
                f"This embedding is of {embedding.model[:100]!r}; here one of {model!r} is needed.",
                code="embedding_of_another_model",
            )
    except RequestError as error:
        error.fields = error.fields or (FieldError("reference.embedding", error.code, error.message),)
        raise
    data = pack_embedding(embedding)
    digest = hashlib.sha256(data).hexdigest()
    target = embedding_name(owner, "given", digest)
    context().objects.put(target, data, "application/octet-stream", if_absent=True)
    return {"object": target, "sha256": digest, "model": embedding.model}


def _embedding(given: EmbeddingInput | str) -> StoredEmbedding:
    if isinstance(given, str):
        return unpack_embedding(_base64("reference.embedding", given))
    return check_embedding(StoredEmbedding(np.asarray(given.values, np.float32), given.model))
