"""Limits on responses that occupy a thread for long: per process, and per owner within it."""

from __future__ import annotations

import threading
from collections import Counter

from core.errors import Overloaded

#: Seconds in ``Retry-After`` of a rejected request.
AGAIN = 5


class Places:
    """The places of this process for one kind of answer, ``what`` (in the plural). Safe to share between threads.

    ``again``: seconds after which a refused request may try again."""

    def __init__(self, what: str, again: float = AGAIN) -> None:
        self._what = what
        self._again = again
        self._lock = threading.Lock()
        self._owners: Counter[str] = Counter()
        self.open = 0

    def take(self, owner: str, most: int, most_of_owner: int) -> Place:
        """Take one of ``most`` places. Raises `Overloaded` (``too_many_…``) if there is none, or none for ``owner``."""
        with self._lock:
            if self.open >= most:
                raise self._refusal(f"There are too many {self._what}. Try again later.")
            if self._owners[owner] >= most_of_owner:
                raise self._refusal(f"You have {self._owners[owner]} {self._what} open. Close one first.")
            self.open += 1
            self._owners[owner] += 1
        return Place(self, owner)

    def _refusal(self, detail: str) -> Overloaded:
        return Overloaded(detail, code=f"too_many_{self._what.replace(' ', '_')}", retry_after=self._again)

    def give_back(self, owner: str) -> None:
        """Frees a place of ``owner``'s."""
        with self._lock:
            self.open -= 1
            self._owners[owner] -= 1
            if not self._owners[owner]:
                del self._owners[owner]


class Place:
    """One occupied place."""

    def __init__(self, places: Places, owner: str) -> None:
        self._places: Places | None = places
        self._owner = owner

    def leave(self) -> None:
        """Free the place. Repeated calls have no effect."""
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self._owner)
