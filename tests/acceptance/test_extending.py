"""``docs/extending.md`` done as it says: its files written, the service started with them, its jobs submitted."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audio.samples import Samples
from cli.local.stack import Stack
from core.redis import connect
from tests.shared_data import ROOT
from tests.stack_access import StackAccess
from tests.waiting import wait_for

PAGE = ROOT / "docs/extending.md"
MODELS = ("hum", "ear", "mimic", "shift")
TEXT = "Hello there."

pytestmark = [pytest.mark.patient, pytest.mark.timeout(240)]


def files_of(page: str) -> dict[str, str]:
    """The page's files: the text of each code block with a title."""
    return dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', page, re.S))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files, its weights made by its own script."""
    folder = tmp_path_factory.mktemp("extending")
    for title, text in files_of(PAGE.read_text()).items():
        path = folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run([sys.executable, "make_weights.py"], cwd=folder, check=True)
    digest = hashlib.sha256((folder / "hum.safetensors").read_bytes()).hexdigest()
    models = folder / "models.yaml"
    models.write_text(models.read_text().replace("SHA256", digest).replace("/srv/weights", str(folder)))
    return folder


@pytest.fixture(scope="module")
def access(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAccess]:
    env = {
        "CHORUS_FAMILIES": str(folder / "families"),
        "CHORUS_MODELS_FILE": str(folder / "models.yaml"),
        "CHORUS_PIPELINES_FILE": str(folder / "pipelines.yaml"),
        "CHORUS_CACHE": str(tmp_path_factory.mktemp("cache")),
    }
    with Stack(tmp_path_factory.mktemp("stack") / "home", models=MODELS, env=env) as stack:
        stack.wait_ready()
        with StackAccess(stack) as access:
            yield access


def jobs(folder: Path) -> dict[str, dict[str, Any]]:
    return {job["pipeline"]: job for job in json.loads((folder / "jobs.json").read_text())}


def speak(access: StackAccess, job: dict[str, Any]) -> tuple[Samples, int]:
    """The audio of a job: samples and rate."""
    made = access.http.post("/v1/jobs", json={"output": {"format": "flac"}, **job}, headers={"Prefer": "wait=30"})
    assert made.status_code == 202, made.text
    done = made.json()
    assert done["state"] == "succeeded", done
    samples, rate = soundfile.read(io.BytesIO(access.http.get(f"/v1/jobs/{done['id']}/audio").content), dtype="float32")
    return samples, rate


def pitch(samples: Samples, rate: int) -> float:
    """Hz of the loudest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def recording(first: float, second: float) -> dict[str, str]:
    """Two seconds of noise, each as loud as it is told."""
    noise = np.random.default_rng(3).normal(size=(2, 16_000)) * [[first], [second]]
    file = io.BytesIO()
    soundfile.write(file, noise.ravel().astype(np.float32), 16_000, format="WAV")
    return {"base64": base64.b64encode(file.getvalue()).decode()}


def test_a_family_is_one_folder_and_two_entries(folder: Path) -> None:
    titles = files_of(PAGE.read_text())
    assert {name.split("/")[1] for name in titles if name.startswith("families/")} == set(MODELS)
    outside = {name for name in titles if not name.startswith("families/")}
    assert outside == {"make_weights.py", "models.yaml", "pipelines.yaml", "jobs.json"}, "nothing else is touched"


def test_the_synthesizer_speaks(access: StackAccess, folder: Path) -> None:
    samples, rate = speak(access, jobs(folder)["hum"])
    assert rate == 8000 and len(samples) == pytest.approx(len(TEXT) * 0.05 * 8000 / 2, abs=len(TEXT))
    assert pitch(samples[:200], rate) == pytest.approx(100 + 5 * (ord("H") % 40), abs=50)


def test_the_cloning_synthesizer_speaks_as_the_embedding_says(access: StackAccess, folder: Path) -> None:
    job = jobs(folder)["mimic"]
    samples, rate = speak(access, job)
    assert pitch(samples, rate) == pytest.approx(200 + 800 * 0.6, abs=4)
    samples, rate = speak(access, {"pipeline": "mimic", "text": TEXT, "reference": recording(0.1, 0.1)})
    assert pitch(samples, rate) == pytest.approx(200 + 800 * 0.707, abs=10), "the encoder heard the recording"


def test_the_converter_takes_what_the_synthesizer_gave(access: StackAccess, folder: Path) -> None:
    plain, _ = speak(access, {"pipeline": "hum", "text": TEXT})
    converted, _ = speak(access, jobs(folder)["hum_shift"])
    np.testing.assert_allclose(converted, 0.6 * plain, atol=1e-3)


def test_a_second_speaker_renders_the_second_stage_alone(access: StackAccess) -> None:
    def job(first: float) -> dict[str, Any]:
        embedding = {"values": [first, (1 - first**2) ** 0.5], "model": "ear"}
        return {"pipeline": "hum_shift", "text": "Said once alone.", "reference": {"embedding": embedding}}

    def rendered() -> Counter[str]:
        metrics = access.http.get("/metrics").text
        found = re.findall(r'chorus_microbatch_items_total\{model="(\w+)"\} (\d+)', metrics)
        return Counter({name: int(count) for name, count in found})

    def counted(before: Counter[str], model: str) -> Counter[str]:
        """What was rendered since, once the last count has come in."""
        return wait_for(lambda: ((now := rendered() - before)[model] > 0 and now) or None, 10, "the counters")

    before = rendered()
    quiet, _ = speak(access, job(0.28))
    assert counted(before, "shift") == {"hum": 1, "shift": 1}
    before = rendered()
    loud, _ = speak(access, job(0.96))
    assert counted(before, "shift") == {"shift": 1}, "what was hummed for the first speaker is taken"
    np.testing.assert_allclose(quiet / 0.28, loud / 0.96, atol=3e-3)


def test_a_lost_first_stage_is_rendered_again(access: StackAccess, folder: Path) -> None:
    job = {**jobs(folder)["hum_shift"], "text": "Lost on its way."}
    whole, _ = speak(access, job)
    for name in list(access.objects.names("local/utterances/")):
        access.objects.delete(name)
    again, _ = speak(access, job)
    np.testing.assert_array_equal(again, whole)
    audios = list(access.objects.names("local/utterances/"))
    assert len(audios) == 2, "one artifact for each stage"


def test_a_stored_voice_speaks_through_both(access: StackAccess) -> None:
    made = access.http.post("/v1/voices", json={"name": "Ann", "recordings": [recording(0.3, 0.4)]})
    assert made.status_code == 202, made.text
    voice = made.json()
    assert sorted(voice["pipelines"]) == ["hum_shift", "mimic"] and voice["models"] == ["ear"]

    def ready() -> bool:
        state = access.http.get(f"/v1/voices/{voice['id']}").json()["state"]
        assert state != "failed"
        return bool(state == "ready")

    wait_for(ready, 30, "the voice")
    samples, rate = speak(access, {"pipeline": "mimic", "text": TEXT, "voice": voice["id"]})
    assert pitch(samples, rate) == pytest.approx(200 + 800 * 0.6, abs=12)
    plain, _ = speak(access, {"pipeline": "hum", "text": TEXT})
    converted, _ = speak(access, {"pipeline": "hum_shift", "text": TEXT, "reference": {"voice": voice["id"]}})
    assert np.abs(converted).max() == pytest.approx(0.6 * np.abs(plain).max(), rel=0.03)


def test_what_does_not_fit_is_refused(access: StackAccess) -> None:
    embedding = {"values": [0.6, 0.8], "model": "campplus"}
    refusals = {
        "embedding_of_another_model": {"pipeline": "mimic", "text": TEXT, "reference": {"embedding": embedding}},
        "missing_reference": {"pipeline": "mimic", "text": TEXT},
        "unused_input": {"pipeline": "mimic", "text": TEXT, "voice": "low", "reference": recording(0.1, 0.1)},
        "unknown_language": {"pipeline": "mimic", "text": TEXT, "language": "de", "reference": recording(0.1, 0.1)},
    }
    for code, job in refusals.items():
        answer = access.http.post("/v1/jobs", json=job)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    wrong = access.http.post(
        "/v1/jobs", json={"pipeline": "hum_shift", "text": TEXT, "base_voice": "high", "reference": recording(0.1, 0.1)}
    )
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_voice")


def test_a_preview_takes_the_reference_as_given(access: StackAccess) -> None:
    for pipeline, model, voice in (("mimic", "mimic", None), ("hum_shift", "hum", "low"), ("hum", "hum", "low")):
        answer = access.http.post("/v1/text/preview", json={"pipeline": pipeline, "text": TEXT})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["model"], found["voice"]) == (model, voice)
        assert " ".join(one["spoken"] for one in found["utterances"]) == TEXT


def test_the_description_knows_the_pipelines(access: StackAccess) -> None:
    document = access.http.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert {"reference", "base_voice", "language", "text"} <= set(schemas["HumShiftJob"]["properties"])
    assert {"reference", "language", "text"} <= set(schemas["MimicJob"]["properties"])
    assert "base_voice" not in schemas["MimicJob"]["properties"]


def test_the_ledger_keeps_nothing_of_the_stages(access: StackAccess) -> None:
    client = connect(access.stack.redis_url)
    assert not list(client.scan_iter("ch:utt:*")) and not list(client.scan_iter("ch:at:*"))
    client.close()
