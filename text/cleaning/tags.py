"""HTML tags that were left in a text: they go, and what they enclose stays.

Only the elements that HTML (and SSML) define are tags; "a < b and c > d" has none. Words that an author put between
angle brackets, ``<Mission failed>``, lose the brackets, which would be spoken as "less than".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.cleaning.word_list import listed
from text.source import Rewrite, SourceText

_INLINE = listed("""
    a abbr acronym audio b bdi bdo big button canvas cite code data del dfn em embed font i iframe img input ins kbd
    label link mark meta meter noscript object option output param picture progress q rp rt ruby s samp select small
    source span strike strong sub summary sup svg template textarea time track tt u var video wbr nobr path script
    style speak prosody emphasis say-as phoneme break voice lang
""")
#: Elements that stand apart from what is before and after them.
_BLOCKS = listed("""
    address article aside blockquote body caption center col colgroup dd details dialog div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main map menu nav ol
    optgroup p pre search section table tbody tfoot thead title tr ul
""")
_CELLS = frozenset(("td", "th"))
#: Their content is not text.
_SILENT = frozenset(("script", "style"))

_MARKUP = re.compile(
    r"<!--"
    r"|<!(?:doctype|DOCTYPE)\b[^<>]*+>|<\?xml\b[^<>]*+>|<!\[CDATA\[|\]\]>"
    r"|(?P<other>(?<![\w<])<(?:[^\W\d_a-zA-Z][^<>\n]{0,300}|[a-zA-Z]{1,12}:[^<>\s]{1,2000}|[\w.+-]{1,64}@[\w.-]{1,255})>"
    r"(?![\w>]))"
    r"|<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9]{0,20}(?:[:-][A-Za-z][\w-]{0,30}+)?)"
    r"(?P<attributes>(?:[\s/](?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)?)>"
)
_WORDS = re.compile(r"(?<![\w<])<[^\W\d_](?:[^\W_](?:[^<>\n]{0,300}[^\s<>])?)?>(?![\w>])")
_BARE = re.compile(r"(?:\s+(?:checked|controls|disabled|hidden|loop|muted|open|required|reversed|selected))*\s*/?\s*")
_ALT = re.compile(r"\salt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_NEXT_CELL = re.compile(r"\s{0,100}<t[dh][\s>]", re.IGNORECASE)
_NOTE = re.compile(r"\s*\d{1,4}\s*")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def without_tags(text: SourceText) -> SourceText:
    """``text`` without HTML tags and comments, and without the content of scripts and style sheets."""
    return text.rewritten(_changes(text.text)) if "<" in text.text or "]]>" in text.text else text


def _changes(text: str) -> Iterator[Rewrite]:
    last = len(text.rstrip())
    closers = _Closers(text)
    at = 0
    apart = True  # nothing was said since the last break
    raised = False  # inside <sup>
    while found := _MARKUP.search(text, at):
        gap = text[at : found.start()]
        if raised and _NOTE.fullmatch(gap):
            yield Rewrite(at, found.start(), gap.strip().translate(_RAISED))
        apart = apart and not gap.strip()
        at = found.end()
        if found["other"]:
            yield Rewrite(found.start(), found.start() + 1, "")
            yield Rewrite(at - 1, at, "")
            apart = False
            continue
        if found["name"] is None:
            end = closers.after("-->", at) if found[0] == "<!--" else None
            at = at if end is None else end
            yield Rewrite(found.start(), at, "")
            continue
        name = found["name"].lower()
        if not _is_tag(name, found["attributes"]):
            if words := _WORDS.match(text, found.start()):
                yield Rewrite(found.start(), found.start() + 1, "")
                yield Rewrite(words.end() - 1, words.end(), "")
            at = words.end() if words else found.start("name")  # there may be a tag in it
            apart = False
            continue
        if name in _SILENT and not found["close"]:
            end = closers.after(f"</{name}", at)
            at = at if end is None else text.find(">", end) + 1 or len(text)
        if name == "sup":
            raised = not found["close"]
        made = _made(name, found, text)
        if made.isspace() and (found.end() >= last or found.start() == 0 or (apart and name != "br")):
            made = ""
        apart = apart or made.startswith("\n\n")
        yield Rewrite(found.start(), at, made)


def _is_tag(name: str, attributes: str) -> bool:
    if name not in _INLINE and name not in _BLOCKS and name not in _CELLS and name != "br" and ":" not in name:
        return False
    return "=" in attributes or _BARE.fullmatch(attributes) is not None


def _made(name: str, found: re.Match[str], text: str) -> str:
    """What takes the place of a tag."""
    if name == "br":
        return "\n"
    if name in _BLOCKS:
        return "\n\n"
    if name in _CELLS:
        return ", " if found["close"] and _NEXT_CELL.match(text, found.end()) else ""
    if name == "img" and (alt := _ALT.search(found["attributes"])):
        return alt[1] or alt[2] or ""
    return ""


class _Closers:
    """Where comments and scripts end. What is not found once is not looked for again: linear time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._folded: str | None = None
        self._missing: set[str] = set()

    def after(self, closer: str, at: int) -> int | None:
        """The end of the next ``closer`` from ``at`` on."""
        if closer in self._missing:
            return None
        if self._folded is None:
            # letter by letter, so that positions stay
            self._folded = re.sub("[A-Z]+", lambda found: found[0].lower(), self._text)
        found = self._folded.find(closer, at)
        if found < 0:
            self._missing.add(closer)
            return None
        return found + len(closer)
