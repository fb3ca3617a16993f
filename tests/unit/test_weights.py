"""The cache of weights, on files of this machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import ConfigurationError, WeightsError
from core.names import Role
from models.base import Bounds, ModelSpec, Part, WeightsFile
from models.weights import MAX_BYTES, WeightsCache, files_of
from tests.shared_data import ROOT


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_of(data: bytes, *sources: tuple[str, str], name: str = "model.bin") -> WeightsFile:
    return WeightsFile(name=name, parts=tuple(Part(source=s, file=f) for s, f in sources), sha256=sha256(data))


def everything_in(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and p.parent.name != "locks"]


@pytest.fixture
def source(tmp_path: Path) -> str:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"first ")
    (folder / "deep" / "b.bin").write_bytes(b"second")
    return f"file:{folder}"


@pytest.fixture
def cache(tmp_path: Path) -> WeightsCache:
    return WeightsCache(tmp_path / "cache")


def test_parts_are_joined_and_kept_under_their_hash(cache: WeightsCache, source: str) -> None:
    file = file_of(b"first second", (source, "a.bin"), (source, "deep/b.bin"))
    assert cache.status(file) == "missing"
    path = cache.path("m", file)
    assert path == cache.root / "weights" / file.sha256 / "model.bin"
    assert path.read_bytes() == b"first second"
    assert cache.status(file) == "present"
    assert everything_in(cache.root) == [path]


def test_a_kept_file_needs_its_source_no_more(cache: WeightsCache, source: str) -> None:
    file = file_of(b"first ", (source, "a.bin"))
    path = cache.path("m", file)
    (Path(source.removeprefix("file:")) / "a.bin").unlink()
    assert cache.path("m", file) == path


def test_a_wrong_hash_leaves_nothing(cache: WeightsCache, source: str) -> None:
    file = file_of(b"something else", (source, "a.bin"))
    with pytest.raises(WeightsError, match="sha256"):
        cache.path("m", file)
    assert everything_in(cache.root) == []
    assert cache.status(file) == "missing"


def test_check_finds_what_was_changed_on_disk(cache: WeightsCache, source: str) -> None:
    file = file_of(b"first ", (source, "a.bin"))
    assert not cache.check(file)
    path = cache.path("m", file)
    assert cache.check(file)
    path.write_bytes(b"tampered")
    assert cache.status(file) == "present"
    assert not cache.check(file)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "pypi:",
        "pypi:name",
        "pypi:name>=1",
        "pypi:--index-url=x==1",
        "pypi:a==1 b==2",
        "hf:owner/repo",
        "hf:repo@main",
        "hf:owner/repo@",
        "s3:",
        "s3:UPPER/x",
        "file:relative",
        "http://host/x",
        "ftp:x",
    ],
)
def test_a_malformed_source_is_a_configuration_error(cache: WeightsCache, bad: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a source of weights") as caught:
        cache.path("m", file_of(b"x", (bad, "a.bin")))
    assert not isinstance(caught.value, WeightsError)
    assert everything_in(cache.root) == []


@pytest.mark.parametrize("inside", ["../a.bin", "/etc/a.bin", "deep/../../a.bin", "..\\a.bin", "a\0.bin"])
def test_a_path_stays_inside_its_source(cache: WeightsCache, source: str, inside: str) -> None:
    with pytest.raises(ConfigurationError, match="not a valid path inside"):
        cache.path("m", file_of(b"first ", (source, inside)))


@pytest.mark.parametrize("name", ["../x.bin", "/x.bin", ".hidden.bin", "a/b.bin", "model.pkl", "model.py", "model", ""])
def test_a_name_is_that_of_a_plain_file_of_a_safe_format(cache: WeightsCache, source: str, name: str) -> None:
    with pytest.raises(ConfigurationError):
        cache.path("m", file_of(b"first ", (source, "a.bin"), name=name))
    with pytest.raises(ConfigurationError):
        cache.path("m", file_of(b"first ", (source, "a.pickle")))


def test_a_missing_source_says_which(cache: WeightsCache, source: str) -> None:
    with pytest.raises(WeightsError, match=r"none\.bin of file:"):
        cache.path("m", file_of(b"x", (source, "none.bin")))
    assert everything_in(cache.root) == []


def test_s3_without_a_client(cache: WeightsCache) -> None:
    with pytest.raises(WeightsError, match="No S3 client"):
        cache.path("m", file_of(b"x", ("s3:bucket/prefix", "a.bin")))


def test_progress_counts_all_parts(tmp_path: Path, source: str) -> None:
    seen: list[tuple[str, int, int | None]] = []
    cache = WeightsCache(tmp_path / "cache", on_progress=lambda *step: seen.append(step))
    cache.path("m", file_of(b"first second", (source, "a.bin"), (source, "deep/b.bin")))
    assert seen == [("m/model.bin", 6, 6), ("m/model.bin", 12, 12)]


def test_files_of_a_model(cache: WeightsCache, source: str) -> None:
    spec = ModelSpec(
        name="m",
        type="piper",
        role=Role.SYNTHESIZE,
        weights={"model": file_of(b"first ", (source, "a.bin"))},
        languages=(),
        voices={},
        options={},
        sample_rate=None,
        batch={"cpu": Bounds(items=1, cost=1)},
        batch_timeout=1,
    )
    files = files_of(spec, cache)
    assert files("model").read_bytes() == b"first "
    with pytest.raises(ConfigurationError, match="no weights 'config'; it has model"):
        files("config")


FETCH = """
import sys
from pathlib import Path
from models.base import Part, WeightsFile
from models.weights import WeightsCache

root, source, digest, log = sys.argv[1:]
def fetched(label, done, total):
    if done == total:
        with open(log, "a") as out:
            out.write("fetched\\n")
file = WeightsFile(name="model.bin", parts=(Part(source=source, file="big.bin"),), sha256=digest)
print(WeightsCache(Path(root), on_progress=fetched).path("m", file))
"""


def test_processes_that_want_the_same_file_fetch_it_once(tmp_path: Path) -> None:
    data = bytes(8 * 2**20)
    (tmp_path / "big.bin").write_bytes(data)
    log = tmp_path / "log"
    arguments = [str(tmp_path / "cache"), f"file:{tmp_path}", sha256(data), str(log)]
    command = [sys.executable, "-c", FETCH, *arguments]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = {process.communicate(timeout=60)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert log.read_text() == "fetched\n"
    assert [Path(p).stat().st_size for p in printed] == [len(data)]


def test_what_is_no_plain_file_is_refused_at_once(cache: WeightsCache, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.bin")
    (tmp_path / "folder.bin").mkdir()
    (tmp_path / "zero.bin").symlink_to("/dev/zero")
    for name in ("pipe.bin", "folder.bin", "zero.bin"):
        with pytest.raises(WeightsError, match=rf"{name} of file:.*not a plain file"):
            cache.path("m", file_of(b"x", (f"file:{tmp_path}", name)))
    assert everything_in(cache.root) == []


def test_a_huge_file_is_refused_before_it_is_read(cache: WeightsCache, tmp_path: Path) -> None:
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(WeightsError, match=r"m/model\.bin is larger than \d+ bytes"):
        cache.path("m", file_of(b"x", (f"file:{tmp_path}", "huge.bin")))
    assert everything_in(cache.root) == []
