"""The program that calls espeak-ng, in a separate process started by `text.phonemes`.

espeak-ng 1.52 crashes on some texts of mixed script (its pull requests 2459, 2475, 2492), and a crash must not
end the CPU worker. So this file is independent: it imports nothing of Chorus, reads one request per line from
standard input, writes one response per line, and exits at the end of its input.

    {"voice": "en-us", "clauses": ["hello", "world"]}  →  {"ipa": ["həlˈoʊ", "wˈɜːld"]} or {"unknown": "xx"}

espeak-ng and phonemizer are GPL-3; they are only loaded here. The library and its data come from
the ``espeakng-loader`` wheel: an espeak of the system is not used.
"""

from __future__ import annotations

import atexit
import json
import logging
import re
import resource
import shutil
import signal
import sys
from functools import lru_cache
from typing import Any

SECONDS = 30  #: that one request may take

#: What espeak-ng itself answers to beside its list of voices by language.
ALIASES = {"en": "en-gb", "fr": "fr-fr", "no": "nb", "zh": "cmn", "pt-pt": "pt", "es-es": "es"}


@lru_cache(maxsize=1)
def voices() -> dict[str, str]:
    """Every voice that espeak-ng offers by language: its name in small letters to the name itself."""
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    return {name.casefold(): name for name in EspeakBackend.supported_languages()}


@lru_cache(maxsize=16)
def backend(name: str) -> Any:
    """phonemizer's backend for one voice: it has its own copy of the library."""
    from phonemizer.backend import EspeakBackend

    return EspeakBackend(
        name,
        punctuation_marks=re.compile("(?!)"),  # none: `text.phonemes` has taken them out
        with_stress=True,
        language_switch="remove-flags",
        words_mismatch="ignore",
        logger=logging.Logger("espeak", logging.CRITICAL),
    )


def answer(request: dict[str, Any]) -> dict[str, Any]:
    voice = str(request["voice"])
    name = voices().get(voice) or voices().get(ALIASES.get(voice, ""))
    if name is None:
        return {"unknown": voice}
    return {"ipa": backend(name).phonemize(request["clauses"], strip=True)}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Delete the temporary folder of this process, even if the parent was killed.
    atexit.register(shutil.rmtree, sys.argv[1], ignore_errors=True)
    for line in sys.stdin.buffer:
        signal.alarm(SECONDS)  # ends this process, also where its parent no longer can
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()
        signal.alarm(0)


if __name__ == "__main__":
    main()
