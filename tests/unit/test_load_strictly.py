"""Checkpoints that are not those of a network: each is an error that says why."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from core.errors import WeightsError
from models.shared.torch import load_strictly


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def checkpoint() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {name: torch.rand(own.shape).to(own.dtype) for name, own in network().state_dict().items()}


def test_a_whole_checkpoint_is_loaded_for_inference() -> None:
    module = network()
    report = load_strictly(module, checkpoint(), "test")
    assert (report.loaded, report.unused) == (7, ())
    assert all(torch.equal(module.state_dict()[name], tensor) for name, tensor in checkpoint().items())
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_each_fault_is_named_apart() -> None:
    tensors = checkpoint()
    tensors["2.extra"] = tensors.pop("0.bias")
    tensors["0.weight"] = tensors["0.weight"].T
    tensors["1.running_var"][1] = torch.nan
    with pytest.raises(WeightsError) as caught:
        load_strictly(network(), tensors, "test")
    assert caught.value.message == (
        "These are not test weights: missing: 0.bias; unexpected: 2.extra; "
        "wrong shape: 0.weight [3, 2] instead of [2, 3]; not finite: 1.running_var."
    )


def test_a_refused_checkpoint_changes_nothing() -> None:
    module = network()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(WeightsError):
        load_strictly(module, {name: w for name, w in checkpoint().items() if name != "0.bias"}, "test")
    assert all(torch.equal(module.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_long_list_is_cut() -> None:
    extra = {f"extra.{i:02}": torch.zeros(1) for i in range(13)}
    with pytest.raises(WeightsError, match=r"unexpected: extra\.00, .*extra\.09 and 3 more\."):
        load_strictly(network(), checkpoint() | extra, "test")
