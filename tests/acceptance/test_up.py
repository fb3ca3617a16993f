"""``chorus up`` as a user runs it: real processes, real signals, one folder used again and again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import soundfile

from cli.local.embedded import SEAWEEDFS_PORTS
from cli.local.home import Home, is_alive, port_is_free
from cli.local.layout import Layout, default_model_workers, groups, processes, program
from cli.local.stack import Stack
from cli.local.supervisor import members
from core.errors import ConfigurationError
from core.names import Role
from models.base import Bounds, ModelSpec
from tests.checkpoints.kokoro import kokoro
from tests.local_hub import local_hub
from tests.shared_data import ROOT
from tests.waiting import wait_for

pytestmark = pytest.mark.patient

NAMES = {"valkey", "seaweedfs", "api", "reaper", "sender", "cpu", "piper-joe-1"}


def call(stack: Stack, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        stack.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {stack.api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def follow(stack: Stack, job: str, timeout: float = 60.0) -> Any:
    def ended() -> Any:
        found = call(stack, f"/v1/jobs/{job}")
        return found if found["state"] not in ("queued", "running") else None

    found = wait_for(ended, timeout, f"job {job} to end")
    assert found["state"] == "succeeded", found
    return found


def speak(stack: Stack, text: str = "The birch canoe slid on the smooth planks.") -> Any:
    return follow(stack, call(stack, "/v1/jobs", {"pipeline": "piper", "text": text})["id"])


def everyone(stack: Stack) -> list[int]:
    """The pids of the supervisor, its children and all their descendants."""
    assert stack.process is not None
    leaders = [stack.process.pid, *(p["pid"] for p in stack.processes().values() if p["pid"])]
    return sorted({pid for leader in leaders for pid in members(leader)})


def nobody_left(stack: Stack, pids: list[int]) -> None:
    assert not [pid for pid in pids if is_alive(pid)]
    home = str(stack.home.path)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                assert process.environ().get("CHORUS_HOME") != home, process.cmdline()
    ports = json.loads((stack.home.path / "ports.json").read_text())
    assert {name for name, port in ports.items() if not port_is_free(port)} == set()


@contextlib.contextmanager
def started(home: Path) -> Iterator[Stack]:
    with Stack(home, model_workers=1) as stack:
        stack.wait_ready()
        yield stack


def end_with(stack: Stack, number: signal.Signals) -> float:
    """Sends the signal to the supervisor alone and returns the seconds until it ended, well."""
    assert stack.process is not None
    begin = time.monotonic()
    stack.process.send_signal(number)
    assert stack.process.wait(20) == 0, stack.log.read_text()
    return time.monotonic() - begin


@dataclass(frozen=True, slots=True)
class Yesterday:
    """A home in which a stack ran and was ended, and what it had there."""

    home: Path
    key: str
    url: str
    ports: str
    secret: str
    spoken: Any


@pytest.fixture(scope="module")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Yesterday:
    home = tmp_path_factory.mktemp("yesterday") / "home"
    with started(home) as first:
        assert set(first.processes()) == NAMES
        pids = everyone(first)
        assert len(pids) > len(NAMES), "the supervisor, its children, and theirs"
        ports, secret = (home / "ports.json").read_text(), (home / "s3-key").read_text()
        found = Yesterday(home, first.api_key, first.url, ports, secret, speak(first))
        assert end_with(first, signal.SIGINT) < 10
        nobody_left(first, pids)
    return found


def test_signals_end_everything_and_the_next_start_goes_on(yesterday: Yesterday) -> None:
    home, key, spoken = yesterday.home, yesterday.key, yesterday.spoken
    assert Home(home).state()["state"] == "stopped"  # type: ignore[index]
    with pytest.raises(ConfigurationError, match="No stack is running"):
        Home.load(home)

    with started(home) as second:
        assert (second.api_key, second.url) == (key, yesterday.url)
        assert (home / "ports.json").read_text() == yesterday.ports
        assert (home / "s3-key").read_text() == yesterday.secret
        assert call(second, f"/v1/jobs/{spoken['id']}")["state"] == "succeeded", "yesterday's job is there"
        request = urllib.request.Request(
            f"{second.url}/v1/jobs/{spoken['id']}/audio", headers={"Authorization": f"Bearer {key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert len(answer.read()) == spoken["result"]["audio"]["bytes"], "and its audio"
        pids = everyone(second)
        assert end_with(second, signal.SIGTERM) < 10
        nobody_left(second, pids)


def test_a_lost_or_revoked_key_is_made_anew(yesterday: Yesterday, tmp_path: Path) -> None:
    home, key = tmp_path / "home", yesterday.key
    shutil.copytree(yesterday.home, home)
    (home / "api-key").write_text("chorus_of-another-ledger\n")
    (home / "api-key").chmod(0o644)
    with started(home) as second:
        assert second.api_key not in (key, "chorus_of-another-ledger")
        assert stat.S_IMODE((home / "api-key").stat().st_mode) == 0o600
        assert call(second, "/v1/pipelines")


def test_a_model_that_was_added_is_served_at_the_next_start(tmp_path: Path) -> None:
    folder, home = kokoro(tmp_path / "hub"), tmp_path / "home"
    own = {"CHORUS_HOME": str(home), "CHORUS_OWN_MODELS_FILE": "", "CHORUS_CACHE": str(tmp_path / "cache")}
    with local_hub() as hub:
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
        hub.commit("hexgrad/Kokoro-82M", files, licence="apache-2.0")
        command = [sys.executable, "-m", "cli.main", "models", "add", "kokoro"]
        environment = {**os.environ, **own, "HF_ENDPOINT": hub.url, "PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"}
        added = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert added.returncode == 0, added.stdout + added.stderr
    with Stack(home, models=["kokoro-82m"], env=own) as stack:
        stack.wait_ready()
        asked = {"pipeline": "kokoro", "voice": "af_one:0.5+am_two:0.5", "text": "The birch canoe slid."}
        job = follow(stack, call(stack, "/v1/jobs", asked)["id"])
        assert [step["model"] for step in job["steps"] if step["name"] == "synthesize"] == ["kokoro-82m"]
        request = urllib.request.Request(
            f"{stack.url}/v1/jobs/{job['id']}/audio", headers={"Authorization": f"Bearer {stack.api_key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            samples, rate = soundfile.read(io.BytesIO(answer.read()))
        assert rate == 24_000 and len(samples) > 12_000 and abs(samples).max() > 1e-3


def test_files_are_private(stack: Stack) -> None:
    assert stat.S_IMODE(stack.home.path.stat().st_mode) == 0o700
    for name in ("api-key", "s3-key", "state.json"):
        assert stat.S_IMODE((stack.home.path / name).stat().st_mode) == 0o600, name
    for entry in stack.processes().values():
        secret = stack.home.s3_key()[1]
        assert secret not in " ".join(psutil.Process(entry["pid"]).cmdline()), "anyone may read command lines"


def test_every_port_is_on_loopback(stack: Stack) -> None:
    for entry in stack.processes().values():
        for connection in psutil.Process(entry["pid"]).net_connections(kind="inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1", entry["name"]


def test_a_second_one_in_the_same_home_is_refused(stack: Stack) -> None:
    assert stack.process is not None
    before = stack.processes()
    second = subprocess.run(
        program("up", "--home", str(stack.home.path)), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode != 0
    assert f"pid {stack.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert stack.processes() == before, "the first goes on undisturbed"
    assert stack.state() == "ready"


def test_a_port_that_was_asked_for_and_is_taken(tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        refused = subprocess.run(
            program("up", "--home", str(tmp_path / "home"), "--port", str(port)),
            cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert refused.returncode != 0
    assert f"Port {port}" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_killed_child_is_restarted_and_jobs_go_on(stack: Stack, name: str) -> None:
    before = stack.processes()
    family = members(before[name]["pid"])
    os.kill(before[name]["pid"], signal.SIGKILL)

    def back() -> bool:
        now = stack.processes()[name]
        return bool(now["state"] == "ready" and now["pid"] != before[name]["pid"])

    wait_for(back, 40, stack.processes)
    wait_for(lambda: stack.state() == "ready", 40, stack.processes)
    after = stack.processes()
    assert after[name]["restarts"] == before[name]["restarts"] + 1
    assert not [pid for pid in family if is_alive(pid)], "its own children ended with it"
    assert {n: p["pid"] for n, p in after.items() if n != name} == {n: p["pid"] for n, p in before.items() if n != name}
    speak(stack, f"The {name} was killed and came back.")


def test_after_the_supervisor_was_killed_the_next_start_takes_over(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with started(home) as first:
        assert first.process is not None
        spoken = speak(first)
        key = first.api_key
        pids = everyone(first)
        first.process.kill()
        first.process.wait()
        with started(home) as second:
            assert not [pid for pid in pids if is_alive(pid)], "two servers never share the data"
            assert second.api_key == key
            assert call(second, f"/v1/jobs/{spoken['id']}")["state"] == "succeeded"


def test_ctrl_c_while_it_starts(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", model_workers=1)
    with stack:
        wait_for(lambda: stack.processes().get("valkey", {}).get("pid"), 60, "the first process")
        pids = everyone(stack)
        assert end_with(stack, signal.SIGINT) < 10
        nobody_left(stack, pids)


def test_ctrl_c_typed_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal there is a table; the key goes to the foreground group, as the kernel sends it."""
    stack = Stack(tmp_path / "home", model_workers=1)
    ours, theirs = os.openpty()
    command = program("up", "--home", str(stack.home.path), "--port", "0", "--model-workers", "1")
    command += ["--models", "piper-joe"]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    stack.process = subprocess.Popen(
        command,
        env=env,
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: os.login_tty(theirs),  # noqa: PLW1509  one thread
    )
    os.close(theirs)
    shown = b""
    os.set_blocking(ours, False)

    def read() -> None:
        nonlocal shown
        with contextlib.suppress(OSError):  # nothing there yet, or the terminal's other end closed
            while piece := os.read(ours, 65536):
                shown += piece

    def is_ready() -> bool:
        read()
        return stack.state() == "ready" and b"Chorus listens on" in shown

    try:
        wait_for(is_ready, 120, lambda: shown.decode(errors="replace"))
        for word in (*NAMES, "process", "ready", "api-key", "curl"):
            assert word.encode() in shown, word
        pids = everyone(stack)
        os.write(ours, b"\x03")

        def ended() -> bool:
            read()
            return stack.process is not None and stack.process.poll() is not None

        begin = time.monotonic()
        wait_for(ended, 20, stack.processes)
        assert time.monotonic() - begin < 10
        assert stack.process.returncode == 0
        nobody_left(stack, pids)
    finally:
        os.close(ours)
        stack.stop()


@pytest.mark.parametrize(
    ("cores", "gigabytes", "workers"), [(1, 1, 1), (2, 24, 2), (8, 4, 3), (64, 16, 23), (64, 256, 64)]
)
def test_as_many_piper_workers_as_suit_the_machine(cores: int, gigabytes: int, workers: int) -> None:
    assert default_model_workers(cores, gigabytes * 2**30) == workers
    assert default_model_workers(cores, gigabytes * 2**30, {"cpu", "cuda"}) == workers
    assert default_model_workers(cores, gigabytes * 2**30, {"cuda:0", "cuda:1"}) == 1


def test_every_process_has_one_thread_and_a_name(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ports, _ = home.ports(["api", "valkey", *SEAWEEDFS_PORTS])
    layout = Layout(host="127.0.0.1", ports=ports, bucket="b", models=("piper-joe", "whisper-tiny.en"), model_workers=2)
    found = {p.name: p for p in processes(home, layout)}
    names = ["piper-joe-1", "piper-joe-2", "whisper-tiny.en-1"]
    assert list(found) == ["valkey", "seaweedfs", "api", "reaper", "sender", "cpu", *names]
    for name in names:
        assert found[name].env["OMP_NUM_THREADS"] == "1"
        assert found[name].env["CHORUS_WORKER_NAME"] == name
    assert found["piper-joe-2"].command[-2:] == ["worker", "piper-joe"]
    assert found["whisper-tiny.en-1"].command[-2:] == ["worker", "whisper-tiny.en"]
    below = ("valkey", "seaweedfs")
    assert all(p.after == (() if p.name in below else below) for p in found.values())
    slowest = max(p.stop_timeout for p in found.values())
    assert 2 * slowest < 10, "workers and API first, then the servers: both together end within ten seconds"


def model(name: str, role: Role, per_core: bool = False) -> ModelSpec:
    return ModelSpec(
        name=name,
        type="piper",
        role=role,
        weights={},
        languages=(),
        voices={},
        options={},
        sample_rate=None,
        batch={"cpu": Bounds(items=1, cost=1)},
        batch_timeout=1,
        per_core=per_core,
    )


ROLES = {"V": Role.VAD, "W": Role.EMBED, "T": Role.TRANSCRIBE}


@pytest.mark.parametrize(
    ("models", "count", "names"),
    [
        ("a", 3, ["a-1", "a-2", "a-3"]),
        ("ab", 3, ["a-1", "a-2", "b-1"]),
        ("abc", 1, ["a-1", "b-1", "c-1"]),
        ("aSV", 2, ["a-1", "a-2", "S-1", "listen"]),
        ("VW", 2, ["listen"]),
        ("VTW", 2, ["T-1", "listen"]),
    ],
)
def test_models_are_shared_out_among_processes(models: str, count: int, names: list[str]) -> None:
    specs = [model(n, ROLES.get(n, Role.SYNTHESIZE), n.islower()) for n in models]
    found = groups(specs, count)
    assert [name for name, _ in found] == names
    assert {served for _, group in found for served in group} == set(models)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],
)
def test_the_url_is_one_that_this_machine_reaches(host: str, url: str) -> None:
    assert Layout(host=host, ports={"api": 80}, bucket="b").url == url


def test_the_help_names_the_options() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "cli.main", "up", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for option in ("--home", "--host", "--port", "--models", "--model-workers"):
        assert option in shown
