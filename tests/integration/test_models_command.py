"""``chorus models`` against a hub of the test's own, with the real huggingface_hub, and models that really speak."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from cli.commands.models import models
from core.errors import ChorusError, WeightsError
from core.settings import load_settings, settings
from models.base import Item, Part, Speech, WeightsFile
from models.catalog import DEFAULT_FILE, frontend_class, load_catalog, load_model, read_catalog
from models.hub import client
from models.own_file import OwnFile
from models.weights import WeightsCache, files_of
from tests.checkpoints.mms import mms
from tests.checkpoints.openvoice import openvoice_converter, source_embedding
from tests.checkpoints.piper import piper_voice
from tests.local_hub import LocalHub, local_hub
from tests.shared_data import ROOT

VOICES = "rhasspy/piper-voices"
GRAPH = "en/en_GB/alba/medium/en_GB-alba-medium.onnx"
CARD = b"# Model card for alba (medium)\n\n* Language: en_GB\n\n## Dataset\n\n* License: CC BY 4.0\n"


@pytest.fixture(scope="module")
def alba(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small voice of Piper as rhasspy/piper-voices has it; it reads what piper-joe reads."""
    graph = piper_voice(tmp_path_factory.mktemp("piper"))
    joe = files_of(read_catalog(DEFAULT_FILE).get("piper-joe"), WeightsCache(load_settings().cache))("config")
    own, real = json.loads(graph.with_suffix(".onnx.json").read_bytes()), json.loads(joe.read_bytes())
    config = {**own, "phoneme_id_map": real["phoneme_id_map"]}
    return {
        GRAPH: graph.read_bytes(),
        f"{GRAPH}.json": json.dumps(config).encode(),
        "en/en_GB/alba/medium/MODEL_CARD": CARD,
        "README.md": b"---\nlicense: mit\n---\n",
    }


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """An empty hub, and an installation of the test's own that asks it."""
    with local_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("CHORUS_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("CHORUS_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("COLUMNS", "80")
        for name in ("CHORUS_OWN_MODELS_FILE", "HF_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(client, "GAP", 0.01)
        settings.cache_clear()
        load_catalog.cache_clear()
        yield found
    settings.cache_clear()
    load_catalog.cache_clear()


def run(*arguments: str) -> Result:
    """A command, as its own process would run it."""
    settings.cache_clear()
    load_catalog.cache_clear()
    return CliRunner().invoke(models, arguments)


def failed(result: Result) -> str:
    """What a command that failed says."""
    assert result.exit_code != 0, result.output
    return result.exception.message if isinstance(result.exception, ChorusError) else result.output


def own_file() -> Path:
    return load_settings().own_models


def entries() -> dict[str, Any]:
    return (yaml.safe_load(own_file().read_text()) or {}).get("models") or {} if own_file().exists() else {}


def speech_of(name: str, text: str = "Good morning.") -> Speech:
    """What a model of the catalog says, as a worker loads and runs it."""
    load_catalog.cache_clear()
    spec = load_catalog().get(name)
    files = files_of(spec, WeightsCache(load_settings().cache))
    voice = next(iter(spec.voices.values()))
    inputs = frontend_class(spec)(spec, files).inputs(text, voice.name, voice.language)
    (spoken,) = load_model(spec, files, "cpu").run([Item(inputs, seed=1)])
    assert isinstance(spoken, Speech), spoken
    return spoken


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# -- a voice


def test_a_voice_is_added_and_speaks(hub: LocalHub, alba: dict[str, bytes]) -> None:
    commit = hub.commit(VOICES, alba)
    result = run("add", "piper", "en_GB-alba-medium")
    assert result.exit_code == 0, result.output
    for line in (
        "licence    CC BY 4.0",
        "languages  en-GB",
        "voices     alba",
        f"origin     {VOICES} at {commit[:12]}",
    ):
        assert line in result.stdout
    assert "ok       piper-en_gb-alba-medium: spoke " in result.stdout
    assert "chorus up --models piper-en_gb-alba-medium" in result.stdout

    entry = entries()["piper-en_gb-alba-medium"]
    assert entry["weights"]["model"] == {
        "source": f"hf:{VOICES}@{commit}",
        "file": GRAPH,
        "sha256": sha256(alba[GRAPH]),
        "bytes": len(alba[GRAPH]),
    }
    assert entry["weights"]["config"]["sha256"] == sha256(alba[f"{GRAPH}.json"]), "no LFS file: it was read and hashed"
    spoken = speech_of("piper-en_gb-alba-medium")
    assert spoken.rate == 22050 and np.abs(spoken.samples).max() > 1e-3

    again = run("add", "piper", "en_GB-alba-medium")
    assert again.exit_code == 0 and len(hub.downloads(".onnx")) == 1, "what is there is not fetched again"
    assert own_file().read_text().count("piper-en_gb-alba-medium:") == 1


def test_a_language_of_mms_is_added_and_speaks(hub: LocalHub, tmp_path: Path) -> None:
    folder = mms(tmp_path / "mms", size="small")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.commit("facebook/mms-tts-eng", files, licence="cc-by-nc-4.0")
    refused = run("add", "mms", "eng")
    assert "forbids commercial use: cc-by-nc-4.0" in failed(refused) and "--yes" in refused.output
    assert hub.downloads(".safetensors") == [] and not own_file().exists()

    result = run("add", "mms", "eng", "--yes", "--name", "english", "--json")
    assert result.exit_code == 0, result.output
    shape = json.loads(result.stdout)
    assert shape["added"] and shape["licences"] == [
        {"of": "facebook/mms-tts-eng", "licence": "cc-by-nc-4.0", "commercial_use": "forbidden"}
    ]
    assert shape["checks"][0]["trial"]["finite"] and shape["models"][0]["languages"] == ["en"]
    assert entries()["english"]["licence"] == "cc-by-nc-4.0"
    assert speech_of("english", "good morning").rate == 16000


def test_a_repository_of_ones_own(hub: LocalHub, alba: dict[str, bytes]) -> None:
    both = {"a.onnx": alba[GRAPH], "a.onnx.json": alba[f"{GRAPH}.json"]}
    hub.commit("ann/voices", {**both, "b.onnx": b"x", "b.onnx.json": b"{}"}, licence="other", branch="v1")
    assert "with --type" in failed(run("add", "hf:ann/voices@v1"))
    assert "a.onnx, b.onnx" in failed(run("add", "hf:ann/voices@v1", "--type", "piper"))
    chosen = ("add", "hf:ann/voices@v1", "--type", "piper", "--file", "a.onnx")
    assert "may forbid commercial use: other" in failed(run(*chosen))
    result = run(*chosen, "--yes", "--name", "ann")
    assert result.exit_code == 0, result.output
    assert entries()["ann"]["languages"] == ["en-US"], "the language of its espeak voice"


def test_a_dry_run_fetches_and_writes_nothing(hub: LocalHub, alba: dict[str, bytes]) -> None:
    hub.commit(VOICES, alba)
    result = run("add", "piper", "en_GB-alba-medium", "--dry-run")
    assert result.exit_code == 0 and "type: piper" in result.stdout and "Nothing was written." in result.stdout
    assert hub.downloads(".onnx") == [] and not own_file().exists()


def test_a_voice_that_there_is_not(hub: LocalHub, alba: dict[str, bytes]) -> None:
    hub.commit(VOICES, alba)
    assert "It has en_GB-alba-medium." in failed(run("add", "piper", "en_GB-nobody-high"))
    assert "is no voice of Piper" in failed(run("add", "piper", "../../secret"))
    assert "no model facebook/mms-tts-xyz" in failed(run("add", "mms", "xyz"))
    assert "no family" in failed(run("add", "bark", "x"))
    assert "built-in model" in failed(run("add", "piper", "en_GB-alba-medium", "--name", "kokoro"))
    assert "no name of a model" in failed(run("add", "piper", "en_GB-alba-medium", "--name", "a: b"))
    assert "no revision" in failed(run("add", "piper", "en_GB-alba-medium", "--revision", "v9"))


def test_a_model_that_does_not_run_is_not_added(hub: LocalHub, alba: dict[str, bytes]) -> None:
    hub.commit(VOICES, {**alba, GRAPH: b"no graph"})
    result = run("add", "piper", "en_GB-alba-medium")
    assert "WRONG    piper-en_gb-alba-medium" in failed(result) and "Not added" in result.output
    assert not own_file().exists()


def test_chorus_up_serves_what_was_added_to_its_home(hub: LocalHub, tmp_path: Path) -> None:
    files = {"model": {"source": "file:/x", "file": "a.onnx", "sha256": "0" * 64}}
    entry = {"type": "silero", "weights": files, "batch": {"cpu": {"items": 1, "cost": 5}}}
    OwnFile(tmp_path / "elsewhere" / "models.yaml").add({"mine": entry})
    command = [sys.executable, "-m", "cli.main", "up", "--home", str(tmp_path / "elsewhere"), "--models", "nothing"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "whisper-tiny.en, mine." in done.stderr, done.stderr


# -- without a network


def test_without_a_network_it_says_what_is_needed(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = failed(run("add", "piper", "en_GB-alba-medium"))
    assert "HF_HUB_OFFLINE is set" in told and f"{GRAPH} and en_GB-alba-medium.onnx.json" in told
    assert told.endswith("--from FOLDER.") and "\n" not in told and hub.asked == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    told = failed(run("add", "mms", "deu"))
    assert "cannot be reached" in told and "vocab.json" in told and "--from FOLDER" in told


def test_from_a_folder(hub: LocalHub, alba: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "voices"
    folder.mkdir()
    (folder / "en_GB-alba-medium.onnx").write_bytes(alba[GRAPH])
    arguments = ("add", "piper", "en_GB-alba-medium", "--from", str(folder))
    assert f"no file {GRAPH}.json" in failed(run(*arguments))
    (folder / "en_GB-alba-medium.onnx.json").write_bytes(alba[f"{GRAPH}.json"])
    assert "states no licence" in failed(run(*arguments))
    (folder / "MODEL_CARD").write_bytes(CARD)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    weights = entries()["piper-en_gb-alba-medium"]["weights"]
    assert weights["model"]["source"] == f"file:{folder}" and weights["model"]["file"] == "en_GB-alba-medium.onnx"
    assert speech_of("piper-en_gb-alba-medium").rate == 22050 and hub.asked == []


def test_a_model_of_several_entries(hub: LocalHub, tmp_path: Path) -> None:
    """OpenVoice V2: an encoder and a converter with the embeddings of base voices."""
    converter = openvoice_converter(tmp_path / "v2" / "converter", size="small")
    source_embedding(tmp_path / "v2" / "base_speakers" / "ses" / "en-us.pth")
    files = {path.relative_to(tmp_path / "v2").as_posix(): path for path in (tmp_path / "v2").rglob("*.*")}
    hub.commit("myshell-ai/OpenVoiceV2", {name: path.read_bytes() for name, path in files.items()})
    result = run("add", "openvoice-v2")
    assert result.exit_code == 0, result.output
    found = entries()
    assert list(found) == ["openvoice-v2-encoder", "openvoice-v2-converter"] and converter.is_dir()
    assert found["openvoice-v2-converter"]["weights"].keys() == {"model", "config", "source_en_us"}
    assert len(hub.downloads("checkpoint.pth")) == 1, "both have one checkpoint"


# -- lists, and removal


def test_list_and_remove(hub: LocalHub, alba: dict[str, bytes]) -> None:
    hub.commit(VOICES, alba)
    assert run("add", "piper", "en_GB-alba-medium").exit_code == 0
    assert run("add", "piper", "en_GB-alba-medium", "--name", "alba").exit_code == 0
    own_file().write_text(own_file().read_text().replace("  alba:\n", "  # mine\n  alba:\n"))
    lines = run("list").stdout.splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) == 1 + len(read_catalog(DEFAULT_FILE).models) + 2
    assert lines[-1].split()[:4] == ["alba", "piper", "en-GB", "1"] and "present  hf:rhas…" in lines[-1]
    assert "built in" in lines[1]
    shape = json.loads(run("list", "--json").stdout)["models"]
    assert [one["name"] for one in shape if one["added"]] == ["piper-en_gb-alba-medium", "alba"]

    graph = WeightsCache(load_settings().cache).place(load_catalog().get("alba").weights["model"])
    kept = run("remove", "piper-en_gb-alba-medium", "--weights")
    assert kept.exit_code == 0 and "No weights were deleted" in kept.stdout and graph.is_file()
    assert "# mine" in own_file().read_text() and list(entries()) == ["alba"]
    gone = run("remove", "alba", "--weights")
    assert gone.exit_code == 0 and "Deleted " in gone.stdout and not graph.parent.exists()
    assert entries() == {}
    assert "built in" in failed(run("remove", "kokoro")) and "was not added" in failed(run("remove", "alba"))


def test_two_at_once_do_not_clash(hub: LocalHub, alba: dict[str, bytes]) -> None:
    hub.commit(VOICES, alba)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "cli.main", "models", "add", "piper", "en_GB-alba-medium", "--name", name],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        told, _ = process.communicate(timeout=120)
        assert process.returncode == 0, told
    assert sorted(entries()) == ["one", "two"]
    assert len(hub.downloads(".onnx")) == 1


# -- a commit is what it is


def test_a_file_that_changes_under_its_revision_is_refused(hub: LocalHub, alba: dict[str, bytes]) -> None:
    hub.commit(VOICES, alba)
    hub.behaviour.contents[GRAPH] = alba[GRAPH][:-1] + b"x"
    result = run("add", "piper", "en_GB-alba-medium")
    assert f"instead of {sha256(alba[GRAPH])}" in failed(result) and not own_file().exists()
    hub.behaviour.contents = {f"{GRAPH}.json": alba[f"{GRAPH}.json"].replace(b"22050", b"16000")}
    assert "is not the file that the commit has" in failed(run("add", "piper", "en_GB-alba-medium"))

    hub.behaviour.contents.clear()
    assert run("add", "piper", "en_GB-alba-medium").exit_code == 0
    first = entries()["piper-en_gb-alba-medium"]
    hub.commit(VOICES, {**alba, f"{GRAPH}.json": alba[f"{GRAPH}.json"] + b" "})
    assert "another entry" in failed(run("add", "piper", "en_GB-alba-medium")), "the branch leads elsewhere now"
    assert entries()["piper-en_gb-alba-medium"] == first


class Download:
    """The graph of the voice as an entry names it, fetched as a worker does."""

    def __init__(self, commit: str, content: bytes) -> None:
        self.digest = sha256(content)
        part = Part(source=f"hf:{VOICES}@{commit}", file=GRAPH)
        self.file = WeightsFile(name="a.onnx", parts=(part,), sha256=self.digest, bytes=len(content))
        self.cache = WeightsCache(load_settings().cache)
        self.partial = self.cache.root / "partial" / self.digest

    def fetch(self) -> bytes:
        return self.cache.path("m", self.file).read_bytes()


def test_an_interrupted_download_goes_on(hub: LocalHub, alba: dict[str, bytes]) -> None:
    download = Download(hub.commit(VOICES, alba), alba[GRAPH])
    hub.behaviour.breaks_after[GRAPH] = 1000  # each time
    with pytest.raises(WeightsError, match="cannot be reached"):
        download.fetch()
    broken = hub.downloads(".onnx")
    assert [one.range for one in broken[:3]] == [None, "bytes=1000-", "bytes=2000-"], "the connection was taken up"
    hub.behaviour.breaks_after.clear()
    hub.asked.clear()
    assert download.fetch() == alba[GRAPH] and not download.partial.exists()
    (last,) = hub.downloads(".onnx")
    assert last.range == f"bytes={1000 * len(broken)}-", "and so was the download, by another call"


def test_a_hub_without_ranges_and_a_damaged_part(hub: LocalHub, alba: dict[str, bytes]) -> None:
    download = Download(hub.commit(VOICES, alba), alba[GRAPH])
    hub.behaviour.ignores_ranges = True
    download.partial.parent.mkdir(parents=True)
    download.partial.write_bytes(b"rubbish")
    assert download.fetch() == alba[GRAPH]
    hub.behaviour.ignores_ranges = False
    download.cache.place(download.file).unlink()
    download.partial.write_bytes(b"rubbish")
    assert download.fetch() == alba[GRAPH], "it is fetched once more, from its beginning"
    assert [one.range for one in hub.downloads(".onnx")] == ["bytes=7-", "bytes=7-", None]
    download.cache.place(download.file).unlink()
    download.partial.write_bytes(alba[GRAPH] + b"too long")
    assert download.fetch() == alba[GRAPH]


# -- a hostile hub


def test_names_of_files_do_not_lead_out(hub: LocalHub, tmp_path: Path) -> None:
    names = [
        "../../../../etc/passwd",
        "/etc/passwd",
        "voices/../../x.pt",
        "voices/a\nb: c.pt",
        "voices/.x.pt",
        7,
        "a\\b",
    ]
    hub.behaviour.siblings = names
    hub.commit("ann/x", {"config.json": b"{}", "good/x.onnx": b""})
    assert client.Hub.configured().repository("ann/x").names() == {"config.json", "good/x.onnx"}


@pytest.mark.parametrize("stated", [3, 10**12, -1])
def test_sizes_that_lie(hub: LocalHub, alba: dict[str, bytes], stated: int) -> None:
    hub.commit(VOICES, alba)
    hub.behaviour.sizes[GRAPH] = stated
    failed(run("add", "piper", "en_GB-alba-medium"))
    assert not own_file().exists()
    kept = [path.stat().st_size for path in (load_settings().cache / "partial").glob("*")]
    assert sum(kept) <= max(len(alba[GRAPH]) if stated > 3 else 3, 0), "nothing beyond what was stated is kept"


def test_bodies_without_an_end(hub: LocalHub, alba: dict[str, bytes]) -> None:
    hub.commit(VOICES, alba)
    hub.behaviour.endless = {GRAPH}
    assert "sends more than the" in failed(run("add", "piper", "en_GB-alba-medium"))
    hub.behaviour.endless = {f"{GRAPH}.json"}
    assert "sends more than the" in failed(run("add", "piper", "en_GB-alba-medium"))
    assert not own_file().exists()


def test_redirects_to_internal_addresses(
    hub: LocalHub, alba: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    download = Download(hub.commit(VOICES, alba), alba[GRAPH])
    with local_hub() as other:
        other.commit(VOICES, alba)
        port = other.url.rsplit(":", 1)[1]
        place = f"/{VOICES}/resolve/main/{GRAPH}"
        hostile = (
            f"{other.url}{place}",
            f"http://localhost:{port}{place}",
            f"http://127.1:{port}{place}",
            "http://169.254.169.254/latest/",
            "http://[::1]/",
            "file:///etc/passwd",
        )
        for target in hostile:
            hub.behaviour.redirects[GRAPH] = target
            with pytest.raises(WeightsError, match=r"is not called|is not followed|cannot be reached"):
                download.fetch()
        assert other.asked == [] and not download.partial.exists()

        monkeypatch.setenv("CHORUS_EGRESS_ALLOW", f"localhost:{port}")
        hub.behaviour.redirects[GRAPH] = f"http://localhost:{port}{place}"
        assert download.fetch() == alba[GRAPH]
        assert {one.authorization for one in hub.asked} == {"Bearer hf_secret"}
        assert {one.authorization for one in other.asked} == {None}, "the token stays with the hub"


@pytest.mark.parametrize(
    "licence",
    [
        'mit"\n  evil:\n    type: silero\n',
        "mit: {a: b}",
        ["mit", "!!python/object/apply:os.system [x]"],
        {"a": 1},
        "\x1b[2J\x1b]0;owned\x07 [bold red]mit[/]",
        "mit\u202e\u2066txt.exe",
        "x" * 100_000,
    ],
)
def test_licences_stay_text(hub: LocalHub, licence: object) -> None:
    files = {"model.safetensors": b"", "config.json": b'{"model_type": "vits"}', "vocab.json": b"{}"}
    hub.commit("facebook/mms-tts-eng", {**files, "tokenizer_config.json": b"{}"}, licence=licence)
    result = run("add", "mms", "eng", "--dry-run")
    assert result.exit_code == 0, result.output
    assert not {c for c in result.output if c < " " and c != "\n"} and "\u202e" not in result.output
    assert max(map(len, result.output.splitlines())) < 250
    shape = json.loads(run("add", "mms", "eng", "--dry-run", "--json").stdout)
    OwnFile(own_file()).add(shape["entries"])
    assert entries() == shape["entries"] and list(entries()) == ["mms-eng"]
    assert len(entries()["mms-eng"]["licence"]) <= 100


@pytest.mark.parametrize(
    "change",
    [
        {"speaker_id_map": {"a: b": 0, "c": 1}, "num_speakers": 2},
        {"speaker_id_map": {"\x1b[31m": 0, "c": 1}, "num_speakers": 2},
        {"speaker_id_map": {}, "num_speakers": 100_000},
        {"audio": {"sample_rate": "22050\nx: y"}},
        {"phoneme_id_map": "x"},
    ],
)
def test_configurations_are_read_with_care(hub: LocalHub, alba: dict[str, bytes], change: dict[str, Any]) -> None:
    config = json.loads(alba[f"{GRAPH}.json"]) | change
    hub.commit(VOICES, {**alba, f"{GRAPH}.json": json.dumps(config).encode()})
    told = failed(run("add", "piper", "en_GB-alba-medium"))
    assert "\x1b" not in told and "\n" not in told.strip() and len(told) < 500, told
    assert hub.downloads(".onnx") == [] and not own_file().exists()


@pytest.mark.parametrize(
    "answer",
    [
        {"sha": "main"},
        {"sha": None},
        {"siblings": 7},
        {"cardData": ["x"]},
        {"cardData": {"self": 1}},
        {"id": [1] * 1000},
    ],
)
def test_answers_that_make_no_sense(hub: LocalHub, alba: dict[str, bytes], answer: dict[str, Any]) -> None:
    hub.commit(VOICES, alba)
    hub.behaviour.answer = answer
    result = run("add", "piper", "en_GB-alba-medium", "--dry-run")
    assert result.exit_code == 0 or isinstance(result.exception, ChorusError), result.output


def test_other_tricks(hub: LocalHub, alba: dict[str, bytes]) -> None:
    commit = hub.commit(VOICES, alba)
    hub.behaviour.sha256[GRAPH] = "../../x"
    assert "no valid size or sha256" in failed(run("add", "piper", "en_GB-alba-medium"))
    hub.behaviour.sha256.clear()
    hub.behaviour.headers = {"Content-Encoding": "gzip"}
    assert "compressed" in failed(run("add", "piper", "en_GB-alba-medium"))
    hub.behaviour.headers = {"X-HF-Warning": "a; \x1b[2J printed"}
    assert "printed" not in run("add", "piper", "en_GB-alba-medium", "--dry-run").output
    hub.behaviour.headers = {}
    hub.branches[VOICES, commit[::-1]] = commit
    assert "answers for the commit" in failed(run("add", "piper", "en_GB-alba-medium", "--revision", commit[::-1]))
