"""Previews of texts: a short CPU job that says what a job of the same text would speak."""

from __future__ import annotations

from dataclasses import replace

from core import ids
from core.errors import FieldError, InvalidText
from core.names import Priority, Role
from core.work import Plan, PlanStep
from pipelines.connections import Connections
from pipelines.submission import Submitter
from pipelines.texts import text_of
from schemas.requests import Chapter, JobRequest, TextRequest
from storage.ledger.records import NewJob

#: Characters of a preview's text, markup included.
MAX_CHARACTERS = 20_000

#: Seconds within which a preview must end, and for which its record is kept then if nobody deletes it.
DEADLINE, KEPT = 15.0, 60.0


def preview_of(connections: Connections, body: TextRequest, owner: str) -> NewJob:
    """The job that previews a text: one CPU step, not listed, without events, with its text in the ledger.

    It is planned as a job of the same request would be, with the reference that a pipeline needs taken as given.
    Raises what `Submitter.prepare` raises, and `InvalidText`: ``missing_text``, or ``text_too_long`` beyond
    `MAX_CHARACTERS`.
    """
    if not text_of(body, MAX_CHARACTERS).chapters:
        detail = "A preview needs a text."
        raise InvalidText(detail, code="missing_text", fields=[FieldError("text", "missing_text", detail)])
    if body.chapters is not None:  # titles are not spoken
        body = body.model_copy(update={"chapters": [Chapter(text=chapter.text) for chapter in body.chapters]})
    whole = JobRequest.model_construct(body.model_fields_set, **dict(body))
    job = Submitter(connections).prepare(whole, owner, text_only=True)
    return replace(
        job,
        id=ids.PREVIEW.new(),
        priority=Priority.INTERACTIVE,
        plan=Plan((PlanStep(role=Role.PREVIEW),)),
        document=replace(job.document, embedding=None, synthesizer=job.plan.stages[0].model),
        deadline=DEADLINE,
        keep=KEPT,
        load=1,
        listed=False,
    )
