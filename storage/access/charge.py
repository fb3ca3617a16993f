"""What a new job or batch is charged to its key and its owner, and the refusal beyond a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InternalError, RateLimited
from storage.access.caller import Caller
from storage.access.limits import UNLIMITED, Limits

#: Seconds in ``Retry-After`` if too many jobs are open.
OPEN_AGAIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Whom a job or batch is charged to, and how much it uses. One call of the ledger checks the limits, counts the use
    and creates the job."""

    key: str | None = None
    key_limits: Limits = UNLIMITED
    owner_limits: Limits = UNLIMITED
    characters: int = 0
    audio_seconds: float = 0.0

    @staticmethod
    def of(caller: Caller, *, characters: int = 0, audio_seconds: float = 0.0) -> Charge:
        """The charge of something that ``caller`` submits."""
        return Charge(
            key=caller.key,
            key_limits=caller.key_limits,
            owner_limits=caller.owner_limits,
            characters=characters,
            audio_seconds=audio_seconds,
        )

    def packed(self) -> dict[str, Any]:
        """As ``charge_new`` in ``lua/usage.lua`` takes it. Raises `InternalError` if an amount is not one."""
        if self.characters < 0:
            raise InternalError("The number of characters is negative.")
        return {
            "key": self.key,
            "limits": {"key": _limits(self.key_limits), "owner": _limits(self.owner_limits)},
            "characters": self.characters,
            "audio": milliseconds(self.audio_seconds),
        }


def milliseconds(seconds: float) -> int:
    """Seconds of recordings as they are counted. Raises `InternalError` if they are negative, infinite or NaN."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InternalError("The duration of a recording is not a number of seconds.")
    return round(1000 * seconds)


def _limits(limits: Limits) -> dict[str, int]:
    found = {
        "open_jobs": limits.open_jobs,
        "characters": limits.characters_per_day,
        "audio_in": None if limits.audio_seconds_per_day is None else 1000 * limits.audio_seconds_per_day,
    }
    return {name: limit for name, limit in found.items() if limit is not None}


#: By what is counted: the code, the limit in words, and the factor from what is shown to what is counted.
_REFUSALS = {
    "open_jobs": ("open_jobs_limit", "open jobs", 1),
    "characters": ("characters_limit", "characters a day", 1),
    "audio_in": ("audio_seconds_limit", "seconds of recordings a day", 1000),
}


def limit_exceeded(refusal: Sequence[Any]) -> RateLimited:
    """The error for what ``refusal_of`` in ``lua/usage.lua`` returned.

    It is not retryable if the request alone is larger than the limit: then it does not help to wait.
    """
    what, whose = (part.decode() for part in refusal[:2])
    limit, used, wanted, seconds = map(int, refusal[2:])
    code, name, factor = _REFUSALS[what]
    subject = "this API key" if whose == "key" else "this owner"
    detail = (
        f"The limit of {subject} is {limit / factor:.12g} {name}: {used / factor:.12g} are used, and this needs"
        f" {wanted / factor:.12g} more."
    )
    if wanted > limit:
        error = RateLimited(f"{detail} It is larger than the whole limit.", code=code)
        error.retryable = False
        return error
    if what == "open_jobs":
        return RateLimited(f"{detail} Try again when jobs have ended.", code=code, retry_after=OPEN_AGAIN)
    hours, rest = divmod(seconds, 3600)
    reset = f"The count starts again at 00:00 UTC, in {hours} h {rest // 60} min."
    return RateLimited(f"{detail} {reset}", code=code, retry_after=seconds)
