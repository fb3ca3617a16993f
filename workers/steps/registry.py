"""Which code does the steps of each role: around a model, or on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.names import Role
from core.work import ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Outcome, Work
from workers.steps.assemble import assemble
from workers.steps.base import ModelStep
from workers.steps.enrol import enrol
from workers.steps.expand import expand
from workers.steps.listen import EmbedStep, TranscribeStep, VadStep
from workers.steps.match import MatchStep
from workers.steps.prepare import open_utterances, prepare
from workers.steps.preview import preview
from workers.steps.speech import ConvertStep, SynthesizeStep

CpuStep = Callable[[Connections, ItemRef, Work], Outcome]

#: What each CPU step does.
CPU_STEPS: Mapping[Role, CpuStep] = {
    Role.PREPARE: prepare,
    Role.OPEN: open_utterances,
    Role.ASSEMBLE: assemble,
    Role.EXPAND: expand,
    Role.ENROL: enrol,
    Role.PREVIEW: preview,
}

#: The step class for the models of each role.
MODEL_STEPS: Mapping[Role, Callable[[Connections], ModelStep]] = {
    Role.VAD: VadStep,
    Role.EMBED: EmbedStep,
    Role.MATCH: MatchStep,
    Role.TRANSCRIBE: TranscribeStep,
    Role.SYNTHESIZE: SynthesizeStep,
    Role.CONVERT: ConvertStep,
}


def model_steps(connections: Connections) -> dict[Role, ModelStep]:
    """Loading and storing by role, over one process's connections."""
    return {role: make(connections) for role, make in MODEL_STEPS.items()}
