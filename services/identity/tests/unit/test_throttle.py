"""Counting wrong tries, on counters in memory of which one can be away."""

from __future__ import annotations

import pytest

from services.identity.refusals import TooManyTries
from services.identity.throttle import Throttle, Tries
from shared.cache import CacheUnavailable

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
    assert (len(counter.hits), while_away.hits) == (0, {("log_in", "one"): 3})


def test_what_was_counted_while_the_counter_was_away_counts_until_its_window_is_over() -> None:
    counter, now = FakeCounter(), [1000.0]
    throttle = Throttle(counter, FakeCounter(), lambda: now[0])
    counter.is_away = True
    for _ in range(3):
        throttle.note_wrong(ONE)
    counter.is_away = False
    now[0] += 59
    with pytest.raises(TooManyTries):
        throttle.check(ONE)
    throttle.check(ANOTHER)
    now[0] += 1
    throttle.check(ONE)


def test_the_other_counter_is_not_asked_where_the_first_was_never_away(
    throttle: Throttle, while_away: FakeCounter
) -> None:
    while_away.is_away = True
    throttle.check(ONE)


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
