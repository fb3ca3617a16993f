"""The ``chorus`` command. Each subcommand is imported only when it is called, so that ``--help`` is fast."""

from __future__ import annotations

import importlib
import sys

import click

from core.errors import ChorusError

#: Subcommand: module and attribute, and its line in ``--help``.
COMMANDS = {
    "up": ("cli.commands.up:up", "Run all of Chorus on this machine."),
    "demo": ("cli.commands.demo:demo", "Synthesize a few sentences on a temporary stack."),
    "submit": ("cli.commands.submit:submit", "Submit a job, wait for it, and save its result."),
    "say": ("cli.commands.say:say", "Speak a text to a file, or show what would be spoken."),
    "status": ("cli.commands.jobs:status", "Show a job."),
    "jobs": ("cli.commands.jobs:jobs", "List, follow, cancel, retry and delete jobs."),
    "batch": ("cli.commands.batches:batch", "Submit and follow many jobs as one batch."),
    "voices": ("cli.commands.voices:voices", "List voices, and create them from recordings."),
    "lexicons": ("cli.commands.lexicons:lexicons", "Say how words are spoken."),
    "webhooks": ("cli.commands.webhooks:webhooks", "Manage webhook endpoints and their deliveries."),
    "api": ("cli.commands.serve:api", "Run the API."),
    "worker": ("cli.commands.serve:worker", "Run a worker for the CPU steps or for models."),
    "reaper": ("cli.commands.serve:reaper", "Run a reaper, which recovers lost work."),
    "sender": ("cli.commands.serve:sender", "Run a sender, which sends webhooks."),
    "keys": ("cli.commands.access.keys:keys", "Create, list, rotate and revoke API keys."),
    "limits": ("cli.commands.access.limits:limits", "Set, show and clear the limits of owners."),
    "usage": ("cli.commands.access.usage:usage", "Show what was used, by day."),
    "sweep": ("cli.commands.sweep:sweep", "Delete unused objects from the storage."),
    "models": ("cli.commands.models:models", "Add models of the hub, list and remove them."),
    "weights": ("cli.commands.weights:weights", "Download, list and check model weights."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chorus-speech", prog_name="chorus")
def chorus() -> None:
    """Chorus is a batch service for speech.

    \b
    Start here:
      chorus up                                     run everything
      chorus say "Hello." -o hello.wav              in a second terminal

    Settings are environment variables named CHORUS_*. docs/settings.md lists them.
    """


def main() -> None:
    """The entry point. A `ChorusError` is printed as one line on standard error; the exit code is then 2."""
    try:
        chorus(standalone_mode=True)
    except ChorusError as error:
        click.echo(f"chorus: {error.message}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
