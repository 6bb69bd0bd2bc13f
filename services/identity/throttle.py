"""Wrong tries are counted and held back for a while; right ones are not, and nobody is locked out for long.

Counted in Redis, and while that is away in the own database. What is counted together stands in ``guessing``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from services.identity.refusals import TooManyTries
from shared import logs
from shared.cache import CacheUnavailable, parsed
from shared.database import Transaction

log = logs.get(__name__)


class Counter(Protocol):
    """Counts hits of a key over a moving window; ``limit`` is written ``10/minute``. Raises
    ``CacheUnavailable`` when it cannot."""

    def hit(self, name: str, key: str, limit: str) -> bool: ...

    def waits(self, *counted: tuple[str, str, str]) -> list[int]: ...


class OwnCounter(Counter, Protocol):
    """One that counts in the own database."""

    def within(self, tx: Transaction) -> Counter:
        """The same, in a transaction that has begun."""


@dataclass(frozen=True)
class Tries:
    """The wrong tries that are counted together: of one user, say, or from one address."""

    kind: str
    key: str = field(repr=False)
    limit: str


OUTAGE = ("outage", "", "1/day")
"""Counted with the tries while the counter is away: so other replicas learn of it, and who starts anew."""
DAY_SECONDS = 86_400.0
LOOK_SECONDS = 15.0
"""How often an outage is noted while it lasts, and looked for that others noted."""


class Throttle:
    """Counts wrong tries, with ``counter`` or, while that is away, with ``while_away``. What was counted
    there counts until its window is over: so long both count, and the fuller one decides. Whoever is in a
    transaction says so (``tx``), and it is done in it: where many hold a connection and wait for another,
    nobody gets one."""

    def __init__(
        self, counter: Counter, while_away: OwnCounter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``clock`` counts seconds."""
        self._counter = counter
        self._while_away = while_away
        self._clock = clock
        self._last_away = self._noted_at = self._looked_at = -math.inf

    def check(self, *tries: Tries, tx: Transaction | None = None) -> None:
        """Before a try, and once more after a right one: others may have tried meanwhile. Raises
        ``TooManyTries`` with how long to wait."""
        wait_seconds, elsewhere = 0, self._elsewhere(tx)
        try:
            wait_seconds = _longest_wait(self._counter, tries)
        except CacheUnavailable:
            self._last_away = self._clock()
        if self._may_count(elsewhere, tries):
            wait_seconds = max(wait_seconds, _longest_wait(elsewhere, tries))
        if wait_seconds:
            raise TooManyTries(retry_after_seconds=wait_seconds)

    def note_wrong(self, *tries: Tries, tx: Transaction | None = None) -> frozenset[str]:
        """After a wrong one. Returns the kinds whose limit is reached by it. Raises ``TooManyTries`` when
        one was reached before: of tries at the same time no more are answered than of tries in turn."""
        reached, elsewhere = frozenset[str](), self._elsewhere(tx)
        try:
            reached = _hit(self._counter, tries)
        except CacheUnavailable:
            log.warning("tries counted in the database", kinds=[one.kind for one in tries])
            self._last_away = self._clock()
            self._note_outage(elsewhere, is_sure=tx is None)
        if self._may_count(elsewhere, tries):
            reached |= _hit(elsewhere, tries)
        return reached

    def _elsewhere(self, tx: Transaction | None) -> Counter:
        return self._while_away if tx is None else self._while_away.within(tx)

    def _note_outage(self, elsewhere: Counter, *, is_sure: bool) -> None:
        """``is_sure``: it is kept, whatever becomes of what somebody else began."""
        if self._last_away - self._noted_at >= LOOK_SECONDS:
            elsewhere.hit(*OUTAGE)
            if is_sure:
                self._noted_at = self._last_away

    def _may_count(self, elsewhere: Counter, tries: tuple[Tries, ...]) -> bool:
        """Whether some that were counted there are in the window of one of these."""
        now = self._clock()
        if now - self._looked_at >= LOOK_SECONDS:
            (wait_seconds,) = elsewhere.waits(OUTAGE)
            self._looked_at = now
            if wait_seconds:
                self._last_away = max(self._last_away, now - (DAY_SECONDS - wait_seconds))
        window_seconds = max((parsed(one.limit).get_expiry() for one in tries), default=0)
        return now - self._last_away < window_seconds + LOOK_SECONDS


def _longest_wait(counter: Counter, tries: tuple[Tries, ...]) -> int:
    return max(_waits(counter, tries).values(), default=0)


def _waits(counter: Counter, tries: tuple[Tries, ...]) -> dict[str, int]:
    """By kind. Asked for together: a log-in looks twice, and each time it would wait for every answer."""
    waits = counter.waits(*((one.kind, one.key, one.limit) for one in tries))
    return dict(zip((one.kind for one in tries), waits, strict=True))


def _hit(counter: Counter, tries: tuple[Tries, ...]) -> frozenset[str]:
    counted = [counter.hit(one.kind, one.key, one.limit) for one in tries]
    waits = _waits(counter, tries)
    if not all(counted):
        raise TooManyTries(retry_after_seconds=max(1, *waits.values()))
    return frozenset(kind for kind, seconds in waits.items() if seconds)
