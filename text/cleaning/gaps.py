"""How a text closes where something that is not spoken is taken out of it."""

from __future__ import annotations

from text.source import Rewrite


def closed(text: str, start: int, end: int, done: int, said: str = "") -> Rewrite:
    """The replacement of ``text[start:end]``, and of the spaces before it, by ``said``, or by nothing.

    A sentence seldom ends with a full stop before an emoji: a comma parts it from a next one that begins with a
    capital. ``done``: the text before it is not touched.
    """
    begin = start
    while begin > done and text[begin - 1] in " \t":
        begin -= 1
    before = text[begin - 1 : begin]
    follows = _next(text, end)
    if said:
        lead = "" if not before or before == "\n" else ", " if before.isalnum() else " "
        trail = "" if not follows.isalnum() else "," if text[end : end + 1] in (" ", "\t") else ", "
        return Rewrite(begin, end, f"{lead}{said}{trail}")
    if not before or before == "\n":
        while end < len(text) and text[end] in " \t":
            end += 1
        return Rewrite(begin, end, "")
    beside = text[end : end + 1]
    if before.isalnum() and beside.isalnum():
        return Rewrite(begin, end, " ")
    if before.isalnum() and beside in (" ", "\t") and follows.isupper() and follows != "I":
        return Rewrite(begin, end, ",")
    return Rewrite(begin, end, "" if not beside.isalnum() or begin == start else " ")


def _next(text: str, at: int) -> str:
    """The first character from ``at`` on that is no space, if it is near."""
    for character in text[at : at + 4]:
        if character not in " \t":
            return character
    return ""
