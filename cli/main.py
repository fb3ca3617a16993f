"""The ``chorus`` command: each subcommand is imported when it is called, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import sys

import click

from core.errors import ChorusError

#: Subcommand: module and attribute, and what ``--help`` says of it.
COMMANDS = {
    "up": ("cli.commands.up:up", "Run the whole of Chorus on this machine."),
    "demo": ("cli.commands.demo:demo", "Speak a few sentences through a stack of its own."),
    "submit": ("cli.commands.submit:submit", "Submit a job, follow it, save what it gives."),
    "status": ("cli.commands.jobs:status", "Show a job."),
    "jobs": ("cli.commands.jobs:jobs", "List, follow, cancel, retry and delete jobs."),
    "batch": ("cli.commands.batches:batch", "Submit and follow many jobs as one."),
    "voices": ("cli.commands.voices:voices", "List voices, and make them from recordings."),
    "webhooks": ("cli.commands.webhooks:webhooks", "Webhook endpoints, deliveries, redelivery."),
    "api": ("cli.commands.serve:api", "Run the API."),
    "worker": ("cli.commands.serve:worker", "Run a worker: 'cpu', or models by name."),
    "reaper": ("cli.commands.serve:reaper", "Run a reaper."),
    "sender": ("cli.commands.serve:sender", "Run a sender of webhooks."),
    "keys": ("cli.commands.keys:keys", "Create, list and revoke API keys."),
    "sweep": ("cli.commands.sweep:sweep", "Delete objects that nobody needs."),
    "weights": ("cli.commands.weights:weights", "Fetch, list and check model weights."),
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
    """Chorus, a batch service for speech: jobs in, audio out.

    \b
    Begin here:
      chorus up                                  everything on this machine
      chorus submit --text "Hello." -o hello.wav    speak, in a second terminal

    Settings are environment variables CHORUS_*; docs/settings.md lists them.
    """


def main() -> None:
    """The entry point: errors of ours are one line on standard error and exit code 2."""
    try:
        chorus(standalone_mode=True)
    except ChorusError as error:
        click.echo(f"chorus: {error.message}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
