"""Wrong tries are counted and held back for a while; right ones are not, and nobody is locked out for long.

Counted per user and address together, so that a stranger elsewhere cannot keep the owner out; in Redis, and
while that is away in the own database.
"""

from __future__ import annotations

from typing import Protocol

from services.identity.domain import TooManyTries
from shared import logs
from shared.cache import CacheUnavailable

log = logs.get(__name__)


class Counter(Protocol):
    """Counts hits of a key over a moving window; ``limit`` is written ``10/minute``. Raises
    ``CacheUnavailable`` when it cannot."""

    def hit(self, name: str, key: str, limit: str) -> bool: ...

    def wait_seconds(self, name: str, key: str, limit: str) -> int: ...


class Throttle:
    """Counts wrong tries, with ``counter`` or, while that is away, with ``while_away``."""

    def __init__(self, counter: Counter, while_away: Counter, limit: str) -> None:
        self._counter = counter
        self._while_away = while_away
        self._limit = limit

    def check(self, kind: str, key: str) -> None:
        """Before a try. Raises ``TooManyTries`` with how long to wait."""
        try:
            wait_seconds = self._counter.wait_seconds(kind, key, self._limit)
        except CacheUnavailable:
            wait_seconds = self._while_away.wait_seconds(kind, key, self._limit)
        if wait_seconds:
            raise TooManyTries(retry_after_seconds=wait_seconds)

    def note_wrong(self, kind: str, key: str) -> None:
        """After a wrong one."""
        try:
            self._counter.hit(kind, key, self._limit)
        except CacheUnavailable:
            log.warning("tries counted in the database", kind=kind)
            self._while_away.hit(kind, key, self._limit)
