"""Cases from their opening to their one ending: on the fake."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from services.identity import refusals, use_cases
from services.identity.domain import Case, CaseStatus, Outcome, RegisterAnswer, RegisterCheck
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.steps import confirmed, opened, outcomes_told

MATCHED = RegisterAnswer(Outcome.MATCHED)


# --- opening -------------------------------------------------------------------------------------


@pytest.mark.proves("G7")
def test_an_application_becomes_a_case_with_the_outcome_that_was_written_down(storage: FakeStorage) -> None:
    case = opened(storage, Outcome.MISMATCHED)
    assert (case.status, case.agency_code) == (CaseStatus.WAITING, samples.AGENCY)
    assert case.register.outcome is Outcome.MISMATCHED
    assert outcomes_told(storage) == ["photos_needed"]
    assert not storage.tx.due("check_register")


def test_the_same_application_again_changes_nothing(storage: FakeStorage) -> None:
    data = samples.checked(storage, samples.submitted(), Outcome.MATCHED)
    for _ in range(2):
        use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    assert len(storage.all_cases) == 1
    assert len(storage.tx.events("identity.checked.v1")) == 1


def test_what_the_event_claims_of_the_register_is_not_believed(storage: FakeStorage) -> None:
    data = samples.submitted()
    assert data["register_check"]["outcome"] == "matched"
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    assert outcomes_told(storage) == ["unavailable"]
    assert len(storage.tx.due("check_register")) == 1


def test_a_check_made_for_another_registration_is_not_believed(storage: FakeStorage) -> None:
    other = samples.checked(storage, samples.submitted(), Outcome.MATCHED)
    data = samples.submitted(register_check=other["register_check"])
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    assert outcomes_told(storage) == ["unavailable"]


def test_however_a_case_ends_it_is_told_in_the_trace_of_its_submission(storage: FakeStorage) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    def case_in_trace() -> Case:
        data = samples.checked(storage, samples.submitted(), Outcome.MATCHED)
        use_cases.open_case(storage, data, case_id=uuid4(), at=NOW, traceparent=trace)
        case = storage.case_of(data["registration_id"])
        assert case is not None
        return case

    confirmed(storage, case_in_trace())
    use_cases.reject_case(storage, OFFICER, case_in_trace().id, reason="Giấy tờ không khớp", now=NOW)
    use_cases.close_case(storage, case_in_trace().registration_id, "cancelled", NOW)

    endings = ("identity.verified.v1", "identity.rejected.v1", "identity.closed.v1")
    assert [event.traceparent for name in endings for event in storage.tx.events(name)] == [trace] * 3


# --- the register asked again --------------------------------------------------------------------


def late(storage: FakeStorage, case: Case, answer: RegisterAnswer, tries: int = 1) -> None:
    check = RegisterCheck(uuid4(), case.registration_id, "late_check", "identity.check_register", NOW)
    use_cases.begin_register_check(storage, check)
    use_cases.record_register_answer(storage, case, check, answer, tries=tries, retry_seconds=60, now=NOW)


def test_a_late_answer_stands_on_the_case_and_is_told(storage: FakeStorage) -> None:
    case = opened(storage, Outcome.UNAVAILABLE)
    late(storage, case, RegisterAnswer(Outcome.MISMATCHED, ("birthDate",)))
    assert storage.all_cases[case.id].register == RegisterAnswer(Outcome.MISMATCHED, ("birthDate",))
    assert outcomes_told(storage) == ["unavailable", "photos_needed"]


@pytest.mark.parametrize("outcome", [Outcome.UNAVAILABLE, Outcome.UNAUTHORISED])
@pytest.mark.parametrize(("tries", "wait_seconds"), [(1, 60), (2, 120), (5, 960), (40, 960)])
def test_without_an_answer_the_check_stays_due_at_growing_distances(
    storage: FakeStorage, outcome: Outcome, tries: int, wait_seconds: int
) -> None:
    case = opened(storage, Outcome.UNAVAILABLE)
    late(storage, case, RegisterAnswer(outcome), tries)
    again = storage.tx.due("check_register")[-1]
    assert (again.key, again.payload) == (str(case.id), {"tries": tries})
    assert again.at - NOW == timedelta(seconds=wait_seconds)
    assert outcomes_told(storage) == ["unavailable"]


def test_an_ended_or_checked_case_is_not_asked_about_again(storage: FakeStorage) -> None:
    waiting = opened(storage, Outcome.UNAVAILABLE)
    assert use_cases.find_case_to_check(storage, waiting.id) == waiting
    late(storage, waiting, MATCHED)
    assert use_cases.find_case_to_check(storage, waiting.id) is None
    ended = opened(storage, Outcome.UNAVAILABLE)
    use_cases.close_case(storage, ended.registration_id, "cancelled", NOW)
    assert use_cases.find_case_to_check(storage, ended.id) is None
    assert use_cases.find_case_to_check(storage, uuid4()) is None


def test_each_asking_is_on_record_and_holds_nothing_of_the_person(storage: FakeStorage) -> None:
    case = opened(storage, Outcome.UNAVAILABLE)
    late(storage, case, MATCHED)
    assert [(c.asker, c.purpose, a and a.outcome) for c, a in storage.checks] == [
        ("registration", "registration", Outcome.UNAVAILABLE),
        ("identity.check_register", "late_check", Outcome.MATCHED),
    ]
    written = repr([check for check, _ in storage.checks])
    assert not any(value in written for value in ("0123456789", "001190000001", "Nguyễn", "1990"))


# --- the one ending ------------------------------------------------------------------------------


def test_confirming_makes_the_person_and_tells_it_once(storage: FakeStorage) -> None:
    case = opened(storage)
    assert confirmed(storage, case).status is CaseStatus.VERIFIED
    assert confirmed(storage, case).status is CaseStatus.VERIFIED
    (told,) = storage.tx.events("identity.verified.v1")
    assert told.data["registration_id"] == case.registration_id
    assert (told.data["code"], told.data["method"]) == ("0123456789", "desk")
    assert list(storage.people) == [told.data["person_id"]]
    assert [action for action, _, _ in storage.audit_rows()] == ["case_confirmed"]


def test_no_confirmation_while_the_papers_were_not_seen(storage: FakeStorage) -> None:
    case = opened(storage)
    with pytest.raises(refusals.PapersNotChecked):
        use_cases.confirm_case(storage, OFFICER, case.id, papers_checked=False, person_id=uuid4(), now=NOW)
    assert storage.all_cases[case.id].status is CaseStatus.WAITING


def test_a_rejection_carries_its_reason_to_the_citizen(storage: FakeStorage) -> None:
    case = opened(storage)
    for reason in ("Ảnh chân dung không rõ nét.", "A second reason that comes too late"):
        rejected = use_cases.reject_case(storage, OFFICER, case.id, reason=reason, now=NOW)
        assert rejected.status is CaseStatus.REJECTED
    (told,) = storage.tx.events("identity.rejected.v1")
    assert told.data["reason"] == "Ảnh chân dung không rõ nét."
    assert (told.data["phone"], told.data["email"]) == ("+84912345678", "thu@example.com")


def test_a_case_of_another_agency_does_not_exist_for_the_officer(storage: FakeStorage) -> None:
    case = opened(storage, agency_code="79001")
    stranger = OFFICER
    acts = [
        lambda: use_cases.read_case(storage, stranger, case.id, NOW),
        lambda: use_cases.read_photo(storage, stranger, case.id, "portrait", NOW),
        lambda: confirmed(storage, case),
        lambda: use_cases.reject_case(storage, stranger, case.id, reason="because of something", now=NOW),
    ]
    for act in acts:
        with pytest.raises(refusals.CaseUnknown):
            act()
    assert not storage.audit
    assert storage.all_cases[case.id].status is CaseStatus.WAITING


def test_a_second_ending_of_another_kind_is_refused_and_says_which_one_there_is(storage: FakeStorage) -> None:
    case = opened(storage)
    confirmed(storage, case)
    with pytest.raises(refusals.CaseAlreadyEnded) as refused:
        use_cases.reject_case(storage, OFFICER, case.id, reason="because of something", now=NOW)
    assert refused.value.details == {"status": "verified"}
    use_cases.close_case(storage, case.registration_id, "cancelled", NOW)
    assert not storage.tx.events("identity.closed.v1")


def test_a_request_to_close_ends_a_waiting_case(storage: FakeStorage) -> None:
    case = opened(storage)
    for _ in range(2):
        use_cases.close_case(storage, case.registration_id, "deadline_passed", NOW)
    (told,) = storage.tx.events("identity.closed.v1")
    assert told.data["reason"] == "deadline_passed"
    with pytest.raises(refusals.CaseAlreadyEnded):
        confirmed(storage, case)


def test_a_request_to_close_that_comes_before_its_case_closes_it_when_it_comes(storage: FakeStorage) -> None:
    data = samples.checked(storage, samples.submitted(), Outcome.UNAVAILABLE)
    use_cases.close_case(storage, data["registration_id"], "cancelled", NOW)
    assert not storage.tx.events("identity.closed.v1")
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    assert [e.data["reason"] for e in storage.tx.events("identity.closed.v1")] == ["cancelled"]
    assert not storage.tx.due("check_register")
