"""A whole stack whose speech takes no time to make: a simulated synthesizer beside real ears."""

from __future__ import annotations

from pathlib import Path

import yaml

import benchmarks
from cli.local.stack import Stack
from models.catalog import DEFAULT_FILE as MODELS_FILE
from pipelines.definitions import DEFAULT_FILE as PIPELINES_FILE

#: Of the product's own: what listens.
EARS = ("silero", "campplus")
PIPELINES = ("voice_match", "embed", "vad")


def simulated_stack(folder: Path) -> Stack:
    """Serves ``sim``, `EARS` and their pipelines; its configuration lies in ``folder``."""
    files = {"models": (MODELS_FILE, EARS), "pipelines": (PIPELINES_FILE, PIPELINES)}
    env = {"CHORUS_LOG_LEVEL": "INFO", "OMP_NUM_THREADS": "1", "CHORUS_EGRESS_ALLOW": "127.0.0.1:9"}
    for kind, (product, names) in files.items():
        simulated = Path(benchmarks.__file__).with_name(f"{kind}.yaml")
        entries = yaml.safe_load(product.read_text())[kind]
        sim = {"sim": yaml.safe_load(simulated.read_text())[kind]["sim"]}
        path = folder / f"{kind}.yaml"
        path.write_text(yaml.safe_dump({kind: sim | {name: entries[name] for name in names}}, sort_keys=False))
        env[f"CHORUS_{kind.upper()}_FILE"] = str(path)
    return Stack(folder / "home", models=["sim", *EARS], env=env)
