"""The folder of one installation."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.local.home import Home, free_ports, is_alive, port_is_free
from core.errors import ConfigurationError
from tests.shared_data import ROOT


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "a" / "home")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def listening(port: int = 0) -> socket.socket:
    server = socket.create_server(("127.0.0.1", port))
    server.listen()
    return server


def test_folder_and_secrets_are_private(home: Home) -> None:
    home.s3_key()
    home.save_api_key("secret")
    home.save_state({"pid": 1})
    assert mode(home.path) == 0o700
    assert {mode(home.path / name) for name in ("api-key", "s3-key", "state.json")} == {0o600}
    assert home.valkey_data.is_dir() and home.seaweedfs_data.is_dir() and home.logs.is_dir()


def test_an_open_folder_or_key_is_closed_again(home: Home) -> None:
    home.save_api_key("secret")
    home.path.chmod(0o755)
    home.api_key_file.chmod(0o644)
    again = Home(home.path)
    assert again.api_key() == "secret"
    assert mode(again.path) == 0o700
    assert mode(again.api_key_file) == 0o600


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Home(tmp_path / "file")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Home(tmp_path / "file" / "below")


def test_another_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: uid)
    with pytest.raises(ConfigurationError, match="another user"):
        Home(tmp_path)


def test_keys_are_kept(home: Home) -> None:
    access, secret = home.s3_key()
    assert Home(home.path).s3_key() == (access, secret)
    assert len(access) >= 16 and len(secret) >= 32
    assert home.api_key() is None
    home.save_api_key("chorus_abc")
    assert Home(home.path).api_key() == "chorus_abc"


def test_a_broken_s3_key_is_told(home: Home) -> None:
    (home.path / "s3-key").write_text("one\n")
    with pytest.raises(ConfigurationError, match="s3-key"):
        home.s3_key()


def test_ports_are_used_again(home: Home) -> None:
    first, notes = home.ports(["api", "valkey", "s3"])
    assert notes == []
    assert len(set(first.values())) == 3
    assert Home(home.path).ports(["api", "valkey", "s3"]) == (first, [])


def test_a_port_is_taken_by_somebody_else(home: Home) -> None:
    first, _ = home.ports(["api", "valkey"])
    with closing(listening(first["valkey"])):
        second, notes = home.ports(["api", "valkey"])
    assert second["api"] == first["api"]
    assert second["valkey"] != first["valkey"]
    assert len(notes) == 1 and str(first["valkey"]) in notes[0] and str(second["valkey"]) in notes[0]
    assert home.ports(["api", "valkey"]) == (second, []), "the new one is kept"


def test_a_wanted_port_is_taken_where_none_was_kept(home: Home) -> None:
    (wanted,) = free_ports(1)
    assert home.ports(["api"], {"api": wanted}) == ({"api": wanted}, [])
    (other,) = free_ports(1)
    assert home.ports(["api"], {"api": other})[0] == {"api": wanted}
    home.keep_port("api", other)
    assert home.ports(["api"])[0] == {"api": other}


@pytest.mark.parametrize("text", ["{", "[]", '{"api": "80"}', '{"api": 0}', '{"api": 70000}', '{"api": null}'])
def test_a_broken_ports_file_is_told(home: Home, text: str) -> None:
    (home.path / "ports.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"ports\.json"):
        home.ports(["api"])


def test_free_ports_are_below_the_ephemeral_range_and_free() -> None:
    found = free_ports(30)
    assert len(set(found)) == 30
    assert not set(found) & set(free_ports(30)), "none is handed out twice"
    assert all(20_000 <= port < 32_000 and port_is_free(port) for port in found)


def test_port_is_free() -> None:
    with closing(listening()) as server:
        port = server.getsockname()[1]
        assert not port_is_free(port)
        # A connection that the server ended stays in TIME_WAIT: the port counts as free all the same.
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            taken, _ = server.accept()
            taken.close()
            assert client.recv(1) == b""
    assert port_is_free(port)


def test_a_second_holder_is_refused_and_told_the_pid(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from cli.local.home import Home\n"
        "with Home(Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(home.path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ConfigurationError, match=rf"pid {holder.pid}\b") as caught, home.locked():
        pass
    assert caught.value.code == "already_running"
    holder.kill()  # however it ends, the lock ends with it
    holder.communicate()
    with home.locked():
        assert (home.path / "lock").read_text().strip() == str(os.getpid())
    with home.locked():
        pass


def test_load_without_a_stack(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="chorus up") as caught:
        Home.load(tmp_path / "nothing")
    assert caught.value.code == "not_running"
    assert not (tmp_path / "nothing").exists(), "looking makes nothing"


def test_load_of_a_running_stack(home: Home) -> None:
    created = psutil.Process().create_time()
    home.save_state({"pid": os.getpid(), "created": created, "url": "http://127.0.0.1:1"})
    with pytest.raises(ConfigurationError, match="no API key yet"):
        Home.load(home.path)
    home.save_api_key("chorus_k")
    found = Home.load(home.path)
    assert (found.url, found.api_key) == ("http://127.0.0.1:1", "chorus_k")
    assert "chorus_k" not in repr(found)


def test_load_of_a_stack_that_ended(home: Home) -> None:
    home.save_api_key("chorus_k")
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    for state in (
        {"pid": ended.pid, "created": None, "url": "http://x"},
        {"pid": None, "url": "http://x"},
        {"pid": os.getpid(), "created": 1.0, "url": "http://x"},  # a later process of the same number
    ):
        home.save_state(state)
        with pytest.raises(ConfigurationError, match="No stack is running"):
            Home.load(home.path)


def test_environment_names_every_server(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="no port"):
        home.environment()
    ports, _ = home.ports(["api", "valkey", "s3"])
    env = home.environment(bucket="b", host="0.0.0.0")
    assert env["CHORUS_REDIS_URL"] == f"redis://127.0.0.1:{ports['valkey']}/0"
    assert env["CHORUS_S3_ENDPOINT"] == f"http://127.0.0.1:{ports['s3']}"
    assert (env["CHORUS_S3_ACCESS_KEY"], env["CHORUS_S3_SECRET_KEY"]) == home.s3_key()
    assert env["CHORUS_API_PORT"] == str(ports["api"])
    assert env["CHORUS_API_HOST"] == "0.0.0.0"
    assert env["CHORUS_S3_BUCKET"] == "b"
    assert env["CHORUS_HOME"] == str(home.path)


def test_environment_is_what_settings_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.settings import load_settings

    home.ports(["api", "valkey", "s3"])
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.home == home.path
    assert settings.redis_url == os.environ["CHORUS_REDIS_URL"]
    assert settings.s3_secret_key.get_secret_value() == home.s3_key()[1]


def test_a_relative_home_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home(Path(".chorus"))
    monkeypatch.chdir("/")
    assert home.path == tmp_path / ".chorus"
    home.save_api_key("k")
    assert (tmp_path / ".chorus" / "api-key").exists()


def test_state_is_written_whole(home: Home) -> None:
    assert home.state() is None
    home.save_state({"n": 1})
    home.save_state({"n": 2})
    assert home.state() == {"n": 2}
    assert json.loads(home.state_file.read_text()) == {"n": 2}
    assert [p.name for p in home.path.iterdir() if p.name.startswith(".")] == [], "no draft is left"


@given(st.one_of(st.none(), st.text(), st.integers(max_value=0), st.booleans(), st.floats()))
def test_what_is_no_pid_is_not_alive(pid: object) -> None:
    assert not is_alive(pid, 0.0)


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid)
    process.wait()
