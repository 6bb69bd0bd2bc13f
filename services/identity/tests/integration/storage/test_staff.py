"""Members of staff, and what they did."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from services.identity.domain import AuditEntry
from services.identity.refusals import StaffUserTaken
from services.identity.storage import Storage
from services.identity.tests.integration.house import transaction_on
from services.identity.tests.integration.storage.either import AnyStorage
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import AGENCY, NOW


def test_staff_are_found_by_user_name_which_is_theirs_alone(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    assert storage.staff_named("mai") == member
    assert storage.staff_named("Mai") is None
    with pytest.raises(StaffUserTaken):
        storage.add_staff(samples.staff(id=uuid4(), user="mai"), NOW)


def test_a_staff_session_is_found_by_its_hash_until_it_expires(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    ends = NOW + timedelta(hours=8)
    storage.start_staff_session(b"a hash", member.id, NOW, ends)
    found = storage.officer(b"a hash", NOW)
    assert found is not None
    assert (found.id, found.agency_code) == (member.id, AGENCY)
    assert storage.officer(b"a hash", ends) is None
    assert storage.officer(b"another", NOW) is None


def test_a_session_that_was_logged_out_is_over_and_no_other(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    for token_hash in (b"shared desk", b"own desk"):
        storage.start_staff_session(token_hash, member.id, NOW, NOW + timedelta(hours=8))
    storage.end_staff_session(b"shared desk")
    assert storage.officer(b"shared desk", NOW) is None
    assert storage.officer(b"own desk", NOW) is not None


def test_a_disabled_member_of_staff_keeps_the_name_and_has_no_session(storage: AnyStorage) -> None:
    member, other = (samples.staff(id=uuid4(), user=user) for user in ("mai", "nam"))
    for staff in (member, other):
        storage.add_staff(staff, NOW)
        storage.start_staff_session(staff.user.encode(), staff.id, NOW, NOW + timedelta(hours=8))
    assert storage.disable_staff("mai") == (member.id, True)
    assert storage.disable_staff("mai") == (member.id, False), "disabled before"
    assert storage.staff_named("mai") is None
    assert storage.officer(b"mai", NOW) is None
    assert storage.officer(b"nam", NOW) is not None
    assert storage.disable_staff("nobody") is None
    with pytest.raises(StaffUserTaken):
        storage.add_staff(samples.staff(id=uuid4(), user="mai"), NOW)


def test_a_step_of_an_app_is_used_once_and_of_its_seed_alone(storage: AnyStorage) -> None:
    until = NOW + timedelta(hours=72)
    member = samples.staff(id=uuid4(), user="mai", enrolment_hash=b"code", enrolment_until=until)
    storage.add_staff(member, NOW)
    assert storage.staff_named("mai") == member
    assert not storage.use_totp(member.id, b"seed", 7)
    assert not storage.begin_totp(member.id, b"seed", b"another code")
    assert storage.begin_totp(member.id, b"before", b"code")
    assert storage.begin_totp(member.id, b"seed", b"code")
    assert not storage.use_totp(member.id, b"before", 7)
    assert storage.use_totp(member.id, b"seed", 7)
    assert not storage.begin_totp(member.id, b"another", b"code")
    assert [storage.use_totp(member.id, b"seed", step) for step in (6, 7, 8)] == [False, False, True]
    assert storage.staff_named("mai") == replace(
        member, totp_seed=b"seed", totp_last_step=8, enrolment_hash=None, enrolment_until=None
    )


def test_a_reset_takes_seed_step_and_sessions_of_one_member(storage: AnyStorage) -> None:
    for user in ("mai", "nam"):
        member = samples.staff(id=uuid4(), user=user, enrolment_hash=b"code", enrolment_until=NOW)
        storage.add_staff(member, NOW)
        storage.begin_totp(member.id, b"seed", b"code")
        storage.use_totp(member.id, b"seed", 7)
        storage.start_staff_session(user.encode(), member.id, NOW, NOW + timedelta(hours=8))
    until = NOW + timedelta(hours=72)
    assert storage.reset_totp("mai", b"next code", until) is not None
    reset, other = storage.staff_named("mai"), storage.staff_named("nam")
    assert reset is not None
    assert other is not None
    assert (reset.totp_seed, reset.totp_last_step) == (None, None)
    assert (reset.enrolment_hash, reset.enrolment_until) == (b"next code", until)
    assert (other.totp_seed, other.totp_last_step) == (b"seed", 7)
    assert [storage.officer(user, NOW) is not None for user in (b"mai", b"nam")] == [False, True]
    assert not storage.use_totp(reset.id, b"seed", 9)
    assert storage.reset_totp("nobody", b"next code", until) is None
    storage.disable_staff("nam")
    assert storage.reset_totp("nam", b"next code", until) is None, "whoever is disabled gets in with no code"


def test_the_audit_trail_keeps_every_entry_in_order(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    before = len(storage.audit_rows())
    case_id = uuid4()
    storage.add_audit(AuditEntry(NOW, member.id, "case_read", case_id))
    storage.add_audit(AuditEntry(NOW, member.id, "photo_read", case_id, {"kind": "portrait"}))
    assert storage.audit_rows()[before:] == [
        ("case_read", case_id, {}),
        ("photo_read", case_id, {"kind": "portrait"}),
    ]


@pytest.mark.parametrize("change", ["UPDATE audit SET action = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_database_refuses_to_change_the_audit_trail(identity_dsn: str, change: str) -> None:
    with transaction_on(identity_dsn, keep=False) as tx:
        member = samples.staff(id=uuid4(), user="mai")
        Storage(tx).add_staff(member, NOW)
        Storage(tx).add_audit(AuditEntry(NOW, member.id, "case_read"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tx.run(change)
        tx.run("ROLLBACK")


def test_of_a_staff_member_who_left_neither_password_nor_token_opens_anything(identity_dsn: str) -> None:
    with transaction_on(identity_dsn, keep=False) as tx:
        storage = Storage(tx)
        member = samples.staff(id=uuid4(), user="mai")
        storage.add_staff(member, NOW)
        storage.start_staff_session(b"a hash", member.id, NOW, NOW + timedelta(hours=8))
        tx.run("UPDATE staff SET active = false WHERE id = %(id)s", {"id": member.id})
        assert storage.staff_named("mai") is None
        assert storage.officer(b"a hash", NOW) is None


def test_a_hash_of_staff_is_renewed_once_and_only_the_one_that_was_seen(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai", password_hash="old")
    storage.add_staff(member, NOW)
    for before, renewed in (("another", "wrong"), ("old", "new"), ("old", "late")):
        storage.renew_staff_hash(member.id, before, renewed)
    assert storage.staff_named("mai") == replace(member, password_hash="new")
