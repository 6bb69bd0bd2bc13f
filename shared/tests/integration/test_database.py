"""Statements that commit by themselves: what is asked once more on another connection, and what is not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from shared import database
from shared.database import Database, Transaction
from shared.messaging import outbox

PID = "SELECT pg_backend_pid() AS pid"
COUNT = "SELECT count(*) AS n FROM jobs"
ADD = """
INSERT INTO jobs (kind, key, payload, due_at) VALUES ('a kind', gen_random_uuid()::text, '{}', now())
"""


@pytest.fixture
def dsn(database: Callable[[str], str]) -> str:
    return database("history")


@pytest.fixture
def opened(dsn: str) -> Iterator[Database]:
    with contextlib.closing(Database(dsn, name="test", max_size=2)) as found:
        found.open()
        yield found


@pytest.fixture
def single(dsn: str) -> Iterator[Database]:
    """With one connection, so that it is known which one is asked."""
    with contextlib.closing(Database(dsn, name="test", max_size=1)) as found:
        found.open()
        yield found


def pid(tx: Transaction) -> int:
    row = tx.one(PID)
    assert row is not None
    return int(row["pid"])


def kill(connection: Database, victim: int) -> None:
    """From another connection of the pool."""
    with connection.transaction() as tx:
        assert pid(tx) != victim
        tx.one("SELECT pg_terminate_backend(%(pid)s, 5000)", {"pid": victim})


def count(connection: Database) -> int:
    row = connection.autocommit(lambda tx: tx.one(COUNT))
    assert row is not None
    return int(row["n"])


def test_each_statement_commits_by_itself(opened: Database) -> None:
    def add_and_fail(tx: Transaction) -> None:
        tx.run(ADD)
        with opened.transaction() as another:
            assert another.one(COUNT) == {"n": 1}
        raise ValueError("after it")

    with pytest.raises(ValueError, match="after"):
        opened.autocommit(add_and_fail)
    assert count(opened) == 1


def test_nothing_may_be_added_for_a_commit(opened: Database) -> None:
    due = outbox.Due("a kind", "key", datetime.now(UTC))
    with pytest.raises(RuntimeError):
        opened.autocommit(lambda tx: outbox.add(tx, due))
    assert count(opened) == 0


def test_what_was_lost_on_the_way_is_asked_once_more(opened: Database) -> None:
    asked: list[int] = []

    def lose_the_first(tx: Transaction) -> int:
        asked.append(pid(tx))
        if len(asked) == 1:
            kill(opened, asked[0])
        return pid(tx)

    assert opened.autocommit(lose_the_first) == asked[1] != asked[0]


def test_what_is_lost_again_and_again_is_told(opened: Database) -> None:
    asked: list[int] = []

    def lose(tx: Transaction) -> int:
        asked.append(pid(tx))
        kill(opened, asked[-1])
        return pid(tx)

    with pytest.raises(psycopg.OperationalError) as raised:
        opened.autocommit(lose)
    assert database.is_away(raised.value)
    assert len(asked) == 2
    assert count(opened) == 0, "the pool goes on"


@pytest.mark.parametrize("fresh_seconds", [0.0, 60.0])
def test_a_connection_that_died_in_the_pool_is_replaced(
    single: Database, dsn: str, monkeypatch: pytest.MonkeyPatch, fresh_seconds: float
) -> None:
    monkeypatch.setattr(database, "FRESH_SECONDS", fresh_seconds)
    asked: list[int] = []

    def ask(tx: Transaction) -> int:
        asked.append(1)
        return pid(tx)

    victim = single.autocommit(pid)
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [victim])
    assert single.autocommit(ask) != victim
    assert len(asked) == (2 if fresh_seconds else 1), "one that answered lately is asked without a proof"


def test_a_connection_that_only_seems_to_live_is_given_up_soon(
    single: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BEGIN_SECONDS", 0.5)
    monkeypatch.setattr(database, "FRESH_SECONDS", 60.0)
    asked: list[int] = []

    def ask(tx: Transaction) -> None:
        asked.append(1)
        tx.one("SELECT pg_sleep(1.5)")

    single.autocommit(pid)
    single.autocommit(ask)
    assert len(asked) == 2, "the second one was proved to live, and may take its time"


def test_where_no_connection_is_to_be_had_nothing_is_asked_again(single: Database) -> None:
    with single.transaction(), pytest.raises(PoolTimeout):
        single.autocommit(pid)
    assert single.stats()["requests_errors"] == 1


def test_an_error_of_the_statement_is_not_asked_again(opened: Database) -> None:
    asked: list[int] = []

    def ask(tx: Transaction) -> None:
        asked.append(1)
        tx.run("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        opened.autocommit(ask)
    assert asked == [1]


ADD_NAMED = "INSERT INTO jobs (kind, key, payload, due_at) VALUES ('a kind', %(key)s, '{}', now())"
TOUCH = "UPDATE jobs SET due_at = due_at WHERE key = %(key)s"


def in_both_orders(opened: Database, tries: list[str]) -> None:
    """Two transactions that take the same two rows, each the other's first one last, at the same moment."""
    with opened.transaction() as tx:
        for key in ("one", "two"):
            tx.run(ADD_NAMED, {"key": key})
    both_hold = threading.Barrier(2, timeout=10)

    def take(*keys: str) -> None:
        def change(tx: Transaction) -> None:
            tries.append(keys[0])
            tx.run(TOUCH, {"key": keys[0]})
            if tries.count(keys[0]) == 1:
                both_hold.wait()
            tx.run(TOUCH, {"key": keys[1]})
            tx.run(ADD_NAMED, {"key": f"by {keys[0]}, try {tries.count(keys[0])}"})

        opened.change(change)

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(take, "one", "two"), threads.submit(take, "two", "one")]:
            done.result()


def test_of_two_that_wait_for_each_other_one_begins_anew_and_both_get_through(opened: Database) -> None:
    tries: list[str] = []
    in_both_orders(opened, tries)
    assert len(tries) == 3
    assert count(opened) == 4, "nothing of what was undone is left"


def test_without_another_try_one_of_them_fails(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "is_conflict", lambda _error: False)
    with pytest.raises(psycopg.errors.DeadlockDetected):
        in_both_orders(opened, [])


def test_a_change_that_fails_otherwise_is_not_tried_again(opened: Database) -> None:
    tries: list[int] = []

    def change(tx: Transaction) -> None:
        tries.append(1)
        tx.run("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        opened.change(change)
    assert tries == [1]


def test_one_write_refused_after_a_failover_is_the_last(dsn: str) -> None:
    """Both connections lead to the server that only reads; the first that says so gives up the other too."""
    alter = f"ALTER DATABASE {dsn.rpartition('/')[2]} SET default_transaction_read_only = "
    with (
        psycopg.connect(dsn, autocommit=True, options="-c default_transaction_read_only=off") as own,
        contextlib.closing(Database(dsn, name="test", max_size=2)) as pool,
    ):
        own.execute((alter + "on").encode())
        pool.open()
        with pool.transaction(), pool.transaction():
            pass  # both are made meanwhile
        own.execute((alter + "off").encode())
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), pool.transaction() as tx:
            tx.run(ADD)
        with pool.transaction() as tx, pool.transaction() as other:
            tx.run(ADD)
            other.run(ADD)
        assert count(pool) == 2
