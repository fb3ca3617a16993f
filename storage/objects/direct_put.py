"""PUT of whole objects without the rest of boto3, which takes three quarters of a PUT's CPU time.

`DirectPut` learns from a PUT of boto3's where the bucket is and how its requests are signed. Then it signs with the
same signer and sends over kept-alive connections of its own. Whatever does not end in a plain answer is left to boto3,
which retries, follows redirects and names errors; its next PUT teaches the way anew.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import logging
import os
import queue
import ssl
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.util import wait_for_read

if TYPE_CHECKING:
    from botocore.signers import RequestSigner
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

#: Botocore's name of the only signature that is made here: AWS Signature Version 4, as S3 takes it.
SIGNATURE = "s3v4"

#: Refused requests in a row, each of which boto3 then did, after which this way is not tried again.
MAX_REFUSALS = 3

#: Bytes of an answer that are read: S3's to a PUT has none, an error some hundred.
MAX_ANSWER = 64 * 1024

_CONFLICTS = (409, 412)
_UNSIGNED_PAYLOAD = {"client_config": Config(s3={"payload_signing_enabled": False})}


class DirectPut:
    """PUT to one bucket, for all threads. ``connections``: how many are kept when idle."""

    def __init__(self, client: S3Client, *, connect_timeout: float, read_timeout: float, connections: int) -> None:
        self._timeouts = (connect_timeout, read_timeout)
        self._connections = connections
        self._route: _Route | None = None
        self._refusals = 0
        self._seen = threading.local()  # what boto3 signed last in a thread
        client.meta.events.register("before-sign.s3.PutObject", self._see)

    def put(self, name: str, data: bytes, content_type: str, *, if_absent: bool) -> bool | None:
        """Whether the object was written: False where it existed and ``if_absent`` is given, None where boto3 is to
        write it."""
        route = self._route
        if route is None:
            return None
        headers = {"Content-Type": content_type} | ({"If-None-Match": "*"} if if_absent else {})
        try:
            status = route.put(name, data, headers)
        except (OSError, http.client.HTTPException, BotoCoreError) as error:
            log.debug("The direct PUT of %s failed: %r", name, error)
            self._leave(route)
            return None
        if 200 <= status < 300 or (if_absent and status in _CONFLICTS):
            self._refusals = 0
            return status < 300
        log.debug("The direct PUT of %s was answered with %d", name, status)
        self._leave(route)
        if status < 500:
            self._refusals += 1
            if self._refusals == MAX_REFUSALS:
                log.warning("The object storage refuses direct requests (%d); boto3 writes all objects", status)
        return None

    def learn(self, name: str) -> None:
        """Takes the way of the PUT of ``name`` that boto3 has just done in this thread."""
        seen: _Seen | None = self._seen.__dict__.pop("put", None)
        if seen is None or self._route is not None or self._refusals >= MAX_REFUSALS:
            return
        path = _quoted(name)
        if seen.version == SIGNATURE and seen.url.endswith("/" + path) and not _behind_proxy(seen.url):
            base = seen.url.removesuffix(path)
            try:
                self._route = _Route(base, seen, _Connections(base, self._timeouts, self._connections))
            except OSError as error:  # certificates that cannot be read
                log.debug("There is no direct way to %s: %r", base, error)

    def _leave(self, route: _Route) -> None:
        """Goes this way no more; its idle connections may be as broken as the one that failed."""
        if self._route is route:
            self._route = None
        route.close()

    def _see(
        self,
        request: AWSRequest,
        signing_name: str,
        region_name: str,
        signature_version: str,
        request_signer: RequestSigner,
        **_: object,
    ) -> None:
        """Botocore's event before it signs. The request's own signing name and region go before the client's."""
        own: Mapping[str, Any] = request.context.get("signing") or {}
        service, region = own.get("signing_name") or signing_name, own.get("region") or region_name
        self._seen.put = _Seen(str(request.url), request_signer, service, region, str(signature_version))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A request of boto3's before it was signed, and how it was."""

    url: str
    signer: RequestSigner
    service: str
    region: str
    version: str


class _Route:
    """The way to a bucket: ``base``, the URL before an object's name, and its signature and connections."""

    def __init__(self, base: str, seen: _Seen, connections: _Connections) -> None:
        parts = urlsplit(base)
        self._base = base
        self._path = parts.path
        self._host = {"Host": parts.netloc.rpartition("@")[2]}  # given, or the signer finds it out each time
        self._seen = seen
        self._context = _UNSIGNED_PAYLOAD if _is_protected(base) else {}
        self._connections = connections

    def put(self, name: str, data: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Raises what `http.client`, its sockets and botocore's signer raise."""
        name = _quoted(name)
        request = AWSRequest("PUT", self._base + name, {**self._host, **headers}, data)
        request.context.update(self._context)
        seen = self._seen
        seen.signer.get_auth_instance(seen.service, seen.region, seen.version).add_auth(request)
        return self._connections.send(self._path + name, data, dict(request.headers.items()))

    def close(self) -> None:
        self._connections.close()


class _Connections:
    """Connections to one server, each of one thread at a time."""

    def __init__(self, url: str, timeouts: tuple[float, float], kept: int) -> None:
        self._url = urlsplit(url)
        self._timeouts = timeouts
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue(kept)
        self._tls = _tls() if self._url.scheme == "https" else None
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)

    def close(self) -> None:
        """Keeps no connection any more."""
        self._closed = True
        _close_all(self._idle)

    def send(self, path: str, data: bytes, headers: Mapping[str, str]) -> int:
        connection = self._take()
        try:
            connection.request("PUT", path, data, headers)
            answer = connection.getresponse()
            answer.read(MAX_ANSWER)
        except BaseException:
            connection.close()
            raise
        self._keep(connection, whole=answer.isclosed())
        return answer.status

    def _take(self) -> http.client.HTTPConnection:
        """The connection used last, if the server has not closed it meanwhile; or a new one."""
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return self._connect()
            if not wait_for_read(connection.sock, timeout=0):
                return connection
            connection.close()

    def _keep(self, connection: http.client.HTTPConnection, *, whole: bool) -> None:
        """For the next request, if this one's answer was read whole and the server leaves the connection open."""
        if whole and connection.sock is not None and not self._closed:
            with contextlib.suppress(queue.Full):
                self._idle.put_nowait(connection)
                return
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        connecting, reading = self._timeouts
        connection = (
            http.client.HTTPConnection(host, port, timeout=connecting)
            if self._tls is None
            else http.client.HTTPSConnection(host, port, timeout=connecting, context=self._tls)
        )
        connection.connect()
        connection.sock.settimeout(reading)
        return connection


def _close_all(idle: queue.LifoQueue[http.client.HTTPConnection]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            idle.get_nowait().close()


def _quoted(name: str) -> str:
    """An object's name as botocore writes it in URLs."""
    return quote(name, safe="/~")


def _is_protected(url: str) -> bool:
    """Whether nobody between here and the server can change what is sent: TLS, or this machine. The payload's SHA-256
    is part of the signature otherwise."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _behind_proxy(url: str) -> bool:
    """Whether botocore sends requests for this URL through a proxy."""
    return urlsplit(url).scheme in get_environ_proxies(url)


def _tls() -> ssl.SSLContext:
    """Checks servers by the certificates that botocore takes: ``AWS_CA_BUNDLE``, ``ca_bundle`` of its configuration,
    ``REQUESTS_CA_BUNDLE``, or its own."""
    configured = botocore.session.get_session().get_config_variable("ca_bundle")
    place = configured or os.environ.get("REQUESTS_CA_BUNDLE") or str(get_cert_path(verify=True))
    if Path(place).is_dir():
        return ssl.create_default_context(capath=place)
    return ssl.create_default_context(cafile=place)
