"""Ids that Chorus assigns: a prefix for the kind of resource, and 24 hexadecimal digits."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdKind:
    """Ids of one kind of thing."""

    prefix: str

    @property
    def pattern(self) -> str:
        """A regular expression that matches a whole id, without anchors."""
        return f"{self.prefix}[0-9a-f]{{24}}"

    def new(self) -> str:
        """An id that nothing else has."""
        return f"{self.prefix}{secrets.token_hex(12)}"

    def derived(self, *parts: str) -> str:
        """The id that always follows from ``parts``."""
        return f"{self.prefix}{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:24]}"

    def matches(self, text: str) -> bool:
        """Whether ``text`` is such an id."""
        return re.fullmatch(self.pattern, text) is not None

    def begins(self, text: str) -> bool:
        """Whether ``text`` has the prefix."""
        return text.startswith(self.prefix)


JOB = IdKind("job_")
BATCH = IdKind("ba_")
VOICE = IdKind("vo_")
WEBHOOK = IdKind("we_")
UPLOAD = IdKind("up_")
DELIVERY = IdKind("de_")
LEXICON = IdKind("le_")
PREVIEW = IdKind("pv_")

#: An event's id: of its job, the job's generation, and its number in that.
EVENT_ID = rf"{JOB.pattern}:[0-9]{{1,16}}:[0-9]{{1,9}}"

#: A job's id that a client chose: at most 128 characters of those that a path takes as they are, and not "." or "..",
#: which clients and proxies resolve (RFC 3986, section 5.2.4).
OWN_ID = r"(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}"
