"""Copies of a job's files at the destination that the job names."""

from __future__ import annotations

from pathlib import Path

from core.work import ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Work
from storage.objects.destinations import find_destination
from workers.retry import retry_until_available


def copy_to_destination(
    connections: Connections, ref: ItemRef, work: Work, path: Path, media: str, folder: str = ""
) -> dict[str, str]:
    """Copy a file of the result to the destination, if the job names one, into ``folder`` (with its ``/``); return its
    address."""
    named = work.document.output.destination
    if named is None:
        return {}
    destination = find_destination(connections.settings.destinations, named)
    name = f"{destination.prefix}{work.document.owner}/{ref.job}/{ref.generation}/{folder}{path.name}"
    retry_until_available(lambda: connections.objects.put_file(name, path, media, bucket=destination.bucket))
    return {"destination": f"s3://{destination.bucket}/{name}"}
