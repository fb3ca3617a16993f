"""References to items, and the plan of a job: what processes pass to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from core.errors import InternalError
from core.names import Role

#: Station of every CPU step. Every other station is the name of a model in ``models.yaml``.
CPU = "cpu"

#: Index of the one item of a step that works on the whole job.
WHOLE_JOB = -1


@dataclass(frozen=True, slots=True)
class ItemRef:
    """One item: utterance ``index`` of a job (or `WHOLE_JOB`) at ``step`` of its plan, in one generation."""

    job: str
    generation: int
    step: int
    index: int = WHOLE_JOB

    def __str__(self) -> str:
        return f"{self.job}/{self.generation}/{self.step}/{self.index}"

    @staticmethod
    def parse(text: str) -> ItemRef:
        try:
            job, generation, step, index = text.split("/")
            return ItemRef(job, int(generation), int(step), int(index))
        except ValueError as error:
            raise InternalError(f"{text!r} is not a valid item reference.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One step that a job needs. ``model`` is None for CPU work; ``each`` means once per utterance."""

    role: Role
    model: str | None = None
    each: bool = False

    @property
    def station(self) -> str:
        """The station of its items: the model's name, or `CPU`."""
        return self.model or CPU


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one job in order; the utterance steps, if any, are consecutive."""

    steps: tuple[PlanStep, ...]

    def find(self, role: Role) -> PlanStep | None:
        return next((s for s in self.steps if s.role is role), None)

    def __str__(self) -> str:
        """The plan as stored in the ledger: ``role:station`` for each step, with ``*`` before utterance steps."""
        return " ".join(f"{'*' if s.each else ''}{s.role.value}:{s.station}" for s in self.steps)

    @staticmethod
    def parse(text: str) -> Plan:
        steps = []
        for word in text.split():
            role, _, station = word.removeprefix("*").partition(":")
            model = None if station == CPU else station
            steps.append(PlanStep(role=Role(role), model=model, each=word.startswith("*")))
        return Plan(tuple(steps))

    def with_model(self, role: Role, model: str) -> Plan:
        """The same plan with another model for the steps of ``role``."""
        return Plan(tuple(replace(s, model=model) if s.role is role else s for s in self.steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceWork:
    """What a model needs to render one utterance, small enough that thousands can wait in the ledger."""

    inputs: Mapping[str, Any]  #: the family's own, from its frontend: tokens and voice
    options: Mapping[str, Any]
    seed: int  #: of the utterance's noise generator
    artifact: str  #: object name of what is rendered
    pause: float  #: seconds of silence behind it

    def pack(self) -> bytes:
        fields = (self.inputs, self.options, self.seed, self.artifact, self.pause)
        packed: bytes = msgpack.packb([dict(f) if isinstance(f, Mapping) else f for f in fields])
        return packed

    @staticmethod
    def unpack(data: bytes) -> UtteranceWork:
        inputs, options, seed, artifact, pause = msgpack.unpackb(data)
        return UtteranceWork(inputs=inputs, options=options, seed=seed, artifact=artifact, pause=pause)
