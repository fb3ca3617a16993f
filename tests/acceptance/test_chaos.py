"""What ``make chaos`` does, in short: a minute of it, with every kind of fault. All of it in ``make proof``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.harness import VICTIMS, Options, planned, run

#: A minute of it.
SHORT = Options(jobs=150, kills=16, redis_kills=1, s3_stops=1, stops=1, half_open=1, seed=2)

WHOLE = pytest.param(Options(), marks=[pytest.mark.proof, pytest.mark.timeout(2400)])


def test_what_goes_wrong_follows_from_the_seed() -> None:
    assert planned(Options(seed=3)) == planned(Options(seed=3)) != planned(Options(seed=4))
    kinds = [event.kind for event in planned(Options())]
    assert (sum(kind in VICTIMS for kind in kinds), kinds.count("redis"), kinds.count("s3")) == (200, 5, 2)
    assert (kinds.count("stop"), kinds.count("half_open")) == (4, 4)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("options", [SHORT, WHOLE], ids=["a minute", "whole"])
def test_chaos_loses_nothing(tmp_path: Path, options: Options) -> None:
    report = run(options, tmp_path / "home")
    print(report.text())
    assert report.kills >= options.kills - 1
    faults = [options.redis_kills, options.s3_stops, options.stops, options.half_open]
    assert [report.by_kind[kind] for kind in ("redis", "s3", "stopped", "half_open")] == faults
    assert len(report.recoveries) > 0, "nobody held anything when it was killed"
    assert report.passed, report.text()
