"""How requests of OpenVoice's pipelines are planned: each combination of inputs of the Harmony Speech Engine's routing
table, as a plan or as a 422 that says what is missing. There some hung for ever, and some were never spoken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import InvalidRequest, Unroutable
from core.names import Role, VadMode
from models.catalog import Catalog, load_catalog, read_catalog
from pipelines.definitions import StepData, load_pipelines
from pipelines.plan import PlanRequest, encoder_of, plan_job
from tests.checkpoints.entries import melo_entry, openvoice_entries

TEXT, REFERENCE, RECORDING = StepData.TEXT, StepData.REFERENCE, StepData.RECORDING
SEGMENTS, EMBEDDING = StepData.SEGMENTS, StepData.EMBEDDING

SPOKEN = "*synthesize:openvoice-en *convert:openvoice_v1_tone-converter<embedding assemble:cpu"
CONVERTED = "*convert:openvoice_v2_tone-converter<embedding assemble:cpu"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The shipped models, with those of OpenVoice beside them."""
    folder = tmp_path_factory.mktemp("models")
    entries = openvoice_entries(folder) + openvoice_entries(folder, "v2")
    entries += melo_entry(folder) + melo_entry(folder, "es")
    (folder / "models.yaml").write_text(f"models:\n{entries}")
    return Catalog({**load_catalog().models, **read_catalog(folder / "models.yaml").models})


def plan(catalog: Catalog, pipeline: str, *given: StepData, **more: Any) -> str:
    request = PlanRequest(pipeline=load_pipelines()[pipeline], given=frozenset(given), **more)
    return str(plan_job(request, catalog).plan)


@pytest.mark.parametrize(
    ("given", "more", "steps"),
    [
        # audio, no vad, no embedding: there Whisper, which had to be configured; here Silero, or what the job says
        ((TEXT, REFERENCE), {}, f"prepare:cpu vad:silero embed:openvoice_v1_tone-encoder open:cpu {SPOKEN}"),
        (
            (TEXT, REFERENCE),
            {"vad": VadMode.WHISPER},
            f"prepare:cpu vad:whisper-tiny.en embed:openvoice_v1_tone-encoder open:cpu {SPOKEN}",
        ),
        (
            (TEXT, REFERENCE),
            {"vad": VadMode.NONE},
            f"prepare:cpu embed:openvoice_v1_tone-encoder open:cpu {SPOKEN}",
        ),
        # audio and vad
        ((TEXT, REFERENCE, SEGMENTS), {}, f"prepare:cpu embed:openvoice_v1_tone-encoder open:cpu {SPOKEN}"),
        # an embedding alone
        ((TEXT, EMBEDDING), {}, f"prepare:cpu {SPOKEN}"),
        ((TEXT, EMBEDDING), {"base_voice": "whispering", "language": "en"}, f"prepare:cpu {SPOKEN}"),
    ],
)
def test_cloning(catalog: Catalog, given: tuple[StepData, ...], more: Mapping[str, Any], steps: str) -> None:
    assert plan(catalog, "openvoice_v1", *given, **more) == steps


@pytest.mark.parametrize(
    ("given", "more", "code"),
    [
        # audio and an embedding: there the reference was converted and the text never spoken
        ((TEXT, REFERENCE, EMBEDDING), {}, "unused_input"),
        # neither: there the request hung for ever
        ((TEXT,), {}, "missing_reference"),
        ((TEXT,), {"base_voice": "default"}, "missing_reference"),
        # audio for a single speaker: there the request hung for ever
        ((TEXT, RECORDING), {}, "missing_reference"),
        ((TEXT, REFERENCE, RECORDING), {}, "unused_input"),
        ((REFERENCE,), {}, "missing_text"),
        # no model for the language: there the request hung for ever
        ((TEXT, REFERENCE), {"language": "zh"}, "unknown_language"),
        ((TEXT, REFERENCE), {"base_voice": "nobody"}, "unknown_voice"),
        ((TEXT, REFERENCE), {"voice": "default"}, "unused_input"),
        ((TEXT, REFERENCE), {"models": {Role.EMBED: "campplus"}}, "unsuitable_model"),
        ((TEXT, REFERENCE), {"models": {Role.EMBED: "openvoice_v2_tone-encoder"}}, "unsuitable_model"),
        ((TEXT, REFERENCE), {"options": {"tau": 7}}, "invalid_option"),
    ],
)
def test_cloning_that_cannot_be_planned(
    catalog: Catalog, given: tuple[StepData, ...], more: Mapping[str, Any], code: str
) -> None:
    with pytest.raises((InvalidRequest, Unroutable)) as found:
        plan(catalog, "openvoice_v1", *given, **more)
    assert found.value.code == code and found.value.status == 422


V2_SPOKEN = "*synthesize:melo-{} *convert:openvoice_v2_tone-converter<embedding assemble:cpu"


@pytest.mark.parametrize(
    ("given", "more", "steps"),
    [
        ((TEXT, REFERENCE), {}, "prepare:cpu vad:silero embed:openvoice_v2_tone-encoder open:cpu " + V2_SPOKEN),
        ((TEXT, REFERENCE, SEGMENTS), {}, "prepare:cpu embed:openvoice_v2_tone-encoder open:cpu " + V2_SPOKEN),
        (
            (TEXT, REFERENCE),
            {"vad": VadMode.WHISPER},
            "prepare:cpu vad:whisper-tiny.en embed:openvoice_v2_tone-encoder open:cpu " + V2_SPOKEN,
        ),
        ((TEXT, EMBEDDING), {}, "prepare:cpu " + V2_SPOKEN),
    ],
)
@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ({}, "en"),
        ({"base_voice": "EN-BR"}, "en"),
        ({"language": "es"}, "es"),
        ({"language": "en-AU"}, "en"),
        ({"base_voice": "ES"}, "es"),
        ({"language": "en-IN", "base_voice": "EN_INDIA"}, "en"),
    ],
)
def test_cloning_with_melo(
    catalog: Catalog,
    given: tuple[StepData, ...],
    more: Mapping[str, Any],
    steps: str,
    asked: Mapping[str, Any],
    language: str,
) -> None:
    assert plan(catalog, "openvoice_v2", *given, **more, **asked) == steps.format(language)


@pytest.mark.parametrize(
    ("given", "more", "code"),
    [
        ((TEXT, REFERENCE, EMBEDDING), {}, "unused_input"),
        ((TEXT,), {}, "missing_reference"),
        ((TEXT, RECORDING), {}, "missing_reference"),
        ((REFERENCE,), {}, "missing_text"),
        # no model for the language: there the request hung for ever
        ((TEXT, REFERENCE), {"language": "ko"}, "unknown_language"),
        ((TEXT, REFERENCE), {"language": "es", "base_voice": "EN-US"}, "unknown_voice"),
        ((TEXT, REFERENCE), {"voice": "EN-US"}, "unused_input"),
        ((TEXT, REFERENCE), {"models": {Role.SYNTHESIZE: "openvoice-en"}}, "unsuitable_model"),
    ],
)
def test_cloning_with_melo_that_cannot_be_planned(
    catalog: Catalog, given: tuple[StepData, ...], more: Mapping[str, Any], code: str
) -> None:
    with pytest.raises((InvalidRequest, Unroutable)) as found:
        plan(catalog, "openvoice_v2", *given, **more)
    assert found.value.code == code and found.value.status == 422


def test_speaking_with_melo(catalog: Catalog) -> None:
    assert plan(catalog, "melo", TEXT, voice="EN-AU") == "prepare:cpu *synthesize:melo-en assemble:cpu"
    accent = PlanRequest(pipeline=load_pipelines()["melo"], given=frozenset({TEXT}), language="en-AU")
    assert plan_job(accent, catalog).voice == "EN-AU"
    assert plan(catalog, "melo", TEXT, language="es") == "prepare:cpu *synthesize:melo-es assemble:cpu"
    with pytest.raises(InvalidRequest) as found:
        plan(catalog, "melo", TEXT, language="ja")
    assert found.value.code == "unknown_language"


@pytest.mark.parametrize(
    ("given", "more", "steps"),
    [
        # conversion: there it needed an embedding of the target; a recording of it was an error
        (
            (RECORDING, REFERENCE),
            {},
            f"prepare:cpu vad:silero embed:openvoice_v2_tone-encoder open:cpu {CONVERTED}",
        ),
        (
            (RECORDING, REFERENCE),
            {"vad": VadMode.NONE},
            f"prepare:cpu embed:openvoice_v2_tone-encoder open:cpu {CONVERTED}",
        ),
        ((RECORDING, REFERENCE, SEGMENTS), {}, f"prepare:cpu embed:openvoice_v2_tone-encoder open:cpu {CONVERTED}"),
        ((RECORDING, EMBEDDING), {"options": {"tau": 0.5, "seed": 3}}, f"prepare:cpu {CONVERTED}"),
    ],
)
def test_conversion(catalog: Catalog, given: tuple[StepData, ...], more: Mapping[str, Any], steps: str) -> None:
    assert plan(catalog, "convert", *given, **more) == steps


@pytest.mark.parametrize(
    ("given", "more", "code"),
    [
        ((RECORDING,), {}, "missing_reference"),
        ((REFERENCE,), {}, "missing_recording"),
        ((RECORDING, REFERENCE, EMBEDDING), {}, "unused_input"),
        ((RECORDING, REFERENCE, TEXT), {}, "unused_input"),
        ((RECORDING, REFERENCE), {"base_voice": "default"}, "unused_input"),
        ((RECORDING, REFERENCE), {"models": {Role.CONVERT: "openvoice_v1_tone-converter"}}, "unsuitable_model"),
    ],
)
def test_conversion_that_cannot_be_planned(
    catalog: Catalog, given: tuple[StepData, ...], more: Mapping[str, Any], code: str
) -> None:
    with pytest.raises((InvalidRequest, Unroutable)) as found:
        plan(catalog, "convert", *given, **more)
    assert found.value.code == code and found.value.status == 422


def test_an_embedding_by_a_tone_encoder(catalog: Catalog) -> None:
    """There without vad Whisper came first; here too a way of finding speech, unless the job says none."""
    encoder = {"models": {Role.EMBED: "openvoice_v1_tone-encoder"}}
    assert plan(catalog, "embed", RECORDING, **encoder) == "prepare:cpu vad:silero embed:openvoice_v1_tone-encoder"
    none = {**encoder, "vad": VadMode.NONE}
    assert plan(catalog, "embed", RECORDING, **none) == "prepare:cpu embed:openvoice_v1_tone-encoder"


def test_whose_embeddings_they_take(catalog: Catalog) -> None:
    for pipeline, model in (("openvoice_v1", "v1"), ("convert", "v2")):
        assert encoder_of(load_pipelines()[pipeline], catalog).name == f"openvoice_{model}_tone-encoder"


@pytest.mark.parametrize(
    ("pipeline", "given"),
    [("openvoice_v1", (TEXT, REFERENCE)), ("convert", (RECORDING, REFERENCE)), ("mms", (TEXT,))],
)
def test_without_its_models_a_pipeline_is_refused(pipeline: str, given: tuple[StepData, ...]) -> None:
    """As in the shipped catalog, which has no weights that only the hub has."""
    with pytest.raises(Unroutable) as found:
        plan(load_catalog(), pipeline, *given)
    assert found.value.code == "no_model"
