"""Finds what a slow pattern matches, at speed: only where a quick pattern matches is the slow one tried."""

from __future__ import annotations

import re
from collections.abc import Iterator


def matches(quick: re.Pattern[str], slow: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The matches of ``slow`` that begin where ``quick`` matches, in order and apart from each other."""
    done = 0
    for candidate in quick.finditer(text):
        if candidate.start() >= done and (found := slow.match(text, candidate.start())):
            done = found.end()
            yield found
