"""The base speakers of OpenVoice V1."""

from __future__ import annotations

from models.vits.rows import Voices
from models.vits.synthesizer import Speaking, VitsSynthesizer

MAX_TOKENS = 3072  #: of an utterance, blanks counted; attention takes memory by its square

#: Of the stochastic predictor in the durations: upstream's ``sdp_ratio``.
SHARE = 0.2


class OpenVoiceModel(VitsSynthesizer):
    """A base speaker, with a style or a voice for each number of its table."""

    def open(self, device: str) -> tuple[Speaking, Voices]:
        from models.openvoice.checkpoint import read_speaker
        from models.openvoice.config import read_configuration
        from models.shared.torch import open_device
        from models.vits.speaking import TorchVoices

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
        place = open_device(device)
        return TorchVoices(network.settle(place, self.spec.precision_on(device)), voices, place), voices
