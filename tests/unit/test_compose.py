"""The GPU worker and the privileges of docker-compose.yml. Docker itself does not run here; make lint has compose and
hadolint check the files."""

from __future__ import annotations

import re
from typing import Any

import yaml

from core.names import Runtime
from models.catalog import load_catalog
from models.shared.devices import runtime_on
from tests.shared_data import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
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


def test_containers_have_no_privileges_that_they_do_not_need() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & set(service), name
        assert not [v for v in service.get("volumes", []) if not re.fullmatch(r"[a-z]+:/[a-z]+", v)], "no host paths"
        if "build" in service:
            assert service["read_only"] is True and "cap_add" not in service, name
            assert not {"user", "entrypoint"} & set(service), "the image's user, which is not root"


def test_only_the_api_can_be_reached_and_only_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {name: [default(port) for port in ports] for name, ports in published.items()} == {
        "api": ["127.0.0.1:8080:8080"]
    }
    alone = {name for name, service in SERVICES.items() if service["networks"] == ["backend"]}
    assert alone == {"valkey", "seaweedfs", "reaper"}
    assert COMPOSE["networks"]["backend"] == {"internal": True}


def test_images_run_as_a_user_and_hold_no_secrets() -> None:
    image = (ROOT / "Dockerfile").read_text()
    stages = re.split(r"^FROM ", image, flags=re.M)[1:]
    runtime = next(stage for stage in stages if " AS runtime" in stage.splitlines()[0])
    assert re.findall(r"^USER (\S+)", image, flags=re.M) == ["10001:10001"] and "USER 10001:10001" in runtime
    for stage in stages[stages.index(runtime) + 1 :]:
        assert stage.startswith("runtime AS ")
        assert re.findall(r"^COPY (.*)", stage, flags=re.M) == [
            f"--from=build-{'models' if 'worker-models' in stage.splitlines()[0] else 'base'} /opt/chorus /opt/chorus"
        ]
    assert not re.search(r"(KEY|SECRET|PASSWORD|TOKEN)=|^ADD |curl|wget", image, flags=re.M)
    assert image.count("/pip install") == image.count("--constraint constraints.txt") == 2
    copied = (ROOT / ".dockerignore").read_text().splitlines()
    assert copied[1] == "*" and not [line for line in copied if ".env" in line or ".chorus" in line]
