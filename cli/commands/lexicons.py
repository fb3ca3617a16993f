"""``chorus lexicons``: how words are said."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click
from chorus_client import ApiError, Client, Lexicon, LexiconEntry
from rich.console import Console

from cli.commands.jobs import client, key_option, reported, url_option
from cli.tables import ago, listing

_COLUMNS = ("word", "say", "ipa", "case_sensitive", "whole_word")

#: Tries of a change that others get ahead of.
_TRIES = 10

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def lexicons() -> None:
    """Say how words are spoken: as other words, or as IPA.

    \b
    chorus lexicons create "Names" names.csv --language en
    chorus lexicons update le_... --say "SQL=sequel" --ipa "Joe=dʒˈoʊ"
    chorus submit --lexicon le_... --text "Joe knows SQL."
    chorus lexicons show le_... > names.csv

    A file is in PLS (.pls, .xml), or in CSV or TSV with the columns word, say, ipa, case_sensitive, whole_word.
    """


@lexicons.command("list")
@url_option
@key_option
def list_(url: str | None, api_key: str | None) -> None:
    """List the lexicons."""
    with reported(), client(url, api_key) as chorus:
        rows = [
            (one.id, one.name, one.language, str(one.version), str(one.size), ago(one.updated))
            for one in chorus.lexicons()
        ]
    Console().print(listing(("id", "name", "language", "version", "entries", "changed"), rows))


@lexicons.command()
@click.argument("name")
@click.argument("file", required=False, type=_file)
@click.option("--language", help="Language (BCP 47), such as en; a PLS file may name it.")
@url_option
@key_option
def create(name: str, file: Path | None, language: str | None, url: str | None, api_key: str | None) -> None:
    """Create the lexicon NAME with the entries in FILE, or without entries."""
    with reported(), client(url, api_key) as chorus:
        click.echo(chorus.create_lexicon(name, file or [], language=language).id)


@lexicons.command()
@click.argument("lexicon_id")
@click.option("--version", type=click.IntRange(1), help="This version instead of the latest.")
@url_option
@key_option
def show(lexicon_id: str, version: int | None, url: str | None, api_key: str | None) -> None:
    """Print the entries of LEXICON_ID as CSV."""
    with reported(), client(url, api_key) as chorus:
        found = chorus.lexicon(lexicon_id, version)
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for entry in found.entries:
        flags = (str(flag).lower() for flag in (entry.case_sensitive, entry.whole_word))
        rows.writerow((entry.word, entry.say, entry.ipa, *flags))
    click.echo(written.getvalue(), nl=False)


@lexicons.command()
@click.argument("lexicon_id")
@click.argument("file", required=False, type=_file)
@click.option("--name", help="Another name.")
@click.option("--language", help="Another language (BCP 47).")
@click.option("--say", "says", multiple=True, metavar="WORD=WORDS", help="Add or replace an entry; can be repeated.")
@click.option("--ipa", "ipas", multiple=True, metavar="WORD=IPA", help="Add or replace an entry; can be repeated.")
@click.option("--remove", "removed", multiple=True, metavar="WORD", help="Remove a word's entries; can be repeated.")
@url_option
@key_option
def update(
    lexicon_id: str,
    file: Path | None,
    name: str | None,
    language: str | None,
    says: tuple[str, ...],
    ipas: tuple[str, ...],
    removed: tuple[str, ...],
    url: str | None,
    api_key: str | None,
) -> None:
    """Change LEXICON_ID, or replace its entries by those in FILE. Prints its version."""
    added = [LexiconEntry(word, say=say) for word, say in map(_pair, says)]
    added += [LexiconEntry(word, ipa=ipa) for word, ipa in map(_pair, ipas)]
    if file and (added or removed):
        raise click.UsageError("FILE cannot be used with --say, --ipa and --remove.")
    if not (file or added or removed or name or language):
        raise click.UsageError("There is nothing to change.")
    with reported(), client(url, api_key) as chorus:
        if added or removed:
            found = _edited(chorus, lexicon_id, added, removed, name, language)
        else:
            found = chorus.change_lexicon(lexicon_id, name=name, language=language, entries=file)
    click.echo(found.version)


@lexicons.command()
@click.argument("lexicon_id")
@url_option
@key_option
def delete(lexicon_id: str, url: str | None, api_key: str | None) -> None:
    """Delete LEXICON_ID. Jobs that use it are not affected."""
    with reported(), client(url, api_key) as chorus:
        chorus.delete_lexicon(lexicon_id)


def _edited(
    chorus: Client,
    lexicon_id: str,
    added: list[LexiconEntry],
    removed: tuple[str, ...],
    name: str | None,
    language: str | None,
) -> Lexicon:
    """Add and remove entries, however often others change the lexicon in the meantime."""
    gone = {word.casefold() for word in (*removed, *(entry.word for entry in added))}
    tries = 0
    while True:
        latest = chorus.lexicon(lexicon_id)
        known = {entry.word.casefold() for entry in latest.entries}
        if missing := [word for word in removed if word.casefold() not in known]:
            raise click.ClickException(f"The lexicon has no entry for {missing[0]!r}.")
        entries = [entry for entry in latest.entries if entry.word.casefold() not in gone] + added
        try:
            return chorus.change_lexicon(
                latest, name=name, language=language, entries=entries, if_version=latest.version
            )
        except ApiError as error:
            tries += 1
            if error.code != "lexicon_changed" or tries == _TRIES:
                raise


def _pair(given: str) -> tuple[str, str]:
    word, equals, said = given.partition("=")
    if not (word and equals and said):
        raise click.UsageError(f"{given!r} must be WORD=WORDS or WORD=IPA.")
    return word, said
