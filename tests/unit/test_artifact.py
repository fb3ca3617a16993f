"""`audio.artifact`: samples and facts come back as they went in."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audio.artifact import pack, unpack
from benchmarks.support.former_store import former_pack
from core.errors import ArtifactMissing, InternalError, ModelFailed

SAMPLES = hnp.arrays(np.float32, st.integers(0, 500), elements=st.floats(-100, 100, width=32, allow_subnormal=False))


@settings(max_examples=200, deadline=None)
@given(SAMPLES, st.sampled_from([8_000, 22_050, 24_000, 48_000]))
def test_the_error_is_below_2_to_the_minus_23_of_the_peak(samples: np.ndarray, rate: int) -> None:
    back, rate_back, facts = unpack(pack(samples, rate, {"seed": 7}))
    assert back.dtype == np.float32
    assert back.shape == samples.shape
    assert rate_back == rate
    scale = float(np.abs(samples).max(initial=0)) or 1.0
    assert facts == {"seed": 7, "scale": scale, "frames": len(samples)}
    assert np.abs(back.astype(np.float64) - samples).max(initial=0) <= 2**-23 * scale


def test_long_facts_come_back() -> None:
    facts = {
        "durations": [round(0.01 * i, 6) for i in range(20_000)],
        "text": 'ü 你好 \n\x00 = "quoted"',
        "numpy": [np.float64(0.5), np.int64(3)],
        "array": np.arange(3),
    }
    data = pack(np.ones(100, np.float32), 22_050, facts)
    assert len(data) > 100_000
    _, _, back = unpack(data)
    assert back["durations"] == facts["durations"]
    assert back["text"] == facts["text"]
    assert back["numpy"] == [0.5, 3]
    assert back["array"] == [0, 1, 2]


def test_the_same_input_gives_the_same_bytes_as_flac() -> None:
    samples = np.sin(np.arange(20_000, dtype=np.float32) / 20)
    data = pack(samples, 24_000, {"seed": 1})
    assert data == pack(samples.copy(), 24_000, {"seed": 1})
    assert data[:4] == b"fLaC"
    assert len(data) < 3 * len(samples)


def test_artifacts_of_the_former_level_are_read() -> None:
    samples = np.sin(np.arange(20_000, dtype=np.float32) / 20)
    former = former_pack(samples, 24_000, {"seed": 1})
    now = pack(samples, 24_000, {"seed": 1})
    assert former != now
    (old, old_rate, old_facts), (new, new_rate, new_facts) = unpack(former), unpack(now)
    assert (old_rate, old_facts) == (new_rate, new_facts)
    assert np.array_equal(old, new)


def test_a_machine_without_files_in_memory_packs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.sin(np.arange(20_000, dtype=np.float32) / 20)
    data = pack(samples, 24_000, {"seed": 1})
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "memfd_create", raising=False)
    assert pack(samples, 24_000, {"seed": 1}) == data


def test_packing_leaves_no_file_open() -> None:
    before = len(os.listdir("/dev/fd"))
    pack(np.ones(10, np.float32), 24_000, {})
    with pytest.raises(InternalError):
        pack(np.ones(10, np.float32), 24_000, {"a": object()})
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_the_models_failure(bad: float) -> None:
    samples = np.zeros(10, np.float32)
    samples[3], samples[4] = bad, 5
    with pytest.raises(ModelFailed):
        pack(samples, 22_050, {})


@pytest.mark.parametrize("facts", [{"a": object()}, {"a": float("nan")}, {"a": b"bytes"}])
def test_facts_that_are_no_json(facts: dict[str, Any]) -> None:
    with pytest.raises(InternalError):
        pack(np.zeros(10, np.float32), 22_050, facts)


@pytest.mark.parametrize(("shape", "rate"), [((2, 5), 22_050), ((5,), 0), ((5,), 10**6)])
def test_samples_of_another_shape_or_rate(shape: tuple[int, ...], rate: int) -> None:
    with pytest.raises(InternalError):
        pack(np.zeros(shape, np.float32), rate, {})


def test_damaged_bytes() -> None:
    noise = np.random.default_rng(0).standard_normal(50_000).astype(np.float32)
    data = pack(noise, 22_050, {"seed": 1})
    broken = [b"", b"text", data[:30], data[: len(data) // 2], data[:-2000], data.replace(b"{", b"[")]
    for each in broken:
        with pytest.raises(ArtifactMissing) as caught:
            unpack(each)
        assert caught.value.code == "artifact_broken"
