"""The 54 voices of hexgrad/Kokoro-82M (Apache-2.0), v1.0: ``voices/NAME.pt`` of the repository. Imports no runtime."""

from __future__ import annotations

#: BCP 47, by the first letter of a voice's name; the second letter says whether it is female or male.
LANGUAGES = {
    "a": "en-US",
    "b": "en-GB",
    "e": "es",
    "f": "fr-FR",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-BR",
    "z": "zh",
}
_NAMES = """
af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky
am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa
bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable bm_george bm_lewis
ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola
jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa
zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang
"""
#: The language of each voice, by name.
VOICES = {name: LANGUAGES[name[0]] for name in _NAMES.split()}
#: The language's extra, of those that need one.
EXTRAS = {"ja": "kokoro-ja", "zh": "kokoro-zh"}


def file_of(voice: str) -> str:
    """The file of a voice in the repository."""
    return f"voices/{voice}.pt"
