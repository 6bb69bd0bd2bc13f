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
        storage.add_wrong_try("log_in", b"one", at=at)
    assert reached("log_in", b"one") is None, "the first one is older than a minute"
    storage.add_wrong_try("log_in", b"one", at=NOW)
    assert reached("log_in", b"one") == NOW - timedelta(seconds=50)
    assert reached("log_in", b"another") is None
    assert reached("staff_log_in", b"one") is None


def test_old_wrong_tries_are_forgotten_some_at_once(storage: AnyStorage) -> None:
    for minutes in range(4):
        storage.add_wrong_try("log_in", b"one", at=NOW + timedelta(minutes=minutes))
    before = NOW + timedelta(minutes=3)
    assert [storage.forget_wrong_tries(before=before, limit=2) for _ in range(3)] == [2, 1, 0]
    since = NOW - timedelta(hours=1)
    assert storage.reached_by("log_in", b"one", 1, since=since) == before
    assert storage.reached_by("log_in", b"one", 2, since=since) is None
