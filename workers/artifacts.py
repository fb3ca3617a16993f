"""Reading utterances' artifacts."""

from __future__ import annotations

import logging
from typing import Any

from audio.artifact import ARTIFACT_BROKEN, unpack
from audio.samples import Samples
from core.errors import ArtifactMissing
from storage.objects.objects import Objects

log = logging.getLogger(__name__)


def read_speech(objects: Objects, name: str) -> tuple[Samples, int]:
    """The samples (float32 [n]) and rate (Hz) of an artifact. Raises as `read_artifact`."""
    samples, rate, _ = read_artifact(objects, name)
    return samples, rate


def read_facts(objects: Objects, name: str) -> dict[str, Any]:
    """The facts of an artifact, such as its durations. Raises as `read_artifact`."""
    return read_artifact(objects, name)[2]


def read_artifact(objects: Objects, name: str) -> tuple[Samples, int, dict[str, Any]]:
    """The samples (float32 [n]), rate (Hz) and facts of an artifact.

    Raises `ArtifactMissing` if there is none, or none that can be read. A damaged one is deleted: the first write of a
    name wins, so only then can it be rendered again.
    """
    try:
        return unpack(objects.get(name))
    except ArtifactMissing as error:
        if error.code == ARTIFACT_BROKEN:
            log.warning("%s is damaged and is rendered again", name)
            objects.delete(name)
        raise
