"""Somebody else's open application that holds a code is closed for whoever shows the papers at a desk."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity import domain, refusals, use_cases, views
from services.identity.domain import Case, CaseStatus, Officer
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER

LATER = NOW + timedelta(hours=1)
ELSEWHERE = Officer(uuid4(), "00202")
REASON = "Người có CCCD gốc đến, hồ sơ kia do người khác lập"


@pytest.fixture
def case(storage: FakeStorage) -> Case:
    """What a stranger has declared."""
    data = samples.submitted()
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    found = storage.case_of(data["registration_id"])
    assert found is not None
    return found


def look_up(storage: FakeStorage, number: str) -> list[Case]:
    return use_cases.list_open_applications(storage, ELSEWHERE, number, f"hash of {number}", LATER)


def supersede(storage: FakeStorage, case: Case, **changes: Any) -> Case:
    values = {
        "number": "0123456789",
        "declaration_number": case.declaration_number,
        "papers_checked": True,
        "reason": REASON,
        "two_officers": True,
        "now": LATER,
    }
    return use_cases.supersede(storage, ELSEWHERE, **(values | changes))


@pytest.mark.parametrize("number", ["0123456789", "001190000001", "+84912345678"])
def test_an_officer_of_another_agency_learns_number_and_date_alone(
    storage: FakeStorage, case: Case, number: str
) -> None:
    (found,) = look_up(storage, number)
    assert views.open_application(found) == {
        "declaration_number": case.declaration_number,
        "opened_at": NOW.isoformat(),
    }
    assert storage.audit_rows()[-1] == ("open_applications_listed", None, {"cases": [str(case.id)]})
    assert look_up(storage, "9999999999") == []
    nothing = {"cases": [], "number_hash": "hash of 9999999999"}
    assert storage.audit_rows()[-1] == ("open_applications_listed", None, nothing)


def test_it_is_closed_once_and_its_side_told(storage: FakeStorage, case: Case) -> None:
    for _ in range(2):
        assert supersede(storage, case).status is CaseStatus.CLOSED
    (event,) = storage.tx.events("identity.closed.v1")
    assert (event.data["reason"], event.data["phone"]) == ("superseded", case.applicant.phone)
    assert storage.ending(case.id) == domain.Ending(CaseStatus.CLOSED, LATER, ELSEWHERE.id, "superseded")
    acts = [row for row in storage.audit_rows() if row[0] == "case_superseded"]
    assert acts == [("case_superseded", case.id, {"reason": REASON})]
    assert look_up(storage, "0123456789") == []


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"papers_checked": False}, refusals.PapersNotChecked),
        ({"papers_checked": "true"}, refusals.PapersNotChecked),
        ({"reason": "không"}, refusals.ReasonMissing),
        ({"number": "9999999999"}, refusals.CaseUnknown),
        ({"declaration_number": "TK-2026-999999999"}, refusals.CaseUnknown),
    ],
)
def test_not_without_papers_and_reason_nor_for_another_number(
    storage: FakeStorage, case: Case, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        supersede(storage, case, **changes)
    assert storage.all_cases[case.id].status is CaseStatus.WAITING


def test_not_one_that_was_verified_nor_one_that_an_officer_works_on(storage: FakeStorage, case: Case) -> None:
    use_cases.claim_case(storage, OFFICER, case.id, minutes=20, now=LATER)
    with pytest.raises(refusals.CaseClaimed):
        supersede(storage, case)
    use_cases.confirm_case(storage, OFFICER, case.id, papers_checked=True, person_id=uuid4(), now=LATER)
    with pytest.raises(refusals.CaseAlreadyEnded):
        supersede(storage, case)
    assert storage.tx.events("identity.closed.v1") == []


def test_a_phone_that_a_stranger_holds_is_freed_for_its_owner(storage: FakeStorage, case: Case) -> None:
    phone = domain.held_value(None, "0912 345 678")
    with pytest.raises(refusals.CaseUnknown):
        supersede(storage, case, number="+84987654321")
    assert supersede(storage, case, number=phone).status is CaseStatus.CLOSED
    (event,) = storage.tx.events("identity.closed.v1")
    assert event.data["reason"] == "superseded"
    assert look_up(storage, phone) == []


def test_a_childs_application_does_not_hold_its_guardians_phone(storage: FakeStorage, case: Case) -> None:
    guardian = domain.Guardian(uuid4(), "7900000001", "parent")
    storage.all_cases[case.id] = replace(case, guardian=guardian)
    assert look_up(storage, case.applicant.phone) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [((None, None), "number"), (("0123456789", "0912345678"), "number"), ((None, "12345"), "phone")],
)
def test_a_number_or_a_phone_is_looked_for(given: tuple[str | None, str | None], field: str) -> None:
    with pytest.raises(refusals.RequestInvalid) as refused:
        domain.held_value(*given)
    assert [problem.field for problem in refused.value.problems] == [field]


@pytest.mark.parametrize("minutes_left", [1, 30])
@pytest.mark.parametrize("is_claimed", [False, True])
def test_one_kept_for_the_officer_who_asked_is_closed_unless_that_officer_claims_it(
    storage: FakeStorage, case: Case, is_claimed: bool, minutes_left: int
) -> None:
    late = LATER + timedelta(hours=24, minutes=-minutes_left)
    use_cases.request_supplement(storage, OFFICER, case.id, items=["portrait"], note="Ảnh mờ", now=NOW)
    sent = {"registration_id": case.registration_id, "note": None, "photos": []}
    use_cases.resume_case(storage, sent, hold_hours=24, now=LATER, at=LATER)
    if is_claimed:
        use_cases.claim_case(storage, OFFICER, case.id, minutes=20, now=late)
    with pytest.raises(refusals.CaseClaimed) if is_claimed else nullcontext():
        assert supersede(storage, case, now=late).status is CaseStatus.CLOSED


def test_not_one_that_waits_for_a_second_officer(storage: FakeStorage, case: Case) -> None:
    use_cases.confirm_case(
        storage, OFFICER, case.id, papers_checked=True, person_id=uuid4(), now=LATER, two_officers=True
    )
    with pytest.raises(refusals.SecondOfficerNeeded):
        supersede(storage, case)
    assert storage.all_cases[case.id].status is CaseStatus.WAITING
    one_is_enough = supersede(storage, case, two_officers=False)
    assert one_is_enough.status is CaseStatus.CLOSED, "two officers are not asked for any more"
