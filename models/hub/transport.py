"""How requests to a hub leave this machine: to the hub itself, to public addresses it redirects to, and nowhere else.

The hub that ``HF_ENDPOINT`` names is trusted to be where it is, so it may be a mirror in a private network. Where it
redirects to is not: such a host must be public, or allowed by ``CHORUS_EGRESS_ALLOW``, and the connection goes to one
of the addresses that were checked (`core.outgoing.egress`). The bytes of every response are limited.

Imports httpx, as huggingface_hub does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from urllib.request import getproxies, proxy_bypass

import httpx

from core.errors import ChorusError, WeightsError
from core.outgoing.egress import Egress
from models.hub.origin import plain

MAX_ANSWER = 32 * 2**20  #: bytes of a response that is no download
MAX_ANSWER_SECONDS = 120.0  #: that such a response may take
TIMEOUT = httpx.Timeout(30.0, connect=10.0)  #: seconds of silence
#: Extension of a request: the bytes that its response may have, instead of `MAX_ANSWER`.
LIMIT = "chorus_limit"


class HubTransport(httpx.BaseTransport):
    """Sends requests to ``endpoint`` and to where it leads.

    Raises `core.errors.WeightsError` for an address that is not allowed, and for a response that is too long."""

    def __init__(self, endpoint: str, egress: Egress) -> None:
        self._endpoint = _origin(httpx.URL(endpoint))
        self._egress = egress
        self._ways: dict[str, httpx.HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = "identity"  # sizes are those that were stated, and nothing unfolds
        proxy = _proxy(request.url)
        if _origin(request.url) == self._endpoint:
            response = self._way(proxy or "hub", proxy).handle_request(request)
        elif self._endpoint[0] == "https" and request.url.scheme != "https":
            raise WeightsError(f"The hub redirects to {_shown(request.url)}, without TLS. That is not followed.")
        elif proxy and not _is_address(request.url.host):
            response = self._way(proxy, proxy).handle_request(request)  # the proxy resolves the name
        else:
            response = self._checked(request)
        response.headers.pop("x-hf-warning", None)  # huggingface_hub would print it
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            response.close()
            raise WeightsError(f"{_shown(request.url)} sends compressed content, which was not asked for.")
        limited = "chorus_limit" in request.extensions
        response.stream = _Limited(
            response.stream,
            int(request.extensions.get(LIMIT, MAX_ANSWER)),
            None if limited else time.monotonic() + MAX_ANSWER_SECONDS,
            _shown(request.url),
        )
        return response

    def close(self) -> None:
        with self._lock:
            ways, self._ways = self._ways, {}
        for way in ways.values():
            way.close()

    def _checked(self, request: httpx.Request) -> httpx.Response:
        """Send a request to one of the checked addresses of its host, under its name."""
        try:
            target = self._egress.check(str(request.url))
        except ChorusError as error:
            raise WeightsError(
                f"The hub redirects to {_shown(request.url)}, which is not called: {error.message} "
                "CHORUS_EGRESS_ALLOW can allow it."
            ) from error
        way = self._way(f"{target.scheme}://{target.authority}", None)  # a connection is for one name
        failed: httpx.ConnectError | None = None
        for address in target.addresses:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # Host is the name's
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": target.host},
            )
            try:
                return way.handle_request(pinned)
            except httpx.ConnectError as error:
                failed = error
        raise failed or httpx.ConnectError("no address", request=request)

    def _way(self, name: str, proxy: str | None) -> httpx.HTTPTransport:
        with self._lock:
            if name not in self._ways:
                self._ways[name] = httpx.HTTPTransport(proxy=proxy)
            return self._ways[name]


class _Limited(httpx.SyncByteStream):
    """A body that ends with an error beyond ``limit`` bytes, or at ``deadline`` (of time.monotonic)."""

    def __init__(self, stream: object, limit: int, deadline: float | None, shown: str) -> None:
        self._stream = stream
        self._limit = limit
        self._deadline = deadline
        self._shown = shown

    def __iter__(self) -> Iterator[bytes]:
        left = self._limit
        assert isinstance(self._stream, httpx.SyncByteStream)
        for block in self._stream:
            left -= len(block)
            if left < 0:
                raise WeightsError(f"{self._shown} sends more than the {self._limit} bytes that are expected.")
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise WeightsError(f"{self._shown} does not finish its answer within {MAX_ANSWER_SECONDS:.0f} s.")
            yield block

    def close(self) -> None:
        assert isinstance(self._stream, httpx.SyncByteStream)
        self._stream.close()


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _proxy(url: httpx.URL) -> str | None:
    """The proxy that the environment names for a URL."""
    found = getproxies()
    proxy = found.get(url.scheme) or found.get("all")
    return None if not proxy or proxy_bypass(url.host) else proxy if "://" in proxy else f"http://{proxy}"


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _shown(url: httpx.URL) -> str:
    """A URL without what may be a secret."""
    return plain(f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}", 100)
