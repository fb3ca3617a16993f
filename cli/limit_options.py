"""Options of commands for limits and durations."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from storage.access.limits import MOST, MOST_REQUESTS

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}

#: The options, by the names of the limits: the range of each, and its help.
_OPTIONS = {
    "requests_per_minute": (1, MOST_REQUESTS, "Requests in any 60 seconds."),
    "open_jobs": (0, MOST, "Jobs that have not ended."),
    "characters_per_day": (0, MOST, "Characters of text in a day (UTC)."),
    "audio_seconds_per_day": (0, MOST, "Seconds of recordings in a day (UTC)."),
}


class Duration(click.ParamType[int]):
    """A number of seconds, as ``90``, ``90s``, ``15min``, ``12h`` or ``30d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,12})(s|min|h|d)?", str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration such as 90s, 15min, 12h or 30d.", param, ctx)
        return int(match[1]) * _UNITS[match[2] or "s"]


class Limit(click.IntRange):
    """A limit, or ``unlimited`` (None is no limit given, -1 is unlimited)."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return -1 if value in ("unlimited", -1) else super().convert(value, param, ctx)


def limit_options(command: Command) -> Command:
    """Adds an option for each limit; see `given_limits`."""
    for name, (least, most, text) in reversed(_OPTIONS.items()):
        flag = f"--{name.replace('_', '-')}"
        command = click.option(flag, type=Limit(least, most), metavar="N|unlimited", help=text)(command)
    return command


def given_limits(options: dict[str, int | None]) -> dict[str, int | None]:
    """The limits that were given, by name; None: unlimited."""
    return {name: None if value == -1 else value for name, value in options.items() if value is not None}
