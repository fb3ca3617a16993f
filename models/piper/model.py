"""A Piper voice: on ONNX Runtime on a CPU, on torch on a GPU. Both give an item the same samples, to 1e-3."""

from __future__ import annotations

from core.names import Runtime
from models.piper.config import VoiceConfig, read_config
from models.shared.devices import runtime_on
from models.shared.onnx import read_graph
from models.vits.rows import MAX_TOKENS, Voices
from models.vits.synthesizer import Speaking, VitsSynthesizer


class PiperModel(VitsSynthesizer):
    """A Piper voice. See `models.vits.synthesizer.VitsSynthesizer` for its items."""

    config: VoiceConfig

    def open(self, device: str) -> tuple[Speaking, Voices]:
        """The voice in the runtime of ``device``, or in the one that its entry names."""
        self.config = read_config(self.files("config"))
        own = self.config.inference
        voices = Voices(
            symbols=self.config.num_symbols,
            speakers=self.config.num_speakers,
            max_tokens=MAX_TOKENS,
            rate=self.config.audio.sample_rate,
            length_scale=own.length_scale,
            noise_scale=own.noise_scale,
            noise_w=own.noise_w,
        )
        graph = read_graph(self.files("model"), self.spec.name)
        if runtime_on(self.spec, device) is Runtime.TORCH:
            from models.piper.network import read_network
            from models.vits.speaking import open_voices

            network, self.report = read_network(graph, self.spec.name)
            return open_voices(network, voices, self.spec, device), voices
        from models.piper.onnx_voices import OnnxVoices

        return OnnxVoices(graph, self.spec.name, voices, device, self.bounds), voices
