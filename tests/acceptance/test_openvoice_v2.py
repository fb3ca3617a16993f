"""Cloning with OpenVoice V2 through real workers, on small random checkpoints: from a recording over its speech, its
tone and a voice of MeloTTS to converted speech, in two languages."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cli.local.stack import Stack
from models.catalog import DEFAULT_FILE
from tests.acceptance.test_openvoice import speech
from tests.checkpoints.entries import ACCENTS, melo_entry, openvoice_entries
from tests.checkpoints.melo import SYMBOLS, bert, letters, melo
from tests.checkpoints.openvoice import openvoice_converter, source_embedding
from tests.stack_access import StackAccess
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(600)]

RATE, MELO_RATE = 22_050, 44_100
TONE = "openvoice_v2_tone"
CHAIN = ("silero", f"{TONE}-encoder", "melo-en", "melo-es", f"{TONE}-converter")
ENGLISH, SPANISH = "The birch canoe slid on the smooth planks.", "El niño come una manzana muy dulce."


def entries(folder: Path) -> str:
    """The checkpoints, and their entries in ``models.yaml``."""
    openvoice_converter(folder / "converter", size="small", version="v2")
    for number, name in enumerate(("en_default_se.pth", "en_style_se.pth")):
        source_embedding(folder / name, number)
    text = openvoice_entries(folder, "v2")
    for language, source in (("en", "en_default"), ("es", "en_style")):
        speakers = dict.fromkeys(ACCENTS, 0) if language == "en" else {"ES": 0}
        named = {name: number for number, name in enumerate(speakers)}
        melo(folder / language, SYMBOLS[1:], size="small", speakers=named)
        bert(folder / f"bert-{language}", letters(ENGLISH + SPANISH), size="small")
        text += melo_entry(folder, language, source=source)
    return text


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAccess]:
    folder = tmp_path_factory.mktemp("openvoice_v2")
    file = folder / "models.yaml"
    file.write_text(DEFAULT_FILE.read_text(encoding="utf-8") + "\n" + entries(folder))
    env = {"CHORUS_MODELS_FILE": str(file), "OMP_NUM_THREADS": "1"}
    with Stack(folder / "home", models=CHAIN, env=env) as stack:
        stack.wait_ready(240)
        with StackAccess(stack) as found:
            yield found


def encoded(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


def clone(**more: Any) -> dict[str, Any]:
    return {"pipeline": "openvoice_v2", "text": ENGLISH, "reference": encoded(speech()), **more}


def heard(access: StackAccess, job: dict[str, Any], rate: int = RATE) -> np.ndarray[Any, Any]:
    assert job["state"] == "succeeded", job["error"]
    samples, own = soundfile.read(io.BytesIO(access.audio(job["id"])), dtype="float32")
    assert own == rate and np.isfinite(samples).all() and np.abs(samples).max() > 0.01
    return samples  # type: ignore[no-any-return]


def test_a_voice_is_cloned_in_two_languages(access: StackAccess) -> None:
    for more in ({}, {"language": "es", "text": SPANISH}):
        job = access.run(clone(**more), 200)
        heard(access, job)
        assert [step["name"] for step in job["steps"]] == [
            "prepare", "vad", "embed", "open", "synthesize", "convert", "assemble",
        ]  # fmt: skip


def test_accents_differ_and_the_same_job_gives_the_same_audio(access: StackAccess) -> None:
    first = heard(access, access.run(clone(base_voice="EN-AU"), 200))
    again = heard(access, access.run(clone(language="en-AU"), 200))
    assert np.array_equal(first, again), "the voice of an accent is that of its language"
    other = heard(access, access.run(clone(base_voice="EN-BR"), 200))
    assert first.shape != other.shape or np.abs(first - other).max() > 0.01


def test_a_base_voice_speaks_alone(access: StackAccess) -> None:
    job = access.run({"pipeline": "melo", "text": ENGLISH, "voice": "EN-US"}, 200)
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
    answer = access.http.post("/v1/jobs", json=clone(**more))
    assert answer.status_code == 422 and answer.json()["error"]["code"] == code, answer.text


@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.proof)])
def test_a_flood_in_two_languages_is_batched_at_every_step(access: StackAccess, count: int) -> None:
    def counts() -> dict[str, tuple[float, float]]:
        found = access.metrics()
        kinds = ("chorus_microbatch_items_total", "chorus_microbatches_total")
        return {m: tuple(found.get(f'{kind}{{model="{m}"}}', 0.0) for kind in kinds) for m in CHAIN}  # type: ignore[misc]

    before = counts()
    texts = ({"text": "{} bowls of rice."}, {"text": "{} platos de arroz.", "language": "es"})
    bodies = []
    for number in range(count):
        more = {key: value.format(number) for key, value in texts[number % 2].items()}
        bodies.append(clone(**more, reference=encoded(speech(11 + number, 3.0))))
    # More arrives than is done, as in a flood of a real size: the models wait until all of it is there.
    with access.paused("listen"), ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(access.submit, bodies))
        wait_for(lambda: all(access.get(job["id"])["step"] == "vad" for job in jobs), 300, "prepared jobs", every=1)
    for job in jobs:
        ended = access.wait(job["id"], 500)
        assert ended["state"] == "succeeded", ended["error"]
    means = {m: (now[0] - before[m][0]) / (now[1] - before[m][1]) for m, now in counts().items()}
    assert all(mean >= 3 for mean in means.values()), means
