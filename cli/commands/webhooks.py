"""``chorus webhooks``: webhook endpoints and their deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from chorus_client import Client, WebhookEndpoint
from rich.console import Console
from rich.text import Text

from cli.commands.jobs import client, key_option, reported, url_option
from cli.tables import ago, listing


@click.group()
def webhooks() -> None:
    """Manage webhook endpoints and their deliveries.

    \b
    chorus webhooks create https://example.com/chorus --event job.succeeded --event job.failed
    chorus webhooks deliveries we_... --failed
    chorus webhooks redeliver de_...
    chorus webhooks redeliver --failed we_...
    """


@webhooks.command("list")
@url_option
@key_option
def list_(url: str | None, api_key: str | None) -> None:
    """List endpoints and their states."""
    with reported(), client(url, api_key) as chorus:
        rows = [(e.id, e.url, "\n".join(e.events), _state(e)) for e in chorus.webhooks()]
    Console().print(listing(("id", "url", "events", "state"), rows))


def _state(endpoint: WebhookEndpoint) -> Text:
    disabled, failing = endpoint.raw.get("disabled"), endpoint.raw.get("failing_since")
    if disabled:
        return Text.assemble(("disabled", "red"), f" {ago(disabled['at'])}: {disabled['reason']}")
    if not endpoint.enabled:
        return Text("disabled")
    return Text(f"failing since {ago(failing)}", "yellow") if failing else Text("enabled", "green")


@webhooks.command()
@click.argument("address")
@click.option(
    "--event",
    "events",
    multiple=True,
    help="Event type; can be repeated (default: the end of jobs and batches).",
)
@click.option("--description", help="Description for your own use.")
@url_option
@key_option
def create(
    address: str, events: tuple[str, ...], description: str | None, url: str | None, api_key: str | None
) -> None:
    """Create an endpoint for the URL ADDRESS. Its secret is printed only once."""
    with reported(), client(url, api_key) as chorus:
        made = chorus.create_webhook(address, events or None, description)
    click.echo(f"{made.id} {made.secret}")


@webhooks.command()
@click.argument("webhook_id")
@url_option
@key_option
def rotate(webhook_id: str, url: str | None, api_key: str | None) -> None:
    """Replace and print a secret; the old one stays valid for a day."""
    with reported(), client(url, api_key) as chorus:
        click.echo(chorus.rotate_webhook(webhook_id))


@webhooks.command()
@url_option
@key_option
def secret(url: str | None, api_key: str | None) -> None:
    """Print the secret for URLs that jobs name."""
    with reported(), client(url, api_key) as chorus:
        click.echo(chorus.webhook_secret())


@webhooks.command()
@click.argument("webhook_id")
@url_option
@key_option
def enable(webhook_id: str, url: str | None, api_key: str | None) -> None:
    """Enable WEBHOOK_ID again."""
    with reported(), client(url, api_key) as chorus:
        chorus.change_webhook(webhook_id, enabled=True)


@webhooks.command()
@click.argument("webhook_id")
@url_option
@key_option
def disable(webhook_id: str, url: str | None, api_key: str | None) -> None:
    """Disable WEBHOOK_ID: it receives no events."""
    with reported(), client(url, api_key) as chorus:
        chorus.change_webhook(webhook_id, enabled=False)


@webhooks.command()
@click.argument("webhook_id")
@url_option
@key_option
def delete(webhook_id: str, url: str | None, api_key: str | None) -> None:
    """Delete WEBHOOK_ID and its log."""
    with reported(), client(url, api_key) as chorus:
        chorus.delete_webhook(webhook_id)


@webhooks.command()
@click.argument("webhook_id")
@url_option
@key_option
def test(webhook_id: str, url: str | None, api_key: str | None) -> None:
    """Send a test event to WEBHOOK_ID, and print the result."""
    with reported(), client(url, api_key) as chorus:
        found = chorus.wait_delivery(chorus.test_webhook(webhook_id)["id"], timeout=60.0)
    _show([found])
    if found["attempts"] and found["state"] != "delivered":
        raise SystemExit(1)


@webhooks.command()
@click.argument("webhook_id")
@click.option("--failed", is_flag=True, help="Only deliveries whose attempts are exhausted.")
@url_option
@key_option
def deliveries(webhook_id: str, failed: bool, url: str | None, api_key: str | None) -> None:
    """List the deliveries to WEBHOOK_ID, newest first."""
    with reported(), client(url, api_key) as chorus:
        _show(_of(chorus, webhook_id, failed=failed))


@webhooks.command()
@click.argument("name", metavar="DELIVERY_ID | WEBHOOK_ID")
@click.option("--failed", is_flag=True, help="All failed deliveries of the endpoint WEBHOOK_ID.")
@url_option
@key_option
def redeliver(name: str, failed: bool, url: str | None, api_key: str | None) -> None:
    """Send a delivery again, with the same id."""
    with reported(), client(url, api_key) as chorus:
        names = [one["id"] for one in _of(chorus, name, failed=True)] if failed else [name]
        for delivery in names:
            click.echo(chorus.redeliver(delivery)["id"])


def _of(chorus: Client, webhook_id: str, *, failed: bool) -> Iterator[dict[str, Any]]:
    return (one for one in chorus.deliveries(webhook_id) if not failed or one["state"] == "failed")


def _show(found: Any) -> None:
    rows = []
    for one in found:
        last = one["attempts"][-1] if one["attempts"] else {}
        answer = " ".join(str(last[key]) for key in ("status", "code") if last.get(key))
        attempts = str(len(one["attempts"]))
        rows.append((one["id"], one["type"], one["state"], attempts, answer, ago(one["next"])))
    Console().print(listing(("id", "event", "state", "tries", "response", "next"), rows))
