"""References to items, and the plan of a job: what processes pass to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    """One step that a job needs. ``model`` is None for CPU work; ``each`` means once per utterance.

    ``inputs`` names the outputs of earlier steps that every utterance of the step is given, such as ``embedding``."""

    role: Role
    model: str | None = None
    each: bool = False
    inputs: tuple[str, ...] = ()

    @property
    def station(self) -> str:
        """The station of its items: the model's name, or `CPU`."""
        return self.model or CPU

    def __str__(self) -> str:
        inputs = "<" + ",".join(self.inputs) if self.inputs else ""
        return f"{'*' if self.each else ''}{self.role.value}:{self.station}{inputs}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one job in order; the utterance steps, if any, are consecutive."""

    steps: tuple[PlanStep, ...]

    def find(self, role: Role) -> PlanStep | None:
        return next((s for s in self.steps if s.role is role), None)

    @property
    def stages(self) -> tuple[PlanStep, ...]:
        """The steps of each utterance, in order."""
        return tuple(step for step in self.steps if step.each)

    @property
    def first_stage(self) -> int | None:
        """Index of the first utterance step, None where there is none."""
        return next((n for n, step in enumerate(self.steps) if step.each), None)

    def __str__(self) -> str:
        """The plan as stored in the ledger: ``role:station`` for each step, ``*`` before utterance steps, and behind
        ``<`` the outputs of earlier steps that their utterances are given."""
        return " ".join(map(str, self.steps))

    @staticmethod
    def parse(text: str) -> Plan:
        steps = []
        for word in text.split():
            name, _, inputs = word.removeprefix("*").partition("<")
            role, _, station = name.partition(":")
            steps.append(
                PlanStep(
                    role=Role(role),
                    model=None if station == CPU else station,
                    each=word.startswith("*"),
                    inputs=tuple(inputs.split(",")) if inputs else (),
                )
            )
        return Plan(tuple(steps))

    def with_model(self, role: Role, model: str) -> Plan:
        """The same plan with another model for the steps of ``role``."""
        return Plan(tuple(replace(s, model=model) if s.role is role else s for s in self.steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWork:
    """What a model needs for one utterance at one of its stages, such as ``synthesize`` or ``convert``."""

    inputs: Mapping[str, Any]  #: the family's own, from its frontend: tokens and voice
    options: Mapping[str, Any]
    seed: int  #: of the utterance's noise generator
    artifact: str  #: object name of what is rendered


@dataclass(frozen=True, slots=True)
class WordPlaces:
    """Where the words of an utterance are in its source, and in what is spoken of it.

    ``words``: of each its first character, counted from the utterance's own first one, its number of characters, and
    the units between which it is spoken. Of marks between words the two are equal."""

    units: int  #: of the utterance
    tokens: bool  #: whether the units are the tokens of its model; otherwise they are characters
    words: tuple[tuple[int, int, float, float], ...]
    #: by the number of a word, what subtitles show of it if that is not itself: nothing if the word before shows it
    shown: Mapping[int, str] = field(default_factory=dict)

    def pack(self) -> list[Any]:
        """As MessagePack holds it."""
        return [self.units, self.tokens, [number for word in self.words for number in word], dict(self.shown)]

    @staticmethod
    def unpack(packed: Sequence[Any]) -> WordPlaces:
        units, tokens, flat, shown = packed
        return WordPlaces(units, tokens, tuple(zip(*[iter(flat)] * 4, strict=True)), shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceWork:
    """One utterance's work: a stage for each utterance step of the plan, in order. Small enough that thousands may
    wait in the ledger."""

    stages: tuple[StageWork, ...]
    pause: float  #: seconds of silence between it and the next
    source: tuple[int, int, int] = (0, 0, 0)  #: its chapter (from 0), and its first and last character there
    words: WordPlaces | None = None  #: if the job wants their times

    @property
    def artifact(self) -> str:
        """Object name of the finished utterance: what its last stage renders."""
        return self.stages[-1].artifact

    @staticmethod
    def single(
        *, artifact: str, inputs: Mapping[str, Any], options: Mapping[str, Any], seed: int, pause: float
    ) -> UtteranceWork:
        """The work of an utterance that has one stage."""
        return UtteranceWork(
            stages=(StageWork(inputs=inputs, options=options, seed=seed, artifact=artifact),), pause=pause
        )

    def pack(self) -> bytes:
        """MessagePack: ``[[[artifact, inputs, options, seed], ...], pause, source, words?]``; scripts read the
        artifacts."""
        stages = [[s.artifact, dict(s.inputs), dict(s.options), s.seed] for s in self.stages]
        words = [] if self.words is None else [self.words.pack()]
        packed: bytes = msgpack.packb([stages, self.pause, self.source, *words])
        return packed

    @staticmethod
    def unpack(data: bytes, *, inputs: bool = True) -> UtteranceWork:
        """What `pack` was given; without ``inputs``, those of its stages are empty."""
        stages, pause, *more = msgpack.unpackb(data, strict_map_key=False)  # an earlier version wrote no source
        return UtteranceWork(
            stages=tuple(StageWork(inputs=i if inputs else {}, options=o, seed=s, artifact=a) for a, i, o, s in stages),
            pause=pause,
            source=tuple(more[0]) if more else (0, 0, 0),
            words=WordPlaces.unpack(more[1]) if len(more) > 1 else None,
        )
