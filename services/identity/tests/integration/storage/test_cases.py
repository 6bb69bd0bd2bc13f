"""Cases, and what the register said of their people."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity.domain import (
    Case,
    CaseStatus,
    Ending,
    Guardian,
    Hold,
    Outcome,
    Photo,
    RegisterAnswer,
    RegisterCheck,
    Supplement,
)
from services.identity.storage import Storage
from services.identity.tests.integration.house import transaction_on
from services.identity.tests.integration.storage.either import AnyStorage
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import AGENCY, NOW, OFFICER

# --- register checks -----------------------------------------------------------------------------


def check(registration_id: UUID | None = None, request_id: UUID | None = None) -> RegisterCheck:
    return RegisterCheck(request_id or uuid4(), registration_id or uuid4(), "registration", "test", NOW)


def test_an_answer_is_found_by_its_request_and_its_registration_only(storage: AnyStorage) -> None:
    asked = check()
    storage.add_register_check(asked)
    assert storage.register_answer(asked.request_id, asked.registration_id) is None
    answer = RegisterAnswer(Outcome.MISMATCHED, ("fullName", "birthDate"))
    storage.answer_register_check(asked.request_id, answer, NOW)
    assert storage.register_answer(asked.request_id, asked.registration_id) == answer
    assert storage.register_answer(asked.request_id, uuid4()) is None
    assert storage.register_answer(uuid4(), asked.registration_id) is None


def test_an_answer_that_was_written_stays_and_a_repeated_request_gets_its_own(storage: AnyStorage) -> None:
    asked = check()
    storage.add_register_check(asked)
    storage.answer_register_check(asked.request_id, RegisterAnswer(Outcome.UNAVAILABLE), NOW)
    storage.answer_register_check(asked.request_id, RegisterAnswer(Outcome.MATCHED), NOW)
    found = storage.register_answer(asked.request_id, asked.registration_id)
    assert found == RegisterAnswer(Outcome.UNAVAILABLE)
    storage.add_register_check(asked)
    storage.answer_register_check(asked.request_id, RegisterAnswer(Outcome.MATCHED), NOW)
    found = storage.register_answer(asked.request_id, asked.registration_id)
    assert found == RegisterAnswer(Outcome.MATCHED)


# --- cases ---------------------------------------------------------------------------------------


def test_a_case_comes_back_as_it_was_kept(storage: AnyStorage) -> None:
    answer = RegisterAnswer(Outcome.MISMATCHED, ("fullName",))
    case = samples.case(warnings=("năm sinh khác",), register=answer)
    assert storage.add_case(case)
    assert storage.case(case.id) == case
    assert storage.case_of(case.registration_id) == case
    assert storage.case(uuid4()) is None
    assert storage.case_of(uuid4()) is None


def test_a_registration_has_one_case(storage: AnyStorage) -> None:
    case = samples.case()
    assert storage.add_case(case)
    assert not storage.add_case(samples.case(registration_id=case.registration_id))
    assert storage.case_of(case.registration_id) == case


def test_a_case_ends_once(storage: AnyStorage) -> None:
    case = samples.case()
    storage.add_case(case)
    assert storage.end_case(case.id, Ending(CaseStatus.REJECTED, NOW, OFFICER.id, "a reason"))
    for status in (CaseStatus.VERIFIED, CaseStatus.REJECTED, CaseStatus.CLOSED):
        assert not storage.end_case(case.id, Ending(status, NOW))
    ended = storage.case(case.id)
    assert ended is not None
    assert ended.status is CaseStatus.REJECTED
    assert not storage.end_case(uuid4(), Ending(CaseStatus.CLOSED, NOW))


def test_a_late_answer_of_the_register_stands_on_the_case(storage: AnyStorage) -> None:
    case = samples.case(register=RegisterAnswer(Outcome.UNAVAILABLE))
    storage.add_case(case)
    storage.note_register_answer(case.id, RegisterAnswer(Outcome.NOT_FOUND, ("x",)))
    noted = storage.case(case.id)
    assert noted is not None
    assert noted.register == RegisterAnswer(Outcome.NOT_FOUND, ("x",))


def listed(storage: AnyStorage, words: str = "", after: Any = None, limit: int = 10) -> list[Case]:
    return storage.cases(AGENCY, CaseStatus.WAITING, words.split(), after, limit)


def test_cases_are_listed_by_agency_and_status_oldest_first_from_a_position(storage: AnyStorage) -> None:
    cases = [samples.case(opened_at=NOW + timedelta(seconds=s)) for s in (2, 0, 1, 1)]
    ended = samples.case()
    for case in [*cases, ended, samples.case(agency_code="79001")]:
        storage.add_case(case)
    storage.end_case(ended.id, Ending(CaseStatus.CLOSED, NOW))
    in_order = sorted(cases, key=lambda case: (case.opened_at, case.id))
    assert listed(storage) == in_order
    assert listed(storage, limit=2) == in_order[:2]
    assert listed(storage, after=(in_order[1].opened_at, in_order[1].id)) == in_order[2:]


@pytest.mark.parametrize("words", ["%", "_", "\\", "'", "nobody"])
def test_a_search_takes_its_words_as_they_are(storage: AnyStorage, words: str) -> None:
    storage.add_case(samples.case())
    assert listed(storage, words) == []
    assert len(listed(storage, "thi thu")) == 1


def test_a_waiting_case_keeps_who_holds_it_what_came_and_who_confirmed(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai", name="Mai")
    storage.add_staff(member, NOW)
    case = samples.case()
    storage.add_case(case)
    asked = Supplement(("portrait", "answer"), "Địa chỉ nào?", member.id, NOW)
    for changed in (
        replace(case, hold=Hold(member.id, NOW), first_confirmed_by=member.id),
        replace(case, supplement=asked),
        replace(
            case,
            supplement=asked.answered("Số 2, phố Thử", NOW + timedelta(hours=1)),
            photos=(Photo("portrait", "photos/new", "cd" * 32),),
            photos_at=NOW + timedelta(hours=1),
        ),
    ):
        storage.save_case(changed)
        for found in (
            storage.case(case.id, to_change=True),
            storage.case_of(case.registration_id, to_change=True),
            listed(storage)[0],
        ):
            assert found == changed
    storage.save_case(replace(case, hold=Hold(member.id, NOW)))
    storage.end_case(case.id, Ending(CaseStatus.CLOSED, NOW))
    storage.save_case(case)
    ended = storage.case(case.id)
    assert ended is not None
    assert ended.hold == Hold(member.id, NOW)


def test_an_agencys_archive_is_searched_by_an_index(identity_dsn: str) -> None:
    with transaction_on(identity_dsn, keep=False) as tx:
        person = samples.applicant(code="7777777777", full_name="Lê Văn Hiếm")
        Storage(tx).add_case(samples.case(applicant=person))
        tx.run(
            """
            INSERT INTO cases (id, registration_id, declaration_number, agency_code, applicant, photos,
                warnings, register_outcome, mismatched, deadline, language, search_text, opened_at, status,
                ended_at)
            SELECT gen_random_uuid(), gen_random_uuid(), 'TK-' || n, agency_code, applicant, photos, warnings,
                   register_outcome, mismatched, deadline, language, 'nguyen thi so ' || n, opened_at,
                   'verified', opened_at
            FROM cases, generate_series(1, 20000) AS numbers (n) WHERE search_text LIKE '%hiem%'
            """
        )
        tx.run("ANALYZE cases")
        words = {
            "words": [AGENCY, "17777"],
            "agency_code": AGENCY,
            "status": "verified",
        }
        page = {"opened_at": None, "id": None, "limit": 51}
        plan = "\n".join(r["QUERY PLAN"] for r in tx.all("EXPLAIN " + Storage.CASES, words | page))
        assert "cases_words" in plan
        found = Storage(tx).cases(AGENCY, CaseStatus.VERIFIED, ["so", "17777"], None, 51)
        assert [case.declaration_number for case in found] == ["TK-17777"]
        either = Storage(tx).cases(AGENCY, CaseStatus.VERIFIED, ["1"], None, 51, or_words=["so", "17778"])
        assert {case.declaration_number for case in either} == {"TK-1", "TK-17778"}  # opened at one moment


def test_the_first_request_to_close_counts(storage: AnyStorage) -> None:
    registration_id = uuid4()
    assert storage.close_request(registration_id) is None
    storage.add_close_request(registration_id, "cancelled", NOW)
    storage.add_close_request(registration_id, "deadline_passed", NOW)
    assert storage.close_request(registration_id) == "cancelled"


def test_a_childs_case_keeps_who_registers_it(storage: AnyStorage) -> None:
    case = samples.case(guardian=Guardian(uuid4(), "1000000001", "parent"))
    assert storage.add_case(case)
    assert storage.case(case.id) == case


def test_an_ending_is_found_as_it_was_given(storage: AnyStorage) -> None:
    case, ending = samples.case(), Ending(CaseStatus.REJECTED, NOW, OFFICER.id, "Giấy tờ không khớp")
    storage.add_case(case)
    assert storage.ending(case.id) is None
    storage.end_case(case.id, ending)
    assert storage.ending(case.id) == ending
    assert storage.ending(uuid4()) is None


def test_the_waiting_cases_are_counted_and_the_oldest_tells_its_age(identity_dsn: str) -> None:
    with transaction_on(identity_dsn, keep=False) as tx:
        storage = Storage(tx)
        already, _ = storage.waiting_cases()
        now = datetime.now(UTC)
        oldest = samples.case(opened_at=now - timedelta(days=4000), traceparent="a trace")
        ended = samples.case(opened_at=now - timedelta(days=5000))
        for case in (oldest, ended):
            storage.add_case(case)
        storage.end_case(ended.id, Ending(CaseStatus.CLOSED, now, reason="cancelled"))

        waiting, seconds = storage.waiting_cases()
        assert waiting == already + 1
        assert seconds == pytest.approx(4000 * 86_400, abs=60)
        assert storage.case(oldest.id) == oldest
