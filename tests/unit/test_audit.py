"""What ``make lint`` concludes from pip-audit's output. The outputs were recorded from pip-audit 2.10.1, shortened."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.audit import ACCEPTED, ROOT, audit, judge

CLEAN = {"name": "flask", "version": "3.1.2", "vulns": []}
UNKNOWN = {
    "name": "amqp",
    "skip_reason": "Dependency not found on PyPI and could not be audited: amqp (5.4.2)",
}
FLAW = {
    "id": "PYSEC-2021-66",
    "fix_versions": ["2.11.3"],
    "aliases": ["CVE-2020-28493", "GHSA-g3rq-g295-4j3m"],
    "description": "This affects the package jinja2 from 0.0.0 and before 2.11.3.",
}
FLAWED = {"name": "jinja2", "version": "2.11.0", "vulns": [FLAW]}

HINT = (
    "WARNING:pip_audit._cli:--no-deps is supported, but users are encouraged to fully hash their pinned dependencies\n"
)

UNREACHABLE = {
    "no name service": "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='service', port=443): Max retries"
    " exceeded with url: /v1/query (Caused by NameResolutionError(\"Failed to resolve 'service'\"))",
    "a proxy that is away": "requests.exceptions.ProxyError: HTTPSConnectionPool(host='service', port=443): Max retries"
    " exceeded (Caused by ProxyError('Unable to connect to proxy'))",
    "slow": "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='service', port=443): Read timed out.",
    "a page of a portal": "requests.exceptions.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    "an error of the service": "pip_audit._service.interface.ServiceError",
    "no connection": "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed",
}


def report(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_known_vulnerability_fails_with_its_names_and_the_fix() -> None:
    outcome = judge(report(CLEAN, FLAWED, UNKNOWN), HINT)
    assert not outcome.passed
    assert outcome.lines[0] == ("jinja2 2.11.0: PYSEC-2021-66 CVE-2020-28493 GHSA-g3rq-g295-4j3m; fixed in 2.11.3")
    assert "Audited 2 of 3 dependencies: 1 known" in outcome.lines[-1] and "amqp" in outcome.lines[-1]


@pytest.mark.parametrize("name", [FLAW["id"], "CVE-2020-28493"])
def test_an_accepted_one_passes_under_any_of_its_names(name: str) -> None:
    assert judge(report(FLAWED), HINT, {name: "Chorus renders no template of users."}).passed
    assert not judge(report(FLAWED), HINT, {"CVE-1999-0001": "another one"}).passed


def test_an_accepted_one_that_is_gone_is_told() -> None:
    outcome = judge(report(CLEAN), HINT, {"CVE-2020-28493": "Chorus renders no template of users."})
    assert outcome.passed and "CVE-2020-28493 is accepted" in outcome.lines[0]


def test_packages_that_the_service_does_not_know_pass_and_are_counted() -> None:
    outcome = judge(report(UNKNOWN, {**UNKNOWN, "name": "billiard"}), HINT)
    assert outcome.passed and outcome.lines == (
        "No dependency was audited: the vulnerability service knows none of 2 packages.",
    )
    assert judge(report(CLEAN), HINT).lines == ("Audited 1 of 1 dependencies: no known vulnerabilities.",)


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_service_that_is_away_passes_in_one_line(name: str) -> None:
    outcome = judge("", f"{HINT}Traceback (most recent call last):\n  File ...\n{UNREACHABLE[name]}\n")
    assert outcome.passed and len(outcome.lines) == 1 and outcome.lines[0].startswith("No dependency was audited")


@pytest.mark.parametrize(
    "stderr",
    [
        "ERROR:pip_audit._cli:requirement jinja2 is not pinned to an exact version: jinja2>=2.11.0",
        "/usr/bin/python: No module named pip_audit",
        "AttributeError: 'NoneType' object has no attribute 'get'",
        "",
    ],
)
def test_any_other_failure_fails(stderr: str) -> None:
    assert not judge("", HINT + stderr).passed
    assert not judge("", stderr).passed


def test_every_accepted_one_has_a_reason() -> None:
    assert all(len(reason.split()) >= 4 for reason in ACCEPTED.values())


def test_it_ends_in_time_and_shows_pip_audit_what_is_pinned(tmp_path: Path) -> None:
    """A stand-in for pip-audit, since whether the service is there is not for this test to say."""
    program = tmp_path / "program.py"
    program.write_text("import time; time.sleep(60)")
    slow = audit([sys.executable, str(program)], ROOT / "constraints.txt", limit=0.5)
    assert slow.passed and "did not answer" in slow.lines[0]
    program.write_text(
        "import json, pathlib, sys\n"
        "assert {'--no-deps', '--disable-pip'} <= set(sys.argv)\n"
        "pins = pathlib.Path(sys.argv[-1]).read_text()\n"
        "assert 'flask==' in pins\n"
        f"print({report(FLAWED)!r}); sys.exit(1)\n"
    )
    assert not audit([sys.executable, str(program)], ROOT / "constraints.txt").passed
