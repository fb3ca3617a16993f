"""Where the API is, and how its requests and answers look to httpx."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from chorus_client.errors import ChorusError, ConnectionFailed
from chorus_client.protocol import Answer, Call, problem_of, same_origin


@dataclass(frozen=True, slots=True)
class Connection:
    """The API's address and the key for it, which is shown nowhere."""

    url: str
    api_key: str | None = field(repr=False, default=None)

    def request(self, call: Call, content: Any) -> dict[str, Any]:
        """A call as the arguments of ``httpx``'s ``request`` or ``stream``; the key goes to the API alone."""
        url = call.path if "://" in call.path else self.url + call.path
        headers = dict(call.headers)
        if self.api_key and same_origin(url, self.url):
            headers["X-API-Key"] = self.api_key
        found: dict[str, Any] = {"method": call.method, "url": url, "headers": headers, "params": call.params}
        if call.json is not None:
            found["json"] = call.json
        if content is not None:
            found["content"] = content
        if call.timeout is not None:
            found["timeout"] = httpx.Timeout(call.timeout, connect=10.0)
        return found


def connection(url: str | None, api_key: str | None) -> Connection:
    """As given, else ``CHORUS_URL`` and ``CHORUS_API_KEY``. Raises `ChorusError` where there is no address."""
    address = url or os.environ.get("CHORUS_URL")
    if not address:
        raise ChorusError("say where Chorus is: Client(url=…), or set CHORUS_URL")
    key = api_key if api_key is not None else os.environ.get("CHORUS_API_KEY")
    return Connection(address.rstrip("/"), key or None)


def answer_of(response: httpx.Response) -> Answer:
    """An answer that has been read. Raises `ApiError`."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    document = None
    if "json" in headers.get("content-type", "") and "ndjson" not in headers["content-type"]:
        try:
            document = response.json()
        except ValueError as error:
            raise ChorusError("the API's answer is not JSON") from error
    if response.is_error:
        raise problem_of(response.status_code, headers, document)
    return Answer(response.status_code, headers, response.content, document)


def failed(error: Exception) -> ConnectionFailed:
    """What httpx raised, as ours."""
    return error if isinstance(error, ConnectionFailed) else ConnectionFailed(str(error) or type(error).__name__)


def hashed(chunks: Iterable[bytes]) -> str:
    """sha256 in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
