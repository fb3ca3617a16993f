"""CPU steps done in this process, in turn, as a CPU worker would: for tests that need no queue."""

from __future__ import annotations

from core.errors import ModelFailed
from core.redis import connect
from core.settings import Settings
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Outcome
from workers.steps.cpu import run_cpu_item


class CpuLine:
    """Takes what waits at the CPU station off the ledger and does it."""

    def __init__(self, settings: Settings) -> None:
        self.connections = Connections.connect(settings, connect(settings.redis_url))

    def waiting(self, station: str = CPU) -> list[ItemRef]:
        """What has been released to a station and is not done."""
        self.connections.ledger.release([station])
        return [ItemRef.parse(m.decode()) for m in self.connections.redis.zrange(f"ch:out:{station}", 0, -1)]

    def run(self, rounds: int = 10_000) -> int:
        """Does CPU items until none is left, or ``rounds`` of them; how many."""
        done = 0
        while done < rounds and (waiting := self.waiting()):
            for ref in waiting[: rounds - done]:
                run_cpu_item(self.connections, str(ref))
                done += 1
        return done

    def end(self, *jobs: str, failed: bool = False) -> None:
        """Ends jobs at the step they are at, as if a worker had done it."""
        outcomes = []
        for job in self.connections.ledger.get_many(jobs):
            assert job is not None
            ref = ItemRef(job.id, job.generation, job.step)
            station = job.plan.steps[job.step].station
            outcomes.append(Outcome(ref=ref, station=station, error=ModelFailed() if failed else None))
        assert all(self.connections.ledger.advance(outcomes))
