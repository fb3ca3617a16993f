"""Checkpoints that are no state dicts: each is refused, and says why. None of their code is run."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import WeightsError
from models.shared.torch import read_safetensors, read_tensors


class Code:
    """Unpickled without care, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.pt"


def refused(path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has remarks on pickles that it did not write
        with pytest.raises(WeightsError) as caught:
            read_tensors(path, "m")
    assert path.name in caught.value.message
    return caught.value.message


def test_tensors_are_read(path: Path) -> None:
    torch.save({"a": torch.arange(3.0), "b": torch.ones(2, dtype=torch.int64)}, path)
    found = read_tensors(path, "m")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {"a": [0, 1, 2], "b": [1, 1]}


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_is_never_run(path: Path, tmp_path: Path, write: Callable[[Any, Path], Any]) -> None:
    made = tmp_path / "made"
    write({"a": torch.ones(1), "b": Code(made)}, path)
    message = refused(path)
    assert not made.exists()
    assert "set to" not in message, "torch's advice is to run the code"
    with path.open("rb") as file:  # the pickle is one that works
        if write is not torch.save:
            pickle.load(file)
            assert made.exists()


def test_code_is_named(path: Path, tmp_path: Path) -> None:
    torch.save({"a": Code(tmp_path / "made")}, path)
    assert "it asks for code (posix.mkdir), which is never run" in refused(path)


@pytest.mark.parametrize("length", [0, 10, 3000])
def test_a_truncated_file(path: Path, length: int) -> None:
    torch.save({"a": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:length])
    assert "it is damaged or incomplete" in refused(path)


def test_a_page_of_an_error(path: Path) -> None:
    path.write_text("<!DOCTYPE html><title>404 Not Found</title>")
    assert "it is no checkpoint of torch" in refused(path)


def test_a_compressed_archive_is_not_inflated(path: Path, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2_000_000)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in plain.infolist():
            packed.writestr(member.filename, plain.read(member))
    assert path.stat().st_size < 100_000
    assert "compressed" in refused(path)


@pytest.mark.parametrize(
    "content",
    [
        [1],
        {"a": "text"},
        {"a": torch.zeros(3, device="meta")},
        {"a": torch.eye(3).to_sparse()},
    ],
)
def test_what_has_no_plain_tensors(path: Path, content: Any) -> None:
    torch.save(content, path)
    assert "contains no state dict" in refused(path)


def test_no_file(path: Path) -> None:
    assert "No such file" in refused(path)
    path.mkdir()
    assert "directory" in refused(path)


def test_safetensors_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(WeightsError, match=r"m: the weights file model\.safetensors cannot be read: .+\."):
        read_safetensors(path, "m")
