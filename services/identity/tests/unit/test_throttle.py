"""Counting wrong tries, on counters in memory of which one can be away."""

from __future__ import annotations

import pytest

from services.identity.domain import TooManyTries
from services.identity.throttle import Throttle
from shared.cache import CacheUnavailable


class FakeCounter:
    def __init__(self) -> None:
        self.hits: dict[tuple[str, str], int] = {}
        self.is_away = False

    def hit(self, name: str, key: str, limit: str) -> bool:
        self._answer()
        self.hits[name, key] = self.hits.get((name, key), 0) + 1
        return self.hits[name, key] <= int(limit.split("/")[0])

    def wait_seconds(self, name: str, key: str, limit: str) -> int:
        self._answer()
        return 42 if self.hits.get((name, key), 0) >= int(limit.split("/")[0]) else 0

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
    return Throttle(counter, while_away, "3/minute")


def test_after_so_many_wrong_tries_one_has_to_wait_and_is_told_how_long(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.check("log_in", "one")
        throttle.note_wrong("log_in", "one")
    with pytest.raises(TooManyTries) as refused:
        throttle.check("log_in", "one")
    assert refused.value.details == {"retry_after_seconds": 42}
    throttle.check("log_in", "another")
    throttle.check("change_password", "one")


def test_right_tries_are_not_counted(throttle: Throttle, counter: FakeCounter) -> None:
    for _ in range(10):
        throttle.check("log_in", "one")
    assert not counter.hits


def test_while_the_counter_is_away_the_other_one_counts(
    throttle: Throttle, counter: FakeCounter, while_away: FakeCounter
) -> None:
    counter.is_away = True
    for _ in range(3):
        throttle.check("log_in", "one")
        throttle.note_wrong("log_in", "one")
    with pytest.raises(TooManyTries):
        throttle.check("log_in", "one")
    throttle.check("log_in", "another")
    assert (len(counter.hits), while_away.hits) == (0, {("log_in", "one"): 3})
