"""The supervisor with small real children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.local import supervisor as module
from cli.local.home import is_alive
from cli.local.supervisor import Backoff, Process, State, Status, Supervisor, members, spawn, tail
from core.errors import ConfigurationError, LedgerUnavailable
from tests.shared_data import ROOT
from tests.waiting import wait_for

SLEEP = "import time; time.sleep(600)"
#: Says that it is deaf to SIGTERM once it is: before that, SIGTERM would end it.
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
PARENT = (
    "import subprocess, sys, time\n"
    "for new in (False, True):\n"
    "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=new)\n"
    "    print(child.pid, flush=True)\n"
    "time.sleep(600)\n"
)
QUICK = Backoff(first=0.05, longest=0.4, healthy=60.0, attempts=4)


class Rig:
    """A supervisor that the test drives step by step, and the changes that it told of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changes: list[Status] = []
        self.supervisor: Supervisor | None = None

    def process(self, name: str, code: str = SLEEP, **options: Any) -> Process:
        command = [sys.executable, "-S", "-c", code]
        return Process(name=name, command=command, log=self.log(name), **options)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def supervise(self, *processes: Process, backoff: Backoff = QUICK) -> Supervisor:
        self.supervisor = Supervisor(processes, on_change=self.changes.append, backoff=backoff)
        return self.supervisor

    def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> float:
        """Steps until ``condition``, and returns the seconds that it took."""
        assert self.supervisor is not None
        begin = time.monotonic()

        def holds() -> bool:
            if condition():
                return True
            assert self.supervisor is not None
            self.supervisor.step()
            return False

        wait_for(holds, timeout, lambda: [str(s) for s in self.changes[-5:]], every=0.01)
        return time.monotonic() - begin

    def of(self, name: str) -> Status:
        assert self.supervisor is not None
        return next(s for s in self.supervisor.statuses() if s.name == name)

    def history(self, name: str) -> list[State]:
        return [s.state for s in self.changes if s.name == name]

    def pid(self, name: str) -> int:
        pid = self.of(name).pid
        assert pid is not None
        return pid


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    if rig.supervisor is not None:
        rig.supervisor.kill()


def gone(*pids: int, timeout: float = 5.0) -> bool:
    end = time.monotonic() + timeout
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


#: Says what it does, with a pulse; its main loop ticks {ticks} times.
ALIVE = (
    "import time; from core.pulse import Pulse; pulse = Pulse(beat=0.05, hangs=0.3); pulse.start()\n"
    "for _ in range({ticks}): pulse.tick(); time.sleep(0.05)\n"
    "time.sleep(600)"
)


def beating(rig: Rig, ticks: int) -> Process:
    pulse = rig.folder / "a.pulse"
    return rig.process("a", ALIVE.format(ticks=ticks), env={"PYTHONPATH": str(ROOT)}, pulse=pulse, stall_timeout=1.0)


def test_what_is_stopped_is_replaced(rig: Rig) -> None:
    supervisor = rig.supervise(beating(rig, 0))
    rig.until((rig.folder / "a.pulse").exists)
    first = rig.pid("a")
    os.kill(first, signal.SIGSTOP)
    assert rig.until(lambda: rig.of("a").restarts == 1) > 0.5
    assert "unresponsive" in rig.changes[-2].detail
    assert gone(first) and rig.pid("a") != first
    rig.until(lambda: supervisor.ready and (rig.folder / "a.pulse").exists())


def test_what_hangs_is_replaced_and_what_goes_on_is_not(rig: Rig) -> None:
    rig.supervise(beating(rig, 30))  # a second and a half longer than it could be silent
    rig.until((rig.folder / "a.pulse").exists)
    assert rig.until(lambda: rig.of("a").restarts == 1) > 2.0


def test_a_supervisor_that_was_held_itself_blames_nobody(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD", 1.0)
    supervisor = rig.supervise(beating(rig, 0))
    rig.until((rig.folder / "a.pulse").exists)
    os.kill(rig.pid("a"), signal.SIGSTOP)  # the whole machine sleeps
    time.sleep(2.0)
    supervisor.step()
    os.kill(rig.pid("a"), signal.SIGCONT)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        supervisor.step()
        time.sleep(0.01)
    assert rig.of("a").restarts == 0 and rig.of("a").state is State.READY


def test_starts_in_order_waiting_for_ready(rig: Rig) -> None:
    may = {"a": False}
    rig.supervise(
        rig.process("a", ready=lambda: may["a"]),
        rig.process("b", after=("a",)),
    )
    rig.until(lambda: rig.of("a").state is State.STARTING)
    for _ in range(20):
        rig.supervisor.step()  # type: ignore[union-attr]
        time.sleep(0.01)
    assert rig.of("b").state is State.WAITING
    may["a"] = True
    rig.until(lambda: rig.supervisor.ready)  # type: ignore[union-attr]
    assert [(s.name, s.state) for s in rig.changes] == [
        ("a", State.STARTING),
        ("a", State.READY),
        ("b", State.STARTING),
        ("b", State.READY),
    ]


def test_children_lead_sessions_of_their_own_and_log(rig: Rig) -> None:
    rig.supervise(
        rig.process(
            "a",
            "import os, sys, time; print(os.environ['WORD']); print('err', file=sys.stderr); time.sleep(600)",
            env={"WORD": "hello", "PYTHONUNBUFFERED": "1"},
        )
    )
    rig.until(lambda: "err" in tail(rig.log("a")))
    assert os.getsid(rig.pid("a")) == rig.pid("a") != os.getsid(0)
    assert tail(rig.log("a")).splitlines() == ["hello", "err"]


def test_a_killed_child_is_started_again(rig: Rig) -> None:
    rig.supervise(rig.process("a"), rig.process("b"))
    rig.until(lambda: rig.supervisor.ready)  # type: ignore[union-attr]
    first, other = rig.pid("a"), rig.pid("b")
    os.kill(first, signal.SIGKILL)
    rig.until(lambda: rig.of("a").state is State.READY and rig.pid("a") != first)
    assert rig.of("a").restarts == 1
    assert rig.pid("b") == other
    assert any(s.state is State.RESTARTING and "SIGKILL" in s.detail for s in rig.changes)


def test_a_dead_parents_children_end_before_it_starts_again(rig: Rig) -> None:
    rig.supervise(rig.process("a", PARENT))
    rig.until(lambda: len(tail(rig.log("a")).split()) == 2)
    same_session = int(tail(rig.log("a")).split()[0])
    apart = int(tail(rig.log("a")).split()[1])
    first = rig.pid("a")
    os.kill(first, signal.SIGKILL)
    rig.until(lambda: rig.of("a").state is State.RESTARTING)
    assert gone(same_session)
    os.kill(apart, signal.SIGKILL)  # it had a session of its own, and nobody was asked to end


def test_restarts_back_off(rig: Rig) -> None:
    rig.supervise(rig.process("a", "raise SystemExit(7)"), backoff=Backoff(first=0.05, longest=0.4, attempts=100))
    rig.until(lambda: rig.of("a").restarts >= 5)
    waits = [s.wait for s in rig.changes if s.state is State.RESTARTING]
    assert all("exit code 7" in s.detail for s in rig.changes if s.state is State.RESTARTING)
    assert waits[0] < 0.07
    assert 0.25 < waits[3] <= 0.4
    assert max(waits) <= 0.4


def test_backoff_bounds() -> None:
    backoff = Backoff()
    for failures in range(1, 100):
        assert 0.375 <= backoff.delay(failures) <= 30.0
    assert backoff.delay(10**6) >= 22.5
    assert len({backoff.delay(3) for _ in range(20)}) > 10  # jitter


def test_a_long_life_resets_the_backoff(rig: Rig) -> None:
    code = (
        f"import pathlib, time; p = pathlib.Path({str(rig.folder / 'n')!r})\n"
        "n = len(p.read_text()) if p.exists() else 0\n"
        "p.write_text('x' * (n + 1)); time.sleep(0 if n < 3 else 0.6); raise SystemExit(1)\n"
    )
    rig.supervise(rig.process("a", code), backoff=Backoff(first=0.05, longest=10, healthy=0.3, attempts=100))
    rig.until(lambda: rig.of("a").restarts >= 4)
    waits = [s.wait for s in rig.changes if s.state is State.RESTARTING]
    assert waits[2] > 0.14
    assert waits[3] < 0.07, "it lived for long before the fourth death"


def test_stops_in_reverse_order(rig: Rig) -> None:
    rig.supervise(rig.process("base"), rig.process("mid", after=("base",)), rig.process("top", after=("base", "mid")))
    rig.until(lambda: rig.supervisor.ready)  # type: ignore[union-attr]
    pids = [rig.pid(name) for name in ("base", "mid", "top")]
    rig.changes.clear()
    rig.supervisor.stop()  # type: ignore[union-attr]
    assert rig.until(lambda: rig.supervisor.done) < 3  # type: ignore[union-attr]
    assert [(s.name, s.state) for s in rig.changes] == [
        ("top", State.STOPPING),
        ("top", State.STOPPED),
        ("mid", State.STOPPING),
        ("mid", State.STOPPED),
        ("base", State.STOPPING),
        ("base", State.STOPPED),
    ]
    assert gone(*pids)


def test_the_deaf_are_killed_after_their_time(rig: Rig) -> None:
    rig.supervise(rig.process("a", DEAF, stop_timeout=0.5, ready=lambda: "deaf" in tail(rig.log("a"))))
    rig.until(lambda: rig.supervisor.ready)  # type: ignore[union-attr]
    pid = rig.pid("a")
    rig.supervisor.stop()  # type: ignore[union-attr]
    assert 0.4 < rig.until(lambda: rig.supervisor.done) < 2.5  # type: ignore[union-attr]
    assert not is_alive(pid)
    assert "killed after" in rig.of("a").detail


def test_a_second_request_kills_at_once(rig: Rig) -> None:
    rig.supervise(
        rig.process("base", DEAF, stop_timeout=60, ready=lambda: "deaf" in tail(rig.log("base"))),
        rig.process("a", DEAF, stop_timeout=60, ready=lambda: "deaf" in tail(rig.log("a"))),
    )
    rig.until(lambda: rig.supervisor.ready)  # type: ignore[union-attr]
    pids = [rig.pid("base"), rig.pid("a")]
    rig.supervisor.stop()  # type: ignore[union-attr]
    rig.until(lambda: rig.of("a").state is State.STOPPING)
    rig.supervisor.stop()  # type: ignore[union-attr]
    assert rig.until(lambda: rig.supervisor.done) < 2  # type: ignore[union-attr]
    assert gone(*pids, timeout=1)


def test_grandchildren_end_too_even_in_sessions_of_their_own(rig: Rig) -> None:
    rig.supervise(rig.process("a", PARENT))
    rig.until(lambda: len(tail(rig.log("a")).split()) == 2)
    grandchildren = [int(pid) for pid in tail(rig.log("a")).split()]
    assert set(grandchildren) < set(members(rig.pid("a")))
    rig.supervisor.stop()  # type: ignore[union-attr]
    rig.until(lambda: rig.supervisor.done)  # type: ignore[union-attr]
    assert gone(*grandchildren)


def test_what_never_serves_ends_everything_with_its_log(rig: Rig) -> None:
    rig.supervise(
        rig.process("good"), rig.process("bad", "print('the reason'); raise SystemExit(3)", ready=lambda: False)
    )
    with pytest.raises(ConfigurationError, match=r"(?s)bad ended 4 times.*exit code 3.*the reason") as caught:
        rig.supervisor.run()  # type: ignore[union-attr]
    assert caught.value.code == "start_failed"
    assert rig.of("good").state is State.STOPPED


def test_a_start_that_takes_too_long_is_a_death(rig: Rig) -> None:
    rig.supervise(rig.process("a", ready=lambda: False, start_timeout=0.3))
    rig.until(lambda: rig.of("a").restarts == 1)
    assert any("not ready after" in s.detail for s in rig.changes)


def test_a_hook_that_fails_is_tried_again(rig: Rig) -> None:
    calls: list[int] = []

    def hook() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise LedgerUnavailable

    rig.supervise(rig.process("a", before_start=hook))
    rig.until(lambda: rig.supervisor.ready)  # type: ignore[union-attr]
    assert len(calls) == 3
    assert "ledger" in next(s.detail for s in rig.changes if s.state is State.RESTARTING)


def test_a_program_that_is_not_there(rig: Rig) -> None:
    rig.supervise(Process(name="a", command=["/nonexistent/program"], log=rig.log("a"), ready=lambda: True))
    with pytest.raises(ConfigurationError, match="cannot be run"):
        rig.supervisor.run()  # type: ignore[union-attr]


@pytest.mark.parametrize("after", [("b",), ("a",), ("nobody",)])
def test_needs_must_stand_before(rig: Rig, after: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        Supervisor([rig.process("a", after=after), rig.process("b")])


def test_names_are_unique(rig: Rig) -> None:
    with pytest.raises(ConfigurationError):
        Supervisor([rig.process("a"), rig.process("a")])


def test_long_logs_are_moved_aside_while_written(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 1000)
    monkeypatch.setattr(module, "LOG_EVERY", 0.1)
    rig.supervise(
        rig.process("a", "import time\nfor n in range(10**6): print(n, 'x' * 80, flush=True); time.sleep(0.005)")
    )
    older = rig.log("a").with_name("a.log.1")
    rig.until(lambda: older.exists() and rig.log("a").stat().st_size > 100)
    assert older.stat().st_size > 1000
    assert rig.log("a").read_bytes()[:1].isdigit(), "appending goes on at the new start, with no hole of zeros"


SCRIPT = """
import sys
from pathlib import Path
from cli.local.supervisor import Process, Supervisor
folder = Path(sys.argv[1])
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
plain = "import time; print('up', flush=True); time.sleep(600)"
def one(name, code, word, timeout):
    log = folder / f"{name}.log"
    return Process(name=name, command=[sys.executable, "-S", "-c", code], log=log, stop_timeout=timeout,
                   ready=lambda: log.exists() and word in log.read_text())
Supervisor(
    [one("plain", plain, "up", 2), one("deaf", deaf, "deaf", float(sys.argv[2]))],
    on_change=lambda s: print(s.name, s.state, s.pid, flush=True),
).run()
"""


def _supervise_apart(folder: Path, stop_timeout: float) -> tuple[subprocess.Popen[str], list[int]]:
    """A supervisor in a process of its own, and the pids of its two children once they are ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(stop_timeout)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    pids: list[int] = []
    while len(pids) < 2:
        _name, state, pid = process.stdout.readline().split()
        if state == "ready":
            pids.append(int(pid))
    return process, pids


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_all_of_it(tmp_path: Path, number: signal.Signals) -> None:
    process, pids = _supervise_apart(tmp_path, 0.5)
    process.send_signal(number)
    process.communicate(timeout=5)
    assert process.returncode == 0
    assert not any(is_alive(pid) for pid in pids)


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    process, pids = _supervise_apart(tmp_path, 60)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None, "the deaf child has a minute"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=3)
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux")
def test_children_are_asked_to_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    process, (plain, deaf) = _supervise_apart(tmp_path, 60)
    process.kill()
    process.communicate()
    assert gone(plain)
    assert is_alive(deaf)  # it was asked, and is deaf: the next 'chorus up' ends it
    os.kill(deaf, signal.SIGKILL)
    assert gone(deaf)


def test_spawn_holds_no_terminal_and_no_descriptors(tmp_path: Path) -> None:
    code = "import os; print(sorted(os.listdir('/proc/self/fd'))); print(os.read(0, 10))"
    with (tmp_path / "kept").open("w"):
        process = spawn([sys.executable, "-S", "-c", code], env={}, log=tmp_path / "log")
        assert process.wait(10) == 0
    fds, read = (tmp_path / "log").read_text().splitlines()
    assert read == "b''"
    assert fds == str(["0", "1", "2", "3"])  # 3 is listdir's own


def test_members_of_nobody() -> None:
    process = psutil.Popen([sys.executable, "-S", "-c", ""], start_new_session=True)
    process.wait()
    assert members(process.pid) == []
