"""Text to phonemes with espeak-ng, in a separate process.

espeak-ng and phonemizer, which drives it, are GPL-3. Neither is imported here: `text.espeak` is started as a child of
the CPU worker at the first call and responds over pipes. Hostile text can crash espeak-ng; only that child crashes
then, and it is restarted.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from core.errors import ConfigurationError, InvalidRequest, InvalidText
from text.abbreviations import without_stops
from text.letters import plain_letters
from text.marks import inline, inline_parts
from text.sounds.nearest import adapt, is_english
from text.speakable import has_word

MAX_CHARACTERS = 5_000  #: of one call; utterances are far shorter
MAX_CRASHES = 10  #: of espeak-ng on one text before the text is refused
TIMEOUT = 20.0  #: seconds for one answer; the first one starts Python and loads espeak-ng

#: espeak-ng 1.52 writes past its stack on some words that any text may contain: many dotted letters
#: (espeak-ng pull request 2428), many suffixes (2495), very long words and clauses. Such words are split before.
_WORD_CHARACTERS, _WORD_BYTES, _WORD_SIGNS = 50, 100, 5
_CLAUSE_WORDS, _CLAUSE_BYTES = 50, 400

#: Marks that are kept. espeak-ng reads a full stop, comma or colon inside a word or number (3.5, e.g., 10:30).
_INLINE = inline("")[0]  #: in place of inline phonemes, which espeak-ng does not receive
_MARKS = re.compile(rf"([.,:](?![^\W_])|[;!?…—¡¿«»“”„\"()\[\]{{}}{_INLINE}])")
#: Spoken in place of inline phonemes, so that "a" and "to" before them sound as before a word.
_STAND_IN = "Bob"
_RARE = 0x180  #: the first letter beyond Latin-1 and Latin Extended-A
_HEARD = frozenset("⅓⅔")
_SPELLINGS = str.maketrans("–―。、،؛؟।", "——.,,;?.")
#: English endings that are written behind a word without a space, and their sounds: usually, behind the sounds of the
#: first letters, behind those of the second ones (``Joe's``, ``Pete's``, ``Max's``). espeak-ng would spell them.
_ENDING = re.compile(r"(?:['’](?:s|d|m|ll|re|ve)|s)(?![^\W_])", re.IGNORECASE)
_ENDINGS = {
    "s": ("z", "pftkθ", "s", "szʃʒ", "ᵻz"),
    "d": ("d", "", "", "td", "ᵻd"),
    "m": ("m", "", "", "", ""),
    "ll": ("əl", "", "", "", ""),
    "re": ("ɚ", "", "", "", ""),
    "ve": ("əv", "", "", "", ""),
}
_ELLIPSIS = re.compile(r"\.(?:\s*\.)+")
#: NFC puts the sign of a doubled Arabic consonant behind the vowel that follows it; espeak-ng reads it before.
_DOUBLED = re.compile("([\u064b-\u0650])\u0651")
_REPEATED = re.compile(r"([.,:;!?…—¡¿«»“”„\"()\[\]{}])(?:\s*\1)+")


def phonemize(text: str, voice: str) -> str:
    """The IPA phonemes of ``text`` in espeak-ng's ``voice`` (``en-us``, ``de``, ``cmn``; case-insensitive).

    Stress marks and punctuation are kept, words are separated by one space, language flags are removed, and repeated
    marks are reduced to one. The same text always gives the same phonemes. Unreadable characters (controls, lone
    surrogates, private use) are skipped; the result may be empty. Inline phonemes (`text.marks.inline`) are kept, with
    sounds that the voice's language lacks replaced by near ones; what is around them is read as if they were a word.

    Raises `core.errors.InvalidRequest` with code ``unknown_language`` if espeak-ng has no such voice,
    `core.errors.InvalidText` beyond `MAX_CHARACTERS` (code ``text_too_long``), after `MAX_CRASHES`, or for a word
    that espeak-ng has no sound for.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidText(f"At most {MAX_CHARACTERS} characters can be phonemized at once.", code="text_too_long")
    words, given = _apart(text)
    name = voice.strip().casefold().replace("_", "-")
    cleaned = _clean(words, name)
    pieces = _MARKS.split(cleaned)  # marks and inline phonemes are the odd ones
    inlined = {i for i in range(1, len(pieces), 2) if pieces[i] == _INLINE}
    for i, phonemes in zip(sorted(inlined), given, strict=True):
        ipa = _adapted(phonemes, name)
        ending, pieces[i + 1] = _ending(ipa, pieces[i + 1], name)
        pieces[i] = ipa + ending
    clauses = {i: _clauses(pieces[i]) for i in range(0, len(pieces), 2)}
    followed = [i for i, found in clauses.items() if found and i + 1 in inlined and pieces[i].endswith(" ")]
    flat = [clause for found in clauses.values() for clause in found]
    spoken = iter(_speak(flat, name))
    before = dict(zip(followed, _speak_before([clauses[i][-1] for i in followed], name), strict=True))
    for i, found in clauses.items():
        if found:
            ipas = [next(spoken) for _ in found]
            ipas[-1] = before.get(i) or ipas[-1]
            start = " " if pieces[i][0].isspace() else ""
            end = " " if pieces[i][-1].isspace() else ""
            pieces[i] = f"{start}{' '.join(ipas)}{end}"
        else:
            pieces[i] = " " if pieces[i] else ""
    _check_heard(cleaned.replace(_INLINE, " "), name)
    return " ".join("".join(pieces).split())


def names(characters: Sequence[str], voice: str) -> list[str]:
    """What espeak-ng's ``voice`` says for each of ``characters`` by itself: the name of a letter, or "letter" and its
    code point. Raises as `phonemize` does."""
    return _speak(list(characters), voice)


def phonemize_each(words: Sequence[str], voice: str, followers: Sequence[str]) -> list[str]:
    """The IPA of each of ``words`` by itself, as it sounds before the word at its place in ``followers``.

    Digits are read as a number; a word without a sound (a mark) gives an empty string. Raises as `phonemize` does."""
    if sum(map(len, words)) > MAX_CHARACTERS:
        raise InvalidText(f"At most {MAX_CHARACTERS} characters can be phonemized at once.", code="text_too_long")
    name = voice.strip().casefold().replace("_", "-")
    portions = [_clauses(_clean(word, name)) for word in words]
    asked = [
        clause
        for found, follower in zip(portions, followers, strict=True)
        for clause in ([*found[:-1], f"{found[-1]} {follower}"] if found else [])
    ]
    spoken = iter(_speak(asked, name))
    heard = [" ".join(" ".join(next(spoken) for _ in found).split()[:-1]) for found in portions]
    # espeak-ng speaks a few pairs of words as one: those are heard alone.
    joined = [i for i, found in enumerate(portions) if found and not heard[i]]
    for i, ipa in zip(joined, _speak([" ".join(portions[i]) for i in joined], name), strict=True):
        heard[i] = " ".join(ipa.split())
        if not heard[i] and has_word(words[i]):
            raise InvalidText(f"espeak-ng has no sound for {words[i][:60]!r}.")
    return heard


def _apart(text: str) -> tuple[str, list[str]]:
    """The text with a sign for each of its inline phonemes, and these."""
    parts = inline_parts(text)
    words = "".join(_INLINE if is_ipa else part for part, is_ipa in parts)
    return words, [part for part, is_ipa in parts if is_ipa]


def _adapted(ipa: str, voice: str) -> str:
    """Phonemes that are written into the text, as the voice can speak them."""
    adapted = adapt(ipa, voice)
    if adapted is None:
        raise InvalidText(f"The voice has no sound for {ipa[:60]!r}.")
    return adapted


def _ending(ipa: str, words: str, voice: str) -> tuple[str, str]:
    """The sounds of the ending that an English word given in ``ipa`` has at the start of ``words``, and the rest."""
    found = _ENDING.match(words) if ipa and is_english(voice) else None
    if not found:
        return "", words
    usual, first, behind_first, second, behind_second = _ENDINGS[found[0].lstrip("'’").casefold()]
    last = ipa.rstrip("ːˑ")[-1:]
    sounds = behind_first if last in first else behind_second if last in second else usual
    return sounds, words[found.end() :]


def _speak_before(clauses: list[str], voice: str) -> list[str]:
    """IPA per clause as it sounds before a word; empty where that cannot be told from the word's."""
    if not clauses:
        return []
    *spoken, word = _speak([*(f"{clause} {_STAND_IN}" for clause in clauses), _STAND_IN], voice)
    return [ipa.removesuffix(word).rstrip() if word and ipa.endswith(f" {word}") else "" for ipa in spoken]


def _check_heard(text: str, voice: str) -> None:
    """Raise `InvalidText` if espeak-ng skips a word. It knows all words in common letters."""
    words = {w for w in text.split() if any(c.isalnum() and ord(c) >= _RARE and c not in _HEARD for c in w)}
    rare = sorted({part for word in words for part in _safe(word)})
    for word, ipa in zip(rare, _speak(rare, voice), strict=True):
        if not ipa.strip() and has_word(word):
            raise InvalidText(f"espeak-ng has no sound for {word!r}.")


def unheard(ipa: str, known: Container[str]) -> str | None:
    """The first word of ``ipa`` without a sound in ``known``; None if every word has one."""
    for word in ipa.split():
        sounds = [symbol for symbol in word if is_sound(symbol)]
        if sounds and not any(sound in known for sound in sounds):
            return word
    return None


def is_sound(phoneme: str) -> bool:
    """Whether a phoneme is a sound by itself: a letter or a digit, but not a stress or length mark (Lm)."""
    return all(unicodedata.category(c) in {"Ll", "Lu", "Lt", "Lo", "Nd"} for c in phoneme)


def _clean(text: str, language: str) -> str:
    """Composed (NFC), in plain letters, without what cannot be read, without stops that end no sentence, with one
    spelling of each mark and one space between words."""
    readable = "".join(c if unicodedata.category(c)[0] != "C" or c == _INLINE else _instead(c) for c in text)
    composed = plain_letters(unicodedata.normalize("NFC", readable), language).translate(_SPELLINGS)
    composed = _DOUBLED.sub("\u0651\\1", composed)
    once = _REPEATED.sub(r"\1", _ELLIPSIS.sub("…", composed))
    return " ".join(without_stops(once, language).split())


def _instead(control: str) -> str:
    """Joiners (Cf) shape letters and vanish; other controls part words."""
    return "" if unicodedata.category(control) == "Cf" else " "


def _clauses(piece: str) -> list[str]:
    """The words between two marks in portions that espeak-ng takes without harm."""
    clauses: list[str] = []
    words = size = 0
    for word in (part for long in piece.split() for part in _safe(long)):
        weight = len(word.encode()) + 1
        if not clauses or words == _CLAUSE_WORDS or size + weight > _CLAUSE_BYTES:
            clauses.append(word)
            words = size = 0
        else:
            clauses[-1] += f" {word}"
        words, size = words + 1, size + weight
    return clauses


def _safe(word: str) -> list[str]:
    """The word, or its parts if espeak-ng must not receive it whole."""
    if sum(not _part_of_word(c) for c in word) > _WORD_SIGNS:
        word = _letters(word)
    parts: list[str] = []
    for part in word.split():
        start = size = 0
        for i, c in enumerate(part):
            weight = len(c.encode())
            if i - start == _WORD_CHARACTERS or size + weight > _WORD_BYTES:
                parts.append(part[start:i])
                start, size = i, 0
            size += weight
        parts.append(part[start:])
    return parts


def _part_of_word(c: str) -> bool:
    return c.isalnum() or unicodedata.category(c)[0] == "M"


def _letters(word: str) -> str:
    """The word with a space for each punctuation mark and spaces around each symbol."""
    return "".join(c if _part_of_word(c) else f" {c} " if unicodedata.category(c)[0] == "S" else " " for c in word)


def _speak(clauses: list[str], voice: str) -> list[str]:
    """IPA per clause; where espeak-ng crashes, of smaller parts. A single sign on which it crashes is passed over, a
    letter or digit is an `InvalidText`."""
    crashes = 0

    def attempt(parts: list[str]) -> list[str]:
        nonlocal crashes
        if not parts:
            return []
        spoken = _ESPEAK.ask(parts, voice)
        if spoken is not None:
            return spoken
        crashes += 1
        if crashes > MAX_CRASHES:
            raise InvalidText("espeak-ng cannot read this text.")
        if len(parts) > 1:
            return [ipa for part in parts for ipa in attempt([part])]
        smaller = parts[0].split()
        if len(smaller) == 1:
            smaller = _letters(parts[0]).split()
        if smaller == parts:
            smaller = list(parts[0])  # letter by letter, which is better than not at all
        if smaller != parts:
            return [" ".join(" ".join(attempt(smaller)).split())]
        if has_word(parts[0]):
            raise InvalidText(f"espeak-ng cannot read {parts[0]!r}.")
        return [""]

    return attempt(clauses)


class _Espeak:
    """The child process: started at need, one question at a time, started again when it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._inherited: list[subprocess.Popen[bytes]] = []

    def ask(self, clauses: list[str], voice: str) -> list[str] | None:
        """IPA per clause, or nothing where espeak-ng crashed or did not answer in time."""
        with self._lock:
            if self._child is None:
                self._start()
            answer = self._exchange({"voice": voice, "clauses": clauses})
            if answer is None:
                self._stop()
                return None
        if "unknown" in answer:
            raise InvalidRequest(f"espeak-ng has no voice {voice[:40]!r}.", code="unknown_language")
        ipa = [str(line) for line in answer["ipa"]]
        return ipa if len(ipa) == len(clauses) else None

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._stop()

    def forget(self) -> None:
        """After a fork: the child stays the parent's, and so do its pipes and its folder."""
        self._lock = threading.Lock()
        if self._child:
            _close_pipes(self._child)
            self._inherited.append(self._child)
        self._child = self._folder = None

    def _start(self) -> None:
        # phonemizer copies the library into a folder that a crashed child cannot clear away.
        self._folder = tempfile.mkdtemp(prefix="chorus-espeak-")
        # What reads hostile text with unsafe code has no use for keys.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHORUS_", "AWS_"))}
        try:
            # -P: this folder must not shadow the standard library. Its own session: Ctrl-C is not for it.
            self._child = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("espeak.py")), self._folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**kept, "TMPDIR": self._folder},
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise ConfigurationError(f"espeak-ng cannot be started: {error}.") from error
        if self._exchange({"voice": "en-us", "clauses": []}) is None:
            self._stop()
            raise ConfigurationError("espeak-ng does not run. Are phonemizer and espeakng-loader installed?")

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any] | None:
        assert self._child and self._child.stdin and self._child.stdout
        received = b""
        ends = time.monotonic() + TIMEOUT
        try:
            _write_all(self._child.stdin.fileno(), json.dumps(request).encode() + b"\n")
            while not received.endswith(b"\n"):
                left = ends - time.monotonic()
                if left <= 0 or not select.select([self._child.stdout], [], [], left)[0]:
                    return None
                block = os.read(self._child.stdout.fileno(), 1 << 16)
                if not block:
                    return None
                received += block
        except OSError:
            return None
        answer: dict[str, Any] = json.loads(received)
        return answer

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child:
            _close_pipes(child)
            child.kill()
            child.wait()
        folder, self._folder = self._folder, None
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


_ESPEAK = _Espeak()
atexit.register(_ESPEAK.close)
os.register_at_fork(after_in_child=_ESPEAK.forget)
