"""File names that are valid on every file system, derived from names that clients choose."""

from __future__ import annotations

import re
import unicodedata

#: Maximum characters and bytes of a name, so that a suffix and a number still fit into 255 bytes.
LONGEST, LONGEST_BYTES = 100, 200

#: ASCII that stays; the rest of it means something to a shell, a path or Windows.
_PLAIN = re.compile(r"[\w.-]*", re.ASCII)

#: Devices of Windows, whatever suffix they have.
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])(?=\.|$)", re.IGNORECASE)


def file_name(given: str, taken: dict[str, int]) -> str:
    """A unique name for an item's file, without suffix: the given name with unsafe characters replaced.

    Letters of all scripts are kept (NFC). ``taken`` contains the names so far, normalized for comparison without case
    and Unicode form, each with the number of requests for it.
    """
    whole = "".join(_safe(character) for character in unicodedata.normalize("NFC", given))
    cut = whole[:LONGEST].encode()[:LONGEST_BYTES].decode(errors="ignore").strip(".") or "item"
    plain = _DEVICE.sub(lambda found: f"{found[0]}_", cut) if _DEVICE.match(cut) else cut
    name, number = plain, taken.get(_compared(plain), 0) + 1
    if number > 1:
        while _compared(name := f"{plain}-{number}") in taken:
            number += 1
    taken[_compared(plain)] = number
    taken.setdefault(_compared(name), 1)
    return name


def _safe(character: str) -> str:
    """The character, or ``_`` if it, or the characters it may be folded to, are unsafe for a file system or program."""
    kind = unicodedata.category(character)[0]
    ascii_part = "".join(filter(str.isascii, unicodedata.normalize("NFKC", character)))
    return character if kind not in "CZ" and _PLAIN.fullmatch(ascii_part) else "_"


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
