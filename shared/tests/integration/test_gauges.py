"""The statements behind the gauges read few rows however many there are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest

from services.identity.storage import Storage as IdentityStorage
from services.registration import storage as registration_storage
from shared.messaging import gauges

ROWS = 150_000
AT_MOST = 10_000

OUTBOX = """
INSERT INTO outbox (id, type, headers, body, created_at, due_at)
SELECT gen_random_uuid(), 'x', '{}', '', now() - interval '1 hour', now() FROM generate_series(1, %(rows)s)
"""
JOBS = """
INSERT INTO jobs (kind, key, due_at, failed_at)
SELECT 'full', n::text, now() - interval '1 hour', CASE WHEN n %% 20 = 0 THEN now() END
FROM generate_series(1, %(rows)s) AS n
"""
REGISTRATIONS = """
INSERT INTO registrations (id, status, language, token_hash, declaration_number, submitted_at, deadline,
                           consent_version)
SELECT gen_random_uuid(), CASE WHEN n %% 10 = 0 THEN 'submitted' ELSE 'completed' END, 'vi', '', n::text,
       now() - interval '1 hour', now(), '1'
FROM generate_series(1, %(rows)s) AS n
"""
CASES = """
INSERT INTO cases (id, registration_id, declaration_number, agency_code, applicant, photos, warnings,
                   register_outcome, mismatched, deadline, language, search_text, opened_at, status, ended_at)
SELECT gen_random_uuid(), gen_random_uuid(), '', '1', '{}', '[]', '{}', 'matched', '{}', now(), 'vi', '',
       now() - interval '1 hour', CASE WHEN n %% 10 = 0 THEN 'waiting' ELSE 'verified' END,
       CASE WHEN n %% 10 = 0 THEN NULL ELSE now() END
FROM generate_series(1, %(rows)s) AS n
"""
KINDS = {"kinds": ["full", "empty"]}


@pytest.fixture
def connect(database: Callable[[str], str]) -> Iterator[Callable[[str], psycopg.Connection[Any]]]:
    made: list[psycopg.Connection[Any]] = []

    def connect(service: str) -> psycopg.Connection[Any]:
        made.append(psycopg.connect(database(service), autocommit=True))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def most_rows_read(
    connection: psycopg.Connection[Any], sql: str, params: Mapping[str, Any] | None = None
) -> float:
    """The most rows that any step of the statement looked at, those it left out included."""
    row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params).fetchone()
    assert row is not None
    plans = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return max(_rows(plans[0]["Plan"]))


def _rows(plan: Mapping[str, Any]) -> Iterator[float]:
    yield plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    for part in plan.get("Plans", ()):
        yield from _rows(part)


@pytest.mark.parametrize(
    ("service", "fill", "statement", "params"),
    [
        ("history", OUTBOX, gauges.OUTBOX, None),
        ("history", JOBS, gauges.JOBS, KINDS),
        ("registration", REGISTRATIONS, registration_storage.OPEN, None),
        ("registration", REGISTRATIONS, registration_storage.UNHEARD_SECONDS, None),
        ("identity", CASES, IdentityStorage.WAITING_CASES, None),
    ],
    ids=["outbox", "jobs", "registrations", "unheard registrations", "cases"],
)
def test_however_many_rows_there_are_ten_thousand_are_read_at_the_most(
    connect: Callable[[str], psycopg.Connection[Any]],
    service: str,
    fill: str,
    statement: str,
    params: Mapping[str, Any] | None,
) -> None:
    connection = connect(service)
    connection.execute(fill, {"rows": ROWS})
    connection.execute("ANALYZE")
    assert most_rows_read(connection, statement, params) <= AT_MOST


def test_what_waits_is_counted_up_to_ten_thousand_and_its_age_is_told(
    connect: Callable[[str], psycopg.Connection[Any]],
) -> None:
    connection = connect("history")
    connection.execute(OUTBOX, {"rows": 2 * AT_MOST})
    connection.execute(JOBS, {"rows": 40})
    outbox = connection.execute(gauges.OUTBOX).fetchone()
    jobs = connection.execute(gauges.JOBS, KINDS).fetchall()
    assert outbox is not None
    assert (outbox[0], outbox[1]) == (AT_MOST, pytest.approx(3600, abs=120))
    assert jobs == [("full", 38, pytest.approx(3600, abs=120), 2), ("empty", 0, None, 0)]
