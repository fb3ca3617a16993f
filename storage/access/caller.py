"""Whom a request comes from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.names import Scope
from storage.access.limits import UNLIMITED, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The owner and the API key of a request, and what they may do. ``key`` is its id; None if authentication is
    off."""

    owner: str
    key: str | None = None
    scopes: Collection[Scope] = frozenset(Scope)
    max_expires_in: int | None = None  #: seconds that results of its jobs are kept at most
    key_limits: Limits = UNLIMITED
    owner_limits: Limits = UNLIMITED
