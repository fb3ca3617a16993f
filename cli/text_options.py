"""The options of commands that send a text: what it says, how it is read, and who speaks."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import click

from cli.files import text_of
from core.names import Clean, Emoji, Markup, Normalize


def _choices(kind: type[Clean | Emoji | Markup | Normalize]) -> click.Choice[str]:
    return click.Choice([one.value for one in kind])


_OPTIONS = (
    click.option("--pipeline", default="piper", show_default=True, help="Pipeline to run."),
    click.option("--voice", help="Voice; 'chorus voices list' lists them."),
    click.option("--language", help="Language (BCP 47), such as en or en-US."),
    click.option("--normalize", type=_choices(Normalize), help="none: leave numbers and abbreviations as they are."),
    click.option("--clean", type=_choices(Clean), help="none: speak marks of Markdown, HTML and footnotes."),
    click.option("--emoji", type=_choices(Emoji), help="named: speak emoji by their names."),
    click.option(
        "--markup",
        type=_choices(Markup),
        help="Markup that the text contains (default: none; docs/text.md describes light and ssml).",
    ),
    click.option(
        "--lexicon",
        "lexicons",
        multiple=True,
        metavar="ID[:VERSION]",
        help="Lexicon to use; later ones override earlier.",
    ),
    click.option(
        "--option", "options", multiple=True, metavar="NAME=VALUE", help="Option of the pipeline; can be repeated."
    ),
)

_NAMES = ("pipeline", "voice", "language", "normalize", "clean", "emoji", "markup")


def text_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command, which gets them as ``fields`` of a request, None for those that are not given."""

    @functools.wraps(command)
    def with_fields(**given: Any) -> None:
        fields = {name: given.pop(name) for name in _NAMES}
        fields["lexicons"] = list(map(_lexicon, given.pop("lexicons"))) or None
        fields["options"] = dict(map(_option, given.pop("options"))) or None
        command(fields=fields, **given)

    for option in reversed(_OPTIONS):
        option(with_fields)
    return with_fields


def given_text(text: str, name: str, encoding: str | None) -> str:
    """The text of the option or argument ``name``; ``-`` is that of standard input."""
    if text == "-":
        return text_of(sys.stdin.buffer.read(), "standard input", encoding)
    if encoding is not None:
        raise click.UsageError("--encoding applies only to files and to standard input.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise click.UsageError(f"{name} is not valid UTF-8.") from error
    return text


def _lexicon(given: str) -> str | dict[str, Any]:
    name, colon, version = given.partition(":")
    if not colon:
        return name
    if not version.isascii() or not version.isdigit():
        raise click.UsageError(f"--lexicon must be ID or ID:VERSION, not {given!r}.")
    return {"id": name, "version": int(version)}


def _option(pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise click.UsageError(f"--option must be NAME=VALUE, not {pair!r}.")
    try:
        return name, json.loads(value, parse_constant=str)  # NaN is not a number in JSON
    except ValueError:
        return name, value
