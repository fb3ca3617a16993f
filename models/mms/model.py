"""The voices of MMS-TTS."""

from __future__ import annotations

from models.vits.rows import MAX_TOKENS, Voices
from models.vits.synthesizer import Speaking, VitsSynthesizer


class MmsModel(VitsSynthesizer):
    """A checkpoint of transformers' ``VitsModel``."""

    def open(self, device: str) -> tuple[Speaking, Voices]:
        from models.mms.checkpoint import read_configuration, read_network
        from models.vits.speaking import open_voices

        configuration = read_configuration(self.files("config"))
        network, self.report = read_network(self.files("model"), configuration, self.spec.name)
        voices = Voices(
            symbols=configuration.vocab_size,
            speakers=configuration.num_speakers,
            max_tokens=MAX_TOKENS,
            rate=configuration.sampling_rate,
            length_scale=1 / configuration.speaking_rate,
            noise_scale=configuration.noise_scale,
            noise_w=configuration.noise_scale_duration,
        )
        return open_voices(network, voices, self.spec, device), voices
