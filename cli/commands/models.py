"""``chorus models``: add models of the hub to this installation, list and remove them."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from cli.fetching import fetching, origin_of, size_of, state_of, weights_cache
from cli.tables import listing

if TYPE_CHECKING:
    from models.base import ModelSpec, WeightsFile
    from models.hub.adding import Asked
    from models.hub.recipes import Addition
    from models.own_file import OwnFile

_FILES = 12  #: files that are shown
_VOICES = 6  #: voices that are named
_LANGUAGES = 12  #: and languages


@click.group()
def models() -> None:
    """Add models of the hub to this installation; list and remove them.

    They are written to models.yaml in CHORUS_HOME (default: .chorus), or to CHORUS_OWN_MODELS_FILE, and laid over the
    built-in models. 'chorus up' serves them all from its next start on, unless --models names others.
    """


@models.command(short_help="Add a model of the hub, or of a folder.")
@click.argument("model", nargs=-1, required=True, metavar="FAMILY [MODEL] | hf:OWNER/REPO[@REVISION]")
@click.option("--type", "kind", metavar="FAMILY", help="Family of the model in hf:OWNER/REPO.")
@click.option("--file", "file", metavar="PATH", help="Which of several models in hf:OWNER/REPO: its .onnx or .pth.")
@click.option("--revision", metavar="REV", help="Branch, tag or commit [main]; the entry names the commit.")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Take the files from a folder instead of the hub.",
)
@click.option("--name", metavar="NAME", help="Name of the entry.")
@click.option("--yes", "-y", is_flag=True, help="Add it whatever its licence, without a question.")
@click.option("--dry-run", is_flag=True, help="Show files, licence and entry; fetch and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of text.")
@click.pass_context
def add(
    ctx: click.Context,
    model: Sequence[str],
    kind: str | None,
    file: str | None,
    revision: str | None,
    folder: Path | None,
    name: str | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Add a model: ask the hub for its files, fetch and try them, and write its entry.

    \b
    chorus models add piper en_GB-alba-medium     a voice of rhasspy/piper-voices
    chorus models add kokoro                      Kokoro-82M, 54 voices
    chorus models add openvoice-v2                voice conversion and cloning
    chorus models add melo EN                     EN, EN_V2, EN_NEWEST, ZH, ES, FR, JP or KR
    chorus models add mms deu                     a language by ISO 639-3
    chorus models add whisper large-v3-turbo      a size of Whisper
    chorus models add hf:OWNER/REPO@v1 --type piper
    chorus models add piper en_GB-alba-medium --from ./voices

    The entry names a commit, and the sha256 and size of each file, so what is served never changes. Licences that
    forbid commercial use, or do not say, are told before anything large is fetched. A download that was interrupted
    goes on where it ended. The model must load and run before its entry is written; the exit code is 1 if it does not.

    HF_ENDPOINT names another hub, HF_TOKEN opens gated repositories, HF_HUB_OFFLINE=1 asks no hub.
    """
    from models.hub.adding import FolderOrigins, HubOrigins, asked, described, specs_of
    from models.hub.client import Hub

    what = asked(model, kind, revision, file)
    with Console(stderr=True).status("Asking for the files ..."):
        origins = FolderOrigins(folder) if folder is not None else HubOrigins(Hub.configured())
        addition = described(what, origins, name)
    own = _own_file()
    specs = specs_of(addition, own, _built_in())
    shape = _shape(addition, specs)
    if not as_json:
        _show(addition, specs)
    if dry_run:
        _tell(as_json, shape | {"added": False}, _entry_text(addition))
        return
    _confirm(addition, yes=yes, ask=not as_json)
    checks = _try(specs, as_json)
    if not all(found.ok for found in checks):
        told = {"added": False, "checks": [found.to_dict() for found in checks]}
        _tell(as_json, shape | told, f"Not added: {', '.join(addition.entries)}.")
        ctx.exit(1)
    own.add(addition.entries)
    told = {"added": True, "checks": [found.to_dict() for found in checks]}
    _tell(as_json, shape | told, _how_to_serve(what, specs, own))


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of a table.")
def list_(as_json: bool) -> None:
    """List the models of this installation: the built-in ones, and those that were added."""
    from models.catalog import load_catalog

    cache, added = weights_cache(), _own_file().entries()
    specs = list(load_catalog().models.values())
    if as_json:
        click.echo(json.dumps({"models": [_model_shape(spec, spec.name in added) for spec in specs]}, indent=2))
        return
    rows = []
    for spec in specs:
        files = list(spec.weights.values())
        size = _size(files)
        voices = str(len(spec.voices)) if spec.voices else ""
        where = origin_of(files) if spec.name in added else "built in"
        size_text = decimal(size) if size is not None else ""
        rows.append((spec.name, spec.type, ", ".join(spec.languages), voices, size_text, state_of(cache, files), where))
    console = Console()
    columns = ("name", "type", "languages", "voices", "size", "state", "from")
    console.print(listing(columns, rows, cut=("type", "languages", "from"), width=console.width))


@models.command()
@click.argument("name")
@click.option("--weights", is_flag=True, help="Also delete the weights that no other model uses.")
def remove(name: str, weights: bool) -> None:
    """Remove the model NAME, which was added, from this installation.

    Workers that serve it go on until they are restarted.
    """
    from core.errors import InvalidRequest
    from models.catalog import load_catalog, read_own_models
    from models.hub.adding import unused_weights

    own = _own_file()
    mine = read_own_models(own.path).models
    if name not in mine:
        built_in = name in _built_in().models
        why = "is built in; only models that were added can be removed" if built_in else "was not added"
        raise InvalidRequest(f"The model {name!r} {why}. Added: {', '.join(mine) or 'none'}.", code="unknown_model")
    removed = mine[name]
    others = [spec for spec in {**_built_in().models, **mine}.values() if spec.name != name]
    own.remove(name)
    load_catalog.cache_clear()
    click.echo(f"Removed {name} from {own.path}.")
    if not weights:
        return
    cache, freed = weights_cache(), 0
    for key in unused_weights(removed, others):
        place = cache.place(removed.weights[key])
        if place.is_file():
            freed += place.stat().st_size
            place.unlink()
            with contextlib.suppress(OSError):  # another name of the same content is in it
                place.parent.rmdir()
    click.echo(f"Deleted {decimal(freed)} of weights." if freed else "No weights were deleted.")


# -- what is added


def _own_file() -> OwnFile:
    from core.settings import load_settings
    from models.own_file import OwnFile

    return OwnFile(load_settings().own_models)


def _built_in() -> Any:
    """The catalog without the models that were added."""
    from core.settings import load_settings
    from models.catalog import DEFAULT_FILE, read_catalog

    return read_catalog(load_settings().models_file or DEFAULT_FILE)


def _show(addition: Addition, specs: Sequence[ModelSpec]) -> None:
    """The files, licences, voices and languages of what is to be added."""
    console = Console()
    files = {(file.sha256, file.name): file for spec in specs for file in spec.weights.values()}
    rows = [
        (file.name, decimal(file.bytes) if file.bytes is not None else "", file.sha256[:12], origin_of([file]))
        for file in files.values()
    ]
    shown = [*rows[:_FILES], (f"and {len(rows) - _FILES} more", "", "", "")] if len(rows) > _FILES + 1 else rows
    console.print(listing(("file", "size", "sha256", "from"), shown, cut=("file", "from"), width=console.width))
    size = _size(list(files.values()))
    lines = [
        ("models", ", ".join(addition.entries)),
        ("origin", "; ".join(addition.origins)),
        ("size", decimal(size) if size is not None else ""),
        ("licence", "; ".join(licence.text or "not stated" for licence in addition.licences)),
        ("languages", _few([tag for spec in specs for tag in spec.languages], _LANGUAGES)),
        ("voices", _few([voice for spec in specs for voice in spec.voices], _VOICES)),
    ]
    for label, text in lines:
        if text:
            console.print(Text(f"{label:<10} {text}"))


def _few(names: Sequence[str], most: int) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _size(files: Sequence[WeightsFile]) -> int | None:
    """The bytes of all files, each counted once; None if none is known."""
    cache = weights_cache()
    sizes = {(file.sha256, file.name): size_of(cache, file) for file in files}
    known = [size for size in sizes.values() if size is not None]
    return sum(known) if known else None


def _confirm(addition: Addition, *, yes: bool, ask: bool) -> None:
    """Tell what licences forbid, and ask. Raises `click.ClickException` where nobody can be asked."""
    warnings = [licence.warning for licence in addition.licences if licence.warning]
    for warning in warnings:
        click.echo(warning, err=True)
    if not warnings or yes:
        return
    if not ask or not sys.stdin.isatty():
        raise click.ClickException("Nothing was fetched. Give --yes to add it all the same.")
    click.confirm("Add it all the same?", abort=True, err=True)


def _try(specs: Sequence[ModelSpec], as_json: bool) -> list[Any]:
    """Fetch the weights of each model, load it, and try it."""
    from cli.commands.weights import check_lines
    from models.checking import Wish, check_model

    checks = []
    with fetching(Console(stderr=True)) as cache:
        for spec in specs:
            checks.append(check_model(spec, cache, Wish()))
            if not as_json:
                click.echo("\n".join(check_lines(checks[-1])))
    return checks


def _tell(as_json: bool, shape: Mapping[str, Any], text: str) -> None:
    click.echo(json.dumps(shape, indent=2, ensure_ascii=False) if as_json else f"\n{text}")


def _shape(addition: Addition, specs: Sequence[ModelSpec]) -> dict[str, Any]:
    """What ``--json`` prints of an addition."""
    return {
        "models": [_model_shape(spec, True) for spec in specs],
        "entries": dict(addition.entries),
        "licences": [
            {"of": one.what, "licence": one.text or None, "commercial_use": one.use.value} for one in addition.licences
        ],
        "origins": list(addition.origins),
        "file": str(_own_file().path),
    }


def _model_shape(spec: ModelSpec, added: bool) -> dict[str, Any]:
    cache, files = weights_cache(), list(spec.weights.values())
    return {
        "name": spec.name,
        "type": spec.type,
        "role": spec.role.value,
        "languages": list(spec.languages),
        "voices": list(spec.voices),
        "bytes": _size(files),
        "state": state_of(cache, files),
        "licence": spec.licence or None,
        "added": added,
        "sources": list(dict.fromkeys(part.source for file in files for part in file.parts)),
    }


def _entry_text(addition: Addition) -> str:
    from models.own_file import written

    return f"models:\n{written(addition.entries)}\nNothing was written."


def _how_to_serve(what: Asked, specs: Sequence[ModelSpec], own: OwnFile) -> str:
    """Where the entries are, and how to serve and use the models."""
    names = " ".join(f"--models {spec.name}" for spec in specs)
    lines = [
        f"Added {', '.join(spec.name for spec in specs)} to {own.path}.",
        "Serve it, restarting what runs:",
        "  chorus up                    all models, with this one",
        f"  chorus up {names}",
        f"  chorus worker {' '.join(spec.name for spec in specs)}",
    ]
    if voice := next((voice for spec in specs for voice in spec.voices.values()), None):
        chosen = f"--pipeline {what.recipe.name} --voice {voice.name} --language {voice.language}"
        lines += ["Use it:", f'  chorus say "…" {chosen} -o speech.wav']
    return "\n".join(lines)
