"""Wrong tries are counted and held back for a while; right ones are not, and nobody is locked out for long.

Counted per user and address together, so that a stranger elsewhere cannot keep the owner out. While Redis
is away nothing is counted: logging in goes on.
"""

from __future__ import annotations

from services.identity.domain import TooManyTries
from shared import logs
from shared.cache import CacheUnavailable, Limiter

log = logs.get(__name__)


class Throttle:
    """Counts wrong tries of one kind. ``limit`` is written ``10/minute``."""

    def __init__(self, limiter: Limiter, limit: str) -> None:
        self._limiter = limiter
        self._limit = limit

    def check(self, kind: str, key: str) -> None:
        """Before a try. Raises ``TooManyTries`` with how long to wait."""
        try:
            wait_seconds = self._limiter.wait_seconds(kind, key, self._limit)
        except CacheUnavailable:
            log.warning("tries_not_counted", kind=kind)
            return
        if wait_seconds:
            raise TooManyTries(retry_after_seconds=wait_seconds)

    def note_wrong(self, kind: str, key: str) -> None:
        """After a wrong one."""
        try:
            self._limiter.hit(kind, key, self._limit)
        except CacheUnavailable:
            log.warning("tries_not_counted", kind=kind)
