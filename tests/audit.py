"""Known vulnerabilities of the pinned dependencies: ``python -m tests.audit``, part of ``make lint``.

Runs pip-audit over ``constraints.txt``. The exit code is 1 if a pinned release has a known vulnerability that
`ACCEPTED` does not list, or if pip-audit fails for a reason other than its service. Where the service is away, or does
not know a package, the check passes and its last line says what was not audited: a build without network is green.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

#: Vulnerabilities that are not fixed by a release yet and do not affect Chorus: id (or alias) and why. Remove an entry
#: once pip-audit no longer reports it; the output says so.
ACCEPTED: Mapping[str, str] = {}

#: Seconds that the whole audit may take, and that one request may wait.
LIMIT, REQUEST = 60.0, 10

#: Last lines of a pip-audit that could not use its vulnerability service.
_UNREACHABLE = re.compile(
    r"^(requests\.exceptions\.\w+|urllib3\.exceptions\.\w+|pip_audit\._service\.interface\.(Service|Connection)Error)\b"
    r"|^ERROR:.*(could not connect|not redirecting properly|\btime[d -]?out\b)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the check passes, and the lines to print."""

    passed: bool
    lines: tuple[str, ...]


def judge(stdout: str, stderr: str, accepted: Mapping[str, str] = ACCEPTED) -> Outcome:
    """The outcome of a pip-audit that ended with this output (``--format json``)."""
    report = _report(stdout)
    if report is None:
        last = (stderr.strip().splitlines() or ["pip-audit printed nothing."])[-1]
        if _UNREACHABLE.search(stderr):
            return Outcome(True, (f"No dependency was audited: the vulnerability service is not available ({last}).",))
        return Outcome(False, (f"pip-audit failed: {last}",))
    found, used = [], set()
    for package in report:
        for flaw in package.get("vulns", ()):
            names = [flaw["id"], *flaw.get("aliases", ())]
            if known := [name for name in names if name in accepted]:
                used.update(known)
                continue
            fixed = ", ".join(flaw.get("fix_versions", ())) or "no release"
            found.append(f"{package['name']} {package['version']}: {' '.join(names)}; fixed in {fixed}")
    stale = [f"{name} is accepted in tests/audit.py, but no longer reported." for name in accepted if name not in used]
    return Outcome(not found, (*found, *stale, _summary(report, len(found))))


def _report(stdout: str) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, list) else None


def _summary(report: Sequence[Mapping[str, Any]], flaws: int) -> str:
    skipped = [str(package["name"]) for package in report if "skip_reason" in package]
    audited = len(report) - len(skipped)
    if not audited:
        return f"No dependency was audited: the vulnerability service knows none of {len(skipped)} packages."
    text = f"Audited {audited} of {len(report)} dependencies: {flaws or 'no'} known vulnerabilities."
    if skipped:
        text += f" Not known to the service: {', '.join(skipped[:5])}{' ...' if len(skipped) > 5 else ''}."
    return text


def audit(program: Sequence[str], constraints: Path, limit: float = LIMIT) -> Outcome:
    """Run ``program`` (pip-audit) over ``constraints``, for ``limit`` seconds at most."""
    options = ("--format", "json", "--progress-spinner", "off", "--timeout", str(REQUEST))
    command = [*program, *options, "--no-deps", "--disable-pip", "--requirement", str(constraints)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        detail = f"the vulnerability service did not answer within {limit:.0f} s"
        return Outcome(True, (f"No dependency was audited: {detail}.",))
    return judge(ended.stdout, ended.stderr)


def main() -> int:
    """The exit code of ``make lint``'s audit."""
    outcome = audit([sys.executable, "-m", "pip_audit"], ROOT / "constraints.txt")
    print("\n".join(outcome.lines))
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
