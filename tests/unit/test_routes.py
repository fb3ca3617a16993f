"""Every way into the product's own pipelines: where the chain starts, and what is refused.

The rows are those of the predecessor's routing table that these families can have. Where it left a request
unrouted, so that the call hung for ever, or took a wrong turn, there is a 422 here that says why.
"""

from __future__ import annotations

import pytest

from core.errors import InvalidRequest
from core.names import Role, VadMode
from models.catalog import load_catalog
from pipelines.definitions import StepData, load_pipelines
from pipelines.plan import PlanRequest, plan_job

TEXT, REFERENCE, RECORDING = StepData.TEXT, StepData.REFERENCE, StepData.RECORDING
SEGMENTS, EMBEDDING = StepData.SEGMENTS, StepData.EMBEDDING

SPEAK = "open:cpu *synthesize:piper-joe assemble:cpu"


def plan_of(pipeline: str, *given: StepData, **changes: object) -> str:
    wish = PlanRequest(pipeline=load_pipelines()[pipeline], given=frozenset(given), **changes)  # type: ignore[arg-type]
    return str(plan_job(wish, load_catalog()).plan)


@pytest.mark.parametrize(
    ("pipeline", "given", "changes", "plan"),
    [
        # cloning: audio alone, with segments, with an embedding
        ("voice_match", [TEXT, REFERENCE], {}, f"prepare:cpu vad:silero embed:campplus match:campplus {SPEAK}"),
        ("voice_match", [TEXT, REFERENCE, SEGMENTS], {}, f"prepare:cpu embed:campplus match:campplus {SPEAK}"),
        ("voice_match", [TEXT, EMBEDDING], {}, f"prepare:cpu match:campplus {SPEAK}"),
        # the chosen way of finding speech is the one that is taken
        ("voice_match", [TEXT, REFERENCE], {"vad": VadMode.WHISPER},
         f"prepare:cpu vad:whisper-tiny.en embed:campplus match:campplus {SPEAK}"),
        ("voice_match", [TEXT, REFERENCE], {"vad": VadMode.NONE},
         f"prepare:cpu embed:campplus match:campplus {SPEAK}"),
        # a voice that is named needs no match
        ("voice_match", [TEXT], {"voice": "joe"}, "prepare:cpu *synthesize:piper-joe assemble:cpu"),
        # speech of a stock voice
        ("piper", [TEXT], {}, "prepare:cpu *synthesize:piper-joe assemble:cpu"),
        ("kokoro", [TEXT], {"voice": "jf_alpha"}, "prepare:cpu *synthesize:kokoro assemble:cpu"),
        ("kokoro", [TEXT], {"voice": "jf_alpha:0.6+jm_kumo:0.4"}, "prepare:cpu *synthesize:kokoro assemble:cpu"),
        # embedding, with and without segments; with the model that is named
        ("embed", [RECORDING], {}, "prepare:cpu vad:silero embed:campplus"),
        ("embed", [RECORDING, SEGMENTS], {}, "prepare:cpu embed:campplus"),
        ("embed", [RECORDING], {"models": {Role.EMBED: "ge2e"}}, "prepare:cpu vad:silero embed:ge2e"),
        # any model by name is one step
        ("vad", [RECORDING], {}, "prepare:cpu vad:silero"),
        ("vad", [RECORDING], {"vad": VadMode.WHISPER}, "prepare:cpu vad:whisper-tiny.en"),
        ("transcribe", [RECORDING], {}, "prepare:cpu transcribe:whisper-tiny.en"),
        ("transcribe", [RECORDING], {"models": {Role.TRANSCRIBE: "whisper-tiny.en"}},
         "prepare:cpu transcribe:whisper-tiny.en"),
    ],
)  # fmt: skip
def test_the_chain_starts_where_what_is_given_ends(
    pipeline: str, given: list[StepData], changes: dict[str, object], plan: str
) -> None:
    assert plan_of(pipeline, *given, **changes) == plan


@pytest.mark.parametrize(
    ("pipeline", "given", "changes", "code", "names"),
    [
        # neither audio nor embedding: it hung
        ("voice_match", [TEXT], {}, "missing_reference", "reference"),
        ("voice_match", [REFERENCE], {}, "missing_text", "text"),
        ("embed", [], {}, "missing_recording", "recording"),
        ("embed", [SEGMENTS], {}, "missing_recording", "recording"),
        ("vad", [], {}, "missing_recording", "recording"),
        ("transcribe", [], {}, "missing_recording", "recording"),
        # audio and embedding: it converted the reference and never spoke the text
        ("voice_match", [TEXT, REFERENCE, EMBEDDING], {}, "unused_input", "reference"),
        ("voice_match", [TEXT, EMBEDDING, SEGMENTS], {}, "unused_input", "segments"),
        # a stock voice with any audio: it hung
        ("piper", [TEXT, REFERENCE], {}, "unused_input", "reference"),
        ("kokoro", [TEXT, RECORDING], {}, "unused_input", "recording"),
        ("voice_match", [TEXT, REFERENCE], {"voice": "joe"}, "unused_input", "reference"),
        # no model for the language: it hung
        ("piper", [TEXT], {"language": "zh"}, "unknown_language", "zh"),
        ("voice_match", [TEXT, REFERENCE], {"language": "zh"}, "unknown_language", "zh"),
        # what is of no use is not passed over in silence
        ("vad", [RECORDING, TEXT], {}, "unused_input", "text"),
        ("piper", [TEXT], {"base_voice": "joe"}, "unused_input", "base voice"),
        ("vad", [RECORDING], {"vad": VadMode.NONE}, "nothing_to_do", "segments"),
        # a model that cannot do the step
        ("embed", [RECORDING], {"models": {Role.EMBED: "piper-joe"}}, "unsuitable_model", "piper-joe"),
        ("voice_match", [TEXT, REFERENCE], {"models": {Role.EMBED: "ge2e"}}, "unsuitable_model", "ge2e"),
        ("vad", [RECORDING], {"models": {Role.EMBED: "campplus"}}, "unknown_step", "embed"),
        ("kokoro", [TEXT], {"voice": "jf_alpha:0.6+nobody:0.4"}, "unknown_voice", "nobody"),
        # Whisper finds speech without a threshold
        ("vad", [RECORDING], {"vad": VadMode.WHISPER, "options": {"threshold": 0.5}}, "unknown_option", "threshold"),
    ],
)  # fmt: skip
def test_what_cannot_be_routed_is_refused_by_name(
    pipeline: str, given: list[StepData], changes: dict[str, object], code: str, names: str
) -> None:
    with pytest.raises(InvalidRequest) as found:
        plan_of(pipeline, *given, **changes)
    assert (found.value.status, found.value.code) == (422, code)
    assert names in found.value.message
