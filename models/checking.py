"""Checks one entry of models.yaml whole: its files, the tensors in them, and whether the model runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import ChorusError
from models.base import ModelSpec, WeightsFile, WeightsReport
from models.catalog import load_model
from models.shared.devices import Placement, place
from models.shared.failures import failure
from models.trial import Trial, try_model
from models.weights import WeightsCache, files_of

NO_LICENCE = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """One file of weights: its size in the cache, the sha256 that it has there, and what is wrong with it."""

    key: str  #: its name in the entry
    file: WeightsFile
    bytes: int | None
    sha256: str | None
    fault: str | None
    missing: bool = False  #: from the cache

    def to_dict(self) -> dict[str, Any]:
        return {
            "weights": self.key,
            "name": self.file.name,
            "sources": [f"{part.source} {part.file}" for part in self.file.parts],
            "bytes": self.bytes,
            "sha256": self.sha256,
            "expected_sha256": self.file.sha256,
            "missing": self.missing,
            "error": self.fault,
        }


@dataclass(slots=True, kw_only=True)
class ModelCheck:
    """What was found out about one entry. ``fault``: why the model does not run, or why it was not tried."""

    spec: ModelSpec
    files: list[FileCheck]
    tried: bool = False  #: whether the model was to be loaded: not if only its files were checked
    placement: Placement | None = None
    load_seconds: float | None = None
    report: WeightsReport | None = None
    trial: Trial | None = None
    fault: str | None = None
    code: str | None = None  #: of the fault

    @property
    def ok(self) -> bool:
        return self.fault is None and all(file.fault is None for file in self.files)

    @property
    def licence(self) -> str:
        return self.spec.licence or NO_LICENCE

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``chorus weights check --json``."""
        place, report, trial = self.placement, self.report, self.trial
        return {
            "model": self.spec.name,
            "type": self.spec.type,
            "role": self.spec.role.value,
            "ok": self.ok,
            "licence": self.spec.licence or None,
            "files": [file.to_dict() for file in self.files],
            "device": place and place.device,
            "runtime": place and place.runtime and place.runtime.value,
            "precision": place and self.spec.precision_on(place.device).value,
            "load_seconds": self.load_seconds and round(self.load_seconds, 3),
            "tensors": report and {"loaded": report.loaded, "unused": list(report.unused)},
            "trial": trial and {**trial.facts, "seconds": round(trial.seconds, 3)},
            "warnings": list(trial.warnings) if trial else [],
            "error": self.fault and {"code": self.code, "message": self.fault},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a model is to be tried: on which device, and, for a synthesizer, what it speaks and with which voice."""

    device: str = "cpu"
    text: str | None = None
    voice: str | None = None


def check_files(spec: ModelSpec, cache: WeightsCache, *, missing_is_wrong: bool = True) -> ModelCheck:
    """Compare the files of an entry with their sha256; nothing is downloaded. Never raises."""
    found = ModelCheck(spec=spec, files=[_check_file(key, file, cache) for key, file in spec.weights.items()])
    if not missing_is_wrong:
        found.files = [replace(file, fault=None) if file.missing else file for file in found.files]
    return found


def check_model(spec: ModelSpec, cache: WeightsCache, wish: Wish) -> ModelCheck:
    """Check the files of an entry, fetched if need be, then load the model and try it. Never raises: what a file, a
    runtime or a model raises is the ``fault``. A model with a file that is wrong is not loaded."""
    with cache.kept_wheels():
        files = [_check_file(key, file, cache, spec.name) for key, file in spec.weights.items()]
    found = ModelCheck(spec=spec, files=files, tried=True)
    if wrong := [file.key for file in found.files if file.fault]:
        found.fault, found.code = f"The model is not loaded: its weights {', '.join(wrong)} are wrong.", "weights"
        return found
    try:
        _load_and_try(found, cache, wish)
    except Exception as error:  # whatever a runtime raises
        fault = error if isinstance(error, ChorusError) else failure(error)
        found.fault, found.code = fault.message, fault.code
    return found


def _load_and_try(found: ModelCheck, cache: WeightsCache, wish: Wish) -> None:
    # The device that was asked for, whatever that of the entry: a machine without a GPU can check a model for one.
    spec = replace(found.spec, device=None)
    found.placement = place(spec, wish.device)
    begin = time.perf_counter()
    model = load_model(spec, files_of(spec, cache), found.placement.device)
    found.load_seconds = time.perf_counter() - begin
    found.report = model.report
    found.trial = try_model(model, wish.text, wish.voice)


def _check_file(key: str, file: WeightsFile, cache: WeightsCache, fetch_for: str | None = None) -> FileCheck:
    """Compare a file, which is downloaded for the model ``fetch_for`` if there is one and the file is missing."""
    size = digest = fault = None
    missing = False
    try:
        if fetch_for is not None:
            cache.path(fetch_for, file)
        path = cache.place(file)
        if missing := not path.is_file():
            fault = "It is missing."
        else:
            size, digest = path.stat().st_size, cache.sha256(file)
            fault = None if digest == file.sha256 else _differs(file, digest, path)
    except (ChorusError, OSError) as error:
        fault = error.message if isinstance(error, ChorusError) else str(error)
    return FileCheck(key=key, file=file, bytes=size, sha256=digest, fault=fault, missing=missing)


def _differs(file: WeightsFile, digest: str | None, path: Path) -> str:
    if digest is None:
        return f"{path} cannot be read."
    return f"The file has sha256 {digest} instead of {file.sha256}. Delete {path} to download it again."
