"""The address of the API, and the translation of calls to httpx."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

import httpx

from chorus_client.errors import ChorusError, ConnectionFailed
from chorus_client.protocol import Call, Reply, problem_of


@dataclass(frozen=True, slots=True)
class Connection:
    """The API's address and the key for it, which is shown nowhere."""

    url: str = field(repr=False)  # may hold a password for a proxy
    api_key: str | None = field(repr=False, default=None)

    @property
    def shown(self) -> str:
        """The address without its secrets."""
        return str(httpx.URL(self.url).copy_with(userinfo=b""))

    def request(self, call: Call, content: Any) -> dict[str, Any]:
        """The arguments of httpx's ``request`` or ``stream`` for a call. The key is only sent to the API."""
        url = self.url + call.path if call.path.startswith("/") else call.path
        headers = dict(call.headers)
        if self.api_key and self._ours(url):
            headers["X-API-Key"] = self.api_key
        found: dict[str, Any] = {"method": call.method, "url": url, "headers": headers, "params": call.params}
        if call.json is not None:
            found["content"] = _json(call.json)
            headers.setdefault("Content-Type", "application/json")
        if content is not None:
            found["content"] = content
        if call.timeout is not None:
            found["timeout"] = timeouts(call.timeout)
        return found

    def _ours(self, url: str) -> bool:
        a, b = httpx.URL(url), httpx.URL(self.url)
        return (a.scheme, a.host, a.port) == (b.scheme, b.host, b.port)


def _json(body: Any) -> bytes:
    """Encode ``body`` as JSON. Raises `ChorusError` if it contains values that JSON lacks, such as NaN."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise ChorusError(f"The request cannot be encoded as JSON: {error}") from error


def timeouts(seconds: float) -> httpx.Timeout:
    """``seconds`` for each wait; a connection that does not come about is given up earlier."""
    return httpx.Timeout(seconds, connect=min(seconds, 10.0))


def connection(url: str | None, api_key: str | None) -> Connection:
    """The given URL and key, else ``CHORUS_URL`` and ``CHORUS_API_KEY``. Raises `ChorusError` if there is no URL, or if
    URL or key are invalid."""
    address = (url or os.environ.get("CHORUS_URL") or "").strip().rstrip("/")
    if not address:
        raise ChorusError("No address of Chorus is set. Use Client(url=…) or set CHORUS_URL.")
    try:
        parsed = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ChorusError(f"The address of Chorus is not a valid URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ChorusError("The address of Chorus must start with http:// or https:// and name a host.")
    key = (api_key if api_key is not None else os.environ.get("CHORUS_API_KEY") or "").strip()
    if not (key.isascii() and key.isprintable()):
        # Otherwise httpx's error message would contain the key.
        raise ChorusError("The API key contains invalid characters.")
    return Connection(address, key or None)


def answer_of(response: httpx.Response) -> Reply:
    """An answer that has been read. Raises `ApiError`, also for a redirection: Chorus has none."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    document = None
    if "json" in headers.get("content-type", "") and "ndjson" not in headers["content-type"]:
        try:
            document = response.json()
        except ValueError as error:
            if response.is_success:
                raise ChorusError("The API's response is not JSON.") from error
    if not response.is_success:
        raise problem_of(response.status_code, headers, document)
    return Reply(response.status_code, headers, response.content, document)


def failed(error: Exception) -> ConnectionFailed:
    """What httpx raised, as ours."""
    return error if isinstance(error, ConnectionFailed) else ConnectionFailed(str(error) or type(error).__name__)
