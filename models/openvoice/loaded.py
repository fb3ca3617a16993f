"""The tone converters that a process has loaded. Imports torch: only `Model.load` may import this module."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from core.names import Precision
from models.base import ModelSpec
from models.openvoice.checkpoint import read_converter
from models.openvoice.config import read_configuration
from models.openvoice.tone import Spectrum, ToneNetwork
from models.shared.torch import open_device

_loaded: WeakValueDictionary[tuple[str, str, str, Precision], ToneNetwork] = WeakValueDictionary()
_loading = threading.Lock()


def open_tone_network(spec: ModelSpec, files: Callable[[str], Path], device: str) -> ToneNetwork:
    """The network of an entry on ``device``: encoder and converter of one process share it, if they have the same
    files and precision. Raises `core.errors.WeightsError`."""
    precision = spec.precision_on(device)
    key = (spec.weights["model"].sha256, spec.weights["config"].sha256, device, precision)
    with _loading:
        if (network := _loaded.get(key)) is None:
            configuration, place = read_configuration(files("config")), open_device(device)
            read, report = read_converter(files("model"), configuration, spec.name)
            data = configuration.data
            spectrum = Spectrum(data.sampling_rate, data.filter_length, data.win_length, configuration.model.zero_g)
            network = _loaded[key] = ToneNetwork(read.settle(place, precision), spectrum, place, report)
    return network
