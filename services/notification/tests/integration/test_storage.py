"""The real store: the contract that the fake keeps too, and what only PostgreSQL can show."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from services.notification import use_cases
from services.notification.domain import Receipt, Sent, State
from services.notification.storage import MessageStorage
from services.notification.tests.storage_contract import Open, StorageContract, message
from services.notification.tests.unit.examples import NOW, PHONE
from shared.database import Database


@contextmanager
def stored(pool: Database) -> Iterator[MessageStorage]:
    with pool.transaction() as tx:
        yield MessageStorage(tx)


@pytest.fixture(scope="module")
def pool(module_database: Callable[[str], str]) -> Iterator[Database]:
    pool = Database(module_database("notification"), name="test", max_size=4)
    pool.open()
    yield pool
    pool.close()


@pytest.fixture
def opened(pool: Database) -> Open:
    with pool.transaction() as tx:
        tx.run("TRUNCATE message, attempt, part, jobs, outbox")
    return functools.partial(stored, pool)


class TestStorage(StorageContract):
    pass


def test_a_record_and_its_receipt_at_the_same_moment_find_each_other(opened: Open) -> None:
    """Neither transaction sees the other's row before it commits; the second must wait for the first."""
    written = message()
    with opened() as storage:
        storage.add_message(written, NOW)
        use_cases.begin_attempt(storage, written.id, NOW)
    noted = threading.Event()

    def note() -> None:
        with opened() as storage:
            use_cases.note_receipts(storage, [Receipt("p1", PHONE, True)], NOW)
        noted.set()

    thread = threading.Thread(target=note)
    with opened() as storage:
        use_cases.record(storage, written.id, Sent(("p1",)), receipt_wait_seconds=15.0, now=NOW)
        thread.start()
        assert not noted.wait(0.3)  # it waits for this transaction
    thread.join(10)
    with opened() as storage:
        found = storage.message(written.id)
        assert found is not None
        assert found.state is State.DELIVERED


def test_two_workers_cannot_both_begin(opened: Open) -> None:
    written = message()
    with opened() as storage:
        storage.add_message(written, NOW)
    began: list[bool] = []

    def begin() -> None:
        try:
            with opened() as storage:
                use_cases.begin_attempt(storage, written.id, NOW)
            began.append(True)
        except use_cases.AttemptTaken:
            began.append(False)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(began) == [False, False, False, True]
