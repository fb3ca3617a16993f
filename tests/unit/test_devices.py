"""Which device a model gets. Driver and runtimes are fakes: the machines that run this have no GPU."""

from __future__ import annotations

import ctypes
import dataclasses
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.commands import up
from cli.local import layout
from cli.local.home import Home
from cli.local.layout import processes
from cli.local.supervisor import Process
from core.errors import ConfigurationError
from core.names import Precision, Role, Runtime
from core.settings import load_settings
from models.base import ModelSpec
from models.catalog import Catalog, load_catalog, read_catalog
from models.shared import devices, onnx
from models.shared.devices import parse, place
from models.silero.model import SileroModel
from models.whisper.model import WhisperModel
from pipelines.connections import Connections
from tests.shared_data import ROOT
from workers.run import load_models

CPU_ONLY = ["CPUExecutionProvider"]
WITH_CUDA = ["CUDAExecutionProvider", *CPU_ONLY]


def fake_onnxruntime(providers: list[str], opened: list[str] | None = None) -> SimpleNamespace:
    """ONNX Runtime with these providers; its sessions get those of ``opened``."""
    return SimpleNamespace(
        get_available_providers=lambda: providers,
        SessionOptions=SimpleNamespace,
        InferenceSession=lambda graph, options, providers: SimpleNamespace(
            get_providers=lambda: CPU_ONLY if opened is None else opened, asked=providers
        ),
    )


def fake_torch(count: int) -> SimpleNamespace:
    return SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: count > 0, device_count=lambda: count))


def fake_ctranslate2(count: int | Exception) -> SimpleNamespace:
    def ask() -> int:
        if isinstance(count, Exception):
            raise count
        return count

    return SimpleNamespace(get_cuda_device_count=ask)


class Host:
    """What the fakes say that a machine has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def has(self, *, driver: int = 0, onnx: int = 0, torch: int = 0, ctranslate2: int | Exception = 0) -> None:
        """So many devices, as the driver and as each runtime sees them."""
        patch = self._monkeypatch
        patch.setattr(devices, "cuda_devices", lambda: driver)
        patch.setitem(sys.modules, "onnxruntime", cast(Any, fake_onnxruntime(WITH_CUDA if onnx else CPU_ONLY)))
        patch.setitem(sys.modules, "torch", cast(Any, fake_torch(torch)))
        patch.setitem(sys.modules, "ctranslate2", cast(Any, fake_ctranslate2(ctranslate2)))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


PIPER, KOKORO, SILERO, WHISPER = (
    load_catalog().get(name) for name in ("piper-joe", "kokoro", "silero", "whisper-tiny.en")
)
ON_ONNX = dataclasses.replace(KOKORO, runtime=Runtime.ONNX)
SIMULATED = next(iter(read_catalog(ROOT / "benchmarks/models.yaml").models.values()))


def on(spec: ModelSpec, device: str | None) -> ModelSpec:
    return dataclasses.replace(spec, device=device)


@pytest.mark.parametrize(
    ("spec", "own", "process", "machine", "device", "reason"),
    [
        # No GPU: everything on the CPU.
        (PIPER, None, "auto", {}, "cpu", "there is no CUDA device"),
        (PIPER, None, "cpu", {"driver": 1, "torch": 1}, "cpu", "CHORUS_DEVICE says cpu"),
        # A GPU, and runtimes that are built for the CPU: each model by its own runtime.
        (ON_ONNX, None, "auto", {"driver": 1, "torch": 1}, "cpu", "install onnxruntime-gpu"),
        (KOKORO, None, "auto", {"driver": 1, "torch": 1}, "cuda", "torch can use"),
        (SILERO, None, "auto", {"driver": 1, "torch": 1}, "cuda", "torch can use"),
        (PIPER, None, "auto", {"driver": 1, "torch": 1}, "cuda", "torch can use"),
        (ON_ONNX, None, "auto", {"driver": 1, "onnx": 1}, "cuda", "ONNX Runtime can use"),
        (SILERO, None, "auto", {"driver": 1, "onnx": 1}, "cpu", "the installed torch"),
        (WHISPER, None, "auto", {"driver": 1, "ctranslate2": 1}, "cuda", "CTranslate2 can use"),
        (WHISPER, None, "auto", {"driver": 1, "torch": 1}, "cpu", "the installed CTranslate2"),
        (WHISPER, None, "auto", {"driver": 1, "ctranslate2": RuntimeError("driver is too old")}, "cpu", "CTranslate2"),
        # A family that has no runtime.
        (SIMULATED, None, "auto", {"driver": 1, "onnx": 1, "torch": 1}, "cpu", "no GPU"),
        (SIMULATED, None, "cuda", {"driver": 1, "onnx": 1, "torch": 1}, "cpu", "no GPU"),
        # By name.
        (PIPER, None, "cuda:1", {"driver": 2, "torch": 2}, "cuda:1", "CHORUS_DEVICE says cuda:1"),
        (SILERO, "cuda", "cpu", {"driver": 1, "torch": 1}, "cuda", "models.yaml says cuda"),
        (SILERO, "cuda:1", "cuda:0", {"driver": 2, "torch": 2}, "cuda:1", "models.yaml"),
        (SILERO, "cpu", "cuda", {"driver": 1, "torch": 1}, "cpu", "models.yaml says cpu"),
        (SILERO, "auto", "cpu", {"driver": 1, "torch": 1}, "cuda", "torch can use"),
    ],
)
def test_where_a_model_runs(
    host: Host, spec: ModelSpec, own: str | None, process: str, machine: dict[str, Any], device: str, reason: str
) -> None:
    host.has(**machine)
    found = place(on(spec, own), process)
    assert found.device == device
    assert reason in found.reason


@pytest.mark.parametrize(
    ("spec", "own", "process", "machine", "reason"),
    [
        (ON_ONNX, None, "cuda", {"driver": 1}, "CHORUS_DEVICE says: the installed ONNX Runtime"),
        (PIPER, None, "cuda", {"driver": 1, "onnx": 1}, "CHORUS_DEVICE says: the installed torch"),
        (PIPER, "cuda", "cpu", {}, "models.yaml says: there is no CUDA device"),
        (SILERO, None, "cuda:2", {"driver": 2, "torch": 2}, "torch sees 2 CUDA devices"),
        (WHISPER, None, "cuda", {"driver": 1, "torch": 1}, "install ctranslate2"),
    ],
)
def test_a_device_by_name_that_cannot_be_used_is_refused(
    host: Host, spec: ModelSpec, own: str | None, process: str, machine: dict[str, Any], reason: str
) -> None:
    host.has(**machine)
    with pytest.raises(ConfigurationError, match=reason):
        place(on(spec, own), process)


def test_a_runtime_that_is_not_installed_has_no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("onnxruntime", "torch", "ctranslate2"):
        monkeypatch.setitem(sys.modules, module, cast(Any, None))
    assert [devices.usable(runtime) for runtime in Runtime] == [0, 0, 0]


def test_without_a_device_no_runtime_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_devices", lambda: 0)
    monkeypatch.setattr(devices, "usable", lambda _: pytest.fail("a runtime was asked"))
    assert place(PIPER, "auto").device == "cpu"


def test_the_driver_counts_its_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(pointer: Any) -> int:
        pointer._obj.value = 3
        return 0

    drivers = [
        (SimpleNamespace(cuInit=lambda _: 0, cuDeviceGetCount=fill), 3),
        (SimpleNamespace(cuInit=lambda _: 100, cuDeviceGetCount=fill), 0),  # CUDA_ERROR_NO_DEVICE
        (SimpleNamespace(cuInit=lambda _: 0, cuDeviceGetCount=lambda _: 1), 0),
    ]
    for driver, count in drivers:
        monkeypatch.setattr(ctypes, "CDLL", lambda _, driver=driver: driver)
        assert devices.cuda_devices() == count


def test_a_machine_without_a_driver_has_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert devices.cuda_devices() == 0


@pytest.mark.parametrize(("device", "parsed"), [("cpu", ("cpu", 0)), ("cuda", ("cuda", 0)), ("cuda:12", ("cuda", 12))])
def test_devices_are_parsed(device: str, parsed: tuple[str, int]) -> None:
    assert parse(device) == parsed


@pytest.mark.parametrize("device", ["", "auto", "tpu", "cpu:1", "cuda:", "cuda:-1", "cuda:x", "cuda:0 "])
def test_what_is_no_device_is_refused(device: str) -> None:
    with pytest.raises(ConfigurationError, match="is no device"):
        parse(device)


def test_a_process_is_told_of_a_device_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_DEVICE", "gpu")
    with pytest.raises(ConfigurationError, match="CHORUS_DEVICE"):
        load_settings()


# -- chorus up


def laid_out(home: Path, *models: str, count: int | None = None) -> tuple[dict[str, Process], list[str]]:
    """The model workers of ``chorus up``, and what it prints first."""
    found, notes = up._lay_out(Home(home), None, 0, models, count)
    started = processes(Home(home), found)
    return {p.name: p for p in started if "worker" in p.command and p.name != "cpu"}, notes


def test_chorus_up_says_first_which_models_are_where_and_why(host: Host, tmp_path: Path) -> None:
    models = ["piper-joe", "kokoro", "silero", "whisper-tiny.en"]
    host.has()
    assert laid_out(tmp_path, *models)[1] == [
        "piper-joe runs on cpu with onnx: there is no CUDA device",
        "kokoro, silero run on cpu with torch: there is no CUDA device",
        "whisper-tiny.en runs on cpu with ctranslate2: there is no CUDA device",
    ]
    host.has(driver=1, torch=1)
    assert laid_out(tmp_path, *models)[1] == [
        "piper-joe, kokoro, silero run on cuda with torch: torch can use a CUDA device",
        "whisper-tiny.en runs on cpu with ctranslate2: "
        "the installed CTranslate2 cannot use CUDA; install ctranslate2 for CUDA",
    ]


def test_chorus_up_starts_one_process_for_a_model_on_a_gpu(host: Host, tmp_path: Path) -> None:
    host.has()
    workers, _ = laid_out(tmp_path, "piper-joe", "silero", count=3)
    assert list(workers) == ["piper-joe-1", "piper-joe-2", "piper-joe-3", "listen"]
    assert all(worker.env["OMP_NUM_THREADS"] == "1" for worker in workers.values())
    host.has(driver=1, torch=1)
    for count in (3, None):
        workers, _ = laid_out(tmp_path, "piper-joe", "silero", count=count)
        assert list(workers) == ["piper-joe-1", "listen"]
        assert all("OMP_NUM_THREADS" not in worker.env for worker in workers.values())


def test_only_models_on_the_cpu_have_a_process_per_core(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"on-gpu": dataclasses.replace(PIPER, name="on-gpu"), "on-cpu": on(PIPER, "cpu")}
    both["on-cpu"] = dataclasses.replace(both["on-cpu"], name="on-cpu")
    for module in (up, layout):
        monkeypatch.setattr(module, "load_catalog", lambda: Catalog(both))
    host.has(driver=1, torch=1)
    workers, notes = laid_out(tmp_path, count=3)
    assert list(workers) == ["on-cpu-1", "on-cpu-2", "on-cpu-3", "on-gpu-1"]
    assert "OMP_NUM_THREADS" not in workers["on-gpu-1"].env
    assert notes[1] == "on-cpu runs on cpu with onnx: models.yaml says cpu"


def test_chorus_up_does_not_start_for_a_device_that_cannot_be_used(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.has(driver=1)
    monkeypatch.setenv("CHORUS_DEVICE", "cuda")
    with pytest.raises(ConfigurationError, match="silero cannot run on cuda"):
        laid_out(tmp_path, "silero")


@pytest.mark.parametrize(
    ("device", "torch", "vad"), [("cuda:1", 2, "cuda:1"), ("cuda:1", 1, "cpu"), ("cuda", 0, "cpu"), ("cpu", 2, "cpu")]
)
def test_whisper_finds_speech_on_the_cpu_where_its_torch_has_no_gpu(
    host: Host, monkeypatch: pytest.MonkeyPatch, device: str, torch: int, vad: str
) -> None:
    host.has(driver=2, torch=torch, ctranslate2=2)
    loaded: list[Any] = []
    monkeypatch.setitem(
        sys.modules,
        "faster_whisper",
        cast(Any, SimpleNamespace(WhisperModel=lambda _, **options: loaded.append(options))),
    )
    monkeypatch.setattr(SileroModel, "load", lambda _, device: loaded.append(device))
    WhisperModel(WHISPER, lambda name: Path(__file__).with_name(name)).load(device)
    options, own = loaded
    kind, number = parse(device)
    assert (options["device"], options["device_index"]) == (kind, number)
    assert own == vad


# -- sessions of ONNX Runtime


def test_a_session_on_cuda_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", cast(Any, fake_onnxruntime(WITH_CUDA, WITH_CUDA)))
    (name, options), last = onnx.open_session(b"", "cuda:1", "piper-joe").asked
    assert (name, last) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert options["device_id"] == "1" and options["use_tf32"] == "0"
    assert onnx.open_session(b"", "cpu", "piper-joe").asked == CPU_ONLY


@pytest.mark.parametrize("runtime", [fake_onnxruntime(CPU_ONLY), fake_onnxruntime(WITH_CUDA, CPU_ONLY)])
def test_a_session_never_falls_back_to_the_cpu_in_silence(
    monkeypatch: pytest.MonkeyPatch, runtime: SimpleNamespace
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", cast(Any, runtime))
    with pytest.raises(ConfigurationError, match="CUDA"):
        onnx.open_session(b"", "cuda", "piper-joe")


# -- what a worker says


MODELS_FILE = """models:
  first:
    type: simulated
    languages: [en]
    voices: {one: {language: en}}
    sample_rate: 8000
    batch: {cpu: {items: 3, cost: 100}, cuda: {items: 9, cost: 100}}
  second:
    type: simulated
    languages: [en]
    voices: {one: {language: en}}
    sample_rate: 8000
    device: cpu
    batch: {cpu: {items: 4, cost: 100}}
"""


def test_a_worker_says_first_which_model_is_where_and_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: Host
) -> None:
    host.has(driver=1, onnx=1, torch=1)
    (tmp_path / "models.yaml").write_text(MODELS_FILE)
    catalog = read_catalog(tmp_path / "models.yaml")
    connections = cast(Connections, SimpleNamespace(catalog=catalog, files=lambda _: None))
    with caplog.at_level(logging.INFO):
        found = load_models(connections, ["first", "second", "first"], [Role.SYNTHESIZE], "cuda")
    assert [message for message in caplog.messages if "first" in message or "second" in message] == [
        "first runs on cpu: models of type simulated use no GPU",
        "second runs on cpu: models.yaml says cpu",
        "first is loaded",
        "second is loaded",
    ]
    assert [(model.spec.name, model.device, model.bounds.items) for model in found] == [
        ("first", "cpu", 3),
        ("second", "cpu", 4),
    ]
    with pytest.raises(ConfigurationError, match="No worker implements the step 'synthesize' of first"):
        load_models(connections, ["first"], [Role.VAD], "cpu")


def test_an_entry_says_device_and_precision(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(MODELS_FILE)
    first, second = read_catalog(tmp_path / "models.yaml").models.values()
    assert (first.device, second.device) == (None, "cpu")
    assert first.precision_on("cpu") is first.precision_on("cuda:1") is Precision.FLOAT32
