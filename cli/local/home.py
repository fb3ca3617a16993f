"""The folder of one local installation (``CHORUS_HOME``): its ports, keys, data and logs.

::

    .chorus/             0700
    ├── api-key          0600   secret of the owner 'local', created at the first start
    ├── s3-key           0600   access key and secret of the embedded object storage
    ├── ports.json              ports chosen at the first start, used again later
    ├── state.json              the processes of 'chorus up'
    ├── lock                    locked by the running 'chorus up'; contains its pid
    ├── data/valkey/            ledger and broker (append-only file)
    ├── data/seaweedfs/         objects
    └── logs/*.log, *.pulse     two files per process: its log, and its pulse
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from core.errors import ConfigurationError
from core.files import write_atomically

#: Every port but the API's listens on this address alone.
LOOPBACK = "127.0.0.1"

#: Ports are chosen here, below the range that the kernel takes for outgoing connections (32768 and up
#: on Linux): there, a connection could take a server's port while the server is restarting.
_FIRST, _LAST = 20_000, 32_000

#: Distance of the first ports that two processes with consecutive pids try.
_STRIDE = 16

_handed_out: set[int] = set()


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on ``host:port`` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        # As servers do: connections still in TIME_WAIT do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """``count`` different ports that are free now and that this process has not returned before.

    Raises `ConfigurationError` if there are too few."""
    span = _LAST - _FIRST
    offset = os.getpid() * _STRIDE % span
    found: list[int] = []
    for step in range(span):
        port = _FIRST + (offset + step) % span
        if port not in _handed_out and port_is_free(port, host):
            found.append(port)
            if len(found) == count:
                _handed_out.update(found)
                return found
    raise ConfigurationError(f"There are fewer than {count} free ports between {_FIRST} and {_LAST}.")


@dataclass(frozen=True, slots=True)
class Address:
    """The URL of a running stack, and its API key."""

    url: str
    api_key: str = field(repr=False)


class Home:
    """The folder at ``path``, created with mode 0700 if it is missing.

    Raises `ConfigurationError` if the folder cannot be created or belongs to another user.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.path.stat().st_uid
            if owner != os.getuid():
                raise ConfigurationError(f"{self.path} belongs to another user (uid {owner}).")
            self.path.chmod(0o700)  # mkdir's mode is cut by the umask, and the folder may be an older one
            for folder in (self.valkey_data, self.seaweedfs_data, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"The folder {self.path} cannot be used: {error.strerror}.") from error

    # -- where things are

    @property
    def valkey_data(self) -> Path:
        return self.path / "data" / "valkey"

    @property
    def seaweedfs_data(self) -> Path:
        return self.path / "data" / "seaweedfs"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def pulse(self, name: str) -> Path:
        """The file that the process ``name`` touches while it runs."""
        return self.logs / f"{name}.pulse"

    @property
    def api_key_file(self) -> Path:
        return self.path / "api-key"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    # -- one at a time

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for this process. The kernel releases the lock when the process ends, however it ends.

        Raises `ConfigurationError` naming the pid of the process that holds it."""
        path = self.path / "lock"
        try:
            lock = FileLock(path, blocking=False).acquire()
        except Timeout as error:
            pid = path.read_text()[:32].strip() or "unknown"
            raise ConfigurationError(
                f"'chorus up' is already running in {self.path} (pid {pid}); "
                "end it first, or give another folder with --home.",
                code="already_running",
            ) from error
        with lock:
            path.write_text(f"{os.getpid()}\n")
            yield
            path.write_text("")

    # -- ports

    def ports(
        self, names: Sequence[str], wanted: Mapping[str, int] | None = None, hosts: Mapping[str, str] | None = None
    ) -> tuple[dict[str, int], list[str]]:
        """A port for each of ``names``: the one used last time if it is still free, else another.

        ``wanted`` are the preferred ports of the first start; ``hosts`` the addresses that servers listen on
        (default: loopback). Also returns a sentence for each port that had to change.
        Raises `ConfigurationError` if ports.json is invalid."""
        kept = self._kept_ports()
        chosen: dict[str, int] = {}
        notes: list[str] = []
        for name in names:
            host = (hosts or {}).get(name, LOOPBACK)
            port = kept.get(name) or (wanted or {}).get(name)
            if port is None:
                chosen[name] = free_ports(1, host)[0]
            elif port not in chosen.values() and port_is_free(port, host):
                chosen[name] = port
            else:
                chosen[name] = free_ports(1, host)[0]
                notes.append(f"Port {port} is in use by another program; {name} uses {chosen[name]}.")
        self._write("ports.json", json.dumps({**kept, **chosen}, indent=2) + "\n", mode=0o644)
        return chosen, notes

    def keep_port(self, name: str, port: int) -> None:
        """Remember ``port`` as the last port of ``name``."""
        self._write("ports.json", json.dumps({**self._kept_ports(), name: port}, indent=2) + "\n", mode=0o644)

    def _kept_ports(self) -> dict[str, int]:
        kept = self._read_json("ports.json") or {}
        for name, port in kept.items():
            if not isinstance(port, int) or not 0 < port < 65536:
                raise ConfigurationError(f"{self.path / 'ports.json'}: {name}: {port!r} is not a port.")
        return kept

    # -- keys

    def s3_key(self) -> tuple[str, str]:
        """Access key and secret of the embedded object storage, created at the first call."""
        path = self.path / "s3-key"
        if not path.exists():
            self._write("s3-key", f"{secrets.token_hex(10)}\n{secrets.token_urlsafe(30)}\n", mode=0o600)
        words = self._read_private(path).split()
        if len(words) != 2:
            raise ConfigurationError(f"{path} must contain two lines: access key and secret.")
        return words[0], words[1]

    def api_key(self) -> str | None:
        """The stored API key, or None."""
        if not self.api_key_file.exists():
            return None
        return self._read_private(self.api_key_file).strip() or None

    def save_api_key(self, secret: str) -> None:
        """Store an API key in a file that only the user can read."""
        self._write("api-key", secret + "\n", mode=0o600)

    def _read_private(self, path: Path) -> str:
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                path.chmod(0o600)
            return path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}.") from error

    # -- what runs now

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write state.json atomically."""
        self._write("state.json", json.dumps(state, indent=1) + "\n", mode=0o600)

    def state(self) -> dict[str, Any] | None:
        """The content of state.json, or None."""
        return self._read_json("state.json")

    @staticmethod
    def load(path: Path) -> Address:
        """The URL and the API key of the stack that runs in ``path``.

        Raises `ConfigurationError` (code ``not_running``) if none runs there. Creates no files."""
        home = object.__new__(Home)
        home.path = path.expanduser().absolute()
        state = home.state() or {}
        if not state.get("url") or not is_alive(state.get("pid"), state.get("created")):
            raise ConfigurationError(
                f"No stack is running in {home.path}. Start one with 'chorus up'.", code="not_running"
            )
        secret = home.api_key()
        if secret is None:
            raise ConfigurationError(
                f"The stack in {home.path} is still starting and has no API key yet.", code="not_running"
            )
        return Address(str(state["url"]), secret)

    # -- environment

    def environment(
        self, ports: Mapping[str, int] | None = None, *, bucket: str = "chorus", host: str = LOOPBACK
    ) -> dict[str, str]:
        """The ``CHORUS_*`` variables with which the processes of this folder find each other.

        ``ports`` defaults to the stored ones; ``host`` is the API's address.
        Raises `ConfigurationError` if no ports have been chosen yet."""
        ports = self._kept_ports() if ports is None else ports
        missing = [name for name in ("valkey", "s3", "api") if name not in ports]
        if missing:
            raise ConfigurationError(f"{self.path} has no port for {', '.join(missing)}. Run 'chorus up' first.")
        access, secret = self.s3_key()
        return {
            "CHORUS_HOME": str(self.path),
            "CHORUS_REDIS_URL": f"redis://{LOOPBACK}:{ports['valkey']}/0",
            "CHORUS_S3_ENDPOINT": f"http://{LOOPBACK}:{ports['s3']}",
            "CHORUS_S3_BUCKET": bucket,
            "CHORUS_S3_ACCESS_KEY": access,
            "CHORUS_S3_SECRET_KEY": secret,
            "CHORUS_API_HOST": host,
            "CHORUS_API_PORT": str(ports["api"]),
        }

    # -- files

    def _write(self, name: str, text: str, *, mode: int) -> None:
        try:
            write_atomically(self.path / name, text.encode(), mode=mode)
        except OSError as error:
            raise ConfigurationError(f"{self.path / name} cannot be written: {error.strerror}.") from error

    def _read_json(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}.") from error
        if not isinstance(found, dict):
            raise ConfigurationError(f"{path} must contain a JSON object.")
        return found


def is_alive(pid: Any, created: Any = None) -> bool:
    """Whether process ``pid``, created at ``created`` (Unix seconds), still lives and is not a zombie.

    The creation time distinguishes it from a later process with the same pid."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        process = psutil.Process(pid)
        same = created is None or abs(process.create_time() - float(created)) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
