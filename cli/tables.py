"""Tables for the terminal."""

from __future__ import annotations

from rich.table import Table


def listing(*columns: str) -> Table:
    """A table whose first column holds ids: they are never cut, since they are what the next command is given."""
    table = Table(box=None, pad_edge=False)
    for name in columns[:1]:
        table.add_column(name, no_wrap=True, min_width=27)
    for name in columns[1:]:
        table.add_column(name, overflow="fold")
    return table
