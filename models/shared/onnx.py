"""ONNX files and ONNX Runtime. Both are imported when first used: only `Model.load` may call this."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ConfigurationError, WeightsError
from models.shared.devices import parse

if TYPE_CHECKING:
    from onnx import ModelProto

#: Operators that draw noise inside a graph.
RANDOM = ("RandomNormalLike", "RandomNormal", "RandomUniformLike", "RandomUniform", "Bernoulli", "Multinomial")

_CUDA = "CUDAExecutionProvider"


def read_graph(path: Path, model: str) -> ModelProto:
    """The ONNX file of ``model``. Raises `core.errors.WeightsError`."""
    import onnx

    try:
        return onnx.load(str(path))
    except Exception as error:  # onnx and protobuf raise classes of their own
        raise WeightsError(f"{model}: the ONNX file {path.name} cannot be read: {str(error)[:200]}") from error


def open_session(graph: bytes, device: str, model: str) -> Any:
    """An ``onnxruntime.InferenceSession`` of a serialised graph, on one thread: on a CPU there is one process per core.

    Raises `core.errors.ConfigurationError` if this ONNX Runtime cannot use ``device`` (``cpu``, ``cuda``,
    ``cuda:1``), `core.errors.WeightsError` if it cannot run the graph."""
    kind, number = parse(device)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Utterances differ in length: an arena would keep the memory of the longest one forever.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    providers: list[Any] = ["CPUExecutionProvider"]
    if kind == "cuda":
        if _CUDA not in onnxruntime.get_available_providers():
            raise ConfigurationError("This ONNX Runtime has no CUDA support. Install onnxruntime-gpu.")
        # float32 throughout, and no search for algorithms, which would make sums depend on the batch.
        cuda = {"device_id": str(number), "use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}
        providers.insert(0, (_CUDA, cuda))
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # its classes share no base but Exception
        raise WeightsError(f"ONNX Runtime cannot run {model}: {str(error)[:300]}") from error
    if kind == "cuda" and _CUDA not in session.get_providers():
        # ONNX Runtime only logs this to standard error and continues on the CPU.
        raise ConfigurationError(
            f"ONNX Runtime cannot run {model} on {device}: CUDA or cuDNN is missing or has the wrong version."
        )
    return session
