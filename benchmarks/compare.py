"""Comparison with another revision: one benchmark run in both trees, in turns."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.support.service import say
from core.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is compared."""
    parser.add_argument("--of", required=True, metavar="NAME", help="the benchmark that both trees run")
    parser.add_argument("--base", required=True, metavar="REV", help="the revision to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each tree (default: %(default)s)")


@contextlib.contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """A temporary work tree of ``revision``. Raises `ConfigurationError` where there is no such revision."""
    with tempfile.TemporaryDirectory(prefix="chorus-base-") as folder:
        tree = Path(folder) / "tree"
        made = _git("worktree", "add", "--detach", str(tree), revision)
        if made.returncode:
            raise ConfigurationError(f"There is no revision {revision!r}: {made.stderr.strip()[-200:]}")
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def figures(tree: Path, name: str, data: Path) -> Mapping[str, float]:
    """The figures of one run of a benchmark in a tree, by its own code."""
    path = os.pathsep.join([str(tree), str(tree / "client")])
    command = [sys.executable, "-P", "-m", "benchmarks", name, "--json", "--data", str(data)]
    done = subprocess.run(
        command, cwd=tree, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise ConfigurationError(f"{name} failed in {tree}", code="benchmark_stuck")
    found = json.loads(done.stdout)
    return {key: float(value) for key, value in found.items() if isinstance(value, int | float)}


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """Medians of both trees, and this tree's over the base's (``*_ratio``), for each figure of the benchmark."""
    with checkout(arguments.base) as base:
        trees = {"here": ROOT, "base": base}
        found: dict[str, dict[str, list[float]]] = {name: {} for name in trees}
        for number in range(arguments.rounds):
            for name, tree in trees.items():
                say(f"round {number + 1} of {arguments.rounds}: {name}")
                for key, value in figures(tree, arguments.of, arguments.data).items():
                    found[name].setdefault(key, []).append(value)
    result: dict[str, float | int | str] = {"benchmark": arguments.of, "rounds": arguments.rounds}
    for key in found["here"].keys() & found["base"].keys() - {"rounds"}:
        here, there = (statistics.median(found[name][key]) for name in trees)
        result |= {f"{key}_here": here, f"{key}_base": there}
        if there:
            result[f"{key}_ratio"] = round(here / there, 3)
    return dict(sorted(result.items()))
