"""Wrong tries, kept while Redis is away."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.identity.tests.integration.storage.either import AnyStorage
from services.identity.tests.unit.samples import NOW


def test_wrong_tries_are_counted_by_kind_and_key_within_the_window(storage: AnyStorage) -> None:
    def reached(kind: str, key: bytes) -> datetime | None:
        return storage.reached_by(kind, key, 3, since=NOW - timedelta(minutes=1))

    for seconds in (-90, -50, -40):
        at = NOW + timedelta(seconds=seconds)
        storage.add_wrong_try("log_in", b"one", at=at, forget_before=NOW - timedelta(hours=1))
    assert reached("log_in", b"one") is None, "the first one is older than a minute"
    storage.add_wrong_try("log_in", b"one", at=NOW, forget_before=NOW - timedelta(hours=1))
    assert reached("log_in", b"one") == NOW - timedelta(seconds=50)
    assert reached("log_in", b"another") is None
    assert reached("staff_log_in", b"one") is None


def test_tries_of_a_short_window_do_not_forget_those_of_a_long_one(storage: AnyStorage) -> None:
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    storage.add_wrong_try("log_in_user", b"one", at=NOW - 30 * minute, forget_before=NOW - hour)
    storage.add_wrong_try("log_in", b"one", at=NOW, forget_before=NOW - minute)
    assert storage.reached_by("log_in_user", b"one", 1, since=NOW - hour) == NOW - 30 * minute


def test_old_wrong_tries_are_forgotten(storage: AnyStorage) -> None:
    for minutes in range(3):
        at = NOW + timedelta(minutes=minutes)
        storage.add_wrong_try("log_in", b"one", at=at, forget_before=at)
    assert storage.reached_by("log_in", b"one", 2, since=NOW - timedelta(hours=1)) is None
