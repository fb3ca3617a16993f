"""The API does what its description says: Schemathesis against a whole stack, and every example of the description.

Examples, coverage (each bound from either side, each field missing or of another type, each other method), random
requests and chains of them along the links; all of its checks: no 5xx, no status, media type, header or shape that is
not described, nothing let in without a key, nothing refused that fits and nothing taken that does not, what was
deleted is gone and what was made is there. Few random requests in each run of the tests, many in ``make proof``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.names import Scope
from storage.access.keys import create_key, digest_of, key_id
from tests.acceptance.simulated_stack import simulated_stack
from tests.stack_access import StackAccess

pytestmark = [pytest.mark.slow, pytest.mark.patient]

FUZZING = Path(__file__).with_name("fuzzing")
ROOT = Path(__file__).resolve().parents[2]

#: Seconds that all of Schemathesis may take; on two idle cores it takes two or three minutes.
PATIENCE = 900


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAccess]:
    with simulated_stack(tmp_path_factory.mktemp("described")) as stack:
        stack.wait_ready(240)
        with StackAccess(stack) as found:
            yield found


def examples(document: dict[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    """Method, path, name and value of every example of a request."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for name, example in content.get("examples", {}).items():
                yield method, path, name, example["value"]


def test_every_example_works_as_it_is(access: StackAccess) -> None:
    document = access.http.get("/openapi.json").json()
    voice = access.http.post("/v1/voices", json=example_of(document, "/v1/voices")).json()["id"]
    ended = access.run({"pipeline": "voice_match", "text": "Ready?", "reference": example_reference(document)})
    assert ended["state"] == "succeeded", ended["error"]
    wait_for_voice(access, voice)
    lexicon = access.http.post("/v1/lexicons", json=example_of(document, "/v1/lexicons")).json()["id"]
    names = set()
    for method, path, name, value in examples(document):
        voice_id = "tone" if "preview" in path else voice
        address = path.format(job_id=f"example-{name}", voice_id=voice_id, lexicon_id=lexicon)
        answer = access.http.request(method, address, json=value)
        assert answer.is_success, (method, path, name, answer.text)
        names.add((method, path))
        if not answer.headers["Content-Type"].startswith("application/json"):
            assert answer.headers["Content-Type"].startswith("audio/"), (method, path, name)
            continue
        made = answer.json().get("id", "")
        if made.startswith("job_"):
            ended = access.wait(made)
            assert ended["state"] == "succeeded", (method, path, name, ended["error"])
        if made.startswith("vo_"):
            wait_for_voice(access, made)
    assert ("post", "/v1/audio/speech") in names
    assert {("post", "/v1/jobs"), ("post", "/v1/batches"), ("post", "/v1/voices"), ("post", "/v1/embed")} <= names


def example_of(document: dict[str, Any], wanted: str) -> Any:
    return next(value for _, path, _, value in examples(document) if path == wanted)


def example_reference(document: dict[str, Any]) -> Any:
    return next(value for *_, value in examples(document) if "reference" in value)["reference"]


def wait_for_voice(access: StackAccess, voice: str) -> None:
    found = access.settled_voice(voice)
    assert found["state"] == "ready", found["error"]


@pytest.mark.timeout(PATIENCE + 120)
@pytest.mark.parametrize("share", [0.25, pytest.param(1.0, marks=pytest.mark.proof)], ids=["short", "whole"])
def test_schemathesis_finds_nothing(access: StackAccess, tmp_path: Path, share: float) -> None:
    report = tmp_path / "report.json"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration(tmp_path, share))),
        *("run", f"{access.stack.url}/openapi.json", "--no-color"),
        *("--report", "json", "--report-json-path", str(report)),
    ]
    secret = create_key(access.redis, "local", scopes=frozenset(Scope))
    env = {
        **os.environ,
        "CHORUS_API_KEY": secret,
        "CHORUS_KEPT_KEYS": " ".join(key_id(digest_of(one)) for one in (secret, access.stack.api_key)),
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": os.pathsep.join((str(FUZZING), str(ROOT))),
    }
    ran = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stdout[-30_000:] + ran.stderr[-5_000:]
    check_that_it_looked(json.loads(report.read_text()), share)
    check_that_the_stack_is_well(access)


def configuration(folder: Path, share: float) -> Path:
    """Schemathesis's configuration, with a share of its random requests."""
    text = (FUZZING / "schemathesis.toml").read_text()
    path = folder / "schemathesis.toml"
    path.write_text(re.sub(r"(?<=^max-examples = )\d+", lambda m: str(int(int(m[0]) * share)), text, flags=re.M))
    return path


def check_that_it_looked(report: dict[str, Any], share: float) -> None:
    """Every operation was tested in every phase, and requests got as far as to make things."""
    assert report["complete"]
    assert report["operations"]["tested"] == report["operations"]["total"] >= 60
    assert {name: phase["status"] for name, phase in report["phases"].items()} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    assert report["test_cases"]["generated"] > 2000 * share
    for kind in ("missing_auth", "unsupported_regex", "missing_deserializer", "unresolvable_reference"):
        assert report["warnings"][kind] == []
    accepted = {
        operation: sum(phase["accepted"] for phase in phases.values())
        for operation, phases in report["valid_rates"].items()
    }
    assert accepted["POST /v1/webhooks"] and accepted["PATCH /v1/webhooks/{endpoint_id}"], accepted
    for operation in ("POST /v1/jobs", "PUT /v1/jobs/{job_id}", "POST /v1/batches", "POST /v1/voices"):
        assert accepted[operation] >= 10 * share, accepted


def check_that_the_stack_is_well(access: StackAccess) -> None:
    """Whatever was accepted ends, no process had to be started again, and nothing unforeseen was met."""
    access.wait_for_all(120)
    assert access.http.get("/readyz").status_code == 200
    assert {name: entry["restarts"] for name, entry in access.stack.processes().items() if entry["restarts"]} == {}
    for log in access.home.logs.glob("*.log"):
        assert "Traceback" not in log.read_text(errors="replace"), log


def test_nothing_is_let_in_without_a_key(access: StackAccess) -> None:
    document = access.http.get("/openapi.json").json()
    seen = 0
    for path, methods in document["paths"].items():
        for method in methods:
            answer = httpx.request(method, f"{access.stack.url}{path.replace('{', '').replace('}', '')}")
            assert (answer.status_code == 401) == path.startswith("/v1/"), (method, path, answer.status_code)
            seen += answer.status_code == 401
    assert seen >= 28
