"""What came of the chaos: every job is looked at from all sides."""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import Redis

from models.catalog import read_catalog
from models.simulated.frontend import SimulatedFrontend
from storage.ledger.documents import JobDocument
from tests.chaos.stack import SIMULATED
from tests.chaos.watch import Recovery
from workers.steps.utterances import Reader, spoken

if TYPE_CHECKING:
    from tests.chaos.harness import Chaos

#: Seconds within which an orphan must run elsewhere, with leases of 5 s.
BOUND = 10.0


@dataclass(slots=True)
class Report:
    """The findings; `line` is the last line, `passed` whether all is well."""

    jobs: int = 0
    asked: int = 0
    kills: int = 0
    kills_asked: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)  #: job -> what became of it
    double: dict[str, str] = field(default_factory=dict)
    poisoned: set[str] = field(default_factory=set)
    left: list[str] = field(default_factory=list)  #: what lies about in Redis
    recoveries: Sequence[Recovery] = ()
    seconds: float = 0.0
    retries: int = 0
    unheard: int = 0  #: jobs that were accepted, and whose answer was lost

    @property
    def worst(self) -> float:
        return max((found.seconds for found in self.recoveries), default=0.0)

    @property
    def passed(self) -> bool:
        whole = self.jobs >= self.asked and self.kills >= self.kills_asked
        return whole and not (self.lost or self.double or self.poisoned or self.left) and self.worst <= BOUND

    @property
    def line(self) -> str:
        return (
            f"{self.jobs} jobs, {self.kills} kills, {len(self.lost)} lost, {len(self.double)} double, "
            f"{len(self.poisoned)} poisoned, worst recovery {self.worst:.1f} s"
        )

    def text(self) -> str:
        """All of it; the last line says it in short."""
        times = sorted(found.seconds for found in self.recoveries)
        lines = [f"{self.seconds:.0f} s; killed or stopped: {self.by_kind}; {self.retries} submissions repeated"]
        lines += [f"{self.unheard} jobs were accepted whose answer was lost with the API's Redis or process"]
        if times:
            middle, high = statistics.median(times), times[int(0.95 * (len(times) - 1))]
            lines.append(f"{len(times)} orphans: half within {middle:.1f} s, 95 % within {high:.1f} s")
            lines += [f"  {found}" for found in sorted(self.recoveries, reverse=True)[:5]]
        for name, found in (("lost", self.lost), ("double", self.double)):
            lines += [f"{name}: {job}: {what}" for job, what in sorted(found.items())[:20]]
        lines += [f"poisoned: {job}" for job in sorted(self.poisoned)[:20]]
        lines += [f"left behind: {what}" for what in self.left[:20]]
        return "\n".join([*lines, self.line])


def examine(chaos: Chaos, seconds: float) -> Report:
    """Looks at every job in ledger, storage and API, and at what is left in Redis."""
    access, watch = chaos.access, chaos.watch
    watch.see_ends()
    report = Report(
        jobs=len(chaos.accepted),
        asked=chaos.options.jobs,
        kills=chaos.workers_killed,
        kills_asked=chaos.options.kills,
        by_kind=dict(chaos.kills),
        recoveries=watch.recoveries,
        seconds=seconds,
        retries=chaos.retries,
    )
    known = {job.decode() for job in access.redis.zrange("ch:jobs:local", 0, -1)}  # type: ignore[union-attr]
    unheard = known - set(chaos.accepted)
    report.unheard = len(unheard)
    results = _results(chaos)
    for job in sorted({*chaos.accepted, *unheard}):
        _examine_job(chaos, report, job, results.get(job, []))
    for job in watch.changed:
        report.double[job] = "it ended more than once"
    report.left = _left(chaos)
    return report


def _results(chaos: Chaos) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in chaos.access.objects.names("local/jobs/"):
        found.setdefault(name.split("/")[2], []).append(name)
    return found


@lru_cache(maxsize=1)
def _frontend() -> SimulatedFrontend:
    return SimulatedFrontend(read_catalog(Path(SIMULATED["CHORUS_MODELS_FILE"])).get("sim"), {})


def expected_utterances(text: str) -> int:
    """Into how many utterances a text is split: by the very code that does it, once, with nothing dying."""
    document = JobDocument(owner="local", pipeline="sim", language="en")
    return len(spoken(Reader(document, "", _frontend()), [text]))


def _examine_job(chaos: Chaos, report: Report, job: str, results: list[str]) -> None:
    from tests.chaos.harness import MANY, body

    answer = chaos.access.http.get(f"/v1/jobs/{job}")
    view: dict[str, Any] = answer.json() if answer.status_code == 200 else {"state": f"HTTP {answer.status_code}"}
    if view["state"] != "succeeded":
        error = view.get("error") or {}
        if error.get("code") == "poisoned" or any(e["code"] == "poisoned" for e in view.get("errors") or []):
            report.poisoned.add(job)
        else:
            report.lost[job] = f"{view['state']} {error}"
        return
    record = chaos.access.redis.hmget(f"ch:job:{job}", "done", "total", "failed", "gen")
    done, total, failed, generation = (int(value or 0) for value in record)
    expected = expected_utterances(body(chaos.options, int(view["metadata"]["number"]))["text"])
    if not (done == total == expected and failed == 0):
        report.double[job] = f"{done} of {total} utterances were counted, {expected} there are"
    sound = view["result"]["audio"]
    folder = f"local/jobs/{job}/{generation}"
    expected_results = [f"{folder}/audio.{sound['format']}", f"{folder}/job.json"]
    if expected > MANY // 2:  # of a text of several portions
        expected_results.append(f"{folder}/utterances.msgpack")
    if results != expected_results:
        report.double[job] = f"its results are {results}"
    audio = chaos.access.http.get(f"/v1/jobs/{job}/audio")
    if audio.status_code != 200 or hashlib.sha256(audio.content).hexdigest() != sound["sha256"]:
        report.lost[job] = f"its audio is not what was recorded (HTTP {audio.status_code})"


def _left(chaos: Chaos) -> list[str]:
    """What should not lie in Redis once every job has ended."""
    redis = chaos.access.redis
    counts = Counter(key.decode().split(":")[1] for key in redis.scan_iter("ch:*", count=1000))
    gone = (
        "utt",
        "at",
        "outputs",
        "started",
        "tries",
        "wait",
        "out",
        "delayed",
        "deadlines",
        "ring",
        "owners",
        "inuse",
    )
    found = [f"{counts[kind]} keys ch:{kind}:*" for kind in gone if counts[kind]]
    load = {owner: n for owner, n in redis.hgetall("ch:load").items() if int(n)}  # type: ignore[union-attr]
    return found + _texts_left(redis) + ([f"ch:load {load}"] if load else [])


def _texts_left(redis: Redis) -> list[str]:
    """Texts that nobody needs: a job that may be retried keeps its own, as long as its results would be kept."""
    found = []
    for key in redis.scan_iter("ch:text:*", count=1000):
        job = key.decode().split(":", 2)[2]
        state = redis.hget(f"ch:job:{job}", "state")
        if state not in (b"failed", b"canceled") or redis.ttl(key) < 0:  # type: ignore[operator]
            found.append(f"{key.decode()} of a job that is {state!r}")
    return found
