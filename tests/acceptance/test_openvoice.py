"""Cloning and conversion with both versions of OpenVoice through real workers, on small random checkpoints: from a
recording over its speech, its tone and a base speaker, or a voice of MeloTTS in two languages, to converted speech."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cli.local.stack import Stack
from models.catalog import DEFAULT_FILE
from tests.checkpoints.entries import ACCENTS, melo_entry, openvoice_entries
from tests.checkpoints.melo import SYMBOLS, bert, letters, melo
from tests.checkpoints.openvoice import openvoice_base, openvoice_converter, source_embedding
from tests.shared_data import data_path
from tests.stack_access import StackAccess
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(600)]

RATE, MELO_RATE = 22_050, 44_100
TEXT = "The birch canoe slid on the smooth planks."
SPANISH = "El niño come una manzana muy dulce."
V1, V2 = "openvoice_v1_tone", "openvoice_v2_tone"
MODELS = (
    "silero",
    "whisper-tiny.en",
    "openvoice-en",
    f"{V1}-encoder",
    f"{V1}-converter",
    f"{V2}-encoder",
    f"{V2}-converter",
    "melo-en",
    "melo-es",
)
CHAIN = ("silero", f"{V1}-encoder", "openvoice-en", f"{V1}-converter")
CHAIN_V2 = ("silero", f"{V2}-encoder", "melo-en", "melo-es", f"{V2}-converter")
#: Of a reference: several segments, one of them shorter than what an encoder hears.
SEVERAL = [{"start": 0.2, "end": 1.4}, {"start": 2.0, "end": 2.3}, {"start": 4, "end": 6}]
#: An embedding that no converter takes.
SHORT = {"model": f"{V1}-encoder", "dimensions": 3, "values": [0.1, 0.2, 0.3]}


def entries(folder: Path) -> str:
    """The checkpoints, and their entries in ``models.yaml``."""
    text = ""
    for version, seed in (("v1", 0), ("v2", 1)):
        place = folder / version
        openvoice_converter(place / "converter", seed=seed, size="small", version=version)  # type: ignore[arg-type]
        for number, name in enumerate(("en_default_se.pth", "en_style_se.pth")):
            source_embedding(place / name, number)
        if version == "v1":
            openvoice_base(place / "base", size="small")
        text += openvoice_entries(place, version)
    for language, source in (("en", "en_default"), ("es", "en_style")):
        speakers = dict.fromkeys(ACCENTS, 0) if language == "en" else {"ES": 0}
        named = {name: number for number, name in enumerate(speakers)}
        melo(folder / language, SYMBOLS[1:], size="small", speakers=named)
        bert(folder / f"bert-{language}", letters(TEXT + SPANISH), size="small")
        text += melo_entry(folder, language, source=source)
    return text


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAccess]:
    folder = tmp_path_factory.mktemp("openvoice")
    file = folder / "models.yaml"
    file.write_text(DEFAULT_FILE.read_text(encoding="utf-8") + "\n" + entries(folder))
    env = {"CHORUS_MODELS_FILE": str(file), "OMP_NUM_THREADS": "1"}
    with Stack(folder / "home", models=MODELS, env=env) as stack:
        stack.wait_ready(240)
        with StackAccess(stack) as found:
            yield found


def encoded(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


def speech(number: int = 0, seconds: float = 8.0, rate: int = 16_000) -> bytes:
    """Real speech, another stretch of it for each ``number``."""
    paths = sorted(data_path("speakers").glob("*/*"))
    samples, own = soundfile.read(paths[number % len(paths)], dtype="float32")
    begin = min((number // len(paths)) * own // 20, max(0, len(samples) - 2 * own))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples[begin : begin + round(seconds * own)], own, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def names(job: dict[str, Any]) -> list[str]:
    return [step["name"] for step in job["steps"]]


def heard(access: StackAccess, job: dict[str, Any], rate: int = RATE) -> np.ndarray[Any, Any]:
    assert job["state"] == "succeeded", job["error"]
    samples, own = soundfile.read(io.BytesIO(access.audio(job["id"])), dtype="float32")
    assert own == rate and np.isfinite(samples).all() and np.abs(samples).max() > 0.01
    return samples  # type: ignore[no-any-return]


def clone(**more: Any) -> dict[str, Any]:
    return {"pipeline": "openvoice_v1", "text": TEXT, "reference": encoded(speech()), **more}


def clone_v2(**more: Any) -> dict[str, Any]:
    return clone(pipeline="openvoice_v2", **more)


@pytest.mark.parametrize(
    ("more", "steps"),
    [
        ({}, ["vad", "embed", "open"]),
        ({"vad": "whisper"}, ["vad", "embed", "open"]),
        ({"vad": "none"}, ["embed", "open"]),
        ({"segments": [{"start": 0.2, "end": 2.4}]}, ["embed", "open"]),
        ({"segments": SEVERAL}, ["embed", "open"]),
    ],
)
def test_a_voice_is_cloned(access: StackAccess, more: dict[str, Any], steps: list[str]) -> None:
    job = access.run(clone(**more), 200)
    heard(access, job)
    assert names(job) == ["prepare", *steps, "synthesize", "convert", "assemble"]


def test_base_voices_differ_and_only_the_tone_is_converted(access: StackAccess) -> None:
    first = heard(access, access.run(clone(), 200))
    again = heard(access, access.run(clone(), 200))
    assert np.array_equal(first, again), "the same job gives the same audio"
    whispered = heard(access, access.run(clone(base_voice="whispering"), 200))
    assert first.shape != whispered.shape or np.abs(first - whispered).max() > 0.01
    before = access.metrics().get('chorus_microbatch_items_total{model="openvoice-en"}', 0.0)
    other = heard(access, access.run(clone(reference=encoded(speech(5))), 200))
    assert other.shape == first.shape and np.abs(other - first).max() > 0.001, "another voice, the same rhythm"
    after = access.metrics().get('chorus_microbatch_items_total{model="openvoice-en"}', 0.0)
    assert after == before, "what the base speaker said is not rendered again"


def test_a_stored_voice(access: StackAccess) -> None:
    pipelines = ["openvoice_v1", "convert"]
    body = {"name": "Ann", "pipelines": pipelines, "recordings": [encoded(speech())]}
    made = access.http.post("/v1/voices", json=body)
    assert made.status_code == 202, made.text
    voice = access.settled_voice(made.json()["id"])
    job = access.run({"pipeline": "openvoice_v1", "text": TEXT, "voice": voice["id"]}, 200)
    heard(access, job)
    assert names(job) == ["prepare", "synthesize", "convert", "assemble"]
    recording = speech(3)
    job = access.run({"pipeline": "convert", "recording": encoded(recording), "voice": voice["id"]}, 200)
    heard(access, job)
    assert names(job) == ["prepare", "convert", "assemble"] or names(job) == ["prepare", "open", "convert", "assemble"]


def test_a_recording_is_converted_piece_by_piece(access: StackAccess) -> None:
    parts = [soundfile.read(io.BytesIO(speech(n, 12.0)), dtype="float32")[0] for n in range(4)]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.concatenate(parts), 16_000, format="WAV", subtype="PCM_16")
    seconds = sum(map(len, parts)) / 16_000
    assert seconds > 25, "several pieces"
    job = access.run(
        {"pipeline": "convert", "recording": encoded(buffer.getvalue()), "reference": encoded(speech(7))}, 300
    )
    samples = heard(access, job)
    assert names(job) == ["prepare", "vad", "embed", "open", "convert", "assemble"]
    assert len(samples) == pytest.approx(seconds * RATE, abs=2)


@pytest.mark.parametrize(
    ("more", "step", "code"),
    [
        ({"segments": [{"start": 0.1, "end": 0.3}]}, "embed", "too_little_speech"),
        (
            {"reference": {"embedding": SHORT}},
            "convert",
            "model_failed",
        ),
    ],
)
def test_each_step_that_fails_says_so(access: StackAccess, more: dict[str, Any], step: str, code: str) -> None:
    job = access.run(clone(**more), 200)
    assert (job["state"], job["error"]["step"], job["error"]["code"]) == ("failed", step, code)


def test_silence_has_no_speech(access: StackAccess) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(48_000, np.float32), 16_000, format="WAV")
    job = access.run(clone(reference=encoded(buffer.getvalue())), 200)
    assert (job["state"], job["error"]["code"], job["error"]["step"]) == ("failed", "no_speech", "vad")


# -- version 2, and MeloTTS


def test_a_voice_is_cloned_in_two_languages(access: StackAccess) -> None:
    for more in ({}, {"language": "es", "text": SPANISH}):
        job = access.run(clone_v2(**more), 200)
        heard(access, job)
        assert names(job) == [
            "prepare", "vad", "embed", "open", "synthesize", "convert", "assemble",
        ]  # fmt: skip


def test_accents_differ_and_the_same_job_gives_the_same_audio(access: StackAccess) -> None:
    first = heard(access, access.run(clone_v2(base_voice="EN-AU"), 200))
    again = heard(access, access.run(clone_v2(language="en-AU"), 200))
    assert np.array_equal(first, again), "the voice of an accent is that of its language"
    other = heard(access, access.run(clone_v2(base_voice="EN-BR"), 200))
    assert first.shape != other.shape or np.abs(first - other).max() > 0.01


def test_a_base_voice_speaks_alone(access: StackAccess) -> None:
    job = access.run({"pipeline": "melo", "text": TEXT, "voice": "EN-US"}, 200)
    heard(access, job, MELO_RATE)
    job = access.run({"pipeline": "melo", "text": SPANISH, "language": "es", "options": {"speed": 1.5}}, 200)
    heard(access, job, MELO_RATE)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"language": "ja"}, "unknown_language"),
        ({"base_voice": "JP"}, "unknown_voice"),
        ({"language": "es", "base_voice": "EN-US"}, "unknown_voice"),
        ({"voice": "EN-US"}, "unused_input"),
    ],
)
def test_what_no_model_speaks_is_refused(access: StackAccess, more: dict[str, Any], code: str) -> None:
    answer = access.http.post("/v1/jobs", json=clone_v2(**more))
    assert answer.status_code == 422 and answer.json()["error"]["code"] == code, answer.text


# -- floods


def flood(access: StackAccess, bodies: Sequence[dict[str, Any]], models: Sequence[str]) -> dict[str, float]:
    """Runs the jobs at once; the mean number of items in a micro-batch of each model.

    More arrives than is done, as in a flood of a real size: the models wait until all of it is there."""

    def counts() -> dict[str, tuple[float, float]]:
        found = access.metrics()
        kinds = ("chorus_microbatch_items_total", "chorus_microbatches_total")
        return {m: tuple(found.get(f'{kind}{{model="{m}"}}', 0.0) for kind in kinds) for m in models}  # type: ignore[misc]

    before = counts()
    with access.paused("listen"), ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(access.submit, bodies))
        wait_for(lambda: all(access.get(job["id"])["step"] == "vad" for job in jobs), 300, "prepared jobs", every=1)
    for job in jobs:
        ended = access.wait(job["id"], 500)
        assert ended["state"] == "succeeded", ended["error"]
    return {m: (now[0] - before[m][0]) / (now[1] - before[m][1]) for m, now in counts().items()}


@pytest.mark.parametrize("count", [32, pytest.param(200, marks=pytest.mark.proof)])
def test_a_flood_of_clones_is_batched_at_every_step(access: StackAccess, count: int) -> None:
    bodies = [clone(text=f"{n} bowls of rice.", reference=encoded(speech(11 + n, 3.0))) for n in range(count)]
    means = flood(access, bodies, CHAIN)
    assert all(mean >= 4 for mean in means.values()), means


@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.proof)])
def test_a_flood_in_two_languages_is_batched_at_every_step(access: StackAccess, count: int) -> None:
    texts = ({"text": "{} bowls of rice."}, {"text": "{} platos de arroz.", "language": "es"})
    bodies = []
    for number in range(count):
        more = {key: value.format(number) for key, value in texts[number % 2].items()}
        reference = speech(11 + number, 3.1)  # no other flood has found the speech in it
        bodies.append(clone_v2(**more, reference=encoded(reference)))
    means = flood(access, bodies, CHAIN_V2)
    assert all(mean >= 3 for mean in means.values()), means
