"""Erasure on request: what identity empties, what it tells, and the one answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity import rights, use_cases, views
from services.identity.credentials import Credential, CredentialState
from services.identity.domain import Account, Case, CaseStatus
from services.identity.guardianship import ChildUnknown, of_age_at
from services.identity.rights import PersonRequest, RequestKind, RequestState
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.test_children import CHILDS, confirm, father, mother, opened, with_account
from services.identity.tests.unit.test_contact import verified
from services.identity.tests.unit.test_rights import claims_of, told

LATER = NOW + timedelta(minutes=1)
REASON = "Ảnh không giống Nguyễn Thị Thử"


@pytest.fixture
def account(storage: FakeStorage) -> Account:
    return verified(storage)


def rejected(storage: FakeStorage, **changes: Any) -> Case:
    data = samples.submitted(samples.applicant(phone="+84900000001", **changes))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    use_cases.reject_case(storage, OFFICER, case.id, reason=REASON, now=NOW)
    return storage.all_cases[case.id]


def ask(storage: FakeStorage, account: Account) -> PersonRequest:
    return use_cases.ask_erasure(storage, account, request_id=uuid4(), now=LATER)


def due(storage: FakeStorage) -> list[dict[str, Any]]:
    return [event.data for event in storage.tx.events("account.erasure_due.v1")]


def erased(request: PersonRequest) -> dict[str, Any]:
    ids = {"account_id": request.account_id, "request_id": request.id}
    return {**ids, "photos": 4, "applications": 1, "drafts": 2}


def test_what_came_to_nothing_is_emptied_at_once_and_registration_is_told(
    storage: FakeStorage, account: Account
) -> None:
    (confirmed,) = storage.all_cases.values()
    case = rejected(storage)
    asked = ask(storage, account)
    assert (asked.state, asked.due_at) == (RequestState.OPEN, rights.due_at(LATER))
    left = storage.all_cases[case.id]
    assert "Thử" not in repr(vars(left)) + repr(storage.endings[case.id])
    assert (left.status, left.declaration_number) == (CaseStatus.REJECTED, case.declaration_number)
    assert left.search_text == case.declaration_number.lower()
    assert views.case_view(left)["status"] == "rejected"
    assert storage.all_cases[confirmed.id] == confirmed
    (told_due,) = due(storage)
    assert told_due["closed_ids"] == [case.registration_id]
    assert told_due["verified_ids"] == [confirmed.registration_id]
    assert (told_due["numbers"], told_due["births"]) == (["001190000001", "0123456789"], ["1990-05-17"])


def test_what_somebody_else_declared_and_what_is_under_way_stays(
    storage: FakeStorage, account: Account
) -> None:
    other = rejected(storage, birth_value="1970-01-01", document_number="001170000001")
    data = samples.submitted(samples.applicant(phone="+84900000002"))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    before = dict(storage.all_cases)
    ask(storage, account)
    assert storage.all_cases == before
    assert other.registration_id not in due(storage)[0]["closed_ids"]
    assert due(storage)[0]["open_ids"] == [data["registration_id"]]


def test_a_case_is_emptied_once_with_its_application_and_one_that_was_verified_never(
    storage: FakeStorage, account: Account
) -> None:
    (confirmed,) = storage.all_cases.values()
    data = samples.submitted(samples.applicant(phone="+84900000002"))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    use_cases.empty_case(storage, case.registration_id, LATER)
    assert storage.all_cases[case.id] == case, "it has not ended"
    use_cases.reject_case(storage, OFFICER, case.id, reason=REASON, now=LATER)
    for registration_id in (case.registration_id, case.registration_id, confirmed.registration_id, uuid4()):
        use_cases.empty_case(storage, registration_id, LATER)
    assert "Thử" not in repr(vars(storage.all_cases[case.id])) + repr(storage.endings[case.id])
    assert storage.all_cases[confirmed.id] == confirmed


def test_the_answer_says_what_is_gone_and_what_stays_and_is_given_once(
    storage: FakeStorage, account: Account
) -> None:
    asked = ask(storage, account)
    for _ in range(2):
        use_cases.answer_erasure(storage, erased(asked), LATER)
    (answered,) = storage.requests_of(account.id, 5)
    assert (answered.state, answered.answered_at) == (RequestState.GRANTED, LATER)
    assert answered.answer is not None
    assert answered.answer.startswith("Đã xóa: 4 ảnh; dữ liệu cá nhân của 1 hồ sơ")
    assert "các lần đổi số điện thoại và email tại quầy" in answered.answer
    assert "hồ sơ đang xử lý, đến khi có kết quả" in answered.answer, "no more is promised than is done"
    assert told(storage) == [("erasure", "granted")]
    assert max(len(text) for text in rights.ERASED.values()) < 950, "the event takes 1000"


def test_asked_again_before_the_answer_it_is_the_same_and_told_again(
    storage: FakeStorage, account: Account
) -> None:
    case = rejected(storage)
    asked = ask(storage, account)
    assert ask(storage, account) == asked
    assert [told_due["closed_ids"] for told_due in due(storage)] == [[case.registration_id]] * 2
    use_cases.answer_erasure(storage, erased(asked), LATER)
    again = ask(storage, account)
    assert (again.id != asked.id, due(storage)[-1]["closed_ids"]) == (True, [])


def test_told_again_after_a_restore_it_is_as_it_was_asked_then(
    storage: FakeStorage, account: Account
) -> None:
    case = rejected(storage)
    asked = ask(storage, account)
    use_cases.answer_erasure(storage, erased(asked), LATER)
    (before,) = due(storage)
    verified(storage, phone="+84900000009")  # opened at the same time: a part of it
    data = samples.submitted(samples.applicant(phone="+84900000003"))
    use_cases.open_case(storage, data, case_id=uuid4(), at=LATER + timedelta(days=1))
    later = storage.case_of(data["registration_id"])
    assert later is not None
    use_cases.confirm_case(storage, OFFICER, later.id, papers_checked=True, person_id=uuid4(), now=LATER)
    use_cases.tell_erasure_again(storage, asked.id)
    again = storage.tx.events("account.erasure_due.v1")[-1]
    assert (again.time, again.data["closed_ids"]) == (LATER, [case.registration_id])
    assert set(before["verified_ids"]) < set(again.data["verified_ids"])
    assert data["registration_id"] not in again.data["verified_ids"]


def test_no_officer_answers_an_erasure(storage: FakeStorage, account: Account) -> None:
    asked = ask(storage, account)
    assert use_cases.list_open_requests(storage, OFFICER, NOW) == []
    with pytest.raises(rights.PersonRequestUnknown):
        use_cases.answer_request(
            storage, OFFICER, asked.id, granted=True, answer="", papers_checked=True, now=LATER
        )


def test_a_withdrawal_erases_as_well(storage: FakeStorage, account: Account) -> None:
    used = Credential(uuid4(), account.id, CredentialState.ACTIVE, "hash")
    storage.add_credential(used, str(uuid4()), NOW)
    claims, ids = claims_of(storage, account), {"request_id": UUID(int=1), "erasure_id": UUID(int=2)}
    use_cases.withdraw_consent(storage, claims, used, now=LATER, **ids)
    assert [event["request_id"] for event in due(storage)] == [UUID(int=2)]
    kinds = {request.kind: request.state for request in storage.requests.values()}
    assert kinds == {RequestKind.WITHDRAWAL: RequestState.GRANTED, RequestKind.ERASURE: RequestState.OPEN}


def test_an_emptied_case_is_not_told_again_after_a_restore(storage: FakeStorage, account: Account) -> None:
    case = rejected(storage)
    ask(storage, account)
    with pytest.raises(LookupError):
        use_cases.tell_case_again(storage, case.registration_id)


# ---- guardians and children --------------------------------------------------------------------


def in_vain(storage: FakeStorage, guardian: Account) -> Case:
    case = opened(storage, guardian)
    use_cases.reject_case(storage, OFFICER, case.id, reason="Giấy khai sinh không khớp", now=NOW)
    return storage.all_cases[case.id]


def test_what_a_guardian_declared_for_a_child_in_vain_is_the_guardians_to_erase(storage: FakeStorage) -> None:
    guardian, other = mother(storage), father(storage)
    case, others, waiting = in_vain(storage, guardian), in_vain(storage, other), opened(storage, guardian)
    ask(storage, guardian)
    left = storage.all_cases[case.id]
    assert (left.applicant.code, left.guardian) == ("", None)
    assert "Bé Thử" not in repr(vars(left))
    assert [storage.all_cases[one.id] for one in (others, waiting)] == [others, waiting]
    assert due(storage)[0]["closed_ids"] == [case.registration_id]


def test_what_a_guardian_registers_is_marked_while_it_is_under_way(storage: FakeStorage) -> None:
    guardian, other = mother(storage), father(storage)
    waiting, others = opened(storage, guardian), opened(storage, other)
    ask(storage, guardian)
    assert [storage.all_cases[one.id] for one in (waiting, others)] == [waiting, others]
    assert due(storage)[0]["open_ids"] == [waiting.registration_id]


def test_a_childs_data_is_erased_through_a_guardian_who_is_told(storage: FakeStorage) -> None:
    guardian, second = mother(storage), father(storage)
    wrong = in_vain(storage, guardian)
    case = opened(storage, guardian)
    confirm(storage, case)
    child = with_account(storage)
    confirm(storage, opened(storage, second))
    asked = use_cases.ask_childs_erasure(storage, second, child.person_id, request_id=uuid4(), now=LATER)
    assert asked.account_id == child.id
    assert storage.all_cases[wrong.id].applicant.code == ""
    assert storage.all_cases[case.id].applicant.code == child.code, "the verified one stays"
    assert due(storage)[0]["account_id"] == child.id
    assert due(storage)[0]["closed_ids"] == [wrong.registration_id]
    use_cases.answer_erasure(storage, erased(asked), LATER)
    (event,) = storage.tx.events("account.request_answered.v1")
    assert event.data["channels"] == second.channels, "whoever asked is answered"
    assert storage.requests[asked.id].state is RequestState.GRANTED
    assert "quan hệ giám hộ đã xác nhận" in event.data["answer"]


def test_only_a_guardian_of_now_has_a_childs_data_erased(storage: FakeStorage) -> None:
    guardian, stranger = mother(storage), father(storage)
    case = opened(storage, guardian)
    confirm(storage, case)
    child = with_account(storage)
    grown = of_age_at(CHILDS["birth_value"])
    for who, child_id, at in (
        (stranger, child.person_id, NOW),
        (guardian, uuid4(), NOW),
        (guardian, child.person_id, grown),
    ):
        with pytest.raises(ChildUnknown):
            use_cases.ask_childs_erasure(storage, who, child_id, request_id=uuid4(), now=at)
    use_cases.end_guardianship(storage, OFFICER, case.id, reason="custody_changed", note="", now=LATER)
    with pytest.raises(ChildUnknown):
        use_cases.ask_childs_erasure(storage, guardian, child.person_id, request_id=uuid4(), now=LATER)
    assert storage.requests == {}
    assert due(storage) == []
