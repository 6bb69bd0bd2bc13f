"""The real store: the contract that the fake keeps too, and what only PostgreSQL can show."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services import notification
from services.notification import use_cases
from services.notification.domain import Declined, Purpose, Receipt, Sent, State
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


# ---- passwords that were sent before receipts were waited for --------------------------------------------

MIGRATION = Path(notification.__file__).parent / "migrations" / "0021_receipts_awaited.sql"


def test_passwords_sent_before_receipts_were_waited_for_are_waited_for_while_they_may_be_used(
    opened: Open, pool: Database
) -> None:
    now = datetime.now(UTC)

    def sent(
        age: timedelta, *, outcome: object = None, valid: timedelta | None = None, **changes: object
    ) -> UUID:
        """Sent so long ago by the version before, which left no job."""
        at = now - age
        valid_until = at + (valid or timedelta(days=3))
        written = message(cause_event_id=_uuid7(at), valid_until=valid_until, **changes)
        with opened_again() as storage:
            storage.add_message(written, at)
            use_cases.begin_attempt(storage, written.id, at)
            if outcome is not None:
                use_cases.record(storage, written.id, outcome, receipt_wait_seconds=15.0, now=at)
        return written.id

    opened_again = functools.partial(stored, pool)
    opened()
    taken = Sent(("p1",))
    hour = timedelta(hours=1)
    fresh, old, sending = sent(hour, outcome=taken), sent(50 * hour, outcome=Sent(("p2",))), sent(2 * hour)
    sent(hour, outcome=Declined("no", permanent=True))
    sent(hour, outcome=Sent(("p3",)), purpose=Purpose.PASSWORD_CHANGED)
    sent(hour, outcome=Sent(("p4",)), valid=hour / 2)
    sent(90 * hour, outcome=Sent(("p5",)), valid=200 * hour)
    with pool.transaction() as tx:
        tx.run("DELETE FROM jobs")
        tx.run(MIGRATION.read_text("utf-8"))
        tx.run(MIGRATION.read_text("utf-8"))
        due = {
            row["key"]: (row["kind"], row["due_at"]) for row in tx.all("SELECT kind, key, due_at FROM jobs")
        }
    assert due == {
        str(message_id): ("report_unreceipted", now - age + 7 * hour)
        for message_id, age in ((fresh, hour), (old, 50 * hour), (sending, 2 * hour))
    }


def _uuid7(at: datetime) -> UUID:
    """The id of an event of then."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | uuid4().int & (1 << 62) - 1)
