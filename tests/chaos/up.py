"""``python -m tests.chaos.up``: the processes of ``chorus up``, restarted almost at once, with more CPU workers.

What is behind ``--redis-port`` and ``--s3-port`` is a fault proxy: everything but the readiness checks goes there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from cli.commands.up import end_leftovers, run
from cli.local.embedded import SEAWEEDFS_PORTS
from cli.local.home import LOOPBACK, Home
from cli.local.layout import Layout, _worker, processes, program
from cli.local.supervisor import Backoff, Process

SERVERS = ("valkey", "seaweedfs")

#: Workers are killed again and again here: their supervisor must not lose patience.
BACKOFF = Backoff(first=0.1, longest=0.3, healthy=5.0, attempts=1000)


def parts(home: Home, layout: Layout, cpu_workers: int, proxied: Mapping[str, str], stall: float) -> list[Process]:
    """What ``chorus up`` runs, with ``cpu_workers`` of two children each, and ``proxied`` in the environment.

    What gives no sign of life for ``stall`` seconds is replaced."""
    found = []
    redis_url = home.environment(layout.ports)["CHORUS_REDIS_URL"]
    for process in processes(home, layout):
        if process.name in SERVERS:
            found.append(process)
            continue
        part = replace(process, env={**process.env, **proxied}, stall_timeout=stall)
        if part.name == "cpu":
            for number in range(1, cpu_workers + 1):
                more = _worker(f"cpu-{number}", ("cpu",), home, part.env, redis_url, SERVERS)
                command = program("worker", "cpu", "--processes", "2")
                found.append(replace(more, command=command, stall_timeout=stall))
        else:
            found.append(part)
    return found


@click.command()
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--model-workers", type=int, default=1)
@click.option("--cpu-workers", type=int, default=1)
@click.option("--redis-port", type=int)
@click.option("--s3-port", type=int)
@click.option("--stall", type=float, default=30.0)
def main(
    home: Path, model_workers: int, cpu_workers: int, redis_port: int | None, s3_port: int | None, stall: float
) -> None:
    """Run the stack until a signal."""
    os.environ["OMP_NUM_THREADS"] = "1"
    place = Home(home)
    with place.locked():
        end_leftovers(place)
        ports, _ = place.ports(("api", "valkey", *SEAWEEDFS_PORTS))
        layout = Layout(host=LOOPBACK, ports=ports, bucket="chorus", models=("sim",), model_workers=model_workers)
        proxied = {}
        if redis_port:
            proxied["CHORUS_REDIS_URL"] = f"redis://{LOOPBACK}:{redis_port}/0"
        if s3_port:
            proxied["CHORUS_S3_ENDPOINT"] = f"http://{LOOPBACK}:{s3_port}"
        run(place, layout, Console(), parts=parts(place, layout, cpu_workers, proxied, stall), backoff=BACKOFF)


if __name__ == "__main__":
    main()
