"""Phonemes by espeak-ng, in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InvalidRequest, InvalidText
from tests.shared_data import ROOT, data_path
from tests.waiting import wait_for
from text.phonemes import MAX_CHARACTERS, phonemize


@pytest.mark.parametrize(
    ("text", "voice", "ipa"),
    [
        ("Hello, world!", "en-us", "həlˈoʊ, wˈɜːld!"),
        ("hello world", "EN_us", "həlˈoʊ wˈɜːld"),
        ("3.5 percent.", "en-us", "θɹˈiː pɔɪnt fˈaɪv pɚsˈɛnt."),
        ("Well... no?!  (Yes)", "en-us", "wˈɛl… nˈoʊ?! (jˈɛs)"),
        ("１２", "en-us", "twˈɛlv"),
        ("Guten Tag", "de", "ɡˈuːtən tˈɑːk"),
        ("bonjour", "fr", "bɔ̃ʒˈuʁ"),
        ("", "en-us", ""),
        (" \n\t ", "en-us", ""),
        ("...!!!", "en-us", "…!"),
    ],
)
def test_phonemes(text: str, voice: str, ipa: str) -> None:
    assert phonemize(text, voice) == ipa


def test_flags_of_another_language_are_dropped() -> None:
    assert "(" not in phonemize("Das ist ein Computer und ein Meeting.", "de")


@pytest.mark.parametrize("voice", ["", "xx", "klingon", "../../etc/passwd", "en-us\0", "mb-us1"])
def test_an_unknown_language(voice: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        phonemize("hello", voice)
    assert caught.value.code == "unknown_language"


def test_a_long_text_is_refused() -> None:
    assert phonemize("a " * (MAX_CHARACTERS // 2), "en-us")
    with pytest.raises(InvalidText) as caught:
        phonemize("a" * (MAX_CHARACTERS + 1), "en-us")
    assert caught.value.code == "text_too_long"


def test_naughty_strings_are_phonemized_alike_in_any_order(capfd: pytest.CaptureFixture[str]) -> None:
    strings = json.loads(data_path("sentences/blns.json").read_text())
    forward = [phonemize(s, "en-us") for s in strings]
    backward = [phonemize(s, "en-us") for s in reversed(strings)]
    assert forward == backward[::-1]
    assert sum(map(bool, forward)) > len(strings) / 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("a." * 2500, "en-us"),  # espeak-ng 1.52 smashes its stack on all of these
        (("a." * 25 + " ") * 50, "en-us"),
        ("s'" * 2500, "en-us"),
        ("beep..", "en-us"),
        ("hello <-カ there", "hi"),
        ("ईघ", "de"),
        ("11-a", "ru"),
        ("more options", "fa"),
        ("βελτοϖ", "fr"),
    ],
)
def test_what_crashes_espeak_crashes_nothing_here(text: str, voice: str) -> None:
    assert phonemize(text, voice) == phonemize(text, voice)
    assert phonemize("hello", "en-us") == "həlˈoʊ"


@pytest.mark.parametrize("piece", ["1", "😀", "(", '"x ', "́", "ﷺ", "!?", "㌀", "\x01", "\ud800", ". "])
def test_hostile_repetition_ends_soon(piece: str) -> None:
    begin = time.monotonic()
    phonemize((piece * MAX_CHARACTERS)[:MAX_CHARACTERS], "en-us")
    assert time.monotonic() - begin < 5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(), max_size=200))
def test_any_text(text: str) -> None:
    try:
        ipa = phonemize(text, "en-us")
    except InvalidText:
        return
    assert ipa == phonemize(text, "en-us")
    assert ipa == " ".join(ipa.split())


def test_a_fork_has_a_child_of_its_own() -> None:
    program = """
import os, warnings
from text.phonemes import phonemize
warnings.simplefilter("ignore", DeprecationWarning)
first = phonemize("hello", "en-us")
child = os.fork()
if child == 0:
    os._exit(0 if phonemize("hello", "en-us") == first else 1)
assert os.waitpid(child, 0)[1] == 0
assert phonemize("hello", "de") and phonemize("hello", "en-us") == first
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_gpl_library_is_loaded_here() -> None:
    program = """
import sys
from text.phonemes import phonemize
phonemize("hello", "en-us")
print([m for m in ("phonemizer", "espeakng_loader") if m in sys.modules], "espeak" in open("/proc/self/maps").read())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "[] False\n", done.stderr


def test_the_child_ends_with_its_parent() -> None:
    program = """
import os
from text.phonemes import _ESPEAK, phonemize
phonemize("hello", "en-us")
print(_ESPEAK._child.pid, _ESPEAK._folder, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    pid, folder = int(done.stdout.split()[0]), Path(done.stdout.split()[1])
    wait_for(lambda: not _alive(pid), 10, "the process to end")
    assert not _alive(pid)
    assert not folder.exists()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
