"""Which items go through a network together. Imports no runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def packs(items: Iterable[Item], size: Callable[[Item], int], most: int) -> Iterator[list[Item]]:
    """Items of together at most ``most``, the largest first; a larger one goes alone."""
    pack: list[Item] = []
    total = 0
    for item in sorted(items, key=size, reverse=True):
        if pack and total + size(item) > most:
            yield pack
            pack, total = [], 0
        pack.append(item)
        total += size(item)
    if pack:
        yield pack


def padded(
    items: Iterable[Item], size: Callable[[Item], int], most: int, *, shortest: float = 0.0
) -> Iterator[list[Item]]:
    """Items of together at most ``most`` if each is padded to the largest, the largest first; a larger one goes alone.
    No item is smaller than ``shortest`` times the largest of its group."""
    group: list[Item] = []
    for item in sorted(items, key=size, reverse=True):
        longest = size(group[0]) if group else 0
        if group and ((len(group) + 1) * longest > most or size(item) < shortest * longest):
            yield group
            group = []
        group.append(item)
    if group:
        yield group
