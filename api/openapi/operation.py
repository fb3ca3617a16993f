"""``@operation``: declares a view's parameters and responses for the OpenAPI document.

The path and the method come from the view's route, the texts from its docstring. They determine the path parameters,
the errors common to such operations, and whether an API key is required.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from core import errors
from core.errors import ChorusError
from core.names import Scope

Schema: TypeAlias = Mapping[str, Any]
View = TypeVar("View", bound=Callable[..., Any])

#: What any operation that needs a key may respond with, and any that takes a body.
_KEYED = (errors.Unauthorized, errors.Forbidden, errors.RateLimited, errors.Unavailable)
_WITH_BODY = (errors.Malformed, errors.TooLarge, errors.InvalidRequest)

#: The routes that need no API key. They reveal no owner's data.
PUBLIC = frozenset(("/", "/docs", "/docs/<name>", "/openapi.json", "/healthz", "/readyz", "/metrics"))


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """One response: JSON of a shape of `schemas.responses` (of one among several), and ``media`` types with schemas.

    ``text`` unset: the first sentence of the shape's docstring."""

    shape: Any = None
    text: str = ""
    headers: tuple[str, ...] = ()
    media: Mapping[str, Schema] | None = None

    @property
    def shapes(self) -> tuple[Any, ...]:
        """The shapes that its JSON may have."""
        return self.shape if isinstance(self.shape, tuple) else () if self.shape is None else (self.shape,)


@dataclass(frozen=True, slots=True)
class Operation:
    """Publishes the view that it decorates as the operation ``id``."""

    id: str
    by_status: Mapping[int, Any]  #: a `ResponseSpec`, or the shape of its JSON alone, or None for no content
    _: KW_ONLY
    #: model of a JSON body, or a component of `api.openapi.bodies`; of a multipart one if its name ends in ``Form``
    body: type[BaseModel] | str | None = None
    form: bool = False  #: it takes the same as multipart/form-data
    file: bool = False  #: the body is a file's bytes
    optional: bool = False  #: it may have no body
    pipeline: str | None = None  #: it exists where that pipeline does
    parameters: Sequence[Schema] = ()  #: of the query and the headers, from `api.openapi.parameters`
    scope: Scope | Literal["any"] | None = None  #: of the API key; any: each key will do; None: see `scope_of`
    errors: Sequence[type[ChorusError]] = ()  #: besides those that follow from path, parameters, body and key

    def __call__(self, view: View) -> View:
        _OPERATIONS[view] = self
        return view

    @property
    def responses(self) -> dict[int, ResponseSpec]:
        """By status, the responses that are no errors."""
        return {
            status: one if isinstance(one, ResponseSpec) else ResponseSpec(one)
            for status, one in self.by_status.items()
        }

    @property
    def component(self) -> str | None:
        """The component of its JSON body; that of its multipart body has ``Form`` in place of ``Request``."""
        return self.body.__name__ if isinstance(self.body, type) else self.body

    def all_errors(self, *, public: bool, in_path: bool) -> dict[int, type[ChorusError]]:
        """The errors that it may respond with, by status; ``in_path``: an id in its path may be unknown."""
        found = [*self.errors, *(() if public else _KEYED), *([errors.NotFound] if in_path else [])]
        if self.body or self.file:
            found += _WITH_BODY
        if any(parameter["in"] == "query" for parameter in self.parameters):
            found.append(errors.InvalidRequest)
        return {error.status: error for error in sorted(found, key=lambda error: error.status)}


operation = Operation

_OPERATIONS: dict[Callable[..., Any], Operation | None] = {}


def unpublished(view: View) -> View:
    """Exclude a view from the document."""
    _OPERATIONS[view] = None
    return view


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """The operation of a view; None if it is `unpublished`. Raises `KeyError` if it is not described."""
    return _OPERATIONS[view]


def scope_of(operation: Operation | None, method: str) -> Scope | None:
    """The scope that an API key needs for an operation; None: any key will do. By default it is ``jobs:read`` for GET
    and HEAD, and ``jobs:write`` for other methods."""
    if operation is not None and operation.scope is not None:
        return None if operation.scope == "any" else operation.scope
    return Scope.JOBS_READ if method.upper() in ("GET", "HEAD") else Scope.JOBS_WRITE
