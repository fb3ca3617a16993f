"""``prepare`` and ``open``, on the CPU: recordings to samples, text to utterances."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import InvalidText
from core.failpoints import reach
from core.names import Role
from core.work import CPU, ItemRef, UtteranceWork
from models.base import ModelSpec
from models.families import family_of
from pipelines.connections import Connections
from storage.ledger.records import Outcome, Work
from workers.retry import retry_until_available
from workers.steps.recordings import take_in
from workers.steps.utterances import Spoken, spoken, warnings_of


def prepare(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """Decodes the job's recording; lays its utterances down, where no other step comes before them."""
    gifts = take_in(connections, ref, work)
    if work.plan.find(Role.OPEN) is None:
        gifts |= lay_utterances(connections, ref, work)
    return Outcome(ref=ref, station=CPU, gifts=gifts)


def open_utterances(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """``open``: lays the utterances down once what they need, such as a voice, has been found."""
    return Outcome(ref=ref, station=CPU, gifts=lay_utterances(connections, ref, work))


def lay_utterances(connections: Connections, ref: ItemRef, work: Work) -> dict[str, bytes | str]:
    """Every utterance's inputs, name and seed, into the ledger; nothing where the job has no text to speak.

    Gives ``chapters``, where the job has titles or several of them: each one's title and first utterance."""
    step = next((n for n, s in enumerate(work.plan.steps) if s.role is Role.SYNTHESIZE), None)
    if step is None:
        return {}
    request = {**work.document}
    if "voice" in work.gifts:
        request["voice"] = work.gifts["voice"].decode()
    spec = connections.catalog.get(work.plan.steps[step].station)
    frontend = connections.frontend(spec)
    titles, chapters = job_text(connections, ref, request)
    found = list(spoken(chapters, request, frontend))
    if not found:
        raise InvalidText("Nothing in the text can be spoken.")
    if len(found) > (most := connections.settings.max_utterances):
        raise InvalidText(f"The text has {len(found)} utterances; the maximum per job is {most}.", code="text_too_long")
    works = [utterance_work(spec, request, said.inputs, said.utterance.pause) for said in found]
    errors = {index: said.error for index, said in enumerate(found) if said.error is not None}
    present = connections.ledger.existing(request["owner"], [work.artifact for work in works])
    told = warnings_of(chapters, request["language"])
    connections.ledger.enqueue_utterances(ref, step, works, present, errors=errors, warnings=told)
    reach("prepare.laid")
    return {"chapters": json.dumps(_begun(titles, found))} if len(titles) > 1 or any(titles) else {}


def _begun(titles: Sequence[str], found: Sequence[Spoken]) -> list[tuple[str, int]]:
    """Each chapter's title and the first utterance that is not before it."""
    chapters = [said.chapter for said in found]
    return [(title, bisect_left(chapters, number)) for number, title in enumerate(titles)]


def job_text(connections: Connections, ref: ItemRef, request: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The job's chapters, wherever they lie: their titles and their texts."""
    name = request.get("text_object")
    data = (
        connections.ledger.text(ref.job)
        if name is None
        else retry_until_available(lambda: connections.objects.get(name))
    )
    chapters = json.loads(data or "[]")
    return [str(chapter["title"]) for chapter in chapters], [str(chapter["text"]) for chapter in chapters]


def utterance_work(
    spec: ModelSpec, request: Mapping[str, Any], inputs: Mapping[str, Any], pause: float
) -> UtteranceWork:
    """One utterance as its model will get it.

    Its artifact is named after everything that its samples follow from, and after nothing else: owner, model,
    weights and code, tokens, voice, options, seed. Its noise is seeded from the same, without the owner.
    """
    options = {name: request["options"][name] for name in spec.options if name in request["options"]}
    content = [
        spec.name,
        spec.fingerprint(),
        family_of(spec.type).code_version,
        inputs,
        options,
        request["seed"],
    ]
    essence = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    owner = request["owner"]
    name = hashlib.sha256(owner.encode() + b"\0" + essence).hexdigest()[:40]
    return UtteranceWork(
        inputs=inputs,
        options=options,
        seed=int.from_bytes(essence[:8], "big"),
        artifact=f"{owner}/utterances/{name}.flac",
        pause=pause,
    )
