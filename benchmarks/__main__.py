"""``python -m benchmarks NAME [--json] [--data FOLDER]`` runs one benchmark; ``--help`` lists them."""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import ChorusError

FOLDER = Path(__file__).parent

#: Where recordings lie when neither ``--data`` nor ``CHORUS_DATA`` says so.
DATA = FOLDER.parents[1] / "shared" / "data" / "speech"

Figures = Mapping[str, float | int | str]


def benchmarks() -> dict[str, str]:
    """The benchmarks by name with the first line of their docstrings; none is imported."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one benchmark; its figures go to standard output, everything else to standard error."""
    known = benchmarks()
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures one part of Chorus.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="benchmarks:\n" + "\n".join(f"  {name:12} {line}" for name, line in known.items()),
    )
    parser.add_argument("name", choices=known, metavar="NAME", help="a benchmark from the list below")
    parser.add_argument("--json", action="store_true", help="print one flat JSON object and nothing else")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("CHORUS_DATA") or DATA),
        metavar="FOLDER",
        help="recordings and texts with their manifest.tsv (default: CHORUS_DATA, or %(default)s)",
    )
    name = next((word for word in given if word in known), None)
    module = importlib.import_module(f"benchmarks.{name}") if name else None
    if module and hasattr(module, "add_arguments"):
        module.add_arguments(parser)
    chosen = parser.parse_args(given)
    module = importlib.import_module(f"benchmarks.{chosen.name}")
    try:
        # What libraries print must not spoil the JSON.
        with contextlib.redirect_stdout(sys.stderr):
            figures = module.run(chosen)
    except ChorusError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    if chosen.json:
        print(json.dumps(dict(figures), allow_nan=False))
    else:
        _show(chosen.name, figures)
    return 0


def _show(name: str, figures: Figures) -> None:
    from rich.console import Console  # the machine that `gpu` runs on may not have it
    from rich.table import Table

    table = Table("figure", "value", title=name, title_justify="left")
    for key, value in figures.items():
        table.add_row(key, f"{value:.6g}" if isinstance(value, float) else str(value))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
