"""Databases full of earlier registrations: each a copy of one that really went through, with its own numbers.

A copy is made by PostgreSQL from the text of every row that belongs to the original, so that it has the shape
that the services write today, whatever that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
from psycopg import sql

from deploy.native.instance import Instance
from shared.testing.citizen_client import AGENCY_CODE, Accepted
from shared.testing.citizens import Citizen

SERVICES = ("registration", "identity", "notification")
ROWS = {
    "registration": {
        "registrations": "id = %(id)s",
        "claimed": "registration_id = %(id)s",
        "jobs": "starts_with(key, %(id)s::text)",
    },
    "identity": {
        "register_checks": "registration_id = %(id)s",
        "cases": "registration_id = %(id)s",
        "people": "id IN (SELECT person_id FROM person_numbers WHERE number = %(code)s)",
        "person_numbers": "person_id IN (SELECT person_id FROM person_numbers WHERE number = %(code)s)",
        "accounts": "code = %(code)s",
        "credentials": "account_id IN (SELECT id FROM accounts WHERE code = %(code)s)",
        "audit": "case_id IN (SELECT id FROM cases WHERE registration_id = %(id)s)",
    },
    "notification": {
        "message": "registration_id = %(id)s",
        "attempt": "message_id IN (SELECT id FROM message WHERE registration_id = %(id)s)",
        "part": "message_id IN (SELECT id FROM message WHERE registration_id = %(id)s)",
    },
}
"""Where a registration leaves rows, in the order in which they refer to each other."""
UUID_BEGINNING = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
PROVIDER_ID = re.compile(r'(?<="provider_id": ")[^"]+')
COLUMNS = """
SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''
"""
WAITING_SHARE = 100
"""One of so many waits for the desk; in the measured agency as many at each size, so that pages are full."""
WAITING_AT_THE_AGENCY = 100
OTHER_AGENCIES = 33

# What is told apart in a copy; ``n`` is its number. Of an id the first 48 bits are its time.
PHONE = "'9' || lpad(n::text, 8, '0')"
CODE = "'7' || lpad(n::text, 9, '0')"
PERSONAL_NUMBER = "'0' || lpad(n::text, 11, '0')"
NUMBER = "'2025-' || lpad(n::text, 9, '0')"
ADDRESS = "'earlier.' || n || '@example.org'"
MOMENT = "regexp_replace(lpad(to_hex(1700000000000 + n::bigint * 20000), 12, '0'), '(.{8})', '\\1-')"
DAYS_AGO = {"completed": "1 + n % 1000", "awaiting_visit": "1 + n % 29"}


@dataclass(frozen=True)
class Original:
    """One that went through, or waits for the desk."""

    citizen: Citizen
    accepted: Accepted
    status: str


def dsn(servers: Instance, service: str, size: int) -> str:
    """The database of a service with so many earlier registrations, as its own user."""
    return f"{servers.environment(service)['DATABASE_URL']}_{size}"


def make(servers: Instance, size: int) -> None:
    """Empty databases of a size, in place of earlier ones, as the services' own users may use them."""
    with psycopg.connect(str(servers.endpoints()["postgres"]), autocommit=True) as admin:
        for service in SERVICES:
            name = sql.Identifier(f"{service}_{size}")
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 LOCALE 'C.UTF-8'").format(
                    name, sql.Identifier(service)
                )
            )


def fill(servers: Instance, size: int, originals: Mapping[str, Original]) -> None:
    """Have ``size`` registrations in the databases, copies of ``originals`` by status: all but a few are
    completed. Statistics and the maps of visible rows are made, everything is written."""
    waiting = max(WAITING_AT_THE_AGENCY, size // WAITING_SHARE)
    parts = {"awaiting_visit": (1, waiting), "completed": (waiting + 1, size)}

    def fill_one(service: str) -> None:
        with psycopg.connect(dsn(servers, service, size), autocommit=True) as connection:
            connection.execute("SET synchronous_commit = off")
            for status, (first, last) in parts.items():
                for table, which in ROWS[service].items():
                    _copy(connection, table, which, originals[status], first, last)
            connection.execute("VACUUM (ANALYZE)")

    with ThreadPoolExecutor(2) as together:
        list(together.map(fill_one, SERVICES))
    with psycopg.connect(str(servers.endpoints()["postgres"]), autocommit=True) as admin:
        admin.execute("CHECKPOINT")


def _copy(
    connection: psycopg.Connection, table: str, which: str, original: Original, first: int, last: int
) -> None:
    found = {"id": original.accepted.registration_id, "code": original.citizen.code}
    originals = f"SELECT to_jsonb(t)::text FROM {table} t WHERE {which}"  # noqa: S608 - names of ours
    rows = connection.execute(originals.encode(), found).fetchall()
    columns = connection.execute(COLUMNS, {"table": table}).fetchone()
    assert columns is not None
    names = ", ".join(columns[0])
    for (text,) in rows:
        statement = (
            f"INSERT INTO {table} ({names}) SELECT {names} FROM generate_series({first}, {last}) AS n,"  # noqa: S608
            f" jsonb_populate_record(NULL::{table}, ({_copied(text, original)})::jsonb)"
        )
        connection.execute(statement.encode())


def _copied(text: str, original: Original) -> str:
    """An SQL expression of the copy's text."""
    expression = f"'{text.replace(chr(39), chr(39) * 2)}'"
    for token, replacement in _replacements(text, original):
        if token in text:
            expression = f"replace({expression}, '{token}', {replacement})"
    return expression


def _replacements(text: str, original: Original) -> Iterator[tuple[str, str]]:
    citizen, number = original.citizen, original.accepted.declaration_number
    yield citizen.personal_number, PERSONAL_NUMBER
    yield citizen.code, CODE
    yield citizen.phone[1:], PHONE
    yield citizen.email, ADDRESS
    yield number.removeprefix("TK-"), NUMBER
    for beginning in sorted(_ids(text)):
        yield beginning, MOMENT
    for provider_id in PROVIDER_ID.findall(text):
        yield provider_id, f"'{provider_id}.' || n"
    here = f"n <= {WAITING_AT_THE_AGENCY}" if original.status == "awaiting_visit" else "n % 34 = 0"
    elsewhere = f"'\"S' || lpad((2 + n % {OTHER_AGENCIES})::text, 3, '0') || '\"'"
    yield f'"{AGENCY_CODE}"', f"CASE WHEN {here} THEN '\"{AGENCY_CODE}\"' ELSE {elsewhere} END"
    day = original.accepted.deadline[:10]
    yield _day_of(text, day), f"(current_date - ({DAYS_AGO[original.status]})::int)::text"


def _ids(text: str) -> Iterable[str]:
    """How the ids begin, but for those of staff, to whom audit rows refer."""
    staff = set(re.findall(r'"(?:staff_id|ended_by|claimed_by|asked_by)": "([0-9a-f]{8}-[0-9a-f]{4})', text))
    return set(UUID_BEGINNING.findall(text)) - staff


def _day_of(text: str, deadline: str) -> str:
    """The day on which the original was made: the one that its times share, other than its deadline."""
    days = [day for day in re.findall(r"20\d\d-\d\d-\d\d(?=T)", text) if day != deadline]
    return min(days, default="\0")
