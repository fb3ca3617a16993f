"""The file of an installation's own models: entries come and go, and what else is in it stays."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError, InvalidRequest
from core.settings import Settings
from models import catalog
from models.own_file import OwnFile, written

ENTRY: dict[str, Any] = {
    "type": "silero",
    "weights": {"model": {"source": "file:/x", "file": "a.onnx", "sha256": "0" * 64, "bytes": 3}},
    "batch": {"cpu": {"items": 1, "cost": 5}},
    "licence": "MIT",
}
OLD = f"weights: {{model: {{source: 'file:/x', file: a.onnx, sha256: '{'1' * 64}'}}}}"
BY_HAND = f"""\
# by hand
models:   # mine
    first:
        type: silero
        {OLD}  # why
        batch: {{cpu: {{items: 1, cost: 5}}}}

    # about the second
    second:
        type: silero
        {OLD}
        batch:
            cpu: {{items: 1, cost: 5}}
# the end
"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only this\n",
        "models:\n",
        "models: {}\n",
        "models:",
        "models: {}  # none",
        "models: null\n",
        BY_HAND,
        BY_HAND.rstrip(),
    ],
)
def test_entries_come_and_go(tmp_path: Path, text: str) -> None:
    own = OwnFile(tmp_path / "home" / "models.yaml")
    if text:
        own.path.parent.mkdir()
        own.path.write_text(text)
    before = own.entries()
    own.add({"new-1": ENTRY, "new-2": ENTRY})
    own.add({"new-1": ENTRY})  # the same again
    assert own.entries() == {**before, "new-1": ENTRY, "new-2": ENTRY}
    assert list(own.entries())[-2:] == ["new-1", "new-2"]
    own.remove("new-1")
    assert own.entries() == {**before, "new-2": ENTRY}
    own.remove("new-2")
    assert own.entries() == before
    own.add({"new-1": ENTRY})
    assert own.entries() == {**before, "new-1": ENTRY}
    assert all(line in own.path.read_text() for line in text.splitlines() if "#" in line and "{}" not in line)


def test_comments_stay_where_they_are(tmp_path: Path) -> None:
    own = OwnFile(tmp_path / "models.yaml")
    own.path.write_text(BY_HAND)
    own.add({"third": ENTRY})
    text = own.path.read_text()
    assert text.index("# the end") > text.index("    third:") and text.startswith(BY_HAND.removesuffix("# the end\n"))
    own.remove("first")
    assert own.path.read_text().startswith("# by hand\nmodels:   # mine\n\n    # about the second\n    second:")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("models: {a: {type: silero}}\n", "Field required"),
        ("models: [a]\n", "valid dictionary"),
        ("other: 1\n", "Extra inputs"),
        ("models:\n  a: &x\n    type: [\n", "expected"),
        (f"models: {{a: {{type: silero, {OLD}, batch: {{cpu: {{items: 1, cost: 5}}}}}}}}\n", "without braces"),
    ],
)
def test_a_file_that_cannot_be_changed_stays(tmp_path: Path, text: str, reason: str) -> None:
    own = OwnFile(tmp_path / "models.yaml")
    own.path.write_text(text)
    with pytest.raises(ConfigurationError, match=reason):
        own.add({"new": ENTRY})
    assert own.path.read_text() == text


def test_an_entry_that_others_refer_to_is_not_removed(tmp_path: Path) -> None:
    own = OwnFile(tmp_path / "models.yaml")
    shared = BY_HAND.replace("weights: {model", "weights: &shared {model", 1)
    head, tail = shared.rsplit(OLD, 1)
    own.path.write_text(f"{head}weights: *shared{tail}")
    before = own.path.read_text()
    with pytest.raises(ConfigurationError):
        own.remove("first")
    assert own.path.read_text() == before


def test_names_that_are_taken_or_missing(tmp_path: Path) -> None:
    own = OwnFile(tmp_path / "models.yaml")
    own.add({"a": ENTRY})
    with pytest.raises(InvalidRequest, match="another entry 'a'") as error:
        own.add({"b": ENTRY, "a": {**ENTRY, "licence": "x"}})
    assert error.value.code == "model_exists" and list(own.entries()) == ["a"], "all of them, or none"
    with pytest.raises(InvalidRequest, match="has no model 'b'"):
        own.remove("b")
    with pytest.raises(ConfigurationError, match="bad name"):
        own.add({"bad name": ENTRY})


def test_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    names = [f"m-{number}" for number in range(12)]
    threads = [threading.Thread(target=OwnFile(path).add, args=({name: ENTRY},)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(OwnFile(path).entries()) == sorted(names)


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_any_text_stays_text(licence: str, voice: str, description: str) -> None:
    entry = {**ENTRY, "licence": licence, "voices": {voice: {"language": "no", "description": description}}}
    text = f"models:\n{written({'a': entry})}"
    assert yaml.safe_load(text) == {"models": {"a": entry}}


def test_it_is_laid_over_the_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path, own_models_file=None)
    assert settings.own_models == tmp_path / "models.yaml"
    monkeypatch.setenv("CHORUS_OWN_MODELS_FILE", "")
    assert Settings(home=tmp_path).own_models == tmp_path / "models.yaml"
    assert Settings(own_models_file=tmp_path / "x.yaml").own_models == tmp_path / "x.yaml"
    monkeypatch.setattr(catalog, "settings", lambda: settings)
    shipped = catalog.read_catalog(catalog.DEFAULT_FILE)
    load = catalog.load_catalog.__wrapped__
    assert load().models == shipped.models, "no file is no models"
    OwnFile(settings.own_models).add({"silero": ENTRY, "mine": ENTRY})
    assert list(load().models) == [*shipped.models, "mine"]
    assert load().get("silero").weights["model"].bytes == 3
    text = settings.own_models.read_text()
    settings.own_models.write_text(text.replace("silero\n", "nothing\n", 1))
    with pytest.raises(ConfigurationError, match=rf"{settings.own_models}:5: .*'nothing' does not exist"):
        load()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be"):
        OwnFile(tmp_path / "file" / "models.yaml").add({"a": ENTRY})
    assert OwnFile(Path(os.devnull)).entries() == {}
