"""Gaps between four real databases: each one that was made is found, whatever their size."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from deploy.vssid.gaps import KINDS, Gap, gaps
from deploy.vssid.mending import mend
from deploy.vssid.where import Databases
from services.history.storage import HistoryStorage
from services.history.use_cases import note_guardian
from services.identity.rights import NOBODY
from services.registration.storage import Storage
from services.registration.tests.examples import declared
from services.registration.timeline import Status
from shared.database import Database
from shared.events.envelope import from_amqp
from shared.messaging.topology import SERVICES

MANY = 20_000
MOST_BYTES = 16 * 1024 * 1024

ID = "('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
ROWS = "FROM generate_series(1, %(many)s) AS row (n)"
FILL = {
    "registration": [
        f"""INSERT INTO registrations (id, status, language, token_hash, declaration_number, submitted_at,
                                       deadline, consent_version, declaration)
            SELECT {ID}, 'completed', 'vi', '', 'TK-' || n, now() - interval '2 hours', now(), '1', '{{}}'
            {ROWS}""",
        f"""INSERT INTO erasures (request_id, account_id, erased_at, photos, applications, drafts)
            SELECT {ID}, {ID}, now(), 0, 0, 0 {ROWS}""",
    ],
    "identity": [
        f"""INSERT INTO cases (id, registration_id, declaration_number, agency_code, applicant, photos,
                               warnings, register_outcome, mismatched, deadline, language, search_text,
                               opened_at, status, ended_at)
            SELECT {ID}, {ID}, 'TK-' || n, 'S001', json_build_object('code', lpad(n::text, 10, '0')), '[]',
                   '{{}}', 'matched', '{{}}', now(), 'vi', '', now() - interval '2 hours', 'verified',
                   now() - interval '1 hour' {ROWS}""",
        f"INSERT INTO people (id, applicant, verified_at) SELECT {ID}, '{{}}', now() {ROWS}",
        f"INSERT INTO person_numbers (number, person_id) SELECT lpad(n::text, 10, '0'), {ID} {ROWS}",
        f"""INSERT INTO accounts (id, person_id, code, full_name, birth_value, phone, email, language,
                                  opened_at)
            SELECT {ID}, {ID}, lpad(n::text, 10, '0'), '', '', '+84' || n, '', 'vi', now() {ROWS}""",
        f"""INSERT INTO credentials (id, account_id, cause, state, password_hash, made_at, valid_until)
            SELECT {ID}, {ID}, {ID}::text, 'issued', '', now() - interval '1 hour', now() {ROWS}""",
        f"""INSERT INTO sessions (id, account_id, scope, started_at, ended_at)
            SELECT {ID}, {ID}, 'citizen', now(), now() - interval '10 minutes' {ROWS}""",
        "UPDATE credentials SET delivery = 'delivered'",
        f"""INSERT INTO person_requests (id, account_id, agency_code, kind, asked_at, due_at, wanted, state,
                                         answered_at)
            SELECT {ID}, {ID}, '', 'erasure', now() - interval '1 hour', now(), '{{}}', 'granted', now()
            {ROWS}""",
    ],
    "notification": [
        f"""INSERT INTO message (id, cause_event_id, channel, purpose, recipient, language, facts,
                                 registration_id, credential_id, account_id, state, written_at, changed_at)
            SELECT {ID}, {ID}, 'sms', 'credentials', '', 'vi', '{{}}', {ID}, {ID}, {ID}, 'delivered',
                   now() - interval '1 hour', now() {ROWS}"""
    ],
    "history": [
        f"INSERT INTO ended_sessions (account_id, issued_before) SELECT {ID}, now() {ROWS}",
    ],
}
SPOIL = {
    "registration": {
        "application_missing": (5, "DELETE FROM registrations WHERE id = %(id)s"),
        "ending_unheard": (6, "UPDATE registrations SET status = 'awaiting_visit' WHERE id = %(id)s"),
        "erasure_unheard": (8, "DELETE FROM erasures WHERE request_id = %(id)s"),
        "outcome_unheard": (7, "UPDATE registrations SET status = 'verified' WHERE id = %(id)s"),
    },
    "identity": {
        "case_missing": (1001, "DELETE FROM cases WHERE id = %(id)s"),
        "decision_lost": (1002, "UPDATE cases SET status = 'waiting', ended_at = NULL WHERE id = %(id)s"),
        "credential_missing": (1003, "DELETE FROM credentials WHERE id = %(id)s"),
        "message_missing": (2001, "UPDATE credentials SET delivery = NULL WHERE id = %(id)s"),
    },
    "notification": {
        "message_missing": (2001, "DELETE FROM message WHERE id = %(id)s"),
        "record_lost": (2002, "DELETE FROM message WHERE id = %(id)s"),
        "own_password_missing": (
            2003,
            """INSERT INTO message (id, cause_event_id, channel, purpose, recipient, language, facts,
                                    account_id, state, written_at, changed_at)
               VALUES (gen_random_uuid(), gen_random_uuid(), 'email', 'password_changed', '', 'vi', '{}',
                       %(id)s, 'sent', now() - interval '5 minutes', now())""",
        ),
    },
    "history": {
        "ended_sessions_missing": (MANY, "DELETE FROM ended_sessions WHERE account_id = %(id)s"),
    },
}


def row(number: int) -> UUID:
    return UUID(f"00000000-0000-7000-8000-{number:012x}")


@pytest.fixture
def four(database: Callable[[str], str]) -> Iterator[Databases]:
    """The four databases, each with what ``MANY`` citizens who are through have left."""
    opened = {service: Database(database(service), name="test", max_size=2) for service in SERVICES}
    for pool in opened.values():
        pool.open()
    four = Databases(opened)
    for service, statements in FILL.items():
        with four.transaction(service) as tx:
            for statement in statements:
                tx.run(statement, {"many": MANY})
        with four.transaction(service) as tx:
            tx.run("ANALYZE")
    yield four
    for pool in opened.values():
        pool.close()


def test_every_gap_is_found_in_pages(four: Databases) -> None:
    now = datetime.now(UTC)
    assert list(gaps(four, now)) == []

    made = set()
    for service, spoilt in SPOIL.items():
        with four.transaction(service) as tx:
            for kind, (number, statement) in spoilt.items():
                assert tx.run(statement, {"id": row(number)}) == 1
                made.add((kind, row(number)))
    tracemalloc.start()
    found = [(gap.kind.name, gap.belongs_to) for gap in gaps(four, now)]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sorted(found) == sorted(made)
    assert peak_bytes < MOST_BYTES


def test_a_childs_account_that_is_reached_nowhere_lacks_no_password(four: Databases) -> None:
    """Nobody acts for the child any more: a password would go nowhere, and none is made (ADR 0024)."""
    with four.transaction("identity") as tx:
        tx.run("DELETE FROM credentials WHERE id = %(id)s", {"id": row(4)})
    assert [gap.kind.name for gap in gaps(four, datetime.now(UTC))] == ["credential_missing"]
    with four.transaction("identity") as tx:
        tx.run("UPDATE accounts SET phone = '', email = '' WHERE id = %(id)s", {"id": row(4)})
    assert list(gaps(four, datetime.now(UTC))) == []


def test_what_is_younger_is_left_out(four: Databases) -> None:
    with four.transaction("identity") as tx:
        tx.run("DELETE FROM cases WHERE id = %(id)s", {"id": row(3)})
    with four.transaction("registration") as tx:
        tx.run("UPDATE registrations SET submitted_at = now() WHERE id = %(id)s", {"id": row(3)})

    assert list(gaps(four, datetime.now(UTC).replace(year=2020))) == []
    assert [gap.kind.name for gap in gaps(four, datetime.now(UTC))] == ["case_missing"]


def test_an_ending_is_known_again_though_its_case_was_emptied_since(four: Databases) -> None:
    with four.transaction("identity") as tx:
        tx.run(
            """UPDATE cases SET status = 'closed', reason = 'superseded', erased_at = now(),
                                applicant = %(nobody)s WHERE id = %(id)s""",
            {"id": row(4), "nobody": Jsonb(asdict(NOBODY))},
        )
    with four.transaction("registration") as tx:
        waits = (
            """UPDATE registrations SET status = 'awaiting_visit', declaration = %(form)s WHERE id = %(id)s"""
        )
        tx.run(waits, {"id": row(4), "form": Jsonb(asdict(declared()))})
    (gap,) = gaps(four, datetime.now(UTC))
    assert (gap.kind.name, mend(four, gap)) == ("ending_unheard", True)
    with four.transaction("registration") as tx:
        held = Storage(tx).find(row(4))
        proof = Storage(tx).emptied(row(4))
    assert held is not None
    assert (held.status, held.is_emptied, held.timeline[-1].detail) == (Status.CANCELLED, True, "superseded")
    assert proof is not None
    assert list(gaps(four, datetime.now(UTC))) == []


def test_what_was_emptied_is_told_again_to_a_case_that_came_back(four: Databases) -> None:
    gap = Gap(KINDS["emptying_unheard"], row(4), row(4))
    assert mend(four, gap)
    with four.transaction("registration") as tx:
        told = tx.all("SELECT type FROM outbox")
    assert [event["type"] for event in told] == ["registration.emptied.v1"]


HELD = """
INSERT INTO guardianships (account_id, child_person_id, relation, confirmed_by, confirmed_at, valid_until,
                           end_reason)
VALUES (%(id)s, %(child)s, 'parent', %(id)s, %(confirmed_at)s, %(until)s, %(reason)s)
"""
KNOWN = "INSERT INTO guardianships VALUES (%(id)s, %(child)s, '1', %(until)s, %(confirmed_at)s)"


def test_guardianships_are_told_again_and_an_ending_that_identity_lost_is_for_people(four: Databases) -> None:
    now = datetime.now(UTC)
    confirmed, ended, grown = now - timedelta(days=9), now - timedelta(days=2), now + timedelta(days=900)
    held = ((1, grown, None), (2, ended, "custody_changed"), (3, grown, None), (4, grown, None))
    known = ((2, grown, confirmed), (3, ended, ended), (4, grown, confirmed))
    with four.transaction("identity") as tx:
        for n in range(1, 5):
            staff = "INSERT INTO staff VALUES (%(id)s, %(id)s::text, '', '', '', true, now())"
            tx.run(staff, {"id": row(n)})
        for n, until, reason in held:
            ids = {"id": row(n), "child": row(n + 10)}
            tx.run(HELD, {**ids, "confirmed_at": confirmed, "until": until, "reason": reason})
        nobody = "UPDATE people SET applicant = %(nobody)s"
        tx.run(nobody, {"nobody": Jsonb(asdict(replace(NOBODY, code="0000000011")))})
    with four.transaction("history") as tx:
        for n, until, at in known:
            tx.run(KNOWN, {"id": row(n), "child": row(n + 10), "until": until, "confirmed_at": at})
    found = list(gaps(four, now))
    assert [(gap.kind.name, gap.key) for gap in found] == [
        ("guardianship_unheard", row(1)),
        ("guardianship_unheard", row(2)),
        ("guardianship_end_lost", row(3)),
    ]
    assert [mend(four, gap) for gap in found] == [True, True, False]
    with four.transaction("identity") as tx:
        told = tx.all("SELECT type, headers, body FROM outbox")
    assert {event["type"] for event in told} == {"identity.guardianship_confirmed.v1"}, "nobody is told twice"
    with four.transaction("history") as tx:
        for event in told:
            heard = from_amqp(event["headers"], bytes(event["body"]))
            note_guardian(HistoryStorage(tx), heard.data, heard.time)
    assert [gap.kind.name for gap in gaps(four, now)] == ["guardianship_end_lost"]


def test_a_case_that_was_emptied_asks_for_no_application_that_was_lost(four: Databases) -> None:
    with four.transaction("registration") as tx:
        tx.run("DELETE FROM registrations WHERE id = %(id)s", {"id": row(9)})
    assert [gap.kind.name for gap in gaps(four, datetime.now(UTC))] == ["application_missing"]
    with four.transaction("identity") as tx:
        tx.run("UPDATE cases SET status = 'closed', erased_at = now() WHERE id = %(id)s", {"id": row(9)})
    assert list(gaps(four, datetime.now(UTC))) == []
