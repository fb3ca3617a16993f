"""The elements of the SSML subset: their attributes, and what the values of these may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from text.markup.say_as import KINDS, date_order
from text.markup.values import MAX_PAUSE, invalid, shown
from text.markup.xsampa import xsampa_to_ipa
from text.speakable import clean
from text.utterances import CHAPTER_PAUSE, CLAUSE_PAUSE, LINE_PAUSE, PARAGRAPH_PAUSE, SENTENCE_PAUSE

MAX_VALUE = 1000  #: characters of an attribute's value

#: Elements, and the attributes that each may have.
ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "speak": ("version", "xml:lang", "xml:base", "xsi:schemaLocation"),
    "p": ("xml:lang",),
    "s": ("xml:lang",),
    "break": ("time", "strength"),
    "emphasis": ("level",),
    "lang": ("xml:lang",),
    "phoneme": ("alphabet", "ph"),
    "prosody": ("rate", "pitch", "volume", "range", "contour", "duration"),
    "say-as": ("interpret-as", "format", "detail"),
    "sub": ("alias",),
    "token": ("xml:lang", "role"),
    "voice": ("name",),
    "w": ("xml:lang", "role"),
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "lang": ("xml:lang",),
    "phoneme": ("ph",),
    "say-as": ("interpret-as",),
    "sub": ("alias",),
    "voice": ("name",),
    "emphasis": (),
}
#: Elements without others inside, and what they contain.
TEXT_ONLY: Mapping[str, str] = {"break": "nothing", "phoneme": "text", "say-as": "text", "sub": "text"}

#: Seconds, the same as at places of the text that are as strong.
_STRENGTHS = {
    "none": 0.0,
    "x-weak": CLAUSE_PAUSE,
    "weak": SENTENCE_PAUSE,
    "medium": LINE_PAUSE,
    "strong": PARAGRAPH_PAUSE,
    "x-strong": CHAPTER_PAUSE,
}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
SLOWEST, FASTEST = 0.25, 4.0

_LEVELS = ("strong", "moderate", "reduced", "none")
_NEUTRAL = frozenset({"medium", "default", "+0%", "0%", "-0%", "+0st", "+0Hz", "+0dB", "+0.0dB", ""})
_NUMBER = r"(?:[0-9]{1,20}(?:\.[0-9]{1,20})?|\.[0-9]{1,20})"
_TIME = re.compile(rf"\+?({_NUMBER})\s?(ms|s)")
_RATE = re.compile(rf"(?P<change>[+-]{_NUMBER})%|(?P<percent>{_NUMBER})%|(?P<factor>{_NUMBER})")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,3}")


def read(text: str, at: int, element: str, given: list[str]) -> dict[str, str]:
    """The attributes of an element at ``at``, checked. ``given``: names and values by turns. A phoneme's ``ph`` is IPA,
    whatever its alphabet was.

    Raises `InvalidText` (``invalid_markup``)."""
    values: dict[str, str] = {}
    for name, value in zip(given[::2], given[1::2], strict=True):
        if name not in ELEMENTS[element] and not (element == "speak" and _declares(name)):
            allowed = ", ".join(ELEMENTS[element])
            raise invalid(text, at, f"<{element}> has no attribute {shown(name)}. Allowed: {allowed}.")
        if len(value) > MAX_VALUE:
            raise invalid(text, at, f"{name[:40]} may have at most {MAX_VALUE} characters.")
        values[name] = value.strip()
        if reason := _wrong(element, name, values[name]):
            raise invalid(text, at, f"{name}={shown(value)} is not valid. {reason}")
    for name in REQUIRED.get(element, ()):
        if name not in values:
            raise invalid(text, at, f"<{element}> needs the attribute {name}.")
    return _finished(text, at, element, values)


def _declares(name: str) -> bool:
    return name == "xmlns" or name.startswith("xmlns:")


def _finished(text: str, at: int, element: str, values: dict[str, str]) -> dict[str, str]:
    if element == "phoneme" and values.get("alphabet") == "x-sampa":
        ipa = xsampa_to_ipa(values["ph"])
        if ipa is None:
            raise invalid(text, at, f"ph={shown(values['ph'])} is not valid. It must be X-SAMPA.")
        values["ph"] = ipa
    layout = values.get("format") if values.get("interpret-as") == "date" else None
    if layout and date_order(layout) is None:
        raise invalid(text, at, f"format={shown(layout)} is not valid. Use y, m and d in their order, such as mdy.")
    if element == "sub":
        values["alias"] = " ".join(clean(values["alias"]).split())
    if element == "emphasis":
        values.setdefault("level", "moderate")
    return values


def _wrong(element: str, name: str, value: str) -> str | None:
    """Why a value is wrong; None where it is not."""
    if name == "xml:lang":
        return None if _LANGUAGE.fullmatch(value) else "It must be a language such as en or en-GB (BCP 47)."
    if name == "time":
        found = _TIME.fullmatch(value)
        return (
            None
            if found and seconds(value) <= MAX_PAUSE
            else f"It must be a time such as 500ms or 1.5s, at most {MAX_PAUSE:g} s."
        )
    if name == "rate":
        return None if _is_rate(value) else f"It must be {', '.join(_RATES)}, or a rate such as 80%, +20% or 1.2."
    allowed = {
        ("break", "strength"): tuple(_STRENGTHS),
        ("emphasis", "level"): _LEVELS,
        ("phoneme", "alphabet"): ("ipa", "x-sampa"),
        ("say-as", "interpret-as"): KINDS,
        ("speak", "version"): ("1.0", "1.1"),
    }.get((element, name))
    if allowed and value not in allowed:
        return f"Allowed: {', '.join(allowed)}."
    if name == "name" and (not 1 <= len(value) <= 200 or not value.isprintable()):
        return "It must be the name of a voice."
    return None


def seconds(value: str) -> float:
    """The seconds of a time such as ``500ms``."""
    found = _TIME.fullmatch(value)
    return float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0


def pause(given: Mapping[str, str]) -> float:
    """The seconds of a break; without attributes it is a medium one."""
    return seconds(given["time"]) if "time" in given else _STRENGTHS[given.get("strength", "medium")]


def _is_rate(value: str) -> bool:
    return value in _RATES or (_RATE.fullmatch(value) is not None and SLOWEST <= _factor(value, 1.0) <= FASTEST)


def speed(value: str, outer: float) -> float:
    """The factor of a rate inside a stretch with the factor ``outer``, which only +20% and the like refer to."""
    return round(min(max(_factor(value, outer), SLOWEST), FASTEST), 6)


def _factor(value: str, outer: float) -> float:
    found = _RATE.fullmatch(value)
    if found is None:
        return _RATES[value]
    if found["change"]:
        return outer * (1 + float(found["change"]) / 100)
    return float(found["percent"]) / 100 if found["percent"] else float(found["factor"])


def without_effect(given: Mapping[str, str]) -> Iterator[str]:
    """The attributes of a ``<prosody>`` that no voice follows and that would change something."""
    for name in ("pitch", "volume", "range", "contour", "duration"):
        if given.get(name, "") not in _NEUTRAL:
            yield name
