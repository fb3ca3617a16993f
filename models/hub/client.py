"""The Hugging Face hub, through huggingface_hub: ``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` count as usual.

A file is only ever asked for at a commit. Its size and sha256 are those of the hub's LFS metadata; a small file that is
no LFS file is read, and compared with the id that git has for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Protocol

from core.errors import ChorusError, WeightsError
from core.outgoing.egress import Egress
from models.hub.origin import MAX_SMALL, FileFacts, Origin, is_path, plain

ATTEMPTS = 5  #: at a download, one after another, that bring no byte
CONNECTIONS = 100  #: that one download may take in all
GAP = 1.0  #: seconds after the first of them; doubled after each

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TRUE = {"1", "ON", "YES", "TRUE"}
_DEFAULT = "https://huggingface.co"

_set_up: tuple[str, str, str] | None = None
_setting_up = threading.Lock()


class Target(Protocol):
    """Takes a download: ``done`` bytes of it so far."""

    @property
    def done(self) -> int: ...

    def restart(self) -> None: ...

    def copy(self, source: Any, size: int) -> None: ...


class Hub:
    """The hub at ``endpoint``. All methods raise `core.errors.WeightsError`."""

    def __init__(self, allow: str = "", ports: str = "80,443") -> None:
        try:
            from huggingface_hub import HfApi, constants
        except ImportError as error:
            raise WeightsError(
                "The hub requires huggingface-hub. Install it with: pip install 'chorus-speech[models]'"
            ) from error
        self.endpoint = (os.environ.get("HF_ENDPOINT") or _DEFAULT).rstrip("/")
        if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", self.endpoint):
            raise WeightsError(f"HF_ENDPOINT: {plain(self.endpoint)!r} is no address of a hub.")
        self.offline = constants.is_offline_mode() or (os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE)
        _install(self.endpoint, allow, ports)
        self._api = HfApi(endpoint=self.endpoint)

    @classmethod
    def configured(cls) -> Hub:
        """The hub with the settings of this process."""
        from core.settings import load_settings

        settings = load_settings()
        return cls(settings.egress_allow, settings.egress_ports)

    def repository(self, name: str, revision: str = "main") -> Repository:
        """A repository (``OWNER/REPO``) at the commit that ``revision`` names now."""
        with self._told(name, revision):
            info = self._api.model_info(name, revision=revision)
        commit = str(info.sha)
        if not _COMMIT.fullmatch(commit):
            raise WeightsError(f"The hub does not say which commit of {name} {revision!r} is.")
        if _COMMIT.fullmatch(revision) and commit != revision:
            raise WeightsError(f"The hub answers for the commit {commit} of {name} instead of {revision}.")
        names = frozenset(s.rfilename for s in info.siblings or () if is_path(s.rfilename))
        return Repository(self, name, commit, names, _licence(info.card_data))

    def facts(self, name: str, commit: str, paths: Iterable[str]) -> dict[str, dict[str, Any]]:
        """``size``, ``sha256`` (None if it is no LFS file) and ``blob``, the id that git has for it, by path."""
        asked = sorted(set(paths))
        with self._told(name, commit):
            answer = self._api.get_paths_info(name, asked, revision=commit)
        found = {}
        for one in answer:
            if one.path in asked and hasattr(one, "blob_id"):
                lfs = one.lfs
                size = lfs.size if lfs else one.size
                digest = str(lfs.sha256).removeprefix("sha256:") if lfs else None
                if not isinstance(size, int) or size < 0 or (digest is not None and not _SHA256.fullmatch(digest)):
                    raise WeightsError(f"The hub states no valid size or sha256 of {one.path} of {name}.")
                found[one.path] = {"size": size, "sha256": digest, "blob": str(one.blob_id)}
        if missing := [path for path in asked if path not in found]:
            raise WeightsError(f"{name} at {commit[:12]} has no file {', '.join(missing)}.")
        return found

    def download(self, name: str, revision: str, path: str, to: Target, size: int | None = None) -> None:
        """Append what ``to`` lacks of a file, which has ``size`` bytes, if that is known. A connection that breaks is
        taken up where it broke."""
        import httpx
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        with self._told(name, revision):
            url = hf_hub_url(name, path, revision=revision, endpoint=self.endpoint)
            stated = get_hf_file_metadata(url, endpoint=self.endpoint, timeout=30.0)
            if _COMMIT.fullmatch(revision) and stated.commit_hash != revision:
                raise WeightsError(f"The hub answers for {stated.commit_hash} of {name} instead of {revision}.")
            if size is not None and stated.size is not None and stated.size != size:
                raise WeightsError(f"{path} of {name} has {stated.size} bytes on the hub instead of {size}.")
            size = stated.size if size is None else size
            if size is None:
                raise WeightsError(f"The hub does not state the size of {path} of {name}.")
            if to.done > size:
                to.restart()
            failures = connections = 0
            while to.done < size:
                before, connections = to.done, connections + 1
                try:
                    self._copy(stated.location, url, to, size)
                    if to.done == before:
                        raise httpx.RemoteProtocolError("The body is empty.")
                except httpx.TransportError:
                    failures = 0 if to.done > before else failures + 1
                    if failures >= ATTEMPTS or connections >= CONNECTIONS:
                        raise
                    time.sleep(GAP * 2**failures if failures else 0)

    def read(self, name: str, commit: str, path: str, size: int) -> bytes:
        """A small file, whole."""
        if size > MAX_SMALL:
            raise WeightsError(f"{path} of {name} has {size} bytes, which is too long for a file of its kind.")
        whole = _Memory()
        self.download(name, commit, path, whole, size)
        return bytes(whole.content)

    def _copy(self, location: str, url: str, to: Target, size: int) -> None:
        """One request for the rest of a file."""
        import httpx
        from huggingface_hub import get_session
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        from models.hub.transport import LIMIT

        start = to.done
        headers = dict(build_hf_headers())
        place = httpx.URL(location)
        if (place.scheme, place.host, place.port) != (httpx.URL(url).scheme, httpx.URL(url).host, httpx.URL(url).port):
            headers.pop("authorization", None)  # a place of its own, whose URL is signed
        if start:
            headers["Range"] = f"bytes={start}-"
        request: dict[str, Any] = {"headers": headers, "extensions": {LIMIT: size}}
        with get_session().stream("GET", location, **request) as response:
            hf_raise_for_status(response)
            if start and response.status_code != 206:
                to.restart()
                start = 0
            elif start and not response.headers.get("content-range", "").startswith(f"bytes {start}-"):
                raise WeightsError("The hub sends another part of the file than it was asked for.")
            to.copy(_Body(response.iter_raw()), size - start)

    @contextlib.contextmanager
    def _told(self, name: str, revision: str) -> Iterator[None]:
        """Whatever huggingface_hub raises becomes one sentence."""
        import httpx
        from huggingface_hub import errors

        if self.offline:
            raise WeightsError(f"HF_HUB_OFFLINE is set, so the hub is not asked for {name}.", code="hub_unreachable")
        try:
            yield
        except ChorusError:
            raise
        except errors.GatedRepoError as error:
            raise WeightsError(
                f"{name} is gated: accept its conditions at {self.endpoint}/{name}, and set HF_TOKEN."
            ) from error
        except errors.RevisionNotFoundError as error:
            raise WeightsError(f"{name} has no revision {plain(revision)!r}.") from error
        except errors.RepositoryNotFoundError as error:
            raise WeightsError(f"The hub has no model {name}, or shows it only with a token (HF_TOKEN).") from error
        except errors.HFValidationError as error:
            raise WeightsError(f"{plain(name)!r} is no name of a repository: OWNER/REPO.") from error
        except errors.RemoteEntryNotFoundError as error:
            raise WeightsError(f"{name} at {revision[:12]} lacks the file: {plain(error, 200)}") from error
        except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled) as error:
            raise WeightsError(f"The hub refuses {name}: {plain(error, 300)}") from error
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            raise WeightsError(
                f"The hub at {self.endpoint} cannot be reached: {plain(error, 200) or type(error).__name__}.",
                code="hub_unreachable",
            ) from error
        except Exception as error:  # an answer that the client cannot read
            raise WeightsError(
                f"The hub's answer about {name} cannot be read: {type(error).__name__}: {plain(error, 200)}"
            ) from error


class Repository(Origin):
    """A repository at one commit."""

    def __init__(self, hub: Hub, name: str, commit: str, names: frozenset[str], licence: str) -> None:
        self.name, self.commit, self.licence = name, commit, licence
        self.label = f"{name} at {commit[:12]}"
        self._hub, self._names = hub, names
        self._known: dict[str, dict[str, Any]] = {}
        self._read: dict[str, bytes] = {}

    @cached_property
    def source(self) -> str:
        """As `models.base.Part` names it."""
        return f"hf:{self.name}@{self.commit}"

    def names(self) -> frozenset[str]:
        return self._names

    def facts(self, paths: Iterable[str]) -> Mapping[str, FileFacts]:
        asked = list(paths)
        self._ask(asked)
        found = {}
        for path in asked:
            known = self._known[path]
            digest = known["sha256"] or hashlib.sha256(self.read(path)).hexdigest()
            found[path] = FileFacts(source=self.source, path=path, bytes=known["size"], sha256=digest)
        return found

    def read(self, path: str) -> bytes:
        if path not in self._read:
            self._ask([path])
            known = self._known[path]
            content = self._hub.read(self.name, self.commit, path, known["size"])
            git = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
            if known["sha256"] not in (None, hashlib.sha256(content).hexdigest()) or (
                known["sha256"] is None and known["blob"] != git
            ):
                raise WeightsError(f"{path} of {self.label} is not the file that the commit has.")
            self._read[path] = content
        return self._read[path]

    def _ask(self, paths: Iterable[str]) -> None:
        if new := [path for path in paths if path not in self._known]:
            self._known |= self._hub.facts(self.name, self.commit, new)


class _Memory:
    """A download that is kept in memory."""

    def __init__(self) -> None:
        self.content = bytearray()

    @property
    def done(self) -> int:
        return len(self.content)

    def restart(self) -> None:
        self.content.clear()

    def copy(self, source: Any, size: int) -> None:
        while block := source.read(1 << 16):
            self.content += block


class _Body:
    """The blocks of a body as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def read(self, _: int) -> bytes:
        return next((block for block in self._blocks if block), b"")


def _licence(card: Any) -> str:
    """The licence of a model card; the name of one that the hub has no identifier for."""
    data = card.to_dict() if hasattr(card, "to_dict") else {}
    stated = data.get("license")
    stated = ", ".join(map(str, stated)) if isinstance(stated, list) else str(stated or "")
    named = plain(data.get("license_name") or "", 60)
    return plain(f"{stated} ({named})" if named and named.lower() != stated.lower() else stated, 100)


def _install(endpoint: str, allow: str, ports: str) -> None:
    """Let huggingface_hub send its requests through `models.hub.transport`, and print nothing of its own."""
    global _set_up  # noqa: PLW0603
    import httpx
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import logging

    from models.hub.transport import TIMEOUT, HubTransport

    def client() -> httpx.Client:
        transport = HubTransport(endpoint, Egress.configured(allow, ports))
        return httpx.Client(transport=transport, follow_redirects=True, timeout=TIMEOUT)

    with _setting_up:
        if _set_up != (endpoint, allow, ports):
            set_client_factory(client)
            logging.set_verbosity_error()
            _set_up = (endpoint, allow, ports)
