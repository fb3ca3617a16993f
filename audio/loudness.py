"""Loudness of a stream by ITU-R BS.1770-4, in constant memory, through FFmpeg's ``ebur128`` filter."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from audio.samples import Samples
from core.errors import InternalError

#: seconds of the gating block: nothing shorter has a loudness
BLOCK = 0.4
#: the filter's floor: what lies below the absolute gate of -70 LUFS
FLOOR = -70.0
#: the filter states its true peak in steps of 0.001 of full scale
PEAK_STEP = 0.001


class Meter:
    """Measures mono float32 samples at ``rate`` Hz, given in chunks of any length.

    `add` all of them, then ask; asking ends the measurement."""

    def __init__(self, rate: int, *, peaks: bool = True) -> None:
        """``peaks``: whether to measure the true peak, which takes the most time."""
        import av.filter

        self.rate = rate
        self._graph = av.filter.Graph()
        source = self._graph.add("abuffer", f"sample_rate={rate}:sample_fmt=flt:channel_layout=mono:time_base=1/{rate}")
        meter = self._graph.add("ebur128", f"metadata=1:peak={'true' if peaks else 'none'}")
        sink = self._graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        self._graph.configure()
        self._count = 0
        self._sample_peak = 0.0
        self._metadata: dict[str, str] = {}
        self._result: tuple[float, float] | None = None

    def add(self, samples: Samples) -> None:
        """Takes float32 [n], finite."""
        if self._result is not None:
            raise InternalError("This measurement has ended.")
        if len(samples):
            self._sample_peak = max(self._sample_peak, float(np.abs(samples).max()))
            self._push(samples)

    def integrated(self) -> float:
        """Integrated loudness in LUFS: gated blocks of 400 ms with 75 % overlap; ``-inf`` for silence.

        Less than 400 ms is measured as if followed by silence up to there."""
        return self._end()[0]

    def true_peak(self) -> float:
        """True peak in dBTP (oversampled to 192 kHz, never below the sample peak); ``-inf`` for silence."""
        return self._end()[1]

    def _end(self) -> tuple[float, float]:
        if self._result is None:
            # The filter reports in steps of 100 ms: zeros complete the first block, and flush the last peak.
            short = math.ceil(BLOCK * self.rate) - self._count
            if short > 0:
                self._push(np.zeros(short, np.float32))
            loudness = float(self._metadata.get("lavfi.r128.I", FLOOR))
            self._push(np.zeros(math.ceil(0.2 * self.rate), np.float32))
            peak = float(self._metadata.get("lavfi.r128.true_peak", 0.0))
            peak = max(peak + PEAK_STEP / 2, self._sample_peak) if self._sample_peak else 0.0
            self._result = (
                loudness if loudness > FLOOR else -math.inf,
                20 * math.log10(peak) if peak else -math.inf,
            )
        return self._result

    def _push(self, samples: Samples) -> None:
        for at in range(0, len(samples), self.rate):  # a second at a time bounds what waits in the graph
            self._graph.push(self._frame(samples[at : at + self.rate]))
            self._drain()

    def _frame(self, samples: Samples) -> Any:
        import av

        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32)[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self.rate, self._count, Fraction(1, self.rate)
        self._count += len(samples)
        return frame

    def _drain(self) -> None:
        while True:
            try:
                self._metadata = self._graph.pull().metadata or self._metadata
            except BlockingIOError:  # FFmpeg's EAGAIN: give it more first
                return
