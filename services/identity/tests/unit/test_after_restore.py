"""After a restore: what identity tells again, and what it makes anew."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from services.identity import refusals, use_cases
from services.identity.credentials import CredentialState
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.steps import (
    confirmed,
    issue,
    opened,
    outcomes_told,
    replacements_due,
    with_account,
)
from shared.events import registration as registration_events


def test_a_waiting_case_is_told_to_be_open(storage: FakeStorage) -> None:
    case = opened(storage)
    use_cases.tell_case_again(storage, case.registration_id)
    assert outcomes_told(storage) == ["matched", "matched"]


def test_each_ending_is_told_again_as_it_was(storage: FakeStorage) -> None:
    people = [samples.applicant(code=f"012345678{number}") for number in range(3)]
    verified, rejected, closed = (opened(storage, person=person) for person in people)
    confirmed(storage, verified)
    use_cases.reject_case(storage, OFFICER, rejected.id, reason="Giấy tờ không khớp", now=NOW)
    use_cases.close_case(storage, closed.registration_id, "deadline_passed", NOW)
    for case, event_type in (
        (verified, "identity.verified.v1"),
        (rejected, "identity.rejected.v1"),
        (closed, "identity.closed.v1"),
    ):
        use_cases.tell_case_again(storage, case.registration_id)
        first, again = storage.tx.events(event_type)
        assert (again.data, again.time, again.id == first.id) == (first.data, first.time, False)


def test_a_case_gives_back_the_submission_that_opened_it(storage: FakeStorage) -> None:
    submitted = samples.submitted()
    case = opened(storage, registration_id=submitted["registration_id"])
    told = use_cases.submission_of(case)
    event = registration_events.SUBMITTED.event(
        subject=case.registration_id, correlation_id=case.registration_id, at=NOW, data=told
    )
    unknown = ("register_check", "consent")
    assert {k: v for k, v in event.data.items() if k not in unknown} == {
        k: v for k, v in submitted.items() if k not in unknown
    }


def test_a_verification_told_again_leaves_a_contact_that_changed_since(storage: FakeStorage) -> None:
    case = opened(storage)
    account = with_account(storage, case)
    issue(storage, account.id, case.registration_id)
    moved = replace(account, phone="+84999999999")
    storage.save_account(moved, NOW)
    verified = storage.tx.events("identity.verified.v1")[-1]
    due = len(storage.tx.due("issue_credential"))
    use_cases.open_account(storage, verified.data, account_id=uuid4(), now=NOW)
    assert storage.account(account.id) == moved
    assert len(storage.tx.due("issue_credential")) == due


def test_a_first_password_of_which_no_message_is_known_is_replaced_once(storage: FakeStorage) -> None:
    case = opened(storage)
    account = with_account(storage, case)
    unheard = issue(storage, account.id, case.registration_id)
    assert use_cases.replace_unheard(storage, unheard, replacements=3, now=NOW)
    assert not use_cases.replace_unheard(storage, unheard, replacements=3, now=NOW)
    assert storage.credentials[unheard].state is CredentialState.ENDED
    assert replacements_due(storage) == [f"{case.registration_id} 1"]


def test_replacing_has_an_end(storage: FakeStorage) -> None:
    case = opened(storage)
    account = with_account(storage, case)
    last = issue(storage, account.id, f"{case.registration_id} 3")
    assert not use_cases.replace_unheard(storage, last, replacements=3, now=NOW)
    assert storage.credentials[last].state is CredentialState.ISSUED


def test_who_is_back_at_the_first_password_gets_another(storage: FakeStorage) -> None:
    case = opened(storage)
    account = with_account(storage, case)
    first = issue(storage, account.id, case.registration_id)
    assert use_cases.issue_anew(storage, account.id, replacements=3, now=NOW)
    assert storage.credentials[first].state is CredentialState.ENDED


def test_an_own_password_is_never_replaced(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    storage.add_credential(samples.active(account.id), "session", NOW)
    assert not use_cases.issue_anew(storage, account.id, replacements=3, now=NOW)


def test_a_disabled_member_of_staff_has_no_session_any_more(storage: FakeStorage) -> None:
    staff = samples.staff()
    storage.add_staff(staff, NOW)
    use_cases.start_staff_session(storage, staff, b"hash", hours=8, now=NOW)
    assert use_cases.disable_staff(storage, staff.user, by="operator", now=NOW)
    assert storage.staff_named(staff.user) is None
    with pytest.raises(refusals.TokenInvalid):
        use_cases.officer_of(storage, b"hash", NOW)
    assert storage.audit_rows()[-1] == ("disabled", None, {"by": "operator"})
    assert not use_cases.disable_staff(storage, "nobody", by="operator", now=NOW)


def test_disabling_somebody_who_is_disabled_already_leaves_no_row(storage: FakeStorage) -> None:
    staff = samples.staff()
    storage.add_staff(staff, NOW)
    use_cases.disable_staff(storage, staff.user, by="operator", now=NOW)
    before = storage.audit_rows()
    assert use_cases.disable_staff(storage, staff.user, by="another", now=NOW), "the name is known"
    assert storage.audit_rows() == before
