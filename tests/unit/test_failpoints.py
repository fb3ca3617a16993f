"""Points at which a test has a process die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from core.failpoints import arm, armed
from tests.shared_data import ROOT

PROGRAM = "from core.failpoints import reach; reach('here'); reach('there'); print('went on')"


def run(folder: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "CHORUS_FAILPOINTS"}
    if folder is not None:
        env["CHORUS_FAILPOINTS"] = str(folder)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_a_point_does_nothing_unless_it_is_armed(tmp_path: Path) -> None:
    assert run(None).stdout == run(tmp_path).stdout == "went on\n"


def test_without_the_folder_in_the_environment_even_an_armed_point_does_nothing(tmp_path: Path) -> None:
    arm(tmp_path, "here")
    assert run(None).stdout == "went on\n"
    assert armed(tmp_path, "here")


def test_the_first_process_that_reaches_it_is_gone(tmp_path: Path) -> None:
    arm(tmp_path, "there")
    assert run(tmp_path).returncode == -signal.SIGKILL
    assert not armed(tmp_path, "there")
    assert run(tmp_path).stdout == "went on\n"


def test_only_the_program_that_is_meant_dies(tmp_path: Path) -> None:
    arm(tmp_path, "here", program="worker cpu")
    assert run(tmp_path, "worker", "sim").stdout == "went on\n"
    assert run(tmp_path, "worker", "cpu").returncode == -signal.SIGKILL
