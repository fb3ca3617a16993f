"""The cover picture of a job's audio."""

from __future__ import annotations

from audio.cover import MAX_COVER_BYTES, Cover, read_cover
from pipelines.connections import Connections
from pipelines.intake import Intake
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Work
from workers.retry import retry_until_available

#: Seconds that a cover behind a URL may take.
FETCH_SECONDS = 60.0


def fetch_cover(connections: Connections, work: Work) -> StepOutputs:
    """Fetch and store a cover that is behind a URL. Raises what `Egress.get` and `read_cover` raise."""
    given = work.document.output.cover
    if given is None or given.url is None:
        return StepOutputs()
    fetched = connections.egress.get(given.url, max_bytes=MAX_COVER_BYTES, timeout=FETCH_SECONDS)
    kept = retry_until_available(lambda: Intake(connections).keep_cover(work.document.owner, fetched.body))
    return StepOutputs(cover=kept.object)


def cover_of(connections: Connections, work: Work) -> Cover | None:
    """The cover picture of the job's audio, if it has one. Raises `ArtifactMissing`."""
    given = work.document.output.cover
    name = work.outputs.cover or (given.object if given is not None else None)
    if name is None:
        return None
    return read_cover(retry_until_available(lambda: connections.objects.get(name)))
