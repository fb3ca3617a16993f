"""The GPU worker of docker-compose.yml. Docker itself does not run here; make lint has compose check the file."""

from __future__ import annotations

import re
from typing import Any

import yaml

from core.names import Runtime
from models.catalog import load_catalog
from models.shared.devices import runtime_on
from tests.shared_data import ROOT

SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
GPU = SERVICES["worker-gpu"]


def default(text: str) -> str:
    """A value as compose reads it where no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def models_of(service: str) -> set[str]:
    """The models that a service serves by default."""
    command = SERVICES[service]["command"]
    words = command.split(" ", 1) if isinstance(command, str) else command
    return {name for word in words[1:] for name in default(word).split()}


def test_it_starts_with_its_profile_alone_and_has_a_gpu() -> None:
    assert GPU["profiles"] == ["gpu"]
    (device,) = GPU["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert default(GPU["environment"]["CHORUS_DEVICE"]) == "cuda", "it must not run on the CPU unnoticed"
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["worker-gpu"]


def test_its_models_run_on_the_torch_of_the_image() -> None:
    models = models_of("worker-gpu")
    assert {runtime_on(load_catalog().get(name), "cuda") for name in models} == {Runtime.TORCH}


def test_no_model_is_left_to_the_cpu_if_it_is_served_on_the_gpu() -> None:
    """What the first lines of docker-compose.yml scale to 0, and the variables that .env.example sets to 0."""
    gpu = models_of("worker-gpu")
    both = {name for name in SERVICES if name.startswith("worker-") and name != "worker-gpu" and models_of(name) & gpu}
    assert both == {"worker-models", "worker-listen"}
    head, example = (ROOT / "docker-compose.yml").read_text(), (ROOT / ".env.example").read_text()
    for service in both:
        assert f"--scale {service}=0" in head
        (variable,) = re.findall(r"\$\{(\w+):-1\}", SERVICES[service]["deploy"]["replicas"])
        assert f"\n# {variable}=0\n" in example
        assert models_of(service) <= gpu, "no model is without a worker then"
