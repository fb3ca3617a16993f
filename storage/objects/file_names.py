"""Names of files that every file system takes, from names that clients gave."""

from __future__ import annotations

import re
import unicodedata

#: What a name has at most, so that a suffix and a number still fit into 255 bytes.
LONGEST, LONGEST_BYTES = 100, 200

#: ASCII that stays; the rest of it means something to a shell, a path or Windows.
_PLAIN = re.compile(r"[\w.-]*", re.ASCII)

#: Devices of Windows, whatever suffix they have.
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])(?=\.|$)", re.IGNORECASE)


def file_name(given: str, taken: dict[str, int]) -> str:
    """A name for an item's file, without suffix: its own as far as every file system takes it, and once only.

    Letters of all scripts stay (NFC). ``taken`` knows the names so far, as they are compared where neither case nor
    form counts, each with the number of those that were asked for under it."""
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
    """The character, or ``_`` where a file system or a reader may trip over it, or over what it is folded to."""
    kind = unicodedata.category(character)[0]
    ascii_part = "".join(filter(str.isascii, unicodedata.normalize("NFKC", character)))
    return character if kind not in "CZ" and _PLAIN.fullmatch(ascii_part) else "_"


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
