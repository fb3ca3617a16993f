"""YAML files checked whole: a bad one is a `ConfigurationError` with file, line and reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from core.errors import ConfigurationError

Schema = TypeVar("Schema", bound=BaseModel)


class YamlFile:
    """A YAML file that remembers the line of each of its values. ``text``: its content, if it is not written yet."""

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self._lines: dict[tuple[str | int, ...], int] = {}
        try:
            text = path.read_text(encoding="utf-8") if text is None else text
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self._note(node, ())
            self.data: Any = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            raise self._error(mark.line + 1 if mark else 1, str(error.problem)) from error
        except yaml.YAMLError as error:
            raise self._error(1, str(error)) from error

    def _note(self, node: yaml.Node | None, where: tuple[str | int, ...]) -> None:
        if node is None:
            return
        self._lines.setdefault(where, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*where, key.value)
                if inner in self._lines:
                    raise self._error(key.start_mark.line + 1, f"duplicate key {key.value!r}")
                self._lines[inner] = key.start_mark.line + 1
                self._note(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for n, value in enumerate(node.value):
                self._note(value, (*where, n))

    def _error(self, line: int, reason: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}:{line}: {reason}")

    def error(self, where: tuple[str | int, ...], reason: str) -> ConfigurationError:
        """The error of the value at ``where``, or of the nearest one around it."""
        while where and where not in self._lines:
            where = where[:-1]
        return self._error(self._lines.get(where, 1), reason)

    def parse(self, schema: type[Schema]) -> Schema:
        """The file's content as ``schema``. Raises the first `ConfigurationError`, naming how many follow."""
        try:
            return schema.model_validate(self.data)
        except ValidationError as error:
            # Report a misspelt name rather than the missing one.
            first, *more = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
            where = tuple(first["loc"])
            name = ".".join(map(str, where)) or "the file"
            rest = f" (and {len(more)} more)" if more else ""
            raise self.error(where, f"{name}: {first['msg']}{rest}") from error
