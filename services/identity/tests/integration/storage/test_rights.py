"""What a person has asked, and what is held of the person."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from services.identity import rights
from services.identity.credentials import Credential, CredentialState
from services.identity.domain import CaseStatus, Ending, Guardian, RegisterCheck
from services.identity.rights import PersonRequest, RequestKind, RequestState
from services.identity.tests.integration.storage.either import AnyStorage, account
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import AGENCY, NOW


def test_what_a_guardian_registered_is_found_by_the_account_and_how_it_stands(storage: AnyStorage) -> None:
    guardian = Guardian(uuid4(), "1000000031", "parent")
    rejected, verified, waiting = (samples.case(guardian=guardian) for _ in range(3))
    for case in (rejected, verified, waiting):
        storage.add_case(case)
    storage.end_case(rejected.id, Ending(CaseStatus.REJECTED, NOW, None, "Không khớp"))
    storage.end_case(verified.id, Ending(CaseStatus.VERIFIED, NOW, None))
    for status, found in ((CaseStatus.REJECTED, rejected), (CaseStatus.WAITING, waiting)):
        assert [one.id for one in storage.cases_registered_by(guardian.account_id, status)] == [found.id]
    assert storage.cases_registered_by(uuid4(), *CaseStatus) == []


def test_a_request_keeps_its_one_answer(storage: AnyStorage) -> None:
    holder = account(storage)
    asked = PersonRequest(
        uuid4(), holder.id, AGENCY, RequestKind.CORRECTION, NOW, NOW + timedelta(days=2), {"sex": "male"}
    )
    storage.add_request(asked)
    assert storage.open_request(holder.id, RequestKind.CORRECTION) == asked
    assert asked in storage.open_requests(AGENCY, 1000)
    assert storage.open_requests("another", 1000) == []
    answered = asked.answered(RequestState.REFUSED, "Giấy tờ không khớp", NOW)
    storage.answer_request(answered)
    storage.answer_request(asked.answered(RequestState.GRANTED, "Thông tin đã được sửa", NOW))
    assert storage.request(asked.id) == answered
    assert storage.requests_of(holder.id, 10) == [answered]
    assert storage.open_request(holder.id, RequestKind.CORRECTION) is None
    assert asked not in storage.open_requests(AGENCY, 1000)


def test_exports_are_counted_since_a_moment_the_last_first(storage: AnyStorage) -> None:
    holder = account(storage)
    times = [NOW + timedelta(hours=n) for n in range(3)]
    for at in times:
        for kind in (RequestKind.EXPORT, RequestKind.WITHDRAWAL):
            asked = PersonRequest(uuid4(), holder.id, "", kind, at, at)
            storage.add_request(asked.answered(RequestState.GRANTED, "Đã trả lời", at))
    assert storage.exports_since(holder.id, NOW) == [times[2], times[1]]
    assert storage.exports_since(uuid4(), NOW) == []


def test_a_case_that_came_to_nothing_is_found_by_number_until_it_is_emptied(storage: AnyStorage) -> None:
    case, waiting = samples.case(), samples.case()
    for one in (case, waiting):
        storage.add_case(one)
    storage.end_case(case.id, Ending(CaseStatus.REJECTED, NOW, None, "Ảnh không giống Nguyễn Thị Thử"))
    numbers = {"0123456789", "9999999999"}
    (found,) = (one for one in storage.cases_with(numbers, CaseStatus.REJECTED) if one.id == case.id)
    storage.save_emptied(rights.emptied(found), NOW)
    left = storage.case(case.id)
    assert left is not None
    assert (left, left.search_text) == (rights.emptied(found), case.declaration_number.lower())
    assert case.id not in [one.id for one in storage.cases_with(numbers, CaseStatus.REJECTED)]
    ending = storage.ending(case.id)
    assert ending is not None
    assert ending.reason == ""
    assert waiting.id in [one.id for one in storage.cases_with(numbers, CaseStatus.WAITING)]


def test_what_an_account_consists_of(storage: AnyStorage) -> None:
    holder = account(storage)
    cases = [samples.case(opened_at=NOW + timedelta(minutes=n)) for n in range(3)]
    for case in cases:
        storage.add_case(case)
    for case, suffix in zip(cases, ("", " 1"), strict=False):
        made = Credential(uuid4(), holder.id, CredentialState.ENDED, "hash")
        storage.add_credential(made, f"{case.registration_id}{suffix}", NOW)
    storage.add_credential(Credential(uuid4(), holder.id, CredentialState.ENDED, "hash"), str(uuid4()), NOW)
    assert storage.cases_of_account(holder.id) == [cases[1], cases[0]]
    check = RegisterCheck(uuid4(), cases[0].registration_id, "registration", "registration", NOW)
    storage.add_register_check(check)
    (asked,) = storage.register_questions([cases[0].registration_id], 10)
    assert asked == {"purpose": "registration", "asked_at": NOW, "answered": False}
