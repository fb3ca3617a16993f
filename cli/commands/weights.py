"""``chorus weights``: download, list and check model weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.filesize import decimal

from cli.fetching import fetching, origin_of, size_of, state_of, weights_cache
from cli.files import OutputFile
from cli.tables import listing
from core.names import Role

if TYPE_CHECKING:
    from models.base import ModelSpec
    from models.checking import FileCheck, ModelCheck, Wish
    from models.weights import WeightsCache

_NAMED = 3  #: unused tensors that are named


@click.group()
def weights() -> None:
    """Download, list and check model weights.

    They are stored under CHORUS_CACHE (default ~/.cache/chorus) and named after their sha256.
    """


@weights.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
def pull(models: Sequence[str]) -> None:
    """Download the weights of each MODEL (default: all)."""
    pull_models(models, Console())


@weights.command("list")
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option("--files", is_flag=True, help="Show each file, with its source and sha256.")
def list_(models: Sequence[str], files: bool) -> None:
    """List the weights of each MODEL (default: all): size, state, licence and where they are from.

    \b
    chorus weights list                 a line for each model
    chorus weights list kokoro          the files of one
    """
    cache = weights_cache()
    specs = _chosen(models)
    if not (models or files):
        rows, console = [_row(spec, cache) for spec in specs], Console()
        columns = ("model", "size", "state", "licence", "from")
        console.print(listing(columns, rows, cut=("licence", "from"), width=console.width))
        return
    for spec in specs:
        for file in spec.weights.values():
            sources = ", ".join(dict.fromkeys(part.source for part in file.parts))
            size = size_of(cache, file)
            told = f"{decimal(size)}, " if size is not None else ""
            click.echo(f"{spec.name}/{file.name}: {told}{cache.status(file)}\n  {sources}\n  sha256 {file.sha256}")


def _row(spec: ModelSpec, cache: WeightsCache) -> tuple[str, ...]:
    files = list(spec.weights.values())
    sizes = [size for file in files if (size := size_of(cache, file)) is not None]
    return spec.name, decimal(sum(sizes)) if sizes else "", state_of(cache, files), spec.licence, origin_of(files)


def _device(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value):
        raise click.BadParameter(f"{value!r} is no device: auto, cpu, cuda or cuda:N")
    return value


@weights.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option("--all", "all_models", is_flag=True, help="Check all models of models.yaml.")
@click.option("--files", "files_only", is_flag=True, help="Only compare the files; download and load nothing.")
@click.option(
    "--device", metavar="DEVICE", default="cpu", show_default=True, callback=_device, help="auto, cpu, cuda or cuda:N."
)
@click.option("--text", help="Text that a synthesizer speaks [a sentence in its language].")
@click.option("--voice", help="Voice that it speaks with [its first one].")
@click.option("-o", "--output", type=OutputFile(), help="WAV file for the speech of one MODEL; overwritten.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of text.")
@click.pass_context
def check(
    ctx: click.Context,
    models: Sequence[str],
    all_models: bool,
    files_only: bool,
    device: str,
    text: str | None,
    voice: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Check the files of each MODEL, load it, and try it.

    Missing files are downloaded, and compared with the sha256 in models.yaml. Then the model is loaded and tried: a
    synthesizer speaks a sentence, any other model gets a short recording of speech. Without MODEL, only the files that
    are present are compared.

    The exit code is 1 if anything is wrong: a file is missing or has another sha256, a tensor is missing, superfluous,
    of the wrong shape or not finite, or the model fails.
    """
    from models.checking import Wish

    if models and all_models:
        raise click.UsageError("Name models, or give --all, but not both.")
    asked = {"--text": text, "--voice": voice, "--output": output}
    _check_usage(models, files_only, [option for option, value in asked.items() if value is not None])
    wish = None if files_only or not (models or all_models) else Wish(device=device, text=text, voice=voice)
    checks: list[ModelCheck] = []
    with fetching(Console(stderr=True)) as cache:
        for spec in _chosen(models):
            found = _check(spec, cache, wish, named=bool(models or all_models), output=output)
            checks.append(found)
            if not as_json:
                click.echo("\n".join(check_lines(found)))
    if as_json:
        shape = {"ok": all(found.ok for found in checks), "models": [found.to_dict() for found in checks]}
        click.echo(json.dumps(shape, indent=2, ensure_ascii=False))
    ctx.exit(0 if all(found.ok for found in checks) else 1)


def _check_usage(models: Sequence[str], files_only: bool, asked: Sequence[str]) -> None:
    """Raises `click.UsageError` for options that do not apply to these models."""
    if not asked:
        return
    if files_only or len(set(models)) != 1:
        raise click.UsageError(f"{', '.join(asked)}: name exactly one MODEL, without --files.")
    role = _chosen(models)[0].role
    if role is not Role.SYNTHESIZE and (role is not Role.CONVERT or asked != ["--output"]):
        raise click.UsageError(f"{', '.join(asked)}: {models[0]} is no synthesizer.")


def _check(spec: ModelSpec, cache: WeightsCache, wish: Wish | None, *, named: bool, output: Path | None) -> ModelCheck:
    """Check one model; its files alone without a ``wish``, and those that are present alone if it is not ``named``."""
    from models.checking import check_files, check_model

    if wish is None:
        return check_files(spec, cache, missing_is_wrong=named)
    found = check_model(spec, cache, wish)
    if output is not None and found.ok:
        _write(found, output)
    return found


def _write(found: ModelCheck, output: Path) -> None:
    """Write the speech of a model to a WAV file."""
    from audio.encode import Encoder
    from core.names import AudioFormat

    speech = found.trial and found.trial.speech
    if not speech:
        raise click.ClickException(f"{found.spec.name} was not run, so {output} is not written.")
    with Encoder(output, AudioFormat.WAV, speech.rate) as encoder:
        encoder.write(speech.samples)
        encoder.close()


def check_lines(found: ModelCheck) -> list[str]:
    """What ``chorus weights check`` prints of one model."""
    from models.catalog import placed

    name = found.spec.name
    lines = [_file_line(name, file) for file in found.files]
    if not found.tried:
        return lines
    if found.load_seconds is not None and found.placement is not None:
        where = placed(found.spec, found.placement)
        lines.append(f"ok       {name}: loaded {where} in {found.load_seconds:.1f} s{_tensors(found)}")
    if found.trial is not None:
        lines.append(f"ok       {name}: {found.trial.summary}, in {found.trial.seconds:.2f} s")
        lines += [f"warning  {name}: {warning}" for warning in found.trial.warnings]
    elif found.ok:
        lines.append(f"ok       {name}: not run: its family has no example of an embedding")
    if found.fault is not None:
        lines.append(f"WRONG    {name}: {found.fault.removeprefix(f'{name}: ')}")
    return [*lines, f"licence  {name}: {found.licence}"]


def _file_line(model: str, file: FileCheck) -> str:
    size = f": {decimal(file.bytes)}" if file.bytes is not None and file.fault is None else ""
    state = "missing" if file.missing else "WRONG" if file.fault else "ok"
    why = f": {file.fault}" if file.fault and not file.missing else ""
    return f"{state:<7}  {model}/{file.file.name}{size}{why}"


def _tensors(found: ModelCheck) -> str:
    """How many tensors were loaded, and some of the names of those that are unused."""
    if found.report is None:
        return ""
    unused = found.report.unused
    more = f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else ""
    named = f", unused: {', '.join(unused[:_NAMED])}{more}" if unused else ""
    return f"; {found.report.loaded} tensors{named}"


def pull_models(models: Sequence[str], console: Console) -> None:
    """Download the weights of ``models`` (default: all) with a progress bar. Files that are present are skipped.

    Raises `core.errors.InvalidRequest` for an unknown model, `core.errors.WeightsError` if a download fails."""
    specs = _chosen(models)
    with fetching(console) as cache:
        missing = [(s, f) for s in specs for f in s.weights.values() if cache.status(f) == "missing"]
        with cache.kept_wheels():
            for spec, file in missing:
                cache.path(spec.name, file)
    names = ", ".join(spec.name for spec in specs)
    console.print(f"{names}: Downloaded {len(missing)} files." if missing else f"{names}: all weights are present.")


def _chosen(names: Iterable[str]) -> list[ModelSpec]:
    """Models by name, or all. Raises `core.errors.InvalidRequest` that lists the known ones."""
    from models.catalog import load_catalog

    catalog = load_catalog()
    return [catalog.get(name) for name in dict.fromkeys(names)] or list(catalog.models.values())
