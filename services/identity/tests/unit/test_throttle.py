"""Counting wrong tries, on counters in memory of which one can be away."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from services.identity.refusals import TooManyTries
from services.identity.throttle import LOOK_SECONDS, OUTAGE, Throttle, Tries
from shared.cache import CacheUnavailable, parsed

ONE, ANOTHER = Tries("log_in", "one", "3/minute"), Tries("log_in", "another", "3/minute")
OTHER_KIND = Tries("change_password", "one", "3/minute")
MORE = Tries("log_in_user", "one", "5/minute")


class FakeCounter:
    def __init__(self) -> None:
        self.hits: dict[tuple[str, str], int] = {}
        self.is_away = False

    def within(self, _tx: object) -> FakeCounter:
        return self

    def hit(self, name: str, key: str, limit: str) -> bool:
        self._answer()
        self.hits[name, key] = self.hits.get((name, key), 0) + 1
        return self.hits[name, key] <= int(limit.split("/")[0])

    def waits(self, *counted: tuple[str, str, str]) -> list[int]:
        self._answer()
        return [
            42 if self.hits.get((name, key), 0) >= int(limit.split("/")[0]) else 0
            for name, key, limit in counted
        ]

    def _answer(self) -> None:
        if self.is_away:
            raise CacheUnavailable


@pytest.fixture
def counter() -> FakeCounter:
    return FakeCounter()


@pytest.fixture
def while_away() -> FakeCounter:
    return FakeCounter()


@pytest.fixture
def throttle(counter: FakeCounter, while_away: FakeCounter) -> Throttle:
    return Throttle(counter, while_away)


def test_after_so_many_wrong_tries_one_has_to_wait_and_is_told_how_long(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.check(ONE)
        throttle.note_wrong(ONE)
    with pytest.raises(TooManyTries) as refused:
        throttle.check(ONE)
    assert refused.value.details == {"retry_after_seconds": 42}
    throttle.check(ANOTHER)
    throttle.check(OTHER_KIND)


def test_right_tries_are_not_counted(throttle: Throttle, counter: FakeCounter) -> None:
    for _ in range(10):
        throttle.check(ONE)
    assert not counter.hits


def test_while_the_counter_is_away_the_other_one_counts(
    throttle: Throttle, counter: FakeCounter, while_away: FakeCounter
) -> None:
    counter.is_away = True
    for _ in range(3):
        throttle.check(ONE)
        throttle.note_wrong(ONE)
    with pytest.raises(TooManyTries):
        throttle.check(ONE)
    throttle.check(ANOTHER)
    assert (len(counter.hits), while_away.hits) == (0, {("log_in", "one"): 3, OUTAGE[:2]: 1})


class Window(FakeCounter):
    """Forgets with the clock, as the real ones do."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock = clock
        self.times: dict[tuple[str, str], list[float]] = {}

    def hit(self, name: str, key: str, limit: str) -> bool:
        (wait,) = self.waits((name, key, limit))
        self.times.setdefault((name, key), []).append(self.clock())
        return not wait

    def waits(self, *counted: tuple[str, str, str]) -> list[int]:
        self._answer()
        return [self._wait(self.times.get((name, key), []), parsed(limit)) for name, key, limit in counted]

    def _wait(self, times: list[float], limit: Any) -> int:
        last = times[-limit.amount :]
        over = last[0] + limit.get_expiry() - self.clock() if len(last) == limit.amount else 0
        return max(0, math.ceil(over))


class Outage:
    """Two counters on one clock, and a replica that sees the first one go away."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.redis, self.database = Window(self.clock), Window(self.clock)
        self.replica = self.another()

    def clock(self) -> float:
        return self.now

    def another(self) -> Throttle:
        """A replica that has just started."""
        return Throttle(self.redis, self.database, self.clock)

    def counted(self, *tries: Tries) -> None:
        """One wrong try while the first counter is away."""
        self.redis.is_away = True
        self.replica.check(*tries)
        self.replica.note_wrong(*tries)
        self.redis.is_away = False


@pytest.fixture
def outage() -> Outage:
    return Outage()


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_counted_while_the_counter_was_away_counts_until_its_window_is_over(
    outage: Outage, restarted: bool
) -> None:
    for _ in range(3):
        outage.counted(ONE)
    throttle = outage.another() if restarted else outage.replica
    outage.now += 59
    with pytest.raises(TooManyTries) as refused:
        throttle.check(ONE)
    assert refused.value.details == {"retry_after_seconds": 1}
    throttle.check(ANOTHER)
    outage.now += 1
    throttle.check(ONE)


@pytest.mark.parametrize("restarted", [False, True])
def test_those_before_and_after_its_return_are_counted_together(outage: Outage, restarted: bool) -> None:
    for _ in range(2):
        outage.counted(ONE)
    throttle = outage.another() if restarted else outage.replica
    throttle.check(ONE)
    throttle.note_wrong(ONE)
    with pytest.raises(TooManyTries):
        throttle.check(ONE)


def test_a_replica_that_did_not_see_the_outage_learns_of_it_soon(outage: Outage) -> None:
    other = outage.another()
    other.check(ONE)
    for _ in range(3):
        outage.counted(ONE)
    outage.now += LOOK_SECONDS
    with pytest.raises(TooManyTries):
        other.check(ONE)


def test_long_after_an_outage_the_database_counts_no_more(outage: Outage) -> None:
    """Else all wrong tries of the country would be written there for ever."""
    outage.counted(ONE)
    written = dict(outage.database.times)
    for _ in range(10):
        outage.now += 60 + LOOK_SECONDS
        outage.replica.note_wrong(ONE)
    assert outage.database.times == written


def test_the_first_counter_that_is_full_holds_back_and_says_so_once(throttle: Throttle) -> None:
    assert [throttle.note_wrong(ONE, MORE) for _ in range(3)] == [frozenset()] * 2 + [{"log_in"}]
    with pytest.raises(TooManyTries):
        throttle.check(MORE, ONE)
    throttle.check(MORE)
    assert throttle.note_wrong(MORE) == frozenset()
    assert throttle.note_wrong(MORE) == {"log_in_user"}


def test_tries_at_the_same_time_are_answered_no_more_than_tries_in_turn(throttle: Throttle) -> None:
    for _ in range(5):
        throttle.check(ONE)
    for _ in range(3):
        throttle.note_wrong(ONE)
    for _ in range(2):
        with pytest.raises(TooManyTries):
            throttle.note_wrong(ONE)
