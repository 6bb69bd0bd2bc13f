"""Whoever was verified once, the one account, and its contact: on the fake."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.identity import refusals, use_cases
from services.identity.domain import CaseStatus
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.steps import applied, claims, confirmed, opened, with_account


@pytest.mark.proves("G13")
def test_who_was_verified_once_is_not_sent_to_the_desk_again(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    again = opened(storage)
    assert again.status is CaseStatus.VERIFIED
    told = storage.tx.events("identity.verified.v1")[-1]
    assert (told.data["method"], told.data["person_id"]) == ("reused", account.person_id)


@pytest.mark.proves("G13")
@pytest.mark.parametrize(
    "changes",
    [
        {"phone": "+84987654321"},
        {"email": "other@example.com"},
        {"full_name": "Nguyễn Thị Khác"},
        {"birth_value": "1991-05-17"},
        {"document_kind": "passport", "document_number": "C1234567"},
    ],
)
def test_a_verified_person_with_another_contact_or_name_is_sent_to_the_desk(
    storage: FakeStorage, changes: dict[str, str]
) -> None:
    with_account(storage, opened(storage))
    data = samples.submitted(samples.applicant(**changes))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    assert case.status is CaseStatus.WAITING


def test_the_desk_gives_a_known_person_the_new_contact_and_keeps_the_account(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    data = samples.submitted(samples.applicant(phone="+84987654321"))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    changed = with_account(storage, case)
    assert (changed.id, changed.person_id) == (account.id, account.person_id)
    assert changed.phone == "+84987654321"
    assert len(storage.people) == 1


def test_numbers_of_two_verified_people_do_not_make_a_third(storage: FakeStorage) -> None:
    confirmed(storage, opened(storage))
    other = samples.applicant(code="9999999999", document_number="001190000002")
    data = samples.submitted(other)
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    other_case = storage.case_of(data["registration_id"])
    assert other_case is not None
    confirmed(storage, other_case)
    mixed = samples.submitted(samples.applicant(code="0123456789", document_number="001190000002"))
    use_cases.open_case(storage, mixed, case_id=uuid4(), at=NOW)
    mixed_case = storage.case_of(mixed["registration_id"])
    assert mixed_case is not None
    with pytest.raises(refusals.PersonNumberTaken):
        confirmed(storage, mixed_case)


def contact_notices(storage: FakeStorage) -> list[dict[str, object]]:
    return [e.data for e in storage.tx.events("account.notice_due.v1") if e.data["kind"] == "contact_changed"]


@pytest.mark.proves("G13")
def test_a_contact_changed_at_the_desk_is_told_to_the_old_and_the_new_one_and_ends_every_session(
    storage: FakeStorage,
) -> None:
    account = with_account(storage, opened(storage))
    own = samples.active(account.id)
    storage.add_credential(own, "session", NOW)
    session = use_cases.log_in(storage, account, own, session_id=uuid4(), now=NOW)
    again = applied(storage, phone="+84987654321", email="new@example.com")
    read = use_cases.read_case(storage, OFFICER, again.id, NOW)
    assert read.account is not None
    assert (read.case.applicant.phone, read.account.phone) == ("+84987654321", "+84912345678")
    changed = with_account(storage, again)
    assert (changed.phone, changed.email) == ("+84987654321", "new@example.com")
    (notice,) = contact_notices(storage)
    assert notice["channels"] == [
        {"kind": "sms", "to": "+84912345678"},
        {"kind": "sms", "to": "+84987654321"},
        {"kind": "email", "to": "thu@example.com"},
        {"kind": "email", "to": "new@example.com"},
    ]
    with pytest.raises(refusals.TokenInvalid):
        use_cases.live_session(storage, claims(session))
    assert own in storage.live_credentials(account.id)


@pytest.mark.proves("G13")
@pytest.mark.parametrize("late_first", [True, False])
def test_the_account_has_the_contact_that_the_desk_saw_last_whichever_event_comes_first(
    storage: FakeStorage, late_first: bool
) -> None:
    confirmed(storage, opened(storage))
    confirmed(storage, applied(storage, phone="+84987654321"))
    told = storage.tx.events("identity.verified.v1")
    for event in reversed(told) if late_first else told:
        use_cases.open_account(storage, event.data, account_id=uuid4(), now=NOW)
    account = storage.account_named("0123456789")
    assert account is not None
    assert account.phone == "+84987654321"


@pytest.mark.proves("G13")
@pytest.mark.parametrize("code", ["0123456789", "001190000001"])
def test_code_and_personal_number_are_one_persons(storage: FakeStorage, code: str) -> None:
    account = with_account(storage, opened(storage))
    again = applied(storage, code=code)
    assert again.status is CaseStatus.VERIFIED
    assert storage.tx.events("identity.verified.v1")[-1].data["person_id"] == account.person_id


@pytest.mark.proves("G13")
@pytest.mark.parametrize(
    "changes",
    [{"document_number": "001190999999"}, {"code": "9999999999"}],
    ids=["a leaked code with other papers", "a leaked personal number with another code"],
)
def test_a_leaked_number_with_the_papers_of_somebody_else_takes_no_account(
    storage: FakeStorage, changes: dict[str, str]
) -> None:
    account = with_account(storage, opened(storage))
    thief = applied(storage, phone="+84987654321", email="thief@example.com", **changes)
    assert thief.status is CaseStatus.WAITING
    with pytest.raises(refusals.PersonNumberTaken):
        confirmed(storage, thief)
    assert storage.account(account.id) == account
    assert contact_notices(storage) == []
