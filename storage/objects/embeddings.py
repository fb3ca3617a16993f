"""Speaker embeddings as artifacts: float32 safetensors tagged with the model that computed them, never a pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from core.errors import InvalidRequest

#: Longest embedding that is taken in.
MAX_DIMENSIONS = 4096
_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """A speaker embedding: float32 [n], and the name of the model that computed it."""

    vector: NDArray[np.float32]
    model: str


def pack_embedding(embedding: StoredEmbedding) -> bytes:
    """The embedding as a safetensors file with one tensor and the model's name in its metadata."""
    vector = np.ascontiguousarray(embedding.vector, dtype=np.float32)
    data: bytes = save({"embedding": vector}, metadata={"model": embedding.model, "format": "chorus-embedding-1"})
    return data


def unpack_embedding(data: bytes) -> StoredEmbedding:
    """Read an untrusted safetensors file. Raises `InvalidRequest` (``invalid_embedding``)."""
    if len(data) > _MAX_BYTES:
        raise _invalid("it is too large")
    try:
        tensors = dict(deserialize(data))  # type: ignore[no-untyped-call]
        model = _metadata(data).get("model", "")
        tensor = tensors["embedding"]
        if tensor["dtype"] != "F32":
            raise _invalid("its numbers are not float32")
        vector = np.frombuffer(tensor["data"], np.float32)
    except (SafetensorError, KeyError, UnicodeDecodeError) as error:
        raise _invalid("it is not a safetensors file with a tensor 'embedding'") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise _invalid("it cannot be read") from error
    return check_embedding(StoredEmbedding(vector, model))


def check_embedding(embedding: StoredEmbedding) -> StoredEmbedding:
    """The embedding, if it can be one. Raises `InvalidRequest` (``invalid_embedding``)."""
    vector = embedding.vector
    if not embedding.model:
        raise _invalid("it does not name the model that computed it")
    if vector.ndim != 1 or not 1 <= len(vector) <= MAX_DIMENSIONS:
        raise _invalid(f"it must be one row of 1 to {MAX_DIMENSIONS} numbers")
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(vector)
    if not np.isfinite(length) or length == 0:
        raise _invalid("its numbers must be finite, and neither all zero nor too large")
    return embedding


def embedding_name(owner: str, *content: str) -> str:
    """The object name of the embedding that follows from ``content``: recording, segments, model, weights."""
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()[:40]
    return f"{owner}/embeddings/{digest}.safetensors"


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    found = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return found if isinstance(found, dict) else {}


def _invalid(why: str) -> InvalidRequest:
    return InvalidRequest(f"The embedding cannot be used: {why}.", code="invalid_embedding")
