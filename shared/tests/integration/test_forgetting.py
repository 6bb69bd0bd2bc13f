"""What the kit keeps for a time only is forgotten by an index, a little at a time, in every service."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest

from shared.database import Database
from shared.messaging import forgetting, topology

KEPT_ROWS = 60_000
FILL = """
INSERT INTO inbox (listener, event_id, handled_at)
SELECT 'a.listener', gen_random_uuid(), now() - n * interval '20 s' FROM generate_series(1, %(kept)s) AS n;
INSERT INTO idempotency (method, key, request_hash, created_at)
SELECT 'a_method', n::text, '', now() - n * interval '1 second' FROM generate_series(1, %(kept)s) AS n
"""
GROW_OLD = """
UPDATE inbox SET handled_at = handled_at - interval '40 days'
WHERE ctid IN (SELECT ctid FROM inbox ORDER BY handled_at LIMIT %(old)s);
UPDATE idempotency SET created_at = created_at - interval '25 hours'
WHERE ctid IN (SELECT ctid FROM idempotency ORDER BY created_at LIMIT %(old)s)
"""
COUNTS = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM idempotency)"


@pytest.fixture
def filled(database: Callable[[str], str]) -> Callable[..., str]:
    """``filled(service, old=5)``: a database whose kit tables have many rows, so many of each old."""

    def fill(service: str, old: int) -> str:
        dsn = database(service)
        with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
            connection.execute(FILL, {"kept": KEPT_ROWS})
            connection.execute(GROW_OLD, {"old": old})
            connection.execute("VACUUM ANALYZE")
        return dsn

    return fill


def steps(plan: Mapping[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for part in plan.get("Plans", ()):
        yield from steps(part)


@pytest.mark.parametrize(
    ("service", "old"),
    [*((service, 20) for service in topology.SERVICES), ("history", 0), ("history", KEPT_ROWS // 2)],
)
def test_old_rows_are_found_by_an_index(filled: Callable[..., str], service: str, old: int) -> None:
    with psycopg.connect(filled(service, old=old)) as connection:
        for statement, keep in forgetting.KEPT:
            asked = {"keep": keep, "at_once": forgetting.AT_ONCE}
            row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", asked).fetchone()
            assert row is not None
            plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
            taken = set(steps(plan[0]["Plan"]))
            assert "Index Scan" in taken
            assert "Seq Scan" not in taken


def test_all_that_is_old_goes_and_nothing_else_however_many_forget_at_once(
    filled: Callable[..., str],
) -> None:
    dsn, old = filled("history", old=2_500), 2_500
    databases = [Database(dsn, name="test", max_size=1) for _ in range(3)]
    for database in databases:
        database.open()
    forgotten: list[int] = []

    def forget(database: Database) -> None:
        forgotten.append(forgetting.forget_old(database, threading.Event(), at_once=100))

    forgetters = [threading.Thread(target=forget, args=[database]) for database in databases]
    for each in forgetters:
        each.start()
    for each in forgetters:
        each.join()
    forget(databases[0])  # what one had locked, the others may have taken for the end
    for database in databases:
        database.close()

    assert sum(forgotten) == 2 * old
    with psycopg.connect(dsn) as connection:
        assert connection.execute(COUNTS).fetchone() == (KEPT_ROWS - old, KEPT_ROWS - old)


def test_forgetting_ends_when_the_process_stops(filled: Callable[..., str]) -> None:
    database = Database(filled("history", old=50), name="test", max_size=1)
    database.open()
    stopping = threading.Event()
    stopping.set()
    assert forgetting.forget_old(database, stopping) == 0
    database.close()
