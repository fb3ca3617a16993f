"""A hub of the test's own: the part of the Hugging Face hub's HTTP API that huggingface_hub uses to read models.

``hub.commit(repository, files, ...)`` makes a commit; branches lead to commits. Large files have LFS metadata, all
others the id of a git blob, as on the hub. `Behaviour` is how a hub that is broken or hostile differs.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LFS = (".onnx", ".safetensors", ".bin", ".pth", ".pt")


@dataclass
class Behaviour:
    """What is done differently, by path of a file where it concerns one."""

    breaks_after: dict[str, int] = field(default_factory=dict)  #: bytes of a body after which the connection breaks
    sizes: dict[str, int] = field(default_factory=dict)  #: that are stated instead of the real ones
    sha256: dict[str, str] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)  #: that are sent instead of those of the commit
    endless: set[str] = field(default_factory=set)  #: whose bodies never end
    redirects: dict[str, str] = field(default_factory=dict)  #: to other places
    siblings: list[Any] = field(default_factory=list)  #: further names of files
    answer: dict[str, Any] = field(default_factory=dict)  #: fields of the answer about a repository
    headers: dict[str, str] = field(default_factory=dict)  #: of all responses
    ignores_ranges: bool = False


@dataclass
class Commit:
    files: Mapping[str, bytes]
    card: Mapping[str, Any]


@dataclass
class Asked:
    """A request that came: method, path, and the headers that matter."""

    method: str
    path: str
    range: str | None
    authorization: str | None


class LocalHub:
    """The hub's content, and what was asked of it."""

    def __init__(self) -> None:
        self.commits: dict[tuple[str, str], Commit] = {}
        self.branches: dict[tuple[str, str], str] = {}
        self.behaviour = Behaviour()
        self.asked: list[Asked] = []
        self.url = ""

    def commit(
        self, repository: str, files: Mapping[str, bytes], *, licence: object = "mit", branch: str = "main", **card: Any
    ) -> str:
        """Make ``files`` the content of a branch; gives the commit."""
        seed = json.dumps([repository, {p: hashlib.sha256(c).hexdigest() for p, c in sorted(files.items())}])
        commit = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[repository, commit] = Commit(dict(files), {"license": licence, **card})
        self.branches[repository, branch] = commit
        return commit

    def resolve(self, repository: str, revision: str) -> tuple[str, Commit] | None:
        commit = self.branches.get((repository, revision), revision)
        found = self.commits.get((repository, commit))
        return (commit, found) if found else None

    def downloads(self, ending: str) -> list[Asked]:
        return [one for one in self.asked if one.method == "GET" and one.path.endswith(ending)]


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: LocalHub
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.asked.append(Asked(self.command, path, self.headers["range"], self.headers["authorization"]))
        parts = path.strip("/").split("/")
        if path.startswith("/api/models/") and len(parts) >= 6:
            repository, kind, revision = "/".join(parts[2:4]), parts[4], "/".join(parts[5:])
            found = hub.resolve(repository, revision)
            if found is None:
                code = "RevisionNotFound" if any(r == repository for r, _ in hub.commits) else "RepoNotFound"
                self._send(404, b"{}", {"X-Error-Code": code})
            elif kind == "revision":
                self._json(self._about(repository, *found))
            else:
                length = int(self.headers["content-length"] or 0)
                wanted = parse_qs(self.rfile.read(length).decode()).get("paths", [])
                self._json([self._facts(p, found[1].files[p]) for p in wanted if p in found[1].files])
        elif len(parts) >= 5 and parts[2] == "resolve":
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._send(404, b"")

    do_GET = do_HEAD = do_POST = _answer  # noqa: N815

    def _about(self, repository: str, commit: str, found: Commit) -> dict[str, Any]:
        siblings = [{"rfilename": path} for path in [*found.files, *self.hub.behaviour.siblings]]
        shape = {"_id": "1", "id": repository, "sha": commit, "siblings": siblings, "cardData": dict(found.card)}
        return {**shape, "gated": False, **self.hub.behaviour.answer}

    def _facts(self, path: str, content: bytes) -> dict[str, Any]:
        behaviour = self.hub.behaviour
        size = behaviour.sizes.get(path, len(content))
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        shape: dict[str, Any] = {"type": "file", "path": path, "size": size, "oid": blob}
        if path.endswith(LFS):
            digest = behaviour.sha256.get(path) or hashlib.sha256(content).hexdigest()
            shape["lfs"] = {"oid": digest, "size": size, "pointerSize": 130}
        return shape

    def _resolve(self, repository: str, revision: str, path: str) -> None:
        behaviour, found = self.hub.behaviour, self.hub.resolve(repository, revision)
        if found is None or path not in found[1].files:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        content = behaviour.contents.get(path, found[1].files[path])
        facts = self._facts(path, found[1].files[path])
        etag = facts["lfs"]["oid"] if "lfs" in facts else facts["oid"]
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": found[0], "Accept-Ranges": "bytes"}
        if "lfs" in facts:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(facts["size"])}
        if path in behaviour.redirects:
            self._send(302, b"", {**headers, "Location": behaviour.redirects[path]})
        elif path in behaviour.endless and self.command == "GET":
            self._endless(headers)
        else:
            self._body(path, content, headers)

    def _body(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        behaviour = self.hub.behaviour
        start, status = 0, 200
        asked = self.headers["range"]
        if asked and not behaviour.ignores_ranges:
            start, status = int(asked.removeprefix("bytes=").split("-")[0]), 206
            headers = {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        end = behaviour.breaks_after.get(path) if self.command == "GET" else None
        self._send(status, content[start:], headers, end)

    def _endless(self, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, **self.hub.behaviour.headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"\0" * 65536)
        self.close_connection = True

    def _json(self, shape: object) -> None:
        self._send(200, json.dumps(shape).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, end: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), **self.hub.behaviour.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:end])
        if end is not None and end < len(body):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def local_hub() -> Iterator[LocalHub]:
    """A hub that listens on loopback."""
    hub = LocalHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
