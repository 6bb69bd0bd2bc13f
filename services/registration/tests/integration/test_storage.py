"""Registrations in PostgreSQL, with the tables and places that the migrations make."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from deploy.native.instance import Instance
from services.registration import claims, places
from services.registration.claims import Claim
from services.registration.domain import Status
from services.registration.refusals import CodeTaken, PhoneTaken
from services.registration.storage import Storage
from services.registration.submission import Submission
from services.registration.tests.examples import complete, draft
from services.registration.tests.storage_suite import StorageSuite
from shared.database import Database, Transaction
from tests.fixtures import migrate

JOBS_OF_APPLICATIONS = "SELECT kind, key FROM jobs WHERE kind IN ('pass_deadline', 'remind') ORDER BY kind"


@pytest.fixture(scope="module")
def dsn(servers: Instance) -> Iterator[str]:
    yield servers.database("registration_storage")
    servers.drop_database("registration_storage")


@pytest.fixture(scope="module")
def migrated(dsn: str) -> str:
    migrate("registration", dsn)
    return dsn


@pytest.fixture
def connection(migrated: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(migrated, row_factory=dict_row) as connection:
        yield connection
        connection.rollback()


class TestStorage(StorageSuite):
    @pytest.fixture
    def storage(self, connection: psycopg.Connection) -> Storage:
        return Storage(Transaction(connection))


def test_the_migrations_bring_every_province_commune_and_an_agency_for_each_province(
    connection: psycopg.Connection,
) -> None:
    tx = Transaction(connection)
    kinds = {
        row["kind"]: row["n"]
        for row in tx.all("SELECT kind, count(*) AS n FROM administrative_units GROUP BY kind")
    }
    assert kinds == {"tỉnh": 28, "thành phố": 6, "xã": 2621, "phường": 687, "đặc khu": 13}
    row = tx.one("SELECT count(DISTINCT province_code) AS n FROM agencies")
    assert row is not None
    assert row["n"] == 34


def test_loading_places_again_changes_nothing(connection: psycopg.Connection) -> None:
    tx = Transaction(connection)
    before = tx.all("SELECT * FROM agencies ORDER BY code")
    with connection.cursor() as cursor:
        places.load_units(cursor)
        places.load_former_units(cursor)
        places.load_agencies(cursor)
    assert tx.all("SELECT * FROM agencies ORDER BY code") == before
    assert tx.one("SELECT count(*) AS n FROM former_units") == {"n": 63 + 696 + 10_035}
    assert tx.one("SELECT count(*) AS n FROM administrative_units WHERE latitude IS NULL") == {"n": 0}


HEADER = "code,name,province_code,commune_code,address,latitude,longitude,valid_to,successor"
ADDRESS = "01,00235,Phường Đống Đa,21.0119,105.822"


@pytest.mark.proves("G8")
def test_a_merged_agency_is_offered_no_more_and_of_a_file_with_a_wrong_line_nothing_is_imported(
    migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", migrated)
    file = tmp_path / "agencies.csv"
    merged, new = f"S101,BHXH cơ sở Cũ,{ADDRESS},2026-01-31,T1", f"T1,BHXH cơ sở Mới,{ADDRESS},,"
    file.write_text("\n".join([HEADER, merged, new, new.replace("105.8", "15.8")]), encoding="utf-8")
    before = agencies(migrated)
    run = CliRunner().invoke(places.load, [str(file)])
    assert run.exit_code == 1
    assert "agencies.csv: line 4: longitude: degrees, 102 to 118" in run.stderr
    assert "nothing was imported" in run.stderr
    assert agencies(migrated) == before

    file.write_text("\n".join([HEADER, merged, new]), encoding="utf-8")
    for _ in range(2):
        assert CliRunner().invoke(places.load, [str(file)]).exit_code == 0
    with psycopg.connect(migrated, row_factory=dict_row) as connection:
        storage = Storage(Transaction(connection))
        offered = {a.code for a in storage.agencies(province_code=None, name_part=None, on=date(2026, 2, 1))}
        old = storage.agency("S101")
        connection.execute("DELETE FROM agencies WHERE code = 'T1'")
        places.load_agencies(connection.cursor())
    assert ("T1" in offered, "S101" in offered) == (True, False)
    assert old is not None
    assert (old.valid_to, old.successor) == (date(2026, 1, 31), "T1")
    assert agencies(migrated) == before


def agencies(dsn: str) -> list[dict[str, object]]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM agencies ORDER BY code").fetchall()


def test_what_has_not_ended_is_counted_by_status_and_the_oldest_unheard_tells_its_age(
    connection: psycopg.Connection,
) -> None:
    storage = Storage(Transaction(connection))
    before, long_ago = storage.open_by_status(), datetime.now(UTC) - timedelta(days=4000)
    submission = Submission("TK-2015-000000001", long_ago, long_ago + timedelta(days=30), "2026-01")
    unheard = complete().submitted(submission)
    storage.add(unheard)
    storage.save(unheard)
    storage.add(draft())

    after = storage.open_by_status()
    assert set(after) == {"draft", "submitted", "awaiting_visit", "supplement_requested", "verified"}
    assert (after["draft"], after["submitted"]) == (before["draft"] + 1, before["submitted"] + 1)
    assert storage.longest_unheard_seconds() == pytest.approx(4000 * 86_400, abs=60)
    storage.save(replace(unheard, status=Status.COMPLETED))
    assert storage.open_by_status()["submitted"] == before["submitted"]


def test_after_a_restore_no_declaration_number_comes_twice_and_no_reminder_goes_out_late(
    connection: psycopg.Connection,
) -> None:
    tx = Transaction(connection)
    storage = Storage(tx)
    last = storage.next_declaration()
    tx.run(
        "INSERT INTO jobs (kind, key, due_at) VALUES ('remind', 'past', now() - interval '1 minute'), "
        "('remind', 'to come', now() + interval '1 day'), ('pass_deadline', 'past', now())"
    )
    storage.skip_declarations(1000)
    storage.forget_reminders()
    assert storage.next_declaration() > last + 1000
    assert [(row["kind"], row["key"]) for row in tx.all(JOBS_OF_APPLICATIONS)] == [
        ("pass_deadline", "past"),
        ("remind", "to come"),
    ]


@pytest.mark.proves("G6")
def test_of_fifty_who_claim_one_phone_at_once_one_gets_it(migrated: str) -> None:
    database = Database(migrated, name="test", max_size=20)
    database.open()
    drafts = [draft() for _ in range(50)]
    with database.transaction() as tx:
        for registration in drafts:
            Storage(tx).add(registration)

    def claim(number: int, registration_id: UUID) -> bool:
        try:
            with database.transaction() as tx:
                wanted = Claim(registration_id, "+84912345678", frozenset({f"{number:010d}"}))
                claims.claim(Storage(tx), wanted)
        except PhoneTaken:
            return False
        return True

    try:
        with ThreadPoolExecutor(20) as threads:
            won = list(threads.map(claim, range(50), [registration.id for registration in drafts]))
        assert won.count(True) == 1
    finally:
        with database.transaction() as tx:
            tx.run("DELETE FROM claimed")
        database.close()


@pytest.fixture
def database(migrated: str) -> Iterator[Database]:
    """For transactions at once; what they claimed is freed afterwards."""
    database = Database(migrated, name="test", max_size=20)
    database.open()
    try:
        yield database
    finally:
        with database.transaction() as tx:
            tx.run("DELETE FROM claimed")
        database.close()


def drafts_in(database: Database, count: int) -> list[UUID]:
    drafts = [draft() for _ in range(count)]
    with database.transaction() as tx:
        for registration in drafts:
            Storage(tx).add(registration)
    return [registration.id for registration in drafts]


@pytest.mark.proves("G6")
@pytest.mark.proves("G13")
@pytest.mark.parametrize("round_", range(5))
def test_a_change_of_phone_and_strangers_at_once_leave_each_phone_to_one_person(
    database: Database, round_: int
) -> None:
    """While a verified person changes from one phone to another, strangers want both."""
    old, new, numbers = "+84911111111", "+84922222222", frozenset({"0123456789", "001190123456"})
    first, *others = drafts_in(database, 25)
    with database.transaction() as tx:
        claims.claim(Storage(tx), Claim(first, old, numbers))
        claims.settle(Storage(tx), first)

    def change(registration_id: UUID) -> None:
        with suppress(PhoneTaken, CodeTaken):
            with database.transaction() as tx:
                claims.claim(Storage(tx), Claim(registration_id, new, numbers))
            with database.transaction() as tx:
                claims.settle(Storage(tx), registration_id)

    def want(place: int, registration_id: UUID) -> None:
        phone = (old, new)[place % 2]
        with suppress(PhoneTaken), database.transaction() as tx:
            claims.claim(Storage(tx), Claim(registration_id, phone, frozenset({f"55555555{place:02}"})))

    with ThreadPoolExecutor(20) as threads:
        acts = [threads.submit(change, other) for other in others[:4]]
        acts += [threads.submit(want, place, other) for place, other in enumerate(others[4:])]
        for act in acts:
            act.result()
    with database.transaction() as tx:
        held = Storage(tx).claims_on([old, new])
    for phone in (old, new):
        people = [claim for claim in held if claim.phone == phone]
        assert len(people) <= 1
    (account,) = [claim for claim in held if claim.is_verified]
    assert account.numbers == numbers
