"""The file of an installation's own models: entries are added and removed as text, so that comments and order stay.

Whoever changes it holds its lock, and writes it whole. Each change is read back before it is written: it must have
changed what it was to change and nothing else.
"""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from core.errors import ConfigurationError, InvalidRequest
from core.files import write_atomically
from core.yamlfile import YamlFile
from models.catalog import Catalog, read_own_models

LOCK_SECONDS = 30.0  #: that a change waits for another one

_HEAD = """\
# Models of this installation, laid over the built-in models.yaml. 'chorus models add' and 'remove' write here, and keep
# what you write yourself.
models:
"""
_INDENT = "  "


class OwnFile:
    """The file at ``path``, which need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> dict[str, Any]:
        """The entries as they are written, by name. Raises `core.errors.ConfigurationError` if the file is invalid."""
        return self._read()[1]

    def add(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Append entries.

        Raises `core.errors.InvalidRequest` (``model_exists``) if there is another entry of a name,
        `core.errors.ConfigurationError` if an entry is invalid or the file cannot be read or written."""
        with self._locked():
            text, there = self._read()
            if new := self._new(entries, there):
                self._write(self._appended(text, new), {**there, **new})

    def with_entries(self, entries: Mapping[str, Mapping[str, Any]]) -> Catalog:
        """The models of the file as they would be with ``entries``; nothing is written. Raises as `add`."""
        text, there = self._read()
        new = self._new(entries, there)
        return read_own_models(self.path, self._appended(text, new) if new else text)

    def _new(self, entries: Mapping[str, Mapping[str, Any]], there: Mapping[str, Any]) -> dict[str, Any]:
        """The entries that are not there yet."""
        new = {name: dict(entry) for name, entry in entries.items() if there.get(name) != entry}
        for name in new:
            if name in there:
                raise InvalidRequest(
                    f"{self.path} has another entry {name!r}. Remove it ('chorus models remove {name}'), or choose "
                    "another name with --name.",
                    code="model_exists",
                )
        return new

    def remove(self, name: str) -> None:
        """Remove an entry, with the comments between its lines. Raises as `add`, and `core.errors.InvalidRequest`
        (``unknown_model``) if there is none."""
        with self._locked():
            text, there = self._read()
            if name not in there:
                raise InvalidRequest(f"{self.path} has no model {name!r}.", code="unknown_model")
            del there[name]
            self._write(self._without(text, name), there)

    # -- text

    def _read(self) -> tuple[str, dict[str, Any]]:
        """The text and the entries. Raises `core.errors.ConfigurationError` if they are invalid."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self.path} cannot be read: {error}") from error
        read_own_models(self.path, text)
        return text, self._entries(text)

    def _entries(self, text: str) -> dict[str, Any]:
        return dict((YamlFile(self.path, text).data or {}).get("models") or {})

    def _appended(self, text: str, entries: Mapping[str, Mapping[str, Any]]) -> str:
        if YamlFile(self.path, text).data is None:
            text = f"{text.rstrip()}\n\n{_HEAD}".lstrip()
        models, indent = _models_node(text), _INDENT
        block = models if isinstance(models, yaml.MappingNode) and models.value else None
        if block is None:  # models:, models: {} or models: null
            text = text[: models.start_mark.index].rstrip() + text[models.end_mark.index :]
        elif block.flow_style:
            raise self._form()
        else:
            indent = " " * block.value[0][0].start_mark.column
        added = "\n".join(textwrap.indent(_written(name, entry), indent) for name, entry in entries.items())
        at = _end(text, block) if block else _line_after_key(text)
        before, after = text[:at].rstrip("\n"), text[at:].lstrip("\n")
        gap = "\n\n" if block else "\n"
        return f"{before}{gap}{added}" + (f"\n{after}" if after else "")

    def _without(self, text: str, name: str) -> str:
        models = _models_node(text)
        if not isinstance(models, yaml.MappingNode) or models.flow_style:
            raise self._form()
        key, value = next((key, value) for key, value in models.value if key.value == name)
        start = text.rfind("\n", 0, key.start_mark.index) + 1
        end = _end(text, value)
        rest = text[end:].lstrip("\n") if text[:start].endswith("\n\n") else text[end:]
        return f"{(text[:start] + rest).rstrip()}\n"

    def _form(self) -> ConfigurationError:
        return ConfigurationError(f"{self.path}: write 'models' without braces, an entry on lines of its own.")

    # -- files

    def _write(self, text: str, expected: Mapping[str, Any]) -> None:
        """Write the file if it is valid and has the ``expected`` models."""
        read_own_models(self.path, text)
        if self._entries(text) != dict(expected):
            raise ConfigurationError(f"{self.path} is written in a form that cannot be changed here; edit it by hand.")
        try:
            write_atomically(self.path, text.encode(), mode=0o644)
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}.") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=LOCK_SECONDS).acquire()
        except Timeout as error:
            raise ConfigurationError(f"{self.path} is locked by another process for {LOCK_SECONDS:.0f} s.") from error
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}.") from error
        with lock:
            yield


def written(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Entries as they stand in a models.yaml."""
    return "\n".join(textwrap.indent(_written(name, entry), _INDENT) for name, entry in entries.items())


def _written(name: str, entry: Mapping[str, Any]) -> str:
    # The emitter quotes whatever would be read as something else: names and licences of others stay strings.
    return yaml.safe_dump({name: dict(entry)}, sort_keys=False, default_flow_style=None, width=200)


def _models_node(text: str) -> yaml.Node:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # `_data` has read it
    found: yaml.Node = next(value for key, value in root.value if key.value == "models")
    return found


def _end(text: str, node: yaml.Node) -> int:
    """The index after the last line of a block, without the comments and empty lines that follow it."""
    lines = text[: node.end_mark.index].splitlines(keepends=True)
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style  # it ends where the next token begins
    if not block and lines:
        rest = text[node.end_mark.index :].splitlines(keepends=True)
        lines[-1] += rest[0] if rest else ""
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return len("".join(lines))


def _line_after_key(text: str) -> int:
    """The index of the line after the key ``models``."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    key = next(key for key, _ in root.value if key.value == "models")
    end = text.find("\n", key.end_mark.index)
    return len(text) if end < 0 else end + 1
