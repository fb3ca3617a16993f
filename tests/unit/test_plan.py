"""Planning: from what a job brings to its steps."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ChorusError, ConfigurationError, InvalidRequest, Unroutable
from core.names import Role
from core.work import Plan
from models.base import Bounds, Family, ModelSpec, Option, Voice
from models.catalog import Catalog, load_catalog, read_catalog
from models.families import load_families
from pipelines.candidates import candidates
from pipelines.definitions import (
    DEFAULT_FILE,
    Pipeline,
    PipelineStep,
    StepData,
    get_pipeline,
    load_pipelines,
    read_pipelines,
)
from pipelines.plan import PlanRequest, encoder_of, needed_steps, plan_job, wrong_option

TEXT = frozenset({StepData.TEXT})
SPEED = Option(default=1.0, minimum=0.5, maximum=2.0)


def synthesizer(name: str, *voices: tuple[str, str]) -> ModelSpec:
    return ModelSpec(
        name=name,
        type="piper",
        role=Role.SYNTHESIZE,
        weights={},
        languages=tuple(sorted({language for _, language in voices})),
        voices={v: Voice(name=v, language=language) for v, language in voices},
        options={"speed": SPEED},
        sample_rate=22_050,
        batch={"cpu": Bounds(items=4, cost=100)},
        batch_timeout=60,
    )


CATALOG = Catalog(
    {
        "first": synthesizer("first", ("joe", "en-US"), ("amy", "en-GB")),
        "second": synthesizer("second", ("eva", "de-DE"), ("amy", "en-GB")),
    }
)
PIPER = Pipeline(
    name="piper",
    description="",
    steps=(
        PipelineStep(
            role=Role.SYNTHESIZE,
            type="piper",
            needs=(StepData.TEXT, StepData.LANGUAGE, StepData.VOICE),
            gives=StepData.SPEECH,
        ),
    ),
)


def wish(**changes: object) -> PlanRequest:
    return PlanRequest(**{"pipeline": PIPER, "given": TEXT, **changes})  # type: ignore[arg-type]


def code_of(found: pytest.ExceptionInfo[ChorusError]) -> str:
    return found.value.code


def test_a_text_is_prepared_spoken_and_assembled() -> None:
    found = plan_job(wish(), CATALOG)
    assert [s.role for s in found.plan.steps] == [Role.PREPARE, Role.SYNTHESIZE, Role.ASSEMBLE]
    assert str(found.plan) == "prepare:cpu *synthesize:first assemble:cpu"
    assert Plan.parse(str(found.plan)) == found.plan
    assert (found.voice, found.language) == ("joe", "en-US")


@pytest.mark.parametrize(
    ("changes", "model", "voice"),
    [
        ({"language": "de"}, "second", "eva"),
        ({"language": "EN_gb"}, "first", "amy"),
        ({"voice": "amy"}, "first", "amy"),
        ({"voice": "amy", "models": {Role.SYNTHESIZE: "second"}}, "second", "amy"),
    ],
)
def test_the_first_model_that_fits_is_taken(changes: dict[str, object], model: str, voice: str) -> None:
    found = plan_job(wish(**changes), CATALOG)
    assert (found.plan.steps[1].model, found.voice) == (model, voice)


@pytest.mark.parametrize(
    ("changes", "model", "voice", "language"),
    [
        ({}, "kokoro", "jf_alpha", "en-US"),
        ({"language": "ja"}, "kokoro-82m", "jf_alpha", "ja"),
        ({"voice": "jf_alpha", "language": "ja"}, "kokoro", "jf_alpha", "ja"),
        ({"voice": "af_heart"}, "kokoro-82m", "af_heart", "en-US"),
        ({"voice": "af_heart", "language": "ja"}, "kokoro-82m", "af_heart", "ja"),
        ({"voice": "af_heart", "language": "fr"}, "kokoro-82m", "af_heart", "fr-FR"),
        ({"language": "fr"}, "kokoro-82m", "ff_siwis", "fr-FR"),
        ({"voice": "af_heart:3+ff_siwis"}, "kokoro-82m", "af_heart:0.75+ff_siwis:0.25", "en-US"),
        ({"voice": "af_heart:3+ff_siwis", "language": "fr"}, "kokoro-82m", "af_heart:0.75+ff_siwis:0.25", "fr-FR"),
    ],
)
def test_a_voice_of_a_polyglot_family_speaks_the_language_of_the_text(
    changes: dict[str, object], model: str, voice: str, language: str
) -> None:
    found = plan_job(wish(pipeline=load_pipelines()["kokoro"], **changes), kokoros())
    assert (found.plan.steps[1].model, found.voice, found.language) == (model, voice, language)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"language": "de"}, "unknown_language"),
        ({"voice": "af_heart:1+nobody:1"}, "unknown_voice"),
        ({"voice": "af_heart:0"}, "invalid_voice_mix"),
        ({"voice": "ff_siwis", "models": {Role.SYNTHESIZE: "kokoro"}}, "unknown_voice"),
    ],
)
def test_a_voice_that_no_model_of_a_family_has(changes: dict[str, object], code: str) -> None:
    with pytest.raises(InvalidRequest) as found:
        plan_job(wish(pipeline=load_pipelines()["kokoro"], **changes), kokoros())
    assert code in (found.value.code, *(one.code for one in found.value.fields))


def kokoros() -> Catalog:
    """Kokoro as it is built in, and with some of the hub's voices."""
    built_in = load_catalog().get("kokoro")
    voices = {"af_heart": "en-US", "ff_siwis": "fr-FR", "jf_alpha": "ja"}
    added = replace(
        built_in,
        name="kokoro-82m",
        languages=tuple(voices.values()),
        voices={name: Voice(name=name, language=language) for name, language in voices.items()},
    )
    return Catalog({"kokoro": built_in, "kokoro-82m": added})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"given": frozenset()}, "missing_text"),
        ({"language": "fr"}, "unknown_language"),
        ({"voice": "eva", "language": "en"}, "unknown_voice"),
        ({"models": {Role.SYNTHESIZE: "third"}}, "unknown_model"),
        ({"models": {Role.VAD: "first"}}, "unknown_step"),
        ({"options": {"pitch": 1}}, "unknown_option"),
        ({"options": {"speed": 9}}, "invalid_option"),
        ({"options": {"speed": "fast"}}, "invalid_option"),
        ({"options": {"seed": 1.5}}, "invalid_option"),
    ],
)
def test_what_cannot_be_routed_says_what_is_wrong(changes: dict[str, object], code: str) -> None:
    with pytest.raises(InvalidRequest) as found:
        plan_job(wish(**changes), CATALOG)
    assert code_of(found) == code
    assert found.value.status == 422
    assert found.value.message


def test_steps_whose_output_is_given_are_skipped() -> None:
    clone = Pipeline(
        name="clone",
        description="",
        steps=(
            PipelineStep(role=Role.VAD, type=None, needs=(StepData.REFERENCE,), gives=StepData.SEGMENTS),
            PipelineStep(
                role=Role.EMBED, type=None, needs=(StepData.REFERENCE, StepData.SEGMENTS), gives=StepData.EMBEDDING
            ),
            PipelineStep(
                role=Role.SYNTHESIZE, type=None, needs=(StepData.TEXT, StepData.BASE_VOICE), gives=StepData.SPEECH
            ),
            PipelineStep(
                role=Role.CONVERT, type=None, needs=(StepData.SPEECH, StepData.EMBEDDING), gives=StepData.SPEECH
            ),
        ),
    )

    def roles(*given: StepData) -> list[Role]:
        return [step.role for step in needed_steps(clone, TEXT | set(given))]

    tail = [Role.SYNTHESIZE, Role.CONVERT]
    assert roles(StepData.REFERENCE) == [Role.VAD, Role.EMBED, *tail]
    assert roles(StepData.REFERENCE, StepData.SEGMENTS) == [Role.EMBED, *tail]
    assert roles(StepData.EMBEDDING) == tail
    with pytest.raises(Unroutable) as found:
        roles()
    assert code_of(found) == "missing_reference"


def test_what_is_assumed_is_not_missing_and_not_used_by_itself() -> None:
    given, assumed = frozenset({StepData.TEXT}), frozenset(StepData) - {StepData.TEXT}
    request = wish(pipeline=load_pipelines()["voice_match"], given=given, assumed=assumed)
    planned = plan_job(request, load_catalog())
    roles = [step.role for step in planned.plan.steps]
    assert roles == [*map(Role, ("prepare", "vad", "embed", "match", "open", "synthesize", "assemble"))]
    assert planned.voice == "joe"
    with pytest.raises(Unroutable) as found:
        plan_job(replace(request, given=frozenset()), load_catalog())
    assert code_of(found) == "missing_text"
    with pytest.raises(InvalidRequest) as refused:
        plan_job(replace(request, pipeline=load_pipelines()["vad"]), load_catalog())
    assert code_of(refused) == "unused_input"


def read(tmp_path: Path, *steps: str) -> Pipeline:
    file = tmp_path / "pipelines.yaml"
    file.write_text("pipelines:\n  mine:\n    steps:\n" + "".join(f"      - {{{step}}}\n" for step in steps))
    return read_pipelines(file)["mine"]


SPEAKS = "role: synthesize, type: piper, needs: [text, language, base_voice], gives: speech"


def test_the_step_names_its_encoder(tmp_path: Path) -> None:
    catalog = load_catalog()
    embeds = "role: embed, type: ge2e, needs: [reference], gives: embedding"
    turns = "role: convert, type: shift, needs: [speech, embedding], gives: speech"
    families = {**load_families(), "shift": Family(type="shift", role=Role.CONVERT, model="m:M")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.families.load_families", lambda: families)
        assert encoder_of(read(tmp_path, embeds, SPEAKS, turns), catalog).name == "ge2e"
        named = turns.replace("needs:", "encoder: campplus, needs:")
        assert encoder_of(read(tmp_path, SPEAKS, named), catalog).name == "campplus"
        for wrong, reason in (
            (turns, "No earlier step provides 'embedding'"),
            (turns.replace("needs:", "encoder: piper, needs:"), "The type 'piper' makes no embeddings"),
            (SPEAKS.replace("needs:", "encoder: ge2e, needs:"), "A step that needs no embedding"),
            (turns.replace("needs:", "encoder: nonsense, needs:"), "The model type 'nonsense' does not exist"),
        ):
            with pytest.raises(ConfigurationError) as found:
                read(tmp_path, SPEAKS, wrong)
            assert reason in found.value.message


def test_utterances_are_given_the_embedding_where_their_step_needs_it() -> None:
    plan = Plan.parse("prepare:cpu *synthesize:hum *convert:shift<embedding assemble:cpu")
    assert [step.inputs for step in plan.stages] == [(), ("embedding",)] and plan.first_stage == 1
    assert Plan.parse(str(plan)) == plan


def test_only_voices_that_the_catalog_allows_are_matched() -> None:
    step = next(s for s in load_pipelines()["voice_match"].steps if s.role is Role.SYNTHESIZE)
    catalog = load_catalog()
    assert {model.name for model in candidates(step, catalog, matched=True)} == {"piper-joe", "kokoro"}
    hidden = {name: replace(spec, voice_match=False) for name, spec in catalog.models.items()}
    assert candidates(step, Catalog(hidden), matched=True) == [] != candidates(step, Catalog(hidden))


@given(st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.lists(st.integers())))
def test_an_option_that_passes_is_within_its_bounds(value: object) -> None:
    if wrong_option(SPEED, value) is None:
        assert isinstance(value, (int, float)) and math.isfinite(value) and 0.5 <= value <= 2.0


def test_the_product_s_own_files_are_right() -> None:
    pipelines = read_pipelines(DEFAULT_FILE)
    with pytest.raises(InvalidRequest) as found:
        get_pipeline("nonsense", pipelines)
    assert code_of(found) == "unknown_pipeline"
    assert "piper" in found.value.message


def test_a_pipeline_is_added_by_yaml_alone(tmp_path: Path) -> None:
    file = tmp_path / "pipelines.yaml"
    file.write_text(
        "pipelines:\n  loud:\n    steps:\n"
        "      - {role: synthesize, type: piper, needs: [text, language, voice], gives: speech}\n"
    )
    found = plan_job(wish(pipeline=read_pipelines(file)["loud"]), CATALOG)
    assert str(found.plan) == "prepare:cpu *synthesize:first assemble:cpu"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("pipelines:\n  a:\n    steps: []\n", 3, "at least 1"),
        ("pipelines:\n  a:\n    stepz: []\n", 3, "stepz"),
        ("pipelines:\n  a:\n    steps:\n      - {role: sing, needs: [text], gives: speech}\n", 4, "role"),
        ("pipelines:\n  a:\n    steps:\n      - role: embed\n        type: piper\n        needs: [reference]\n"
         "        gives: embedding\n", 5, "piper"),
        ("pipelines:\n  a:\n    steps:\n      - role: embed\n        needs: [segments]\n        gives: embedding\n",
         5, "segments"),
        ("pipelines:\n  a: {steps: [\n", 3, ""),
        ("pipelines:\n  a:\n    steps: 1\n  a:\n    steps: 2\n", 4, "duplicate key"),
        ("", 1, ""),
    ],
)  # fmt: skip
def test_a_bad_pipelines_file_names_line_and_reason(tmp_path: Path, text: str, line: int, reason: str) -> None:
    file = tmp_path / "pipelines.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as found:
        read_pipelines(file)
    assert f"{file}:{line}:" in found.value.message
    assert reason in found.value.message


GOOD_MODEL = """models:
  joe:
    type: piper
    weights:
      model: {source: "file:/tmp", file: a.onnx, sha256: "00"}
      config: {source: "file:/tmp", file: a.json, sha256: "11"}
    languages: [en-US]
    voices: {joe: {language: en-US}}
    sample_rate: 22050
    batch: {cpu: {items: 2, cost: 100}}
""".replace("00", "0" * 64).replace("11", "1" * 64)


def test_a_good_models_file(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(GOOD_MODEL)
    spec = read_catalog(file).get("joe")
    assert spec.bounds("cuda:0") == spec.batch["cpu"]
    assert spec.weights["model"].name == "a.onnx"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("type: piper", "type: pipper", 3),
        ("config:", "konfig:", 4),
        ("cpu:", "tpu:", 10),
        ("sample_rate: 22050", "sample_rate: fast", 9),
        ("{language: en-US}", "{language: en-GB}", 8),
        ("languages: [en-US]", "languages: []", 8),
        ("0" * 64, "abc", 5),
        ('"file:/tmp", file: a.onnx', '"ftp:/tmp", file: a.onnx', 5),
        ("items: 2", "items: 0", 10),
    ],
)
def test_a_bad_models_file_names_line_and_reason(tmp_path: Path, old: str, new: str, line: int) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(GOOD_MODEL.replace(old, new))
    with pytest.raises(ConfigurationError) as found:
        read_catalog(file)
    assert f"{file}:{line}:" in found.value.message


# -- languages that are heard


def listener(name: str, *languages: str) -> ModelSpec:
    return ModelSpec(
        name=name,
        type="whisper",
        role=Role.TRANSCRIBE,
        weights={},
        languages=languages,
        voices={},
        options={},
        sample_rate=None,
        batch={"cpu": Bounds(items=4, cost=100)},
        batch_timeout=60,
    )


EARS = Catalog({"english": listener("english", "en"), "german": listener("german", "de", "nl"), "all": listener("all")})


def heard(language: str | None, catalog: Catalog = EARS, **more: object) -> str:
    pipeline = get_pipeline("transcribe", read_pipelines(DEFAULT_FILE))
    given = frozenset({StepData.RECORDING})
    plan = plan_job(wish(pipeline=pipeline, given=given, language=language, **more), catalog).plan
    return str(plan.find(Role.TRANSCRIBE).model)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("language", "model"), [(None, "english"), ("en", "english"), ("EN-us", "english"), ("nl", "german"), ("fi", "all")]
)
def test_a_recording_is_heard_by_a_model_of_its_language(language: str | None, model: str) -> None:
    assert heard(language) == model


def test_a_language_that_nobody_hears_is_refused() -> None:
    only = Catalog({"english": EARS.models["english"]})
    for catalog, more in ((only, {}), (EARS, {"models": {Role.TRANSCRIBE: "english"}})):
        with pytest.raises(InvalidRequest, match="Available: en") as found:
            heard("de", catalog, **more)
        assert code_of(found) == "unknown_language" and found.value.fields[0].field == "language"
