"""The base speakers of OpenVoice V1."""

from __future__ import annotations

from models.vits.rows import MAX_TOKENS, Voices
from models.vits.synthesizer import Speaking, VitsSynthesizer

#: Of the stochastic predictor in the durations: upstream's ``sdp_ratio``.
SHARE = 0.2


class OpenVoiceModel(VitsSynthesizer):
    """A base speaker, with a style or a voice for each number of its table."""

    def open(self, device: str) -> tuple[Speaking, Voices]:
        from models.openvoice.checkpoint import read_speaker
        from models.openvoice.config import read_configuration
        from models.vits.speaking import open_voices

        configuration = read_configuration(self.files("config"))
        network, self.report = read_speaker(self.files("model"), configuration, self.spec.name)
        voices = Voices(
            symbols=len(configuration.symbols),
            speakers=configuration.data.n_speakers,
            max_tokens=MAX_TOKENS,
            rate=configuration.data.sampling_rate,
            noise_w=0.6,
            share=SHARE,
        )
        return open_voices(network, voices, self.spec, device), voices
