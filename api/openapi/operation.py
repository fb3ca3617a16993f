"""``@operation``: what a view takes and responds with, said at the view, for the OpenAPI document.

The path and the method are those of the view's route, the words those of its docstring. From these follow the
parameters of the path, the errors that any such operation may respond with, and whether it needs a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel

from core.errors import (
    ChorusError,
    Forbidden,
    InvalidRequest,
    Malformed,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
)

Schema: TypeAlias = Mapping[str, Any]
Errors: TypeAlias = Sequence[type[ChorusError]]
View = TypeVar("View", bound=Callable[..., Any])

#: What any operation that needs a key may respond with, and any that takes a body.
_KEYED: Errors = (Unauthorized, Forbidden, RateLimited, Unavailable)
_WITH_BODY: Errors = (Malformed, TooLarge, InvalidRequest)


@dataclass(frozen=True, slots=True)
class Reply:
    """One response: JSON of a shape of `schemas.responses` (of one among several), or ``media`` types with schemas.

    ``text`` unset: the first sentence of the shape's docstring."""

    shape: Any = None
    text: str = ""
    headers: tuple[str, ...] = ()
    media: Mapping[str, Schema] | None = None

    @property
    def shapes(self) -> tuple[Any, ...]:
        """The shapes that its JSON may have."""
        return self.shape if isinstance(self.shape, tuple) else () if self.shape is None else (self.shape,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a view takes and responds with; see `operation`."""

    id: str
    replies: Mapping[int, Reply]
    body: type[BaseModel] | str | None
    form: bool
    file: bool
    optional: bool
    pipeline: str | None
    parameters: Sequence[Schema]
    errors: Errors

    @property
    def component(self) -> str | None:
        """The component of its JSON body; that of its multipart body has ``Form`` in place of ``Request``."""
        return self.body.__name__ if isinstance(self.body, type) else self.body

    def all_errors(self, *, public: bool, in_path: bool) -> dict[int, type[ChorusError]]:
        """The errors that it may respond with, by status; ``in_path``: an id in its path may be unknown."""
        found: list[type[ChorusError]] = [*self.errors, *(() if public else _KEYED), *([NotFound] if in_path else [])]
        if self.body or self.file:
            found += _WITH_BODY
        if any(parameter["in"] == "query" for parameter in self.parameters):
            found.append(InvalidRequest)
        return {error.status: error for error in sorted(found, key=lambda error: error.status)}


_OPERATIONS: dict[Callable[..., Any], Operation | None] = {}


def operation(
    id: str,  # noqa: A002
    replies: Mapping[int, Any],
    *,
    body: type[BaseModel] | str | None = None,
    form: bool = False,
    file: bool = False,
    optional: bool = False,
    pipeline: str | None = None,
    parameters: Sequence[Schema] = (),
    errors: Errors = (),
) -> Callable[[View], View]:
    """Publishes a view as the operation ``id``.

    - ``replies``: by status a `Reply`, or the shape of its JSON alone, or None for no content.
    - ``body``: the model of its JSON body, or the name of a component that `api.openapi.bodies` makes. ``form``: it
      takes the same as multipart/form-data. ``file``: it takes bytes. ``optional``: it may have no body.
    - ``pipeline``: it exists where that pipeline does.
    - ``parameters``: of the query and the headers, from `api.openapi.parameters`.
    - ``errors``: besides those that follow from the path, the parameters, the body and the key.
    """

    def describe(view: View) -> View:
        _OPERATIONS[view] = Operation(
            id=id,
            replies={status: reply if isinstance(reply, Reply) else Reply(reply) for status, reply in replies.items()},
            body=body,
            form=form,
            file=file,
            optional=optional,
            pipeline=pipeline,
            parameters=parameters,
            errors=errors,
        )
        return view

    return describe


def unpublished(view: View) -> View:
    """Keeps a view out of the document."""
    _OPERATIONS[view] = None
    return view


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """The operation of a view; None: it is `unpublished`. Raises `KeyError` where it is not described."""
    return _OPERATIONS[view]
