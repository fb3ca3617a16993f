"""Starts processes, restarts those that die, and stops them all, in one poll loop without threads.

Each child leads its own session, so that Ctrl-C in the terminal reaches only the supervisor and the children end
in order: a process is stopped once all that depend on it (``after``) have ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil

from core import pulse
from core.errors import ChorusError, ConfigurationError

#: Seconds between two looks at the children, and between two questions whether one is ready.
TICK = 0.05
READY_EVERY = 0.15

#: Bytes after which a log is rotated (one older log is kept), and seconds between two checks.
LOG_BYTES = 32 * 2**20
LOG_EVERY = 30.0

#: Seconds between two checks of the pulses. After a longer gap the supervisor was paused, and no child is killed.
PULSE_EVERY = 0.5
HELD = 5.0

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class State(StrEnum):
    """``waiting → starting → ready``; ``restarting`` after a death; ``stopping → stopped`` at the end."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class Process:
    """A process to run. ``ready`` returns whether it serves (None: as soon as it runs); ``after`` names the processes
    that must be ready before it starts; ``before_start`` runs before every start and may raise `ChorusError`;
    ``after_stop`` runs when it has ended. If its ``pulse`` has stopped for ``stall_timeout``, it is killed and
    restarted. Times in seconds."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)  #: added to the supervisor's own environment
    ready: Callable[[], bool] | None = None
    after: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: float = 5.0
    start_timeout: float = 60.0
    before_start: Callable[[], None] | None = None
    after_stop: Callable[[], None] | None = None
    pulse: Path | None = None  #: it touches this file while it runs (`core.pulse`); None: not monitored
    stall_timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The status of one process. ``created`` is in Unix seconds; ``wait`` in seconds until it is restarted."""

    name: str
    state: State
    pid: int | None
    created: float | None
    restarts: int
    detail: str
    wait: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds before a restart: ``first``, then doubled to ``longest``, times a random 0.75 to 1.25; from
    ``first`` again after ``healthy`` seconds of life. ``attempts`` starts that never came to be ready
    end it all."""

    first: float = 0.5
    longest: float = 30.0
    healthy: float = 60.0
    attempts: int = 5

    def delay(self, failures: int) -> float:
        """The wait after ``failures`` deaths in a row (at least 1)."""
        plain: float = min(self.longest, self.first * 2 ** min(failures - 1, 32))
        return min(self.longest, plain * random.uniform(0.75, 1.25))


def die_with_parent() -> None:
    """Runs in a child before exec: the kernel sends it SIGTERM when its parent dies, even by SIGKILL (Linux; prctl(2)).

    Because the child has its own session, it does not get the terminal's hang-up. Does only what is safe between fork
    and exec.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def spawn(command: Sequence[str], *, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start ``command`` as leader of a new session that ends with this process; output goes to ``log``.

    Must be called from the main thread: the kernel sends the death signal when the *thread* ends.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  single-threaded, and the function takes no lock
        )


def members(leader: int) -> list[int]:
    """Pids of the living processes in the session of ``leader``, itself and its descendants among them."""
    found = {leader}
    with contextlib.suppress(psutil.Error):
        found |= {child.pid for child in psutil.Process(leader).children(recursive=True)}
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == leader:
                found.add(pid)
    return sorted(pid for pid in found if _lives(pid))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill_session(leader: int, timeout: float = 2.0) -> list[int]:
    """Send SIGKILL to a whole session until no process in it lives; return the pids that still do.

    ``leader`` must not be reaped yet, so that its pid cannot belong to another process."""
    end = time.monotonic() + timeout
    while left := members(leader):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    return left


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            return "\n".join(file.read().decode(errors="replace").strip().splitlines()[-lines:])
    except OSError:
        return ""


class _Child:
    """One process and its restarts."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.state = State.WAITING
        self.popen: subprocess.Popen[bytes] | None = None
        self.created: float | None = None
        self.since = 0.0  #: when it was started, monotonic
        self.due = 0.0  #: when it starts, is asked or is killed next, monotonic
        self.restarts = 0
        self.family: list[psutil.Process] = []  #: its descendants when it was asked to end
        self.failures = 0  #: deaths in a row
        self.was_ready = False
        self.detail = ""
        self.beat = 0  #: when its pulse was last felt, by the file's clock in nanoseconds, and by ours, monotonic
        self.felt = 0.0

    def status(self) -> Status:
        waits = self.state is State.RESTARTING
        return Status(
            name=self.process.name,
            state=self.state,
            pid=self.popen.pid if self.popen else None,
            created=self.created,
            restarts=self.restarts,
            detail=self.detail,
            wait=max(0.0, self.due - time.monotonic()) if waits else 0.0,
        )

    def start(self) -> None:
        """Raises `ChorusError` if it cannot be started."""
        process = self.process
        if process.before_start is not None:
            process.before_start()
        _rotate(process.log)
        env = process.env
        if process.pulse is not None:
            process.pulse.unlink(missing_ok=True)
            env = {**env, pulse.VARIABLE: str(process.pulse)}
        try:
            self.popen = spawn(process.command, env=env, log=process.log)
        except OSError as error:
            raise ConfigurationError(f"{process.command[0]} cannot be run: {error.strerror}.") from error
        with contextlib.suppress(psutil.Error):
            self.created = psutil.Process(self.popen.pid).create_time()
        self.since = time.monotonic()
        self.felt, self.beat = self.since + process.start_timeout, 0  # the first beat comes once it has begun
        self.due = 0.0

    def stalled(self, now: float) -> bool:
        """Whether its pulse file has not been touched for too long."""
        file = self.process.pulse
        if file is None:
            return False
        with contextlib.suppress(OSError):
            if (beat := file.stat().st_mtime_ns) != self.beat:
                self.beat, self.felt = beat, now
        return now - self.felt > self.process.stall_timeout

    def died(self) -> bool:
        """Whether it has ended. It is not reaped yet: as a zombie it keeps its pid until `reap`."""
        return self.popen is not None and not _lives(self.popen.pid)

    def ask_to_end(self) -> None:
        """Sends the stop signal, and notes its descendants: those in sessions of their own would be
        lost from sight with their parent."""
        if self.popen is None:
            return
        with contextlib.suppress(psutil.Error):
            self.family = psutil.Process(self.popen.pid).children(recursive=True)
        self.popen.send_signal(self.process.stop_signal)
        self.due = time.monotonic() + self.process.stop_timeout

    def reap(self) -> str:
        """Kill the rest of its session, reap it, and return how it ended."""
        if self.popen is None:
            return ""
        kill_session(self.popen.pid)
        for stray in self.family:
            with contextlib.suppress(psutil.Error):
                stray.kill()  # psutil compares creation times: never a later process of that number
        self.family = []
        code = self.popen.wait()
        self.popen = self.created = None
        if self.process.after_stop is not None:
            self.process.after_stop()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _rotate(log: Path) -> None:
    """Moves a long log aside. Its writers append, so the file itself can be cut while they run."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_BYTES:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            os.truncate(log, 0)


class Supervisor:
    """Runs ``processes``. ``on_change`` is called at every change, ``on_tick`` at every iteration.

    Raises `ConfigurationError` if two have the same name, or if ``after`` names one that does not come before it.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        *,
        on_change: Callable[[Status], None] | None = None,
        on_tick: Callable[[], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._children: dict[str, _Child] = {}
        for process in processes:
            if process.name in self._children or not set(process.after) <= set(self._children):
                raise ConfigurationError(
                    f"The process {process.name!r} is a duplicate, or precedes a process it needs."
                )
            self._children[process.name] = _Child(process)
        self._on_change = on_change
        self._on_tick = on_tick
        self._backoff = backoff or Backoff()
        self._stops = 0
        self._killed = False
        self._failure: ConfigurationError | None = None
        self._next_log_check = 0.0
        self._pulses_at = 0.0  #: when the pulses were last looked at, monotonic

    # -- from outside

    def statuses(self) -> list[Status]:
        """The status of each process, in order."""
        return [child.status() for child in self._children.values()]

    @property
    def ready(self) -> bool:
        return all(child.state is State.READY for child in self._children.values())

    @property
    def stopping(self) -> bool:
        return self._stops > 0

    @property
    def done(self) -> bool:
        return all(child.state is State.STOPPED for child in self._children.values())

    def stop(self) -> None:
        """Stop all processes in order; on a second call, at once. Safe in a signal handler."""
        self._stops += 1

    def run(self) -> None:
        """Runs until a signal (SIGINT, SIGTERM, SIGHUP) or `stop`, and returns when no process is left.

        Raises `ConfigurationError` with the end of its log if a process never becomes ready."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in signals}
        try:
            while not self.done:
                self.step()
                time.sleep(TICK)
        finally:
            self.kill()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._failure is not None:
            raise self._failure

    def kill(self) -> None:
        """Send SIGKILL to all processes now."""
        for child in reversed(self._children.values()):
            if child.state is not State.STOPPED:
                child.reap()
                self._enter(child, State.STOPPED)

    def step(self) -> None:
        """Check every child once. Never waits longer than a readiness check takes."""
        now = time.monotonic()
        if self._stops > 1 and not self._killed:
            self._killed = True
            self.kill()
        for child in reversed(self._children.values()) if self._stops else self._children.values():
            if self._stops:
                self._step_down(child, now)
            else:
                self._step_up(child, now)
        if not self._stops and now >= self._pulses_at + PULSE_EVERY:
            self._feel_pulses(now)
        if now >= self._next_log_check:
            self._next_log_check = now + LOG_EVERY
            for child in self._children.values():
                _rotate(child.process.log)
        if self._on_tick is not None:
            self._on_tick()

    def _feel_pulses(self, now: float) -> None:
        """Kill processes that are stopped or hang, so that they are restarted."""
        pause, self._pulses_at = now - self._pulses_at, now
        for child in self._children.values():
            if pause > HELD:
                child.felt += pause
            if child.state is State.READY and child.stalled(now):
                child.reap()
                self._ended(child, f"unresponsive for {child.process.stall_timeout:g} s")

    # -- one child at a time

    def _enter(self, child: _Child, state: State, detail: str = "") -> None:
        child.state, child.detail = state, detail
        if self._on_change is not None:
            self._on_change(child.status())

    def _step_up(self, child: _Child, now: float) -> None:
        if child.state in (State.WAITING, State.RESTARTING):
            needs = (self._children[name].state is State.READY for name in child.process.after)
            if now >= child.due and all(needs):
                self._start(child)
        elif child.died():
            self._ended(child, child.reap())
        elif child.state is State.STARTING:
            self._ask(child, now)
        elif child.failures and now - child.since > self._backoff.healthy:
            child.failures = 0

    def _start(self, child: _Child) -> None:
        if child.state is State.RESTARTING:
            child.restarts += 1
        try:
            child.start()
        except ChorusError as error:
            self._ended(child, error.message)
        else:
            self._enter(child, State.STARTING)

    def _ask(self, child: _Child, now: float) -> None:
        if now < child.due:
            return
        child.due = now + READY_EVERY
        serves = child.process.ready is None
        if child.process.ready is not None:
            with contextlib.suppress(ChorusError):  # what it stands on is away: not ready
                serves = child.process.ready()
        if serves:
            child.was_ready = True
            self._enter(child, State.READY)
        elif now - child.since > child.process.start_timeout:
            child.reap()
            self._ended(child, f"not ready after {child.process.start_timeout:.0f} s")

    def _ended(self, child: _Child, how: str) -> None:
        child.failures += 1
        if child.since and time.monotonic() - child.since > self._backoff.healthy:
            child.failures = 1
        if not child.was_ready and child.failures >= self._backoff.attempts:
            self._failure = ConfigurationError(
                f"{child.process.name} ended {child.failures} times and never became ready ({how}). "
                f"The end of its log, {child.process.log}:\n{tail(child.process.log)}",
                code="start_failed",
            )
            self._enter(child, State.STOPPED, how)
            self.stop()
            return
        child.due = time.monotonic() + self._backoff.delay(child.failures)
        self._enter(child, State.RESTARTING, how)

    def _step_down(self, child: _Child, now: float) -> None:
        if child.state is State.STOPPED:
            return
        if child.popen is None:
            self._enter(child, State.STOPPED)
        elif child.died():
            self._enter(child, State.STOPPED, child.reap())
        elif child.state is State.STOPPING:
            if now > child.due:
                child.reap()
                self._enter(child, State.STOPPED, f"killed after {child.process.stop_timeout:g} s")
        elif not self._needed(child):
            child.ask_to_end()
            self._enter(child, State.STOPPING)

    def _needed(self, child: _Child) -> bool:
        name = child.process.name
        return any(name in c.process.after and c.state is not State.STOPPED for c in self._children.values())
