"""Children: confirmed with their guardian, who alone sees them besides themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity import use_cases
from services.identity.credentials import Claims, CredentialState, Session
from services.identity.devices import Device
from services.identity.domain import Account, Case, CaseStatus, ContactChange, Outcome, Person
from services.identity.email_reset import asked_for
from services.identity.guardianship import (
    Child,
    ContactIsGuardians,
    GuardianshipNotConfirmed,
    GuardianTooYoung,
    NotAChild,
    of_age_at,
)
from services.identity.hotline import HotlineMismatch, call_of
from services.identity.refusals import PasswordChangeRequired, PhotoUnknown
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER

CONFIRMED = "identity.guardianship_confirmed.v1"
CHILDS = {"code": "5555555555", "full_name": "Nguyễn Bé Thử", "birth_value": "2020-02-29"}


def account(storage: FakeStorage, **changes: Any) -> Account:
    """A verified person with an account."""
    applicant = samples.applicant(**changes)
    person = Person(uuid4(), applicant, NOW)
    storage.save_person(person)
    known = {"code": applicant.code, "birth_value": applicant.birth_value, "phone": applicant.phone}
    return storage.save_account(samples.account(person.id, email=applicant.email, **known), NOW)


def mother(storage: FakeStorage) -> Account:
    return account(storage)


def father(storage: FakeStorage) -> Account:
    own = {"code": "0222222222", "phone": "+84922222222", "email": "cha@example.com"}
    return account(storage, document_number="001088000002", **own)


def opened(storage: FakeStorage, guardian: Account, certificate: bool = True, **changes: Any) -> Case:
    """A child's case."""
    child = samples.applicant(
        phone=guardian.phone, email=guardian.email, document_number="5555555555", **(CHILDS | changes)
    )
    data = samples.submitted(
        child,
        guardian={"account_id": guardian.id, "code": guardian.code, "relation": "parent"},
        birth_certificate={"ref": "photos/0193", "sha256": "cd" * 32} if certificate else None,
    )
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    return case


def confirm(storage: FakeStorage, case: Case, guardianship: Any = True, now: datetime = NOW) -> Case:
    return use_cases.confirm_case(
        storage,
        OFFICER,
        case.id,
        papers_checked=True,
        guardianship_confirmed=guardianship,
        person_id=uuid4(),
        now=now,
    )


def session(storage: FakeStorage, of: Account, scope: str = "citizen") -> Claims:
    began = Session(uuid4(), of, scope, NOW)
    storage.sessions[began.id] = began
    return Claims(of.id, of.code, scope, began.id)


def children(storage: FakeStorage, of: Account, now: datetime = NOW) -> list[Child]:
    """Those that the guardian is told of."""
    return use_cases.list_children(storage, session(storage, of), now)[0]


def with_account(storage: FakeStorage) -> Account:
    """The account that comes of what was verified last."""
    event = storage.tx.events("identity.verified.v1")[-1]
    use_cases.open_account(storage, event.data, account_id=uuid4(), now=NOW)
    found = storage.account_of(event.data["person_id"])
    assert found is not None
    return found


def test_a_child_is_confirmed_together_with_its_guardian_once(storage: FakeStorage) -> None:
    guardian = mother(storage)
    case = opened(storage, guardian)
    assert (case.applicant.document_kind, case.applicant.document_number) == ("birth_certificate", "")
    for refused in (False, None, "true", 1):
        with pytest.raises(GuardianshipNotConfirmed):
            confirm(storage, case, refused)
    assert children(storage, guardian) == []
    for _ in range(2):
        assert confirm(storage, case).status is CaseStatus.VERIFIED

    (event,) = storage.tx.events(CONFIRMED)
    (child,) = children(storage, guardian)
    assert event.data == {
        "person_id": guardian.person_id,
        "child_person_id": child.guardianship.child_person_id,
        "codes": ["5555555555"],
        "valid_until": of_age_at("2020-02-29"),
        "account_id": guardian.id,
    }
    rows = [row for row in storage.audit_rows() if row[0] == "guardianship_confirmed"]
    assert rows == [("guardianship_confirmed", case.id, {"guardian": str(guardian.id), "relation": "parent"})]


def test_without_the_certificate_nothing_is_confirmed(storage: FakeStorage) -> None:
    case = opened(storage, mother(storage), certificate=False)
    with pytest.raises(PhotoUnknown):
        confirm(storage, case)
    assert storage.tx.events("identity.verified.v1") == storage.tx.events(CONFIRMED) == []


def test_a_child_that_is_rejected_has_no_guardian(storage: FakeStorage) -> None:
    guardian = mother(storage)
    case = opened(storage, guardian)
    use_cases.reject_case(storage, OFFICER, case.id, reason="Giấy khai sinh không khớp", now=NOW)
    assert storage.guardianships == {}
    assert storage.tx.events(CONFIRMED) == []


def test_of_two_officers_both_confirm_the_guardianship(storage: FakeStorage) -> None:
    case = opened(storage, mother(storage))
    other = replace(OFFICER, id=uuid4())
    for officer in (OFFICER, other):
        for guardianship in (False, True):
            arguments = {"papers_checked": True, "person_id": uuid4(), "now": NOW, "two_officers": True}
            if not guardianship:
                with pytest.raises(GuardianshipNotConfirmed):
                    use_cases.confirm_case(storage, officer, case.id, **arguments)  # type: ignore[arg-type]
                continue
            arguments["guardianship_confirmed"] = True
            use_cases.confirm_case(storage, officer, case.id, **arguments)  # type: ignore[arg-type]
    assert len(storage.tx.events(CONFIRMED)) == 1


def test_nobody_but_a_confirmed_guardian_has_the_child(storage: FakeStorage) -> None:
    guardian, stranger = mother(storage), father(storage)
    confirm(storage, opened(storage, guardian))
    confirm(storage, opened(storage, stranger, code="7777777777"))
    (hers,) = children(storage, guardian)
    (his,) = children(storage, stranger)
    assert (hers.applicant.code, his.applicant.code) == ("5555555555", "7777777777")
    grown_up = of_age_at("2020-02-29")
    assert children(storage, guardian, grown_up) == []


def test_a_guardian_who_asks_for_the_own_data_is_told_of_the_children(storage: FakeStorage) -> None:
    guardian, stranger = mother(storage), father(storage)
    case = opened(storage, guardian)
    confirm(storage, case)
    hers = children(storage, guardian)
    of_age = hers[0].guardianship.valid_until
    for who, now, told in ((guardian, NOW, hers), (stranger, NOW, []), (guardian, of_age, [])):
        assert use_cases.export(storage, who, request_id=uuid4(), now=now).children == told


def test_the_childs_account_has_the_guardians_contact_as_it_is_by_then_and_follows_it(
    storage: FakeStorage,
) -> None:
    guardian = mother(storage)
    case = opened(storage, guardian)
    guardian = storage.save_account(replace(guardian, phone="+84933333333"), NOW)
    confirm(storage, case)
    child = with_account(storage)
    assert (child.phone, child.email) == ("+84933333333", guardian.email)

    with pytest.raises(ContactIsGuardians):
        use_cases.ask_contact_change(
            storage, OFFICER, user=child.code, phone="0944444444", email=None, papers_checked=True,
            reason="Muốn đổi số điện thoại", change_id=uuid4(), now=NOW,
        )  # fmt: skip

    recovered = samples.active(child.id, reason="hotline")
    storage.add_credential(recovered, str(uuid4()), NOW)
    storage.save_device(Device(uuid4(), child.id, "máy", b"hash", NOW, NOW))
    confirm(storage, opened_adult(storage, phone="+84966666666"), now=NOW)
    with_account(storage)
    followed = storage.account(child.id)
    assert followed is not None
    assert followed.phone == "+84966666666"
    assert storage.credentials[recovered.id].state is CredentialState.ENDED
    assert storage.devices == {}


def grown_child(storage: FakeStorage) -> tuple[Account, datetime]:
    """Somebody with a password, and the moment from which on nobody acts for them."""
    confirm(storage, opened(storage, mother(storage)))
    child = with_account(storage)
    storage.add_credential(samples.active(child.id), str(uuid4()), NOW)
    return child, of_age_at(CHILDS["birth_value"])


def change_contact(storage: FakeStorage, of: Account, now: datetime, **to: Any) -> Account:
    change = use_cases.ask_contact_change(
        storage, OFFICER, user=of.code, papers_checked=True, reason="Đã thành niên", change_id=uuid4(),
        now=now, **({"phone": "0944444444", "email": "be@example.com"} | to),
    )  # fmt: skip
    use_cases.finish_contact_change(storage, change.id, is_claimed=True, now=now)
    changed = storage.account(of.id)
    assert changed is not None
    return changed


def may_recover(storage: FakeStorage, account: Account, now: datetime) -> bool:
    """By the hotline and by e-mail, both or none."""
    reset = asked_for(uuid4(), account.code, None, now=now, valid_minutes=10)
    storage.add_email_reset(reset)
    by_email = use_cases.find_account_to_reset(storage, reset.id, now) is not None
    made = use_cases.VoicePassword(uuid4(), uuid4(), "a hash")
    try:
        use_cases.reissue(storage, call_of(account.phone, account.code), made, valid_hours=24, now=now)
    except HotlineMismatch:
        assert not by_email
        return False
    assert by_email
    return True


def test_who_has_come_of_age_gets_an_own_contact_and_recovers_nothing_over_the_guardians(
    storage: FakeStorage,
) -> None:
    child, grown = grown_child(storage)
    assert may_recover(storage, child, grown - timedelta(seconds=1))
    assert not may_recover(storage, child, grown)
    own = change_contact(storage, child, grown)
    assert (own.phone, own.email) == ("+84944444444", "be@example.com")
    storage.add_credential(samples.active(child.id, id=uuid4()), str(uuid4()), grown)
    assert may_recover(storage, own, grown)


def test_a_guardians_phone_that_the_guardian_gave_up_since_recovers_nothing_either(
    storage: FakeStorage,
) -> None:
    child, grown = grown_child(storage)
    (guardian,) = storage.guardians_of(child.person_id, NOW)
    storage.save_account(replace(guardian, phone="+84944444444", email="me@example.com"), grown)
    assert storage.account(child.id) == child
    assert not may_recover(storage, child, grown)


def test_half_of_the_guardians_contact_recovers_nothing(storage: FakeStorage) -> None:
    child, grown = grown_child(storage)
    half = change_contact(storage, child, grown, phone=None)
    assert not may_recover(storage, half, grown)


def test_while_the_desk_changes_the_guardians_contact_the_childs_is_in_doubt(storage: FakeStorage) -> None:
    child, grown = grown_child(storage)
    (guardian,) = storage.guardians_of(child.person_id, NOW)
    before = grown - timedelta(days=1)
    storage.add_contact_change(
        ContactChange(uuid4(), guardian.id, OFFICER.id, "+84944444444", guardian.email, "Mất máy", before)
    )
    assert not may_recover(storage, child, before)


def opened_adult(storage: FakeStorage, **changes: Any) -> Case:
    data = samples.submitted(samples.applicant(**changes))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    return case


def test_once_for_life_holds_for_a_child_only_with_its_confirmed_guardian(storage: FakeStorage) -> None:
    guardian = mother(storage)
    confirm(storage, opened(storage, guardian))
    with_account(storage)
    assert opened(storage, guardian).status is CaseStatus.VERIFIED
    storage.guardianships.clear()
    assert opened(storage, guardian).status is CaseStatus.WAITING


def test_another_guardian_is_another_case_for_the_desk(storage: FakeStorage) -> None:
    first, second = mother(storage), father(storage)
    confirm(storage, opened(storage, first))
    with_account(storage)
    case = opened(storage, second)
    assert case.status is CaseStatus.WAITING
    confirm(storage, case)
    assert [len(children(storage, a)) for a in (first, second)] == [1, 1]


def test_an_adults_number_makes_no_child(storage: FakeStorage) -> None:
    guardian, victim = mother(storage), father(storage)
    case = opened(storage, guardian, code=victim.code)
    with pytest.raises(NotAChild):
        confirm(storage, case)
    assert storage.tx.events(CONFIRMED) == []


def test_who_is_under_age_or_has_a_first_password_registers_no_child(storage: FakeStorage) -> None:
    grown, young = mother(storage), account(storage, **CHILDS, document_number="001320000009")
    assert use_cases.read_guardian(storage, session(storage, grown), NOW) == grown
    with pytest.raises(GuardianTooYoung):
        use_cases.read_guardian(storage, session(storage, young), NOW)
    with pytest.raises(PasswordChangeRequired):
        use_cases.read_guardian(storage, session(storage, grown, "password_change"), NOW)


@pytest.mark.parametrize(
    ("birth", "day"),
    [
        ("2008-03-02", datetime(2026, 3, 1, 17, tzinfo=UTC)),
        ("2008-02-29", datetime(2026, 2, 28, 17, tzinfo=UTC)),
        ("2008-03", datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("2008", datetime(2026, 12, 31, 17, tzinfo=UTC)),
    ],
)
def test_of_age_is_who_has_had_the_birthday_in_vietnam(birth: str, day: datetime) -> None:
    assert of_age_at(birth) == day


@pytest.mark.parametrize(("code", "asked"), [("5555555555", 0), ("001320123456", 1)])
def test_the_register_is_asked_late_about_a_child_by_personal_number_alone(
    storage: FakeStorage, code: str, asked: int
) -> None:
    number = code if len(code) == 12 else None
    case = opened(storage, mother(storage), code=code, personal_number=number)
    assert case.register.outcome is Outcome.UNAVAILABLE
    assert len(storage.tx.due("check_register")) == asked
    if asked:
        question = use_cases.question_of(case, uuid4())
        assert (question.document_kind, question.document_number) == ("cccd", code)


def test_what_came_as_a_supplement_has_the_certificate(storage: FakeStorage) -> None:
    case = opened(storage, mother(storage))
    use_cases.request_supplement(storage, OFFICER, case.id, items=["birth_certificate"], note="", now=NOW)
    data = {
        "registration_id": case.registration_id,
        "photos": [],
        "note": None,
        "birth_certificate": {"ref": "photos/0194", "sha256": "ef" * 32},
    }
    later = NOW + timedelta(hours=1)
    use_cases.resume_case(storage, data, hold_hours=24, now=later, at=later)
    assert storage.all_cases[case.id].photo("birth_certificate").ref == "photos/0194"


def test_after_a_restore_the_case_tells_of_the_child_again(storage: FakeStorage) -> None:
    guardian = mother(storage)
    case = opened(storage, guardian)
    told = use_cases.submission_of(case)
    assert told["guardian"] == {"account_id": guardian.id, "code": guardian.code, "relation": "parent"}
    assert told["document"] == {"kind": "cccd", "number": "5555555555"}
    assert told["birth_certificate"] == {"ref": "photos/0193", "sha256": "cd" * 32}
    confirm(storage, case)
    use_cases.tell_case_again(storage, case.registration_id)
    first, again = storage.tx.events(CONFIRMED)
    assert (again.data, again.time) == (first.data, first.time)
