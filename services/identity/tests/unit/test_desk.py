"""The desk: one officer a case, more asked of the citizen, two officers, and what is read is on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity import refusals, use_cases, views
from services.identity.domain import Case, CaseStatus, Hold, Officer, Photo
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.steps import opened

COLLEAGUE = Officer(UUID(int=2), samples.AGENCY)
LATER = NOW + timedelta(minutes=20)


@pytest.fixture
def case(storage: FakeStorage) -> Case:
    added = samples.case()
    storage.add_case(added)
    return added


def claim(storage: FakeStorage, case: Case, officer: Officer = OFFICER, now: datetime = NOW) -> Case:
    return use_cases.claim_case(storage, officer, case.id, minutes=20, now=now)


def confirm(
    storage: FakeStorage, case: Case, officer: Officer = OFFICER, now: datetime = NOW, two: bool = False
) -> Case:
    return use_cases.confirm_case(
        storage, officer, case.id, papers_checked=True, person_id=uuid4(), now=now, two_officers=two
    )


def reject(storage: FakeStorage, case: Case, officer: Officer = OFFICER, now: datetime = NOW) -> Case:
    return use_cases.reject_case(storage, officer, case.id, reason="Giấy tờ không khớp", now=now)


def ask(
    storage: FakeStorage,
    case: Case,
    officer: Officer = OFFICER,
    now: datetime = NOW,
    items: tuple[str, ...] = ("portrait",),
    note: str = "",
) -> Case:
    return use_cases.request_supplement(storage, officer, case.id, items=items, note=note, now=now)


ACTS: list[Callable[..., Case]] = [claim, confirm, reject, ask]


def actions(storage: FakeStorage) -> list[str]:
    return [action for action, _, _ in storage.audit_rows()]


# --- claiming ------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
def test_while_an_officer_works_on_a_case_no_colleague_decides(
    storage: FakeStorage, case: Case, act: Callable[..., Case]
) -> None:
    claim(storage, case)
    with pytest.raises(refusals.CaseClaimed) as refused:
        act(storage, case, COLLEAGUE, LATER - timedelta(seconds=1))
    assert refused.value.details == {"until": LATER.isoformat()}
    assert actions(storage) == ["case_claimed"]
    act(storage, case, OFFICER)


@pytest.mark.parametrize("act", ACTS)
def test_a_claim_that_has_run_out_is_in_nobodys_way(
    storage: FakeStorage, case: Case, act: Callable[..., Case]
) -> None:
    claim(storage, case)
    act(storage, case, COLLEAGUE, LATER)


def test_its_holder_renews_a_claim(storage: FakeStorage, case: Case) -> None:
    claim(storage, case)
    renewed = claim(storage, case, now=NOW + timedelta(minutes=15))
    assert renewed.hold == Hold(OFFICER.id, NOW + timedelta(minutes=35))


@pytest.mark.parametrize("act", ACTS)
def test_a_case_that_has_ended_is_claimed_by_nobody(
    storage: FakeStorage, case: Case, act: Callable[..., Case]
) -> None:
    use_cases.close_case(storage, case.registration_id, "cancelled", NOW)
    with pytest.raises(refusals.CaseAlreadyEnded):
        act(storage, case)


def test_a_request_to_close_is_not_held_up_by_a_claim(storage: FakeStorage, case: Case) -> None:
    claim(storage, case)
    use_cases.close_case(storage, case.registration_id, "cancelled", NOW)
    assert storage.all_cases[case.id].status is CaseStatus.CLOSED


# --- a supplement --------------------------------------------------------------------------------


def supplemented(case: Case, note: str | None = None, *, ref: str = "photos/new") -> dict[str, Any]:
    photos = [{"kind": "portrait", "ref": ref, "sha256": "cd" * 32}]
    return {"registration_id": case.registration_id, "photos": photos, "note": note}


def resume(storage: FakeStorage, data: dict[str, Any], at: datetime) -> None:
    use_cases.resume_case(storage, data, hold_hours=24, now=at, at=at)


def test_a_supplement_is_asked_for_and_comes_back_to_the_officer_who_asked(
    storage: FakeStorage, case: Case
) -> None:
    claim(storage, case)
    asked = ask(storage, case, items=("portrait", "answer"), note="Địa chỉ nào là nơi ở hiện nay?")
    assert (asked.stage, asked.hold) == ("supplement_requested", None)
    (told,) = storage.tx.events("identity.supplement_requested.v1")
    assert (told.data["items"], told.data["note"]) == (
        ["portrait", "answer"],
        "Địa chỉ nào là nơi ở hiện nay?",
    )
    assert (told.data["phone"], told.data["email"]) == ("+84912345678", "thu@example.com")

    resume(storage, supplemented(case, "Số 2, phố Thử"), LATER)

    back = storage.all_cases[case.id]
    assert (back.stage, back.hold) == ("waiting", Hold(OFFICER.id, LATER + timedelta(hours=24)))
    assert back.photos == (Photo("portrait", "photos/new", "cd" * 32),)
    view = views.case_view(back, None)
    assert (view["supplement"]["answer"], view["stage"]) == ("Số 2, phố Thử", "waiting")
    with pytest.raises(refusals.CaseClaimed):
        confirm(storage, case, COLLEAGUE, LATER)
    assert confirm(storage, case, COLLEAGUE, LATER + timedelta(hours=24)).status is CaseStatus.VERIFIED


@pytest.mark.parametrize(
    ("items", "note", "field"),
    [
        ((), "", "items"),
        (("a letter",), "", "items"),
        (("answer",), "", "note"),
        (("portrait",), "x" * 501, "note"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(
    storage: FakeStorage, case: Case, items: tuple[str, ...], note: str, field: str
) -> None:
    with pytest.raises(refusals.RequestInvalid) as refused:
        ask(storage, case, items=items, note=note)
    assert [problem.field for problem in refused.value.problems] == [field]
    assert storage.all_cases[case.id] == case


def test_until_the_supplement_comes_whoever_is_at_the_desk_serves_the_citizen(
    storage: FakeStorage, case: Case
) -> None:
    ask(storage, case)
    assert confirm(storage, case, COLLEAGUE).status is CaseStatus.VERIFIED
    resume(storage, supplemented(case), LATER)
    assert storage.all_cases[case.id].photos == case.photos


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_supplements_in_any_order_and_twice_leave_what_was_sent_last(
    storage: FakeStorage, case: Case, order: tuple[int, ...]
) -> None:
    """Asked twice, answered twice; one of the answers is delivered twice."""
    ask(storage, case)
    ask(storage, case, now=NOW + timedelta(hours=2))
    sent = [(1, "một"), (1, "một"), (3, "hai"), (3, "hai")]
    for place in order:
        hours, note = sent[place]
        resume(storage, supplemented(case, note, ref=f"photos/{note}"), NOW + timedelta(hours=hours))
    back = storage.all_cases[case.id]
    assert [photo.ref for photo in back.photos] == ["photos/hai"]
    assert back.stage == "waiting"
    assert back.supplement is not None
    assert back.supplement.answered_at == NOW + timedelta(hours=3)


def test_a_supplement_of_a_case_that_is_not_here_or_asked_for_nothing_changes_nothing(
    storage: FakeStorage, case: Case
) -> None:
    resume(storage, supplemented(samples.case()), NOW)
    resume(storage, supplemented(case), NOW)
    assert storage.all_cases == {case.id: case}


# --- two officers --------------------------------------------------------------------------------


def test_with_two_officers_the_second_approves_and_the_first_alone_does_not(
    storage: FakeStorage, case: Case
) -> None:
    claim(storage, case)
    assert confirm(storage, case, two=True).stage == "awaiting_approval"
    assert storage.tx.events("identity.verified.v1") == []
    with pytest.raises(refusals.SecondOfficerNeeded):
        confirm(storage, case, two=True)
    assert confirm(storage, case, COLLEAGUE, two=True).status is CaseStatus.VERIFIED
    assert len(storage.tx.events("identity.verified.v1")) == 1
    assert actions(storage) == ["case_claimed", "case_confirmed_first", "case_confirmed"]


def test_whoever_asks_for_more_takes_the_first_confirmation_back(storage: FakeStorage, case: Case) -> None:
    confirm(storage, case, two=True)
    ask(storage, case, COLLEAGUE)
    assert confirm(storage, case, COLLEAGUE, two=True).stage == "supplement_requested"
    assert storage.tx.events("identity.verified.v1") == []


def test_a_case_that_awaits_approval_can_be_rejected(storage: FakeStorage, case: Case) -> None:
    confirm(storage, case, two=True)
    assert reject(storage, case, COLLEAGUE).status is CaseStatus.REJECTED


# --- the list, and what is read ------------------------------------------------------------------


def test_pages_hold_every_case_of_the_agency_once_oldest_first(storage: FakeStorage) -> None:
    for position in range(2 * use_cases.PAGE_SIZE + 7):
        storage.add_case(samples.case(opened_at=NOW + timedelta(seconds=position // 3)))
    storage.add_case(samples.case(agency_code="79001"))
    seen: list[Case] = []
    cursor = None
    while True:
        page = use_cases.list_cases(storage, OFFICER, status="waiting", words="", cursor=cursor, now=NOW)
        seen += page.cases
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len({case.id for case in seen}) == 2 * use_cases.PAGE_SIZE + 7
    assert seen == sorted(seen, key=lambda case: (case.opened_at, case.id))
    audited = [case_id for _, _, details in storage.audit_rows() for case_id in details["cases"]]
    assert audited == [str(case.id) for case in seen]


@pytest.mark.parametrize(
    "words", ["nguyen thi", "THỬ", "0123456789", "tk-2026-000001", "912345678", "0912345678", "+84912345678"]
)
def test_a_search_finds_by_name_code_phone_and_declaration_number(storage: FakeStorage, words: str) -> None:
    wanted = samples.case()
    other = samples.applicant(
        full_name="Trần Văn Mẫu", code="5555555555", document_number="001190000009", phone="+84355555555"
    )
    storage.add_case(wanted)
    storage.add_case(samples.case(applicant=other, declaration_number="TK-2026-000002"))
    page = use_cases.list_cases(storage, OFFICER, status="waiting", words=words, cursor=None, now=NOW)
    assert page.cases == (wanted,)


def test_a_code_that_looks_like_a_phone_is_found_and_so_is_the_phone(storage: FakeStorage) -> None:
    by_code = samples.case(applicant=samples.applicant(code="0355555555"))
    by_phone = samples.case(
        applicant=samples.applicant(code="5555555555", phone="+84355555555"),
        declaration_number="TK-2026-000002",
    )
    for case in (by_code, by_phone):
        storage.add_case(case)
    page = use_cases.list_cases(storage, OFFICER, status="waiting", words="0355555555", cursor=None, now=NOW)
    assert sorted(case.id for case in page.cases) == sorted([by_code.id, by_phone.id])


@pytest.mark.parametrize("cursor", ["x", "é", "YWJj", "MjAyNi0wMS0wMSB4", "2026-03-02 1"])
def test_a_cursor_that_is_not_ours_is_refused(storage: FakeStorage, cursor: str) -> None:
    with pytest.raises(refusals.RequestInvalid) as refused:
        use_cases.list_cases(storage, OFFICER, status="waiting", words="", cursor=cursor, now=NOW)
    assert refused.value.problems[0].field == "cursor"


def test_each_reading_is_audited(storage: FakeStorage) -> None:
    case = opened(storage)
    use_cases.read_case(storage, OFFICER, case.id, NOW)
    photo = use_cases.read_photo(storage, OFFICER, case.id, "portrait", NOW)
    assert photo.ref == "photos/0192"
    assert storage.audit_rows() == [
        ("case_read", case.id, {}),
        ("photo_read", case.id, {"kind": "portrait"}),
    ]
    with pytest.raises(refusals.PhotoUnknown):
        use_cases.read_photo(storage, OFFICER, case.id, "id_back", NOW)


def test_a_staff_token_opens_only_while_it_lasts(storage: FakeStorage) -> None:
    storage.add_staff(samples.staff(), NOW)
    ends = use_cases.start_staff_session(storage, samples.staff(), b"hash", hours=8, now=NOW)
    assert ends == NOW + timedelta(hours=8)
    assert use_cases.officer_of(storage, b"hash", NOW) == Officer(OFFICER.id, samples.AGENCY)
    for token_hash, at in [(b"other", NOW), (b"hash", ends)]:
        with pytest.raises(refusals.TokenInvalid):
            use_cases.officer_of(storage, token_hash, at)
