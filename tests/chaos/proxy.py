"""A small TCP proxy that goes wrong on purpose: in front of Redis and of the object storage.

A thread of its own runs the event loop; every call is safe from any thread and has taken effect when it returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar

Answer = TypeVar("Answer")

CHUNK = 64 * 1024


class Fault(StrEnum):
    """What the proxy does with what comes."""

    NONE = "none"  #: passes everything on
    DELAY = "delay"  #: passes every piece on ``delay`` seconds later
    BLACK_HOLE = "black_hole"  #: takes connections and bytes, and passes nothing on either way: half-open
    REFUSE = "refuse"  #: nobody listens; what was open is reset


@dataclass(slots=True, eq=False)
class _Pair:
    """One connection and its twin behind the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    swallowed: bool = False

    def reset(self) -> None:
        """Ends both with RST, so that neither side takes it for an end in good order."""
        for writer in (self.client, self.server):
            if writer is None:
                continue
            with contextlib.suppress(OSError):
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()


class FaultProxy:
    """``with FaultProxy(("127.0.0.1", 6379)) as proxy: proxy.port ...``; ``target`` may be a call that gives it."""

    def __init__(self, target: tuple[str, int] | Callable[[], tuple[str, int]], port: int = 0) -> None:
        self._target = target if callable(target) else lambda: target
        self._port = port
        self._fault = Fault.NONE
        self._delay = 0.0
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self.accepted = 0  #: connections so far
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    # -- from outside

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return self._port

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._pairs)

    def pass_on(self) -> None:
        """No fault: what was held back in a black hole goes on its way."""
        self._call(self._set(Fault.NONE))

    def delay(self, seconds: float) -> None:
        """Every piece takes ``seconds`` longer, each way."""
        self._call(self._set(Fault.DELAY, seconds))

    def black_hole(self) -> None:
        """Connections stay open and new ones are taken, and nothing passes: as behind a cable that was pulled."""
        self._call(self._set(Fault.BLACK_HOLE))

    def refuse(self) -> None:
        """Resets what is open and listens no more."""
        self._call(self._set(Fault.REFUSE))

    def cut(self) -> int:
        """Resets every connection that is open, and lets new ones through; how many."""
        return self._call(self._cut())

    def half_open(self) -> int:
        """Swallows for good whatever comes on the connections that are open, and lets new ones through; how many."""
        return self._call(self._swallow())

    def close(self) -> None:
        """Ends the proxy and every connection."""
        if self._thread.is_alive():
            self._call(self._shut())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # -- in the loop

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _set(self, fault: Fault, delay: float = 0.0) -> None:
        self._fault, self._delay = fault, delay
        if fault is Fault.BLACK_HOLE:
            self._open.clear()
        else:
            self._open.set()
        if fault is Fault.REFUSE:
            if self._server is not None:
                self._server.close()
                self._server = None
            await self._cut()
        else:
            await self._listen()

    async def _cut(self) -> int:
        pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()
        return len(pairs)

    async def _swallow(self) -> int:
        for pair in self._pairs:
            pair.swallowed = True
        return len(self._pairs)

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(writer)
        self._pairs.add(pair)
        self.accepted += 1
        try:
            await self._passable()
            server_reader, pair.server = await asyncio.open_connection(*self._target())
            ways = [self._pump(pair, reader, pair.server), self._pump(pair, server_reader, writer)]
            await asyncio.gather(*ways)
        except OSError:
            pass  # the other side is away: this one learns it by a reset
        finally:
            self._pairs.discard(pair)
            pair.reset()

    async def _passable(self) -> None:
        if self._fault is Fault.BLACK_HOLE:
            await self._open.wait()
        if self._fault is Fault.DELAY:
            await asyncio.sleep(self._delay)

    async def _pump(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._passable()
            if pair.swallowed:
                continue
            writer.write(data)
            await writer.drain()
        await self._passable()
        if writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.write_eof()
