"""Input recordings, embeddings and covers: from base64, a file or an upload, checked at once and stored under their
hash."""

from __future__ import annotations

import base64
import binascii
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from audio.cover import MAX_COVER_BYTES, read_cover
from audio.decode import check_duration, probe
from core.errors import FieldError, InvalidAudio, InvalidRequest, RequestError
from pipelines.connections import Connections
from schemas.requests import CoverInput, EmbeddingInput, RecordingInput
from storage.ledger.documents import CoverDocument, EmbeddingDocument, RecordingDocument
from storage.objects.embeddings import (
    StoredEmbedding,
    check_embedding,
    embedding_name,
    pack_embedding,
    unpack_embedding,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a recording may be, in seconds."""

    least: float
    most: float


#: A reference of 1 to 600 s; any other recording up to four hours.
LIMITS = {"reference": Limits(1.0, 600.0), "recording": Limits(0.1, 4 * 3600.0)}


class Intake:
    """Takes recordings, embeddings and covers in. Safe to share between threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._objects = connections.objects

    def recording(
        self,
        owner: str,
        name: str,
        given: RecordingInput | IO[bytes],
        folder: str | None = None,
        field: str | None = None,
    ) -> RecordingDocument:
        """Store a recording as ``{folder}/recordings/{hash}`` and return its description.

        ``name`` is ``reference`` or ``recording``, and the field in errors unless ``field`` is given; ``folder`` is
        the owner's by default. A URL is only checked here, and fetched when the job is prepared. Raises
        `InvalidAudio`, `TooLarge` or `NotFound`.
        """
        folder, field = folder or owner, field or name
        if isinstance(given, RecordingInput) and given.url is not None:
            with of_field(f"{field}.url"):
                self._connections.egress.check(given.url)
            return RecordingDocument(url=given.url)
        with tempfile.TemporaryDirectory(prefix="chorus-intake-") as place:
            path = Path(place) / "recording"
            with of_field(field):
                self._bring(owner, given, path)
                return self.keep(folder, name, path)

    def keep(self, folder: str, name: str, path: Path) -> RecordingDocument:
        """Probe the recording at ``path`` and store it. Raises `InvalidAudio`."""
        found = probe(path)
        check_duration(found.duration, least=LIMITS[name].least, most=LIMITS[name].most)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = f"{folder}/recordings/{digest}"
        if self._objects.head(target) is None:
            self._objects.put_file(target, path, "application/octet-stream")
        return RecordingDocument(
            object=target,
            sha256=digest,
            duration=round(found.duration, 3),
            samples=round(found.duration * found.sample_rate * found.channels),
            container=found.container,
        )

    def cover(self, owner: str, given: CoverInput, field: str) -> CoverDocument:
        """Store a cover picture as ``{owner}/covers/{hash}``. A URL is only checked here, and fetched when the job is
        prepared. Raises what `read_cover` raises, `NotFound` or `TooLarge`."""
        if given.url is not None:
            with of_field(f"{field}.url"):
                self._connections.egress.check(given.url)
            return CoverDocument(url=given.url)
        with tempfile.TemporaryDirectory(prefix="chorus-intake-") as place, of_field(field):
            path = Path(place) / "cover"
            self._bring(owner, given, path, MAX_COVER_BYTES)
            return self.keep_cover(owner, path.read_bytes())

    def keep_cover(self, owner: str, data: bytes) -> CoverDocument:
        """Check a cover picture and store it. Raises what `read_cover` raises."""
        picture = read_cover(data)
        target = f"{owner}/covers/{hashlib.sha256(picture.data).hexdigest()}"
        self._objects.put(target, picture.data, picture.content_type, if_absent=True)
        return CoverDocument(object=target)

    def embedding(self, owner: str, given: EmbeddingInput | str, model: str) -> EmbeddingDocument:
        """Store an embedding sent by a client. Raises `InvalidRequest`: ``invalid_embedding``, or
        ``embedding_of_another_model`` if ``model`` did not compute it."""
        with of_field("reference.embedding"):
            embedding = _embedding(given)
            if embedding.model != model:
                raise InvalidRequest(
                    f"The embedding was computed by {embedding.model[:100]!r}; one of {model!r} is required.",
                    code="embedding_of_another_model",
                )
        data = pack_embedding(embedding)
        digest = hashlib.sha256(data).hexdigest()
        target = embedding_name(owner, "given", digest)
        self._objects.put(target, data, "application/octet-stream", if_absent=True)
        return EmbeddingDocument(object=target, sha256=digest, model=embedding.model)

    def _bring(self, owner: str, given: RecordingInput | IO[bytes], path: Path, limit: int | None = None) -> None:
        if not isinstance(given, RecordingInput):
            with path.open("wb") as file:
                shutil.copyfileobj(given, file, 1 << 20)
        elif given.base64 is not None:
            path.write_bytes(_base64(given.base64))
        else:
            most = limit or self._connections.settings.max_upload_bytes
            self._connections.uploads.fetch(owner, given.upload or "", path, most)


@contextmanager
def of_field(field: str) -> Iterator[None]:
    """Add the name of the field to an error of a request."""
    try:
        yield
    except RequestError as error:
        error.fields = error.fields or (FieldError(field, error.code, error.message),)
        raise


def _base64(text: str) -> bytes:
    """Base64 of either alphabet (RFC 4648, 4 and 5, but no mixture), with or without padding and line ends."""
    text = text.partition(",")[2] if text.startswith("data:") else text
    text = text.replace("\r", "").replace("\n", "")
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    try:
        if ("-" in text or "_" in text) and not ("+" in text or "/" in text):
            return base64.b64decode(text, altchars=b"-_", validate=True)
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidAudio("The value is not valid base64.", code="not_base64") from error


def _embedding(given: EmbeddingInput | str) -> StoredEmbedding:
    if isinstance(given, str):
        return unpack_embedding(_base64(given))
    with np.errstate(over="ignore"):  # what does not fit into 32 bits is infinite, and refused as such
        return check_embedding(StoredEmbedding(np.asarray(given.values, np.float32), given.model))
