"""Files that commands read and write: text in any declared encoding, and output files."""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import Any

import click

#: Byte order marks and the encodings that strip them; UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

encoding_option = click.option(
    "--encoding", help="Encoding of the text, such as cp1252 (default: UTF-8, or UTF-16 with a byte order mark)."
)


class OutputFile(click.Path):
    """A file to write. Whether its folder exists is checked before any work is done."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"The folder {path.parent} does not exist.", param, ctx)
        if not os.access(path.parent, os.W_OK):
            self.fail(f"The folder {path.parent} is not writable.", param, ctx)
        return path


def read_text(path: Path, encoding: str | None = None) -> str:
    """A file as text: see `text_of`."""
    return text_of(path.read_bytes(), str(path), encoding)


def text_of(content: bytes, name: str, encoding: str | None = None) -> str:
    """Decode bytes with ``encoding``, else by their byte order mark, else as UTF-8.

    Raises `click.ClickException`, in which ``name`` stands for the bytes, if that fails."""
    marked = next((found for mark, found in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding or marked)
    except UnicodeDecodeError as error:
        kind = encoding or marked.upper().removesuffix("-SIG")
        where = (
            f"byte 0x{content[error.start]:02x} at offset {error.start}"
            if error.start < len(content)
            else "unexpected end"
        )
        hint = "Set --encoding, for example --encoding cp1252."
        raise click.ClickException(f"{name} is not valid {kind}: {where}. {hint}") from error
    except UnicodeError as error:
        raise click.ClickException(f"{name} is not valid {encoding or marked}: {error}") from error
    except LookupError as error:
        kind = "not a text encoding" if "text encoding" in str(error) else "not a known encoding"
        raise click.UsageError(f"--encoding: {encoding!r} is {kind}.") from error
