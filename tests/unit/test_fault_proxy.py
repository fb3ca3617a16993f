"""The fault proxy of the chaos harness, in front of a server that echoes."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import FaultProxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with FaultProxy(("127.0.0.1", server.server_address[1])) as found:
            yield found
        server.shutdown()
        thread.join()


def connect(proxy: FaultProxy, timeout: float = 2.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout)


def echoed(connection: socket.socket, data: bytes = b"hello") -> bytes:
    connection.sendall(data)
    found = b""
    while len(found) < len(data) and (piece := connection.recv(65536)):
        found += piece
    return found


def test_it_passes_everything_on_both_ways(proxy: FaultProxy) -> None:
    data = bytes(range(256)) * 2000
    with connect(proxy) as connection:
        connection.settimeout(5)
        threading.Thread(target=connection.sendall, args=(data,)).start()
        found = b""
        while len(found) < len(data):
            found += connection.recv(65536)
        assert found == data
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""  # the end goes through as well
    assert proxy.accepted == 1


def test_half_open_connections_stay_so_and_new_ones_pass(proxy: FaultProxy) -> None:
    with connect(proxy, 0.3) as before:
        assert echoed(before) == b"hello"
        assert proxy.half_open() == 1
        with pytest.raises(TimeoutError):
            echoed(before)
        with connect(proxy) as after:
            assert echoed(after) == b"hello"
        with pytest.raises(TimeoutError):
            echoed(before)


def test_a_cut_resets_what_is_open_and_nothing_else(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        assert echoed(connection) == b"hello"
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with connect(proxy) as connection:
        assert echoed(connection) == b"hello"


def test_a_delay_holds_every_piece(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        proxy.delay(0.15)
        began = time.monotonic()
        assert echoed(connection) == b"hello"
        assert 0.3 <= time.monotonic() - began < 1.5
        proxy.pass_on()
        began = time.monotonic()
        assert echoed(connection) == b"hello"
        assert time.monotonic() - began < 0.15


def test_a_black_hole_takes_all_and_answers_nothing_until_it_closes(proxy: FaultProxy) -> None:
    with connect(proxy, 0.3) as old:
        assert echoed(old) == b"hello"
        proxy.black_hole()
        with connect(proxy, 0.3) as new:
            for connection in (old, new):
                connection.sendall(b"more")
                with pytest.raises(TimeoutError):
                    connection.recv(1)
            proxy.pass_on()
            for connection in (old, new):
                connection.settimeout(2)
                assert connection.recv(4) == b"more"


def test_refusing_resets_what_is_open_and_takes_nothing_until_it_is_over(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        assert echoed(connection) == b"hello"
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    port = proxy.port
    proxy.pass_on()
    assert proxy.port == port
    with connect(proxy) as connection:
        assert echoed(connection) == b"hello"


def test_where_the_server_is_away_the_client_learns_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        with FaultProxy(taken.getsockname()) as proxy:
            # The reset may arrive before the call that connects has returned.
            with pytest.raises(ConnectionResetError), connect(proxy) as connection:
                connection.recv(1)
            assert proxy.connections == 0
