"""What goes wrong in a model, through a whole running stack whose model goes wrong on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.local.stack import Stack
from tests.shared_data import ROOT
from tests.stack_access import StackAccess

pytestmark = pytest.mark.patient


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAccess]:
    env = {
        "CHORUS_MODELS_FILE": str(ROOT / "benchmarks/models.yaml"),
        "CHORUS_PIPELINES_FILE": str(ROOT / "benchmarks/pipelines.yaml"),
        "CHORUS_LEASE": "5",
    }
    with Stack(tmp_path_factory.mktemp("sim") / "home", models=["sim"], env=env) as stack:
        stack.wait_ready()
        with StackAccess(stack) as found:
            yield found


#: Of "Hello." in its text, in characters.
PLACE = {"chapter": 0, "start": 0, "end": 6}


def test_a_job_whose_model_fails_ends_with_code_step_and_message(access: StackAccess) -> None:
    job = access.run({"pipeline": "sim", "text": "Hello.", "options": {"fail": "error"}})
    assert job["state"] == "failed"
    assert job["error"] == {
        "code": "model_failed",
        "message": "The simulated model failed on this item.",
        "step": "synthesize",
        "retryable": False,
        **PLACE,
    }
    assert job["errors"] == [{"utterance": 0, **job["error"]}]
    assert job["result"] is None


def test_one_bad_item_fails_alone(access: StackAccess) -> None:
    slow = access.submit({"pipeline": "sim", "text": "Wait.", "options": {"batch_seconds": 1.0}})
    good = [access.submit({"pipeline": "sim", "text": f"Good number {n}."}) for n in range(6)]
    bad = access.submit({"pipeline": "sim", "text": "Bad.", "options": {"fail": "crash"}})
    assert access.wait(bad["id"])["error"]["code"] == "model_failed"
    assert {access.wait(job["id"])["state"] for job in [slow, *good]} == {"succeeded"}


def test_a_model_that_hangs_is_ended_and_the_job_with_it(access: StackAccess) -> None:
    body = {"pipeline": "sim", "text": "Hang.", "options": {"batch_seconds": 3000.0}, "deadline": 8}
    job = access.wait(access.submit(body)["id"], 40)
    assert (job["state"], job["error"]["code"]) == ("failed", "deadline_exceeded")
    # The worker ends itself once its model is past batch_timeout, and the next one serves on.
    assert access.run({"pipeline": "sim", "text": "Hello again."}, 60)["state"] == "succeeded"
