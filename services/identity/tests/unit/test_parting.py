"""Guardianships that an officer ends, and whose contact a child keeps among several guardians."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity import use_cases
from services.identity.credentials import CredentialState
from services.identity.delivery import Way
from services.identity.domain import Account, Case, CaseStatus, Officer
from services.identity.guardianship import Guardianship, GuardianshipOver, GuardianshipUnknown, of_age_at
from services.identity.refusals import CaseUnknown, RequestInvalid
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.test_children import (
    CHILDS,
    CONFIRMED,
    change_contact,
    children,
    confirm,
    father,
    may_recover,
    mother,
    opened,
    opened_adult,
    session,
    with_account,
)
from services.identity.use_cases import accounts

LATER = NOW + timedelta(days=1)
ENDED = "identity.guardianship_ended.v1"


def confirmed(storage: FakeStorage, guardian: Account, at: datetime = NOW) -> tuple[Case, Account]:
    """A child's case, and its account."""
    case = opened(storage, guardian)
    confirm(storage, case, now=at)
    return case, with_account(storage)


def end(storage: FakeStorage, case: Case, reason: str = "custody_changed", **options: Any) -> Guardianship:
    given: dict[str, Any] = {"note": "", "now": LATER, "officer": OFFICER} | options
    return use_cases.end_guardianship(
        storage, given["officer"], case.id, reason=reason, note=given["note"], now=given["now"]
    )


def account_of(storage: FakeStorage, account: Account) -> Account:
    found = storage.account(account.id)
    assert found is not None
    return found


def test_who_was_the_guardian_sees_the_child_no_more_and_is_told(storage: FakeStorage) -> None:
    guardian = mother(storage)
    case, child = confirmed(storage, guardian)
    ended = end(storage, case, note="Bản án số 12")
    assert children(storage, guardian, LATER) == []
    assert use_cases.list_children(storage, session(storage, guardian), LATER) == ([], [ended])
    assert use_cases.export(storage, guardian, request_id=uuid4(), now=LATER).ended == [ended]
    (event,) = storage.tx.events(ENDED)
    assert event.data == {
        "account_id": guardian.id,
        "child_person_id": child.person_id,
        "codes": [child.code],
        "ended_at": LATER,
        "reason": "custody_changed",
        "channels": guardian.channels,
        "language": guardian.language,
    }
    rows = [row for row in storage.audit_rows() if row[0] == "guardianship_ended"]
    assert rows == [
        ("guardianship_ended", case.id, {"guardian": str(guardian.id), "reason": "custody_changed"})
    ]
    assert (ended.end_note, ended.ended_by) == ("Bản án số 12", OFFICER.id)
    assert "Bản án" not in repr(ended)


def test_again_it_is_the_same_answer_and_the_first_reason_stays(storage: FakeStorage) -> None:
    case, _ = confirmed(storage, mother(storage))
    first = end(storage, case)
    assert end(storage, case, "confirmed_in_error", now=LATER + timedelta(hours=1)) == first
    assert len(storage.tx.events(ENDED)) == 1


def test_a_guardianship_that_ended_as_the_child_came_of_age_is_left_as_it_is(storage: FakeStorage) -> None:
    case, child = confirmed(storage, mother(storage))
    grown = of_age_at(CHILDS["birth_value"])
    assert end(storage, case, now=grown).end_reason is None
    assert storage.tx.events(ENDED) == []
    assert account_of(storage, child).channels


@pytest.mark.parametrize(
    ("given", "field", "right"),
    [
        ({"reason": ""}, "reason", "came_of_age, custody_changed, confirmed_in_error"),
        ({"reason": "moved"}, "reason", "came_of_age, custody_changed, confirmed_in_error"),
        ({"note": "x" * 501}, "note", "500"),
    ],
)
def test_a_reason_that_is_none_is_refused_by_name(
    storage: FakeStorage, given: dict[str, str], field: str, right: str
) -> None:
    guardian = mother(storage)
    case, _ = confirmed(storage, guardian)
    with pytest.raises(RequestInvalid) as refused:
        end(storage, case, **given)
    (problem,) = refused.value.problems
    assert problem.field == field
    assert right in problem.vi
    assert right in problem.en
    assert len(children(storage, guardian, LATER)) == 1


def test_only_the_agency_that_confirmed_it_ends_it(storage: FakeStorage) -> None:
    guardian = mother(storage)
    case, _ = confirmed(storage, guardian)
    with pytest.raises(CaseUnknown):
        end(storage, case, officer=Officer(uuid4(), "00199"))
    assert len(children(storage, guardian, LATER)) == 1


def test_a_case_that_made_nobody_a_guardian_ends_nothing(storage: FakeStorage) -> None:
    guardian = mother(storage)
    confirmed(storage, guardian)
    waiting = opened(storage, father(storage))
    for case in (waiting, opened_adult(storage)):
        with pytest.raises(GuardianshipUnknown):
            end(storage, case)
    assert storage.tx.events(ENDED) == []


def test_a_case_that_was_reused_without_an_officer_ends_nothing(storage: FakeStorage) -> None:
    guardian = mother(storage)
    case, _ = confirmed(storage, guardian)
    reused = opened(storage, guardian)
    assert reused.status is CaseStatus.VERIFIED
    with pytest.raises(GuardianshipUnknown):
        end(storage, reused)
    assert len(children(storage, guardian, LATER)) == 1
    assert end(storage, case).end_reason == "custody_changed"


def test_a_confirmation_that_another_has_followed_ends_nothing(storage: FakeStorage) -> None:
    guardian = mother(storage)
    first, _ = confirmed(storage, guardian)
    end(storage, first)
    again = opened(storage, guardian)
    at = LATER + timedelta(hours=1)
    confirm(storage, again, now=at)
    with pytest.raises(GuardianshipUnknown):
        end(storage, first, now=at + timedelta(hours=1))
    assert len(children(storage, guardian, at + timedelta(hours=1))) == 1
    ended = end(storage, again, now=at + timedelta(hours=1))
    assert end(storage, again, now=at + timedelta(hours=2)) == ended


def test_confirmed_again_the_guardian_acts_again(storage: FakeStorage) -> None:
    guardian = mother(storage)
    case, _ = confirmed(storage, guardian)
    end(storage, case)
    again = opened(storage, guardian)
    assert again.status is CaseStatus.WAITING, "an officer has to confirm it again"
    confirm(storage, again, now=LATER + timedelta(hours=1))
    later = LATER + timedelta(hours=2)
    (seen,) = children(storage, guardian, later)
    assert seen.guardianship.end_reason is None
    assert use_cases.list_children(storage, session(storage, guardian), later)[1] == []


def test_after_a_restore_an_ending_is_told_again_after_its_confirmation(storage: FakeStorage) -> None:
    case, _ = confirmed(storage, mother(storage))
    end(storage, case)
    (first,) = storage.tx.events(ENDED)
    use_cases.tell_case_again(storage, case.registration_id)
    again = storage.tx.events(ENDED)[-1]
    assert (again.data, again.time) == (first.data, first.time)
    told = storage.tx.events("identity.guardianship_confirmed.v1")[-1]
    assert told.data["valid_until"] == LATER


def test_an_ending_is_after_its_confirmation_though_the_clocks_disagree(storage: FakeStorage) -> None:
    case, _ = confirmed(storage, mother(storage))
    early = NOW - timedelta(seconds=3)
    ended = end(storage, case, now=early)
    assert ended.valid_until > ended.confirmed_at
    assert storage.tx.events(ENDED)[0].data["ended_at"] == ended.valid_until


# ---- whose contact -----------------------------------------------------------------------------


def test_a_second_guardian_changes_nothing_about_where_the_child_is_reached(storage: FakeStorage) -> None:
    first, second = mother(storage), father(storage)
    _, child = confirmed(storage, first)
    notices = len(storage.tx.events("account.notice_due.v1"))
    _, again = confirmed(storage, second, LATER)
    assert again == child
    assert again.channels == first.channels
    assert len(storage.tx.events("account.notice_due.v1")) == notices
    assert len(children(storage, second, LATER)) == 1


def test_a_second_guardian_is_verified_once_only(storage: FakeStorage) -> None:
    first, second = mother(storage), father(storage)
    confirmed(storage, first)
    confirmed(storage, second)
    for guardian in (first, second):
        assert opened(storage, guardian).status is CaseStatus.VERIFIED
    assert opened(storage, second, full_name="Nguyễn Khác").status is CaseStatus.WAITING


def test_the_child_follows_the_contact_of_the_first_guardian_alone(storage: FakeStorage) -> None:
    first, second = mother(storage), father(storage)
    _, child = confirmed(storage, first)
    confirmed(storage, second)
    storage.all_cases.clear()
    for guardian in (first, second):
        confirm(storage, opened_adult(storage, **_person(storage, guardian)))
        with_account(storage)
    assert account_of(storage, child).channels == first.channels

    for guardian, phone in ((second, "0944444444"), (first, "0955555555")):
        change_contact(storage, guardian, LATER, phone=phone, email=f"me{phone}@example.com")
    assert account_of(storage, child).phone == "+84955555555"
    assert account_of(storage, child).email == "me0955555555@example.com"


def _person(storage: FakeStorage, account: Account) -> dict[str, Any]:
    applicant = storage.people[account.person_id].applicant
    return {"code": applicant.code, "document_number": applicant.document_number, "phone": applicant.phone}


def test_when_the_first_guardianship_ends_the_contact_passes_and_nothing_known_before_opens_the_account(
    storage: FakeStorage,
) -> None:
    first, second = mother(storage), father(storage)
    case, child = confirmed(storage, first)
    left, _ = confirmed(storage, second, NOW + timedelta(minutes=1))
    own = samples.active(child.id)
    issued = replace(samples.active(child.id, id=uuid4()), valid_until=LATER, state=CredentialState.ISSUED)
    storage.add_credential(issued, str(case.registration_id), NOW)
    storage.add_credential(own, str(uuid4()), NOW)
    claims = session(storage, child)
    end(storage, case)
    moved = account_of(storage, child)
    assert moved.channels == second.channels
    assert storage.people[child.person_id].applicant.phone == second.phone
    assert storage.live_credentials(child.id) == []
    assert storage.sessions[claims.session_id].ended_at is not None
    due = storage.tx.due("issue_credential")[-1]
    assert (due.key, due.payload) == (str(left.registration_id), {"account_id": str(child.id)})
    assert account_of(storage, first) == first
    assert account_of(storage, second) == second


@pytest.mark.parametrize("ends", ["first", "second"])
def test_what_the_child_is_sent_is_told_to_who_is_the_guardian_and_not_to_who_was(
    storage: FakeStorage, ends: str
) -> None:
    """A password is followed on the timeline of the registration that it is made for."""
    first, second = mother(storage), father(storage)
    cases = [confirmed(storage, first)[0], confirmed(storage, second, NOW + timedelta(minutes=1))[0]]
    child = account_of(storage, with_account(storage))
    for number, case in enumerate(cases if ends == "second" else reversed(cases)):
        made = use_cases.NewSecret(uuid4(), "a hash", "sealed")
        at = NOW + timedelta(hours=number)
        use_cases.issue(storage, child.id, str(case.registration_id), Way.SMS, made, now=at, valid_hours=72)
    over, left = cases if ends == "first" else reversed(cases)
    end(storage, over)
    accounts.give_up_contact(storage, child.id, LATER)
    due = storage.tx.due("issue_credential")[-1]
    assert due.key == f"{left.registration_id} 1"


def test_an_account_that_its_holder_has_closed_stays_closed(storage: FakeStorage) -> None:
    first, second = mother(storage), father(storage)
    case, child = confirmed(storage, first)
    confirmed(storage, second, NOW + timedelta(minutes=1))
    own = samples.active(child.id)
    storage.add_credential(
        samples.issued(child.id, state=CredentialState.ENDED), str(case.registration_id), NOW
    )
    storage.add_credential(own, str(uuid4()), NOW)
    use_cases.withdraw_consent(
        storage, session(storage, child), own, request_id=uuid4(), erasure_id=uuid4(), now=NOW
    )
    due = storage.tx.due("issue_credential")
    end(storage, case)
    assert account_of(storage, child).channels == second.channels
    assert storage.tx.due("issue_credential") == due


def test_when_the_second_guardianship_ends_the_child_stays_where_it_was_and_recovers_there(
    storage: FakeStorage,
) -> None:
    first, second = mother(storage), father(storage)
    _, child = confirmed(storage, first)
    case, _ = confirmed(storage, second, NOW + timedelta(minutes=1))
    own = samples.active(child.id)
    storage.add_credential(own, str(uuid4()), NOW)
    end(storage, case)
    assert account_of(storage, child) == child
    assert storage.live_credentials(child.id) == [own]
    assert may_recover(storage, child, LATER)


def test_who_was_the_guardian_gets_no_slip_and_who_is_the_guardian_does(storage: FakeStorage) -> None:
    first, _ = confirmed(storage, mother(storage))
    second, _ = confirmed(storage, father(storage), NOW + timedelta(hours=1))

    def hand_over(case: Case, now: datetime = LATER) -> object:
        return use_cases.begin_hand_over(storage, OFFICER, case.id, papers_checked=True, now=now)

    assert hand_over(first)
    end(storage, first)
    with pytest.raises(GuardianshipOver):
        hand_over(first)
    assert hand_over(second)
    assert hand_over(first, of_age_at(CHILDS["birth_value"])), "who was the child has come of age"
    seen = use_cases.read_case(storage, OFFICER, first.id, LATER)
    assert seen.confirmed is not None
    assert seen.confirmed.end_reason == "custody_changed"


def test_without_a_guardian_the_account_stays_and_nobody_is_sent_anything(storage: FakeStorage) -> None:
    guardian = mother(storage)
    case, child = confirmed(storage, guardian)
    storage.add_credential(samples.active(child.id), str(uuid4()), NOW)
    end(storage, case)
    left = account_of(storage, child)
    assert left == replace(child, phone="", email="")
    assert left.channels == []
    assert not may_recover(storage, left, LATER)
    told = len(storage.tx.events("account.notice_due.v1"))
    made = use_cases.NewSecret(uuid4(), "a hash", "sealed")
    use_cases.issue(storage, child.id, f"{case.registration_id} 1", Way.SMS, made, now=LATER, valid_hours=72)
    assert storage.tx.events("credentials.issued.v1") == []
    assert storage.live_credentials(child.id) == []
    assert len(storage.tx.events("account.notice_due.v1")) == told


def test_a_guardian_who_comes_later_is_where_the_child_is_reached_then(storage: FakeStorage) -> None:
    case, child = confirmed(storage, mother(storage))
    end(storage, case)
    second = father(storage)
    confirmed(storage, second, LATER + timedelta(hours=1))
    assert account_of(storage, child).channels == second.channels
    notice = storage.tx.events("account.notice_due.v1")[-1]
    assert [channel["to"] for channel in notice.data["channels"]] == [second.phone, second.email]


# ---- until the account is opened ----------------------------------------------------------------


def test_a_child_without_an_account_yet_is_taken_along_to_the_guardians_new_phone(
    storage: FakeStorage,
) -> None:
    guardian = mother(storage)
    confirm(storage, opened_adult(storage))
    with_account(storage)
    confirm(storage, opened(storage, guardian))
    moved = change_contact(storage, guardian, LATER)
    assert with_account(storage).channels == moved.channels


@pytest.mark.parametrize("is_known", [False, True])
def test_what_changed_while_an_opening_waited_for_its_locks_is_not_undone(
    storage: FakeStorage, is_known: bool
) -> None:
    guardian = mother(storage)
    case, child = opened(storage, guardian), None
    confirm(storage, case)
    if is_known:
        child = with_account(storage)
        assert opened(storage, guardian).status is CaseStatus.VERIFIED
    person_id = storage.numbers[CHILDS["code"]]

    def move() -> None:
        """What a change of the guardian's phone does, as soon as it lets go of what it has locked."""
        person = storage.people[person_id]
        storage.save_person(replace(person, applicant=replace(person.applicant, phone="+84944444444")))
        if child is not None:
            storage.save_account(replace(child, phone="+84944444444"), LATER)

    storage.when_locked = move
    opened_account = with_account(storage)
    assert opened_account.phone == "+84944444444"
    assert storage.locked[-1 if child is None else -2] == guardian.id
    assert child is None or storage.locked[-1] == child.id


def test_a_child_is_confirmed_at_the_contact_that_its_guardian_has_when_nobody_changes_it_any_more(
    storage: FakeStorage,
) -> None:
    guardian = mother(storage)
    case = opened(storage, guardian)
    moved = replace(guardian, phone="+84944444444")
    storage.when_locked = lambda: storage.save_account(moved, LATER)
    confirm(storage, case)
    assert storage.people[storage.numbers[CHILDS["code"]]].applicant.phone == moved.phone


# ---- when the birth date was wrong --------------------------------------------------------------


def correct_birth(storage: FakeStorage, child: Account, birth: str, now: datetime) -> None:
    asked = use_cases.ask_correction(storage, child, {"birth": birth}, request_id=uuid4(), now=NOW)
    use_cases.answer_request(
        storage, OFFICER, asked.id, granted=True, answer="", papers_checked=True, now=now
    )


@pytest.mark.parametrize("birth", ["2012-05-01", "2022-05-01"])
def test_a_corrected_birth_date_moves_the_end_of_every_guardianship_but_what_was_ended(
    storage: FakeStorage, birth: str
) -> None:
    first, second = mother(storage), father(storage)
    case, child = confirmed(storage, first)
    other, _ = confirmed(storage, second)
    storage.add_credential(samples.active(child.id), str(other.registration_id), NOW)
    ended = end(storage, case)
    before = len(storage.tx.events(CONFIRMED))
    correct_birth(storage, child, birth, LATER)

    until = of_age_at(birth)
    held = storage.guardianship(second.id, child.person_id)
    assert held is not None
    assert (held.valid_until, held.confirmed_at) == (until, NOW)
    assert storage.guardianship(first.id, child.person_id) == ended
    (told,) = storage.tx.events(CONFIRMED)[before:]
    assert told.data == storage.tx.events(CONFIRMED)[before - 1].data | {"valid_until": until}
    assert told.time == LATER, "history keeps what was told last"
    assert end(storage, other, now=LATER).end_reason == "custody_changed"


def test_a_correction_of_the_name_tells_nothing_of_guardianships(storage: FakeStorage) -> None:
    case, child = confirmed(storage, mother(storage))
    storage.add_credential(samples.active(child.id), str(case.registration_id), NOW)
    asked = use_cases.ask_correction(storage, child, {"full_name": "Bé Na"}, request_id=uuid4(), now=NOW)
    use_cases.answer_request(
        storage, OFFICER, asked.id, granted=True, answer="", papers_checked=True, now=LATER
    )
    assert len(storage.tx.events(CONFIRMED)) == 1


def test_another_birth_date_at_the_desk_moves_the_end_of_the_other_guardianship_too(
    storage: FakeStorage,
) -> None:
    first, second = mother(storage), father(storage)
    _, child = confirmed(storage, first)
    confirm(storage, opened(storage, second, birth_value="2012-05-01"), now=LATER)
    for guardian in (first, second):
        held = storage.guardianship(guardian.id, child.person_id)
        assert held is not None
        assert held.valid_until == of_age_at("2012-05-01")
    assert [event.time for event in storage.tx.events(CONFIRMED)] == [NOW, LATER, LATER]
