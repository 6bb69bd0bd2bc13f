"""Gauges from the database: read again and again, and their time tells when that no longer works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from shared import metrics
from shared.messaging import gauges


class FakeDatabase:
    """Gives rows, or is away."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.away = False

    def autocommit(self, ask: Callable[[FakeDatabase], object]) -> object:
        if self.away:
            raise ConnectionError
        return ask(self)

    def one(self, _sql: str) -> dict[str, Any]:
        return self.rows[0]

    def all(self, _sql: str, _params: object) -> list[dict[str, Any]]:
        return self.rows


def value_of(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def test_what_waits_in_the_outbox_is_told_with_its_age() -> None:
    gauges.read_outbox(FakeDatabase({"pending": 3, "oldest_seconds": 12.5}))  # type: ignore[arg-type]
    assert (value_of("vssid_outbox_pending"), value_of("vssid_outbox_oldest_seconds")) == (3, 12.5)
    gauges.read_outbox(FakeDatabase({"pending": 0, "oldest_seconds": None}))  # type: ignore[arg-type]
    assert (value_of("vssid_outbox_pending"), value_of("vssid_outbox_oldest_seconds")) == (0, 0)


def test_jobs_are_told_by_kind_those_that_wait_and_those_given_up() -> None:
    rows = [
        {"kind": "send_sms", "pending": 2, "oldest_seconds": 7.0, "given_up": 1},
        {"kind": "remind", "pending": 0, "oldest_seconds": None, "given_up": 0},
    ]
    gauges.read_jobs(FakeDatabase(*rows), ["send_sms", "remind"])  # type: ignore[arg-type]
    assert value_of("vssid_jobs_pending", kind="send_sms") == 2
    assert value_of("vssid_jobs_oldest_seconds", kind="send_sms") == 7
    assert value_of("vssid_jobs_given_up", kind="send_sms") == 1
    assert value_of("vssid_jobs_oldest_seconds", kind="remind") == 0


def test_the_time_of_the_last_reading_stays_while_the_database_is_away() -> None:
    database = FakeDatabase({"pending": 0, "oldest_seconds": None})
    refresher = gauges.Refresher(database)  # type: ignore[arg-type]
    refresher.add(gauges.read_outbox)
    metrics.gauges_refreshed_timestamp_seconds.set(1)

    database.away = True
    refresher.refresh()
    assert value_of("vssid_gauges_refreshed_timestamp_seconds") == 1

    database.away = False
    refresher.refresh()
    assert (value_of("vssid_gauges_refreshed_timestamp_seconds") or 0) > 1


def test_refreshing_goes_on_until_it_is_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "REFRESH_SECONDS", 0.01)
    stopping = threading.Event()
    times: list[object] = []

    def read(tx: object) -> None:
        times.append(tx)
        if len(times) == 3:
            stopping.set()

    refresher = gauges.Refresher(FakeDatabase())  # type: ignore[arg-type]
    refresher.add(read)
    refresher.run(stopping)
    assert len(times) == 3
