"""Tables and times for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

_GAP = 2  #: cells between two columns
_NARROWEST = 6  #: cells of a column that is truncated

#: Seconds of each unit, largest first.
_UNITS = ((86_400, "days"), (3600, "h"), (60, "min"))


def listing(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, cut: Collection[str] = (), width: int = 80
) -> Table:
    """A table whose first column, the id, is never truncated, since users copy it into the next command. Other cells
    are folded; with ``cut``, a row is one line of ``width``: cells of these columns end in an ellipsis where need be.

    Strings are shown literally: brackets in a name are not markup."""
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, **({"no_wrap": True} if name == columns[0] else {"overflow": "fold"}))
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    table.columns[0].min_width = max((row[0].cell_len for row in cells), default=0)
    if cut:
        _cut(columns, cells, cut, width)
    for row in cells:
        table.add_row(*row)
    return table


def _cut(columns: Sequence[str], cells: Sequence[Sequence[Text]], cut: Collection[str], width: int) -> None:
    """Truncate cells of the columns ``cut``, the widest first, until all columns and the gaps fit."""
    widths = {name: max([len(name), *(row[n].cell_len for row in cells)]) for n, name in enumerate(columns)}
    while sum(widths.values()) + _GAP * (len(columns) - 1) > width:
        wide = [name for name in cut if widths[name] > max(len(name), _NARROWEST)]
        if not wide:
            return
        widest = max(wide, key=widths.__getitem__)
        widths[widest] -= 1
        for row in cells:
            row[columns.index(widest)].truncate(widths[widest], overflow="ellipsis")


def ago(moment: str | None, now: datetime | None = None) -> str:
    """The distance of a time (RFC 3339) from now: ``2 min ago``, ``in 3 h``."""
    if not moment:
        return ""
    try:
        seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return moment
    for size, unit in _UNITS:
        if (number := int(abs(seconds) // size)) > 0:
            span = f"{number} {unit.removesuffix('s') if number == 1 else unit}"
            return f"{span} ago" if seconds > 0 else f"in {span}"
    return "just now" if seconds > -5 else f"in {-seconds:.0f} s"


def took(began: str | None, ended: str | None) -> str:
    """The time between two times (RFC 3339), in seconds."""
    try:
        span = datetime.fromisoformat(ended or "") - datetime.fromisoformat(began or "")
    except (ValueError, TypeError):
        return ""
    return f"{span.total_seconds():.1f} s"
