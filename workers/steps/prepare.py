"""``prepare`` and ``open``, on the CPU: recordings to samples, text to utterances."""

from __future__ import annotations

from dataclasses import replace

from core.names import Role
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Outcome, Work
from workers.assembly.covers import fetch_cover
from workers.recordings.decode import fetch_recordings
from workers.steps.laying import lay_down


def prepare(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """Decode the job's recording, fetch its cover, and lay its utterances down unless another step comes first."""
    if work.outputs.prepared is not None:  # the next portion of its text
        return lay_down(connections, ref, work)
    outputs = fetch_recordings(connections, ref, work).joined(fetch_cover(connections, work))
    if work.document.embedding is not None:  # where the steps behind look for one
        outputs = outputs.joined(StepOutputs(embedding=work.document.embedding.object))
    if work.plan.find(Role.OPEN) is not None:
        return Outcome(ref=ref, station=CPU, outputs=outputs)
    outcome = lay_down(connections, ref, replace(work, outputs=work.outputs.joined(outputs)))
    return replace(outcome, outputs=outputs.joined(outcome.outputs))


def open_utterances(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """``open``: lay the utterances down once their inputs, such as a voice, are known."""
    return lay_down(connections, ref, work)
