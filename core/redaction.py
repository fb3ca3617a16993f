"""Removes secrets from texts for people: log lines, and the messages of exceptions.

Recognized are Chorus's API keys and webhook secrets, the values of the headers that carry keys, passwords in URLs,
signatures of presigned URLs, and the process's own secrets by their value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

from core.settings import Settings

#: What a secret is replaced with.
HIDDEN = "***"

#: Between a name and its value, as ``name: value``, ``name=value``, in a dictionary, a tuple, or JSON inside a string.
_BETWEEN = r"\\*[\"']?\s{0,4}[:=,]\s{0,4}b?\\*[\"']?"

_PATTERNS = (
    r"(?P<key>chorus_)[A-Za-z0-9_-]{20,}",
    r"(?P<webhook>whsec_)[A-Za-z0-9+/_=-]+",
    rf"(?P<header>(?:authorization|x[-_]api[-_]key|set-cookie|cookie){_BETWEEN})[^\"'\\\r\n]+",
    r"(?P<scheme>\bbearer\s{1,4})[A-Za-z0-9._~+/-]{8,}=*",
    r"(?P<user>://)[^\s/?#\"'\\<>@]*(?:@[^\s/?#\"'\\<>@]*)*(?=@)",
    r"(?P<query>[?&](?:x-amz-(?:signature|credential|security-token)|awsaccesskeyid|signature|api[-_]?key|"
    r"(?:access_)?token|password|secret)=)[^&\s\"'\\<>]+",
    r"(?P<signed>\bsignature=)[0-9a-f]{32,}",
    rf"(?P<named>\b(?:password|(?:aws_)?secret(?:_access)?_key){_BETWEEN})[^\s\"'\\,;&)}}]+",
)
_SECRET = re.compile("|".join(_PATTERNS), re.IGNORECASE)

#: A Redis URL's password, which may contain what belongs percent-encoded.
_PASSWORD = re.compile(r"://[^:@/?#]*:(?P<password>.+)@", re.DOTALL)

#: Values shorter than this are not looked for: they are found in ordinary words.
_SHORTEST = 6


class Redactor:
    """Replaces secrets with `HIDDEN`. Safe to share between threads.

    ``values`` are secrets known by their value; they are also found percent-encoded and as JSON writes them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        spellings = {
            spelling
            for value in values
            if len(value) >= _SHORTEST
            for spelling in (value, quote(value, safe=""), unquote(value), json.dumps(value)[1:-1], repr(value)[1:-1])
        }
        longest_first = sorted(spellings, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    @staticmethod
    def of(settings: Settings) -> Redactor:
        """A redactor that knows the secrets of a process's settings."""
        found = _PASSWORD.search(settings.redis_url)
        return Redactor((settings.s3_secret_key.get_secret_value(), found["password"] if found else ""))

    def __call__(self, text: str) -> str:
        """``text`` without secrets. The result of JSON is JSON: neither quotes nor backslashes are replaced."""
        if self._values is not None:
            text = self._values.sub(HIDDEN, text)
        return _SECRET.sub(_hide, text)


def _hide(found: re.Match[str]) -> str:
    return f"{found[found.lastgroup or 0]}{HIDDEN}"
