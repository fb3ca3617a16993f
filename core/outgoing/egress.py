"""Outgoing calls to URLs that users supply (references, webhooks). All such calls are made here.

A URL is parsed once (`core.outgoing.urls`); its host is resolved once; every resolved address must be public; and the
connection goes to one of these addresses, while TLS and ``Host`` use the name. So a name whose resolution changes
between check and use (DNS rebinding) has no effect.
"""

from __future__ import annotations

import contextlib
import email.utils
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import httpcore
import httpx
import psutil

from core.errors import ConfigurationError, InvalidRequest, ReceiverFailed, ReceiverUnavailable
from core.outgoing.urls import Address, Target, host_name, is_public, parse, refused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Resolves (host, port) to addresses as strings; raises OSError if there are none.
Resolver = Callable[[str, int], list[str]]

MAX_HEAD = 32 * 1024  #: bytes of status line and headers, with any informational answers before them
RESOLVE_TIMEOUT = 10.0  #: seconds; a call's own timeout may be shorter
ATTEMPTS = 4  #: addresses of one name that are tried in turn
CHUNK = 64 * 1024  #: bytes read at once
DEFAULT_PORTS = (80, 443)

_RULE = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[1-9][0-9]{0,4})")
_SECONDS = re.compile(r"[0-9]{1,9}")
#: Headers that frame the message or pick its receiver: never the caller's to set.
_OURS = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect", "upgrade", "te")
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of `Egress.get`. ``body`` is empty if the bytes were written to a file."""

    status: int
    headers: Mapping[str, str]  #: names in lower case
    content_type: str  #: as sent, or empty
    size: int  #: bytes of the body
    body: bytes = b""
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class EgressResponse:
    """A receiver's response to `Egress.post`, whatever the status."""

    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes  #: as sent, never decoded
    truncated: bool  #: whether more followed, which was not read
    retry_after: float | None  #: seconds from now, of ``Retry-After``


class Egress:
    """The policy of outgoing calls, and the calls themselves. Safe to share between threads.

    ``allow`` lists what may be reached although it is not public: networks (``10.0.0.0/8``, on ``ports``
    alone), networks or addresses with a port (``10.1.2.3:9000``, ``[fd00::/8]:9000``), and names with a
    port (``receiver.internal:9000``), which are trusted wherever they resolve to. Raises
    `ConfigurationError` for anything else. ``SSL_CERT_FILE`` names other certificate authorities.
    Proxies of the environment are not used.
    """

    def __init__(
        self,
        allow: Sequence[str] = (),
        ports: Collection[int] = DEFAULT_PORTS,
        resolver: Resolver | None = None,
    ) -> None:
        if wrong := [port for port in ports if not 1 <= port <= 65535]:
            raise ConfigurationError(f"These are not ports for outgoing calls: {wrong}")
        self._ports = frozenset(ports)
        self._rules = tuple(_rule(text.strip()) for text in allow)
        self._resolver = resolver or _resolve

    @classmethod
    def configured(cls, allow: str = "", ports: str = "80,443") -> Egress:
        """An `Egress` from settings: both are lists with commas between. Raises `ConfigurationError`."""
        numbers = _listed(ports)
        if wrong := [text for text in numbers if not re.fullmatch(r"[0-9]{1,5}", text)]:
            raise ConfigurationError(f"These are not ports for outgoing calls: {wrong}")
        return cls(_listed(allow), [int(text) for text in numbers])

    def check(self, url: str) -> Target:
        """Parse the URL, resolve its host and check both against the policy, without connecting.

        Raises `InvalidRequest`: what `parse` raises, ``url_port_not_allowed``, ``url_not_resolved`` and
        ``url_not_allowed``; and `ReceiverUnavailable` (``url_not_resolved``) where the name may resolve later. No
        message reveals the resolved addresses.
        """
        return self._check(url, _Bounds(time.monotonic() + RESOLVE_TIMEOUT + 1.0))

    def get(self, url: str, *, max_bytes: int, timeout: float, to: BinaryIO | Path | None = None) -> Fetched:
        """The body of a URL: at most ``max_bytes``, within ``timeout`` seconds from first to last.

        With ``to`` the body goes there as it arrives; a file of that path is removed again on failure.
        Raises what `check` raises, and `ReceiverFailed`: ``fetch_failed``, ``fetch_timeout``,
        ``fetch_too_large``, ``fetch_redirect``, ``fetch_status`` (any status but 200).
        """
        if isinstance(to, Path):
            try:
                with to.open("wb") as file:
                    fetched = self.get(url, max_bytes=max_bytes, timeout=timeout, to=file)
            except BaseException:
                to.unlink(missing_ok=True)
                raise
            return Fetched(fetched.status, fetched.headers, fetched.content_type, fetched.size, path=to)
        gathered, size = bytearray(), 0
        with self._exchange("GET", url, {"accept": "*/*"}, b"", timeout) as (response, bounds):
            headers = _headers(response)
            _must_be_plain_success(response.status, headers)
            declared = headers.get("content-length", "0")
            if len(declared) > 18 or int(declared) > max_bytes:  # h11 has seen that these are digits
                raise _too_large(max_bytes)
            bounds.bytes_left = MAX_HEAD + 8 * max_bytes  # room for a wasteful chunked coding
            for chunk in response.iter_stream():
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                if to is None:
                    gathered += chunk
                else:
                    to.write(chunk)
        return Fetched(response.status, headers, headers.get("content-type", ""), size, bytes(gathered))

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout: float,
        max_response_bytes: int = 16 * 1024,
    ) -> EgressResponse:
        """Sends ``body`` and returns the answer, whatever its status: a redirect is not followed.

        Of the answer's body ``max_response_bytes`` are kept and no more is read. An answer that is not
        whole within ``timeout`` seconds from first to last is a time-out. Raises what `check` raises, and
        `ReceiverFailed`: ``fetch_failed``, ``fetch_timeout``, ``fetch_too_large`` (headers too long).
        """
        gathered = bytearray()
        with self._exchange("POST", url, headers, body, timeout) as (response, bounds):
            bounds.bytes_left = MAX_HEAD + 8 * max_response_bytes
            for chunk in response.iter_stream():
                gathered += chunk
                if len(gathered) > max_response_bytes:
                    break
        received = _headers(response)
        truncated = len(gathered) > max_response_bytes
        kept = bytes(gathered[:max_response_bytes])
        return EgressResponse(response.status, received, kept, truncated, _retry_after(received.get("retry-after", "")))

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    @contextlib.contextmanager
    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> Iterator[tuple[httpcore.Response, _Bounds]]:
        """One request on one connection, open while its body is read; httpcore's errors become ours."""
        bounds = _Bounds(time.monotonic() + timeout)
        target = self._check(url, bounds)
        place = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        sent = {"user-agent": "Chorus"} | {k.lower(): v for k, v in headers.items() if k.lower() not in _OURS}
        sent |= {"host": target.authority, "connection": "close", "accept-encoding": "identity"}
        if method == "POST":
            sent["content-length"] = str(len(body))
        request = httpcore.Request(
            method, place, headers=[(k.encode(), v.encode()) for k, v in sent.items()], content=body
        )
        tls = self._tls if target.scheme == "https" else None
        connection = httpcore.HTTPConnection(place.origin, tls, network_backend=_Pinned(target, bounds))
        try:
            yield connection.handle_request(request), bounds
        except httpcore.LocalProtocolError as error:
            raise InvalidRequest(f"The request cannot be sent: {error}.", code="fetch_failed") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            # A protocol error contains what the receiver sent, which must not be in our messages.
            why = error if isinstance(error, httpcore.NetworkError) else "the answer is not whole or not valid HTTP"
            raise ReceiverUnavailable(f"The request to {target.host!r} failed: {why}.") from error
        finally:
            connection.close()

    def _check(self, url: str, bounds: _Bounds) -> Target:
        target = parse(url)
        named = any(rule.host == target.host and rule.port == target.port for rule in self._rules)
        spelled = named or target.port in self._ports or any(rule.port == target.port for rule in self._rules)
        if not spelled:
            raise self._port_refused(target.port)
        found = _addresses(self._resolver, target, bounds)
        if not named:
            for address in found:
                self._must_be_allowed(address, target.port)
        return Target(target.scheme, target.host, target.port, target.path, tuple(map(str, found[:ATTEMPTS])))

    def _must_be_allowed(self, address: Address, port: int) -> None:
        usual = port in self._ports
        if any(rule.covers(address) and (rule.port == port or (rule.port is None and usual)) for rule in self._rules):
            return
        if not is_public(address) or str(address) in _own_addresses():
            raise refused("url_not_allowed", "The URL does not lead to a public address.")
        if not usual:
            raise self._port_refused(port)

    def _port_refused(self, port: int) -> InvalidRequest:
        ports = ", ".join(map(str, sorted(self._ports)))
        return refused("url_port_not_allowed", f"Port {port} is not among those that may be called: {ports}.")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One entry of the allow-list: a network or a host name; no port means the usual ones."""

    network: Network | None = None
    host: str | None = None
    port: int | None = None

    def covers(self, address: Address) -> bool:
        return self.network is not None and address.version == self.network.version and address in self.network


def _rule(text: str) -> _Rule:
    with contextlib.suppress(ValueError):
        return _Rule(network=ipaddress.ip_network(text))
    found = _RULE.fullmatch(text)
    if found and int(found["port"]) <= 65535:
        host, port = found["v6"] or found["host"], int(found["port"])
        with contextlib.suppress(ValueError):
            return _Rule(network=ipaddress.ip_network(host), port=port)
        if found["host"]:
            with contextlib.suppress(InvalidRequest):
                return _Rule(host=host_name(host), port=port)
    raise ConfigurationError(f"The allow-list of outgoing calls accepts CIDR or host:port, not {text!r}.")


def _listed(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _resolve(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _addresses(resolver: Resolver, target: Target, bounds: _Bounds) -> list[Address]:
    """The addresses of the host, each once. A literal address is not handed to the resolver."""
    with contextlib.suppress(ValueError):
        return [ipaddress.ip_address(target.host)]
    found: list[str] = []
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            found.extend(resolver(target.host, target.port))
        except BaseException as error:  # handed to the caller's thread below
            failures.append(error)

    # getaddrinfo() has no timeout. A thread each, not a pool: a name that hangs must not delay another.
    thread = threading.Thread(target=ask, name="egress-resolve", daemon=True)
    thread.start()
    thread.join(min(RESOLVE_TIMEOUT, bounds.left()))
    if thread.is_alive():
        bounds.left()
        raise _unresolved(target.host, retryable=True)
    if failures and not isinstance(failures[0], OSError | UnicodeError):
        raise failures[0]
    if not found:
        again = bool(failures) and getattr(failures[0], "errno", None) == socket.EAI_AGAIN
        raise _unresolved(target.host, retryable=again) from (failures[0] if failures else None)
    try:
        return list(dict.fromkeys(ipaddress.ip_address(text) for text in found))
    except ValueError as error:
        raise _unresolved(target.host) from error


def _own_addresses() -> frozenset[str]:
    """Addresses of this machine's interfaces: what listens on all of them is not for strangers."""
    families = (socket.AF_INET, socket.AF_INET6)
    entries = (entry for entries in psutil.net_if_addrs().values() for entry in entries)
    return frozenset(entry.address.partition("%")[0] for entry in entries if entry.family in families)


@dataclass(slots=True)
class _Bounds:
    """What one call may still take: time, and bytes read from the wire."""

    deadline: float  #: of time.monotonic()
    bytes_left: int = field(default=MAX_HEAD)

    def left(self) -> float:
        """Seconds to the deadline, more than none. Raises ``fetch_timeout``."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _timed_out()
        return left


def _connected(family: socket.AddressFamily, place: tuple[str, int], timeout: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(place)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses that were checked, whatever host is named to it."""

    def __init__(self, target: Target, bounds: _Bounds) -> None:
        self._target = target
        self._bounds = bounds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._target.addresses
        problem = "no address"
        for tried, address in enumerate(addresses):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            # A share of the time each, so that a dead first address leaves some for the next.
            share = self._bounds.left() / (len(addresses) - tried)
            try:
                return _Stream(_connected(family, (address, self._target.port), share), self._bounds)
            except OSError as error:
                problem = error.strerror or "no answer"
        self._bounds.left()
        raise httpcore.ConnectError(problem)


class _Stream(httpcore.NetworkStream):
    """A socket whose waits all end at the call's deadline, and which reads a limited number of bytes."""

    def __init__(self, sock: socket.socket, bounds: _Bounds) -> None:
        self._sock = sock
        self._bounds = bounds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._bounds.bytes_left <= 0:
            raise ReceiverFailed("The headers or framing of the response are too long.", code="fetch_too_large")
        with self._mapped(httpcore.ReadError):
            data = self._sock.recv(min(max_bytes, CHUNK, self._bounds.bytes_left))
        self._bounds.bytes_left -= len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            with self._mapped(httpcore.WriteError):
                rest = rest[self._sock.send(rest) :]

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            with self._mapped(httpcore.ConnectError):
                return _Stream(ssl_context.wrap_socket(self._sock, server_hostname=server_hostname), self._bounds)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        return None

    @contextlib.contextmanager
    def _mapped(self, to: type[httpcore.NetworkError]) -> Iterator[None]:
        self._sock.settimeout(self._bounds.left())
        try:
            yield
        except TimeoutError as error:
            raise _timed_out() from error
        except ssl.SSLCertVerificationError as error:
            raise to(f"the certificate is not valid: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise to(f"TLS failed: {error.reason or 'the connection was closed'}") from error
        except OSError as error:
            raise to(error.strerror or "the connection broke") from error


def _headers(response: httpcore.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found and name != "content-length" else value
    return found


def _must_be_plain_success(status: int, headers: Mapping[str, str]) -> None:
    if 300 <= status < 400:
        raise ReceiverFailed(f"The URL redirects (status {status}). Use the final URL.", code="fetch_redirect")
    if status != 200:
        kind = ReceiverUnavailable if status in (408, 425, 429) or status >= 500 else ReceiverFailed
        after = _retry_after(headers.get("retry-after", ""))
        raise kind(f"The URL responded with status {status}.", code="fetch_status", retry_after=after)
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ReceiverFailed("The URL responded with a compressed body, which was not requested.")


def _retry_after(value: str) -> float | None:
    """The seconds of ``Retry-After`` (RFC 9110, 10.2.3), which is a number or a date."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _timed_out() -> ReceiverUnavailable:
    return ReceiverUnavailable("The request timed out.", code="fetch_timeout")


def _too_large(max_bytes: int) -> ReceiverFailed:
    return ReceiverFailed(f"The content of the URL has more than {max_bytes} bytes.", code="fetch_too_large")


def _unresolved(host: str, *, retryable: bool = False) -> InvalidRequest | ReceiverUnavailable:
    kind = ReceiverUnavailable if retryable else InvalidRequest
    return kind(f"The host {host!r} cannot be resolved.", code="url_not_resolved")
