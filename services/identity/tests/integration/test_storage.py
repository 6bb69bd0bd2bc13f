"""One suite on the fake and on PostgreSQL: whoever trusts the fake may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from services.identity import rights
from services.identity.credentials import Credential, CredentialState, Session
from services.identity.delivery import Way
from services.identity.devices import Device, Refresh
from services.identity.domain import (
    Account,
    AuditEntry,
    Case,
    CaseStatus,
    ContactChange,
    Ending,
    Guardian,
    Hold,
    Officer,
    Outcome,
    Person,
    Photo,
    RegisterAnswer,
    RegisterCheck,
    Supplement,
)
from services.identity.email_reset import asked_for
from services.identity.guardianship import Guardianship
from services.identity.hotline import HotlineKey, HotlineKeyTaken
from services.identity.log_in_otp import LogInOtp
from services.identity.refusals import StaffUserTaken
from services.identity.rights import PersonRequest, RequestKind, RequestState
from services.identity.storage import Storage
from services.identity.tests.integration.house import transaction_on
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import AGENCY, NOW, OFFICER


class RealStorage(Storage):
    """The real one, with the two looks that tests take."""

    def delivery(self, credential_id: UUID) -> str | None:
        row = self.tx.one("SELECT delivery FROM credentials WHERE id = %(id)s", {"id": credential_id})
        return row["delivery"] if row else None

    def audit_rows(self) -> list[tuple[str, UUID | None, dict[str, Any]]]:
        rows = self.tx.all("SELECT action, case_id, details FROM audit ORDER BY id")
        return [(row["action"], row["case_id"], row["details"]) for row in rows]


@pytest.fixture(params=["fake", "real"])
def storage(request: pytest.FixtureRequest) -> Iterator[RealStorage | FakeStorage]:
    if request.param == "fake":
        yield FakeStorage()
        return
    with transaction_on(request.getfixturevalue("identity_dsn"), keep=False) as tx:
        yield RealStorage(tx)


AnyStorage = RealStorage | FakeStorage


def person(storage: AnyStorage, **changes: Any) -> Person:
    saved = Person(uuid4(), samples.applicant(**changes), NOW)
    storage.save_person(saved)
    return saved


def account(storage: AnyStorage, **changes: Any) -> Account:
    return storage.save_account(samples.account(person(storage, **changes).id), NOW)


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
        words = {"words": [AGENCY, "17777"], "agency_code": AGENCY, "status": "verified"}
        page = {"opened_at": None, "id": None, "limit": 51}
        plan = "\n".join(r["QUERY PLAN"] for r in tx.all("EXPLAIN " + Storage.CASES, words | page))
        assert "cases_words" in plan
        found = Storage(tx).cases(AGENCY, CaseStatus.VERIFIED, ["so", "17777"], None, 51)
        assert [case.declaration_number for case in found] == ["TK-17777"]


def test_the_first_request_to_close_counts(storage: AnyStorage) -> None:
    registration_id = uuid4()
    assert storage.close_request(registration_id) is None
    storage.add_close_request(registration_id, "cancelled", NOW)
    storage.add_close_request(registration_id, "deadline_passed", NOW)
    assert storage.close_request(registration_id) == "cancelled"


# --- people and accounts -------------------------------------------------------------------------


def test_a_person_is_found_by_each_number_once(storage: AnyStorage) -> None:
    saved = person(storage)
    storage.lock_numbers(saved.applicant.numbers)
    for numbers in (["0123456789"], ["001190000001"], ["0123456789", "001190000001", "x"]):
        assert storage.people_with(numbers) == [saved]
    assert storage.people_with(["x"]) == []
    assert storage.people_with([]) == []


def test_what_the_desk_saw_last_of_a_person_is_kept_and_numbers_are_only_added(storage: AnyStorage) -> None:
    saved = person(storage)
    passport = samples.applicant(document_kind="passport", document_number="C1234567")
    renewed = Person(saved.id, passport, NOW + timedelta(days=1))
    storage.save_person(renewed)
    assert storage.people_with(["001190000001"]) == [renewed]


def test_a_number_stays_with_the_person_it_stood_for_first(storage: AnyStorage) -> None:
    first = person(storage)
    second = person(storage, document_number="001190000002")
    assert storage.people_with(["0123456789"]) == [first]
    assert storage.people_with(["001190000002"]) == [second]


def test_a_person_has_one_account_which_keeps_its_id(storage: AnyStorage) -> None:
    first = account(storage)
    again = storage.save_account(samples.account(first.person_id, phone="+84987654321"), NOW)
    assert again.id == first.id
    assert storage.account(first.id) == storage.account_of(first.person_id) == again
    assert storage.account_named("0123456789") == storage.account_named("001190000001") == again
    assert storage.account_named("x") is None
    assert storage.account(uuid4()) is None
    storage.lock_account(first.id)


def test_a_holder_is_told_of_guessing_once_in_a_while(storage: AnyStorage) -> None:
    held = account(storage)
    a_day = timedelta(days=1)
    for days, is_told in ((0, True), (0.9, False), (1.1, True)):
        at = NOW + timedelta(days=days)
        assert storage.note_throttled_told(held.id, at, last_before=at - a_day) is is_told
    assert not storage.note_throttled_told(uuid4(), NOW, last_before=NOW)


def test_a_guardianship_is_kept_as_it_was_confirmed_last_until_the_child_is_of_age(
    storage: AnyStorage,
) -> None:
    officer = samples.staff(id=uuid4(), user=uuid4().hex)
    storage.add_staff(officer, NOW)
    people = [
        Person(uuid4(), samples.applicant(code=code, document_number=f"00{code}"), NOW)
        for code in ("1000000001", "1000000002", "1000000003")
    ]
    for person in people:
        storage.save_person(person)
    mother, child, other = people
    guardian = storage.save_account(samples.account(mother.id, code="1000000001"), NOW)
    until = NOW + timedelta(days=1)
    first = Guardianship(guardian.id, child.id, "parent", officer.id, NOW, until)
    for confirmed in (first, replace(first, relation="guardian"), replace(first, child_person_id=other.id)):
        storage.save_guardianship(confirmed)
    assert storage.guardianship(guardian.id, child.id) == replace(first, relation="guardian")
    assert storage.guardianship(guardian.id, mother.id) is None
    found = storage.children_of(guardian.id, NOW)
    assert {one.guardianship.child_person_id for one in found} == {child.id, other.id}
    assert child.applicant in [one.applicant for one in found]
    assert storage.children_of(guardian.id, until) == storage.children_of(uuid4(), NOW) == []
    assert storage.guardians_of(child.id, NOW) == [guardian]
    assert storage.guardians_of(mother.id, NOW) == storage.guardians_of(child.id, until) == []


def test_a_guardianship_that_was_ended_is_no_guardians_and_is_told_as_ended(storage: AnyStorage) -> None:
    officer = samples.staff(id=uuid4(), user=uuid4().hex)
    storage.add_staff(officer, NOW)
    people = [
        Person(uuid4(), samples.applicant(code=code, document_number=f"00{code}"), NOW)
        for code in ("1000000021", "1000000022", "1000000023")
    ]
    for person in people:
        storage.save_person(person)
    mother, father, child = (
        storage.save_account(
            samples.account(person.id, id=uuid4(), code=person.applicant.code, phone=phone, email=phone), NOW
        )
        for person, phone in zip(people, ("+84911111111", "+84922222222", "+84911111111"), strict=True)
    )
    until, soon = NOW + timedelta(days=1), NOW + timedelta(minutes=1)
    hers, his = (
        Guardianship(one.id, child.person_id, "parent", officer.id, NOW, until) for one in (mother, father)
    )
    storage.save_guardianship(hers)
    storage.save_guardianship(his)
    assert storage.ended_guardianships_of(father.id, until) == [], "this one ends with the child's childhood"
    ended = his.ended(Officer(officer.id, officer.agency_code), "custody_changed", "Bản án", soon)
    storage.save_guardianship(ended)
    assert storage.guardianship(father.id, child.person_id) == ended
    held = storage.guardianships_of(child.person_id)
    assert sorted(held, key=lambda one: one.account_id == father.id) == [hers, ended]
    assert storage.guardianships_of(mother.person_id) == []
    assert storage.ended_guardianships_of(father.id, soon) == [ended]
    assert storage.children_of(father.id, soon) == []
    assert storage.guardians_of(child.person_id, soon) == [mother]
    assert not storage.is_contact_in_doubt(child.id, soon), "it is her contact, and she is a guardian still"
    storage.save_account(replace(child, email=father.email), soon)
    assert storage.is_contact_in_doubt(child.id, soon)
    storage.save_guardianship(his)
    assert storage.guardianship(father.id, child.person_id) == his


def test_a_contact_is_in_doubt_while_it_is_changed_and_when_it_was_a_guardians(storage: AnyStorage) -> None:
    officer = samples.staff(id=uuid4(), user=uuid4().hex)
    storage.add_staff(officer, NOW)
    people = [
        Person(uuid4(), samples.applicant(code=code, document_number=f"00{code}"), NOW)
        for code in ("1000000011", "1000000012")
    ]
    for person in people:
        storage.save_person(person)
    guardian, child = (
        storage.save_account(samples.account(person.id, id=uuid4(), code=person.applicant.code), NOW)
        for person in people
    )
    until, soon = NOW + timedelta(days=1), NOW + timedelta(minutes=1)
    storage.save_guardianship(Guardianship(guardian.id, people[1].id, "parent", officer.id, NOW, until))

    def doubted(now: datetime) -> list[bool]:
        return [storage.is_contact_in_doubt(one, now) for one in (guardian.id, child.id, uuid4())]

    assert doubted(NOW) == [False, False, False]
    change = ContactChange(
        uuid4(), guardian.id, officer.id, "+84987654321", "new@example.com", "Mất máy", soon
    )
    storage.add_contact_change(change)
    assert doubted(soon) == [True, True, False]
    storage.end_contact_change(change.id, "changed", soon)
    assert doubted(soon) == [False, False, False]
    assert doubted(until) == [False, True, False]
    storage.save_account(replace(guardian, phone="+84987654321", email="new@example.com"), soon)
    assert doubted(until) == [False, True, False]
    own = replace(change, id=uuid4(), account_id=child.id, asked_at=until)
    storage.add_contact_change(own)
    storage.end_contact_change(own.id, "changed", until)
    assert doubted(until) == [False, False, False]
    storage.save_account(replace(child, email="NEW@example.com"), until)
    assert doubted(until) == [False, True, False]


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


def test_a_childs_case_keeps_who_registers_it(storage: AnyStorage) -> None:
    case = samples.case(guardian=Guardian(uuid4(), "1000000001", "parent"))
    assert storage.add_case(case)
    assert storage.case(case.id) == case


def test_an_account_has_one_change_of_contact_under_way(storage: AnyStorage) -> None:
    holder, member = account(storage), samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    change = ContactChange(uuid4(), holder.id, member.id, "+84987654321", holder.email, "Mất máy", NOW)
    storage.add_contact_change(change)
    assert storage.contact_change(change.id) == storage.contact_change(change.id, to_change=True) == change
    assert storage.pending_contact_change(holder.id) == change
    storage.end_contact_change(change.id, "changed", NOW)
    assert storage.pending_contact_change(holder.id) is None
    assert storage.contact_change(change.id) == replace(change, state="changed")
    assert storage.contact_change(uuid4()) is None


# --- credentials and sessions --------------------------------------------------------------------


def test_live_credentials_come_newest_first_and_ended_ones_not_at_all(storage: AnyStorage) -> None:
    holder = account(storage)
    own, first = samples.active(holder.id), samples.issued(holder.id)
    storage.add_credential(own, "a session", NOW)
    storage.add_credential(first, "a registration", NOW + timedelta(seconds=1))
    assert storage.live_credentials(holder.id) == [first, own]
    assert storage.end_credentials([own.id], NOW) == 1
    assert storage.end_credentials([own.id], NOW) == 0
    assert storage.end_credentials([], NOW) == 0
    assert storage.live_credentials(holder.id) == [first]
    kept = storage.credential_for(holder.id, "a session")
    assert kept is not None
    assert (kept.id, kept.state) == (own.id, CredentialState.ENDED)
    assert storage.credential_for(holder.id, "another") is None
    assert storage.credential_for(uuid4(), "a session") is None
    assert storage.cause_of(own.id) == (holder.id, "a session")
    assert storage.cause_of(uuid4()) is None


def test_how_far_a_message_came_never_goes_back(storage: AnyStorage) -> None:
    holder = account(storage)
    first = samples.issued(holder.id)
    storage.add_credential(first, "a registration", NOW)
    kept = []
    for state in ("sent", "delivered", "sent", "failed"):
        kept.append((storage.note_delivery(first.id, state), storage.delivery(first.id)))
    assert kept == [(True, "sent"), (True, "delivered"), (False, "delivered"), (False, "delivered")]
    assert not storage.note_delivery(uuid4(), "sent")


def test_a_session_begins_with_a_live_credential_of_its_own_account_only(storage: AnyStorage) -> None:
    holder = account(storage)
    other = account(storage, code="9999999999", document_number="001190000002")
    first, foreign = samples.issued(holder.id), samples.issued(other.id)
    storage.add_credential(first, "one", NOW)
    storage.add_credential(foreign, "two", NOW)
    session = Session(uuid4(), holder, "password_change", NOW)
    assert not storage.start_session(session, foreign.id)
    assert not storage.start_session(session, uuid4())
    assert storage.start_session(session, first.id)
    assert storage.session(session.id) == session
    assert storage.session(uuid4()) is None
    storage.end_credentials([first.id], NOW)
    assert not storage.start_session(Session(uuid4(), holder, "citizen", NOW), first.id)


def test_sessions_of_one_account_end_together_and_keep_when(storage: AnyStorage) -> None:
    holder = account(storage)
    other = account(storage, code="9999999999", document_number="001190000002")
    sessions = []
    for owner in (holder, holder, other):
        credential = samples.issued(owner.id)
        storage.end_credentials([c.id for c in storage.live_credentials(owner.id)], NOW)
        storage.add_credential(credential, str(credential.id), NOW)
        session = Session(uuid4(), owner, "citizen", NOW - timedelta(hours=1))
        assert storage.start_session(session, credential.id)
        sessions.append(session)
    assert storage.end_sessions(holder.id, NOW) == [NOW, NOW]
    assert storage.end_sessions(holder.id, NOW + timedelta(hours=1)) == []
    assert [s and s.ended_at for s in map(storage.session, [s.id for s in sessions])] == [NOW, NOW, None]


# --- endings -------------------------------------------------------------------------------------


def test_an_ending_is_found_as_it_was_given(storage: AnyStorage) -> None:
    case, ending = samples.case(), Ending(CaseStatus.REJECTED, NOW, OFFICER.id, "Giấy tờ không khớp")
    storage.add_case(case)
    assert storage.ending(case.id) is None
    storage.end_case(case.id, ending)
    assert storage.ending(case.id) == ending
    assert storage.ending(uuid4()) is None


# --- staff ---------------------------------------------------------------------------------------


def test_staff_are_found_by_user_name_which_is_theirs_alone(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    assert storage.staff_named("mai") == member
    assert storage.staff_named("Mai") is None
    with pytest.raises(StaffUserTaken):
        storage.add_staff(samples.staff(id=uuid4(), user="mai"), NOW)


def test_a_staff_session_is_found_by_its_hash_until_it_expires(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    ends = NOW + timedelta(hours=8)
    storage.start_staff_session(b"a hash", member.id, NOW, ends)
    found = storage.officer(b"a hash", NOW)
    assert found is not None
    assert (found.id, found.agency_code) == (member.id, AGENCY)
    assert storage.officer(b"a hash", ends) is None
    assert storage.officer(b"another", NOW) is None


def test_a_disabled_member_of_staff_keeps_the_name_and_has_no_session(storage: AnyStorage) -> None:
    member, other = (samples.staff(id=uuid4(), user=user) for user in ("mai", "nam"))
    for staff in (member, other):
        storage.add_staff(staff, NOW)
        storage.start_staff_session(staff.user.encode(), staff.id, NOW, NOW + timedelta(hours=8))
    assert storage.disable_staff("mai") == member.id
    assert storage.staff_named("mai") is None
    assert storage.officer(b"mai", NOW) is None
    assert storage.officer(b"nam", NOW) is not None
    assert storage.disable_staff("nobody") is None
    with pytest.raises(StaffUserTaken):
        storage.add_staff(samples.staff(id=uuid4(), user="mai"), NOW)


def test_a_step_of_an_app_is_used_once_and_of_its_seed_alone(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    assert not storage.use_totp(member.id, b"seed", 7)
    assert storage.begin_totp(member.id, b"before")
    assert storage.begin_totp(member.id, b"seed")
    assert not storage.use_totp(member.id, b"before", 7)
    assert storage.use_totp(member.id, b"seed", 7)
    assert not storage.begin_totp(member.id, b"another")
    assert [storage.use_totp(member.id, b"seed", step) for step in (6, 7, 8)] == [False, False, True]
    assert storage.staff_named("mai") == replace(member, totp_seed=b"seed", totp_last_step=8)


def test_a_reset_takes_seed_step_and_sessions_of_one_member(storage: AnyStorage) -> None:
    for user in ("mai", "nam"):
        member = samples.staff(id=uuid4(), user=user)
        storage.add_staff(member, NOW)
        storage.begin_totp(member.id, b"seed")
        storage.use_totp(member.id, b"seed", 7)
        storage.start_staff_session(user.encode(), member.id, NOW, NOW + timedelta(hours=8))
    assert storage.reset_totp("mai") is not None
    reset, other = storage.staff_named("mai"), storage.staff_named("nam")
    assert reset is not None
    assert other is not None
    assert (reset.totp_seed, reset.totp_last_step) == (None, None)
    assert (other.totp_seed, other.totp_last_step) == (b"seed", 7)
    assert [storage.officer(user, NOW) is not None for user in (b"mai", b"nam")] == [False, True]
    assert not storage.use_totp(reset.id, b"seed", 9)
    assert storage.reset_totp("nobody") is None


def test_the_audit_trail_keeps_every_entry_in_order(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    before = len(storage.audit_rows())
    case_id = uuid4()
    storage.add_audit(AuditEntry(NOW, member.id, "case_read", case_id))
    storage.add_audit(AuditEntry(NOW, member.id, "photo_read", case_id, {"kind": "portrait"}))
    assert storage.audit_rows()[before:] == [
        ("case_read", case_id, {}),
        ("photo_read", case_id, {"kind": "portrait"}),
    ]


# --- what only a database can refuse -------------------------------------------------------------


@pytest.mark.parametrize("change", ["UPDATE audit SET action = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_database_refuses_to_change_the_audit_trail(identity_dsn: str, change: str) -> None:
    with transaction_on(identity_dsn, keep=False) as tx:
        member = samples.staff(id=uuid4(), user="mai")
        Storage(tx).add_staff(member, NOW)
        Storage(tx).add_audit(AuditEntry(NOW, member.id, "case_read"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tx.run(change)
        tx.run("ROLLBACK")


def test_of_a_staff_member_who_left_neither_password_nor_token_opens_anything(identity_dsn: str) -> None:
    with transaction_on(identity_dsn, keep=False) as tx:
        storage = Storage(tx)
        member = samples.staff(id=uuid4(), user="mai")
        storage.add_staff(member, NOW)
        storage.start_staff_session(b"a hash", member.id, NOW, NOW + timedelta(hours=8))
        tx.run("UPDATE staff SET active = false WHERE id = %(id)s", {"id": member.id})
        assert storage.staff_named("mai") is None
        assert storage.officer(b"a hash", NOW) is None


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


def test_devices_and_the_refresh_tokens_on_them(storage: AnyStorage) -> None:
    holder = account(storage)
    made = Credential(uuid4(), holder.id, CredentialState.ACTIVE, "hash")
    storage.add_credential(made, str(uuid4()), NOW)
    devices = [Device(uuid4(), holder.id, f"máy {n}", b"a hash", NOW, NOW + timedelta(n)) for n in range(3)]
    for device in devices:
        storage.save_device(device)
    assert storage.devices_of(holder.id, 2) == [devices[2], devices[1]]
    seen = replace(devices[0], name="khác", last_seen_at=NOW + timedelta(9), token_hash=b"another")
    storage.save_device(seen)
    assert storage.device(seen.id) == seen
    session = Session(uuid4(), holder, "citizen", NOW, device_id=seen.id)
    assert storage.start_session(session, made.id)
    assert storage.session(session.id) == session
    assert storage.refresh(session.id) is None
    refresh = Refresh(session.id, NOW, b"one", NOW)
    storage.save_refresh(refresh)
    assert storage.refresh(session.id) == refresh
    followed = refresh.followed_by(b"two", NOW + timedelta(1))
    storage.save_refresh(followed)
    assert storage.refresh(session.id) == followed
    terms = {"used_after": NOW, "started_after": NOW - timedelta(1), "limit": 10}
    assert storage.logged_in_devices(holder.id, **terms) == [seen]
    assert storage.logged_in_devices(holder.id, **{**terms, "used_after": NOW + timedelta(1)}) == []
    assert storage.logged_in_devices(holder.id, **{**terms, "started_after": NOW}) == []
    before = followed.refreshed_at - timedelta(microseconds=1)
    assert storage.end_sessions_on(devices[1].id, NOW, issued_after=before) == []
    ended = followed.refreshed_at + timedelta(microseconds=1)
    assert storage.end_sessions_on(seen.id, NOW, issued_after=before) == [ended], "later than the last token"
    assert storage.end_session(session.id, NOW) == []
    assert storage.logged_in_devices(holder.id, **terms) == []
    storage.forget_device(seen.id)
    assert storage.device(seen.id) is None
    kept = storage.session(session.id)
    assert kept is not None
    assert kept.ended_at == ended


def test_log_ins_are_forgotten_when_their_time_is_over(storage: AnyStorage) -> None:
    holder = account(storage)
    made = Credential(uuid4(), holder.id, CredentialState.ACTIVE, "hash")
    storage.add_credential(made, str(uuid4()), NOW)
    long_ago = NOW - timedelta(3650)
    for at in (long_ago, long_ago + timedelta(1), long_ago + timedelta(2)):
        device = Device(uuid4(), holder.id, "máy", b"a hash", at, at)
        storage.save_device(device)
        assert storage.start_session(Session(uuid4(), holder, "citizen", at, device_id=device.id), made.id)
    until = long_ago + timedelta(2)

    assert storage.forget_log_ins(before=until, limit=1) == 1
    assert storage.forget_log_ins(before=until, limit=100) == 1
    assert storage.forget_log_ins(before=until, limit=100) == 0

    (left,) = storage.devices_of(holder.id, 10)
    assert left.last_seen_at == until, "not yet"
    assert storage.log_ins(holder.id, 10) == [(until, None)]


def test_a_key_of_a_voice_platform_is_used_until_it_is_disabled(storage: AnyStorage) -> None:
    first, second = (HotlineKey(f"voice-{n}", "voice", f"key {n}", NOW) for n in (1, 2))
    for key in (first, second):
        storage.add_hotline_key(key)
    assert [storage.hotline_key(key.id) for key in (first, second)] == [first, second]
    assert storage.disable_hotline_key(first.id, NOW)
    assert not storage.disable_hotline_key("unknown", NOW)
    assert storage.hotline_key(first.id) is None
    assert storage.hotline_keys() == [replace(first, disabled_at=NOW), second]
    with pytest.raises(HotlineKeyTaken):
        storage.add_hotline_key(first)


def test_a_nonce_is_used_once_by_a_key_and_forgotten_when_its_time_is_over(storage: AnyStorage) -> None:
    for name in ("voice-1", "voice-2"):
        storage.add_hotline_key(HotlineKey(name, "voice", "key", NOW))
    until = NOW + timedelta(minutes=10)
    used = [
        storage.use_nonce(*both, kept_until=until, now=NOW)
        for both in (("voice-1", "a"), ("voice-1", "a"), ("voice-2", "a"), ("voice-1", "b"))
    ]
    assert used == [True, False, True, True]
    late = until + timedelta(seconds=1)
    storage.use_nonce("voice-2", "c", kept_until=late, now=late)
    assert storage.use_nonce("voice-1", "a", kept_until=late, now=late), "its time was over"


def test_a_log_in_that_waits_keeps_its_tries(storage: AnyStorage) -> None:
    owner = account(storage)
    spoken = samples.issued(owner.id, reason="hotline", channel="voice")
    storage.add_credential(spoken, str(uuid4()), NOW)
    assert storage.live_credentials(owner.id) == [spoken]
    otp = LogInOtp(uuid4(), owner.id, spoken.id, b"token", "hash", NOW + timedelta(minutes=10))
    storage.add_log_in_otp(otp, NOW)
    storage.save_log_in_otp(replace(otp, tries_left=2))
    assert storage.log_in_otp(otp.id) == replace(otp, tries_left=2)
    later = replace(otp, id=uuid4(), valid_until=NOW + timedelta(hours=2))
    storage.add_log_in_otp(later, NOW + timedelta(hours=1))
    assert (storage.log_in_otp(otp.id), storage.log_in_otp(later.id)) == (None, later)


def test_what_the_last_password_by_sms_was_made_for(storage: AnyStorage) -> None:
    owner, cause = account(storage), str(uuid4())
    assert storage.last_cause_by_sms(owner.id) is None
    issued = samples.issued(owner.id)
    storage.add_credential(issued, cause, NOW)
    storage.end_credentials([issued.id], NOW)
    spoken = samples.issued(owner.id, reason="hotline", channel="voice")
    storage.add_credential(spoken, str(uuid4()), NOW + timedelta(hours=1))
    storage.add_credential(samples.active(owner.id), str(uuid4()), NOW + timedelta(hours=2))
    assert storage.last_cause_by_sms(owner.id) == cause


def test_wrong_tries_are_counted_by_kind_and_key_within_the_window(storage: AnyStorage) -> None:
    def reached(kind: str, key: bytes) -> datetime | None:
        return storage.reached_by(kind, key, 3, since=NOW - timedelta(minutes=1))

    for seconds in (-90, -50, -40):
        at = NOW + timedelta(seconds=seconds)
        storage.add_wrong_try("log_in", b"one", at=at, forget_before=NOW - timedelta(hours=1))
    assert reached("log_in", b"one") is None, "the first one is older than a minute"
    storage.add_wrong_try("log_in", b"one", at=NOW, forget_before=NOW - timedelta(hours=1))
    assert reached("log_in", b"one") == NOW - timedelta(seconds=50)
    assert reached("log_in", b"another") is None
    assert reached("staff_log_in", b"one") is None


def test_tries_of_a_short_window_do_not_forget_those_of_a_long_one(storage: AnyStorage) -> None:
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    storage.add_wrong_try("log_in_user", b"one", at=NOW - 30 * minute, forget_before=NOW - hour)
    storage.add_wrong_try("log_in", b"one", at=NOW, forget_before=NOW - minute)
    assert storage.reached_by("log_in_user", b"one", 1, since=NOW - hour) == NOW - 30 * minute


def test_old_wrong_tries_are_forgotten(storage: AnyStorage) -> None:
    for minutes in range(3):
        at = NOW + timedelta(minutes=minutes)
        storage.add_wrong_try("log_in", b"one", at=at, forget_before=at)
    assert storage.reached_by("log_in", b"one", 2, since=NOW - timedelta(hours=1)) is None


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


# --- resets by e-mail ----------------------------------------------------------------------------


def test_a_reset_is_kept_counted_and_forgotten(storage: AnyStorage) -> None:
    owner = account(storage)
    asked = asked_for(uuid4(), "0123456789", "thu@example.com", now=NOW, valid_minutes=10)
    storage.add_email_reset(asked)
    assert storage.email_reset(asked.id) == storage.email_reset(asked.id, to_change=True) == asked
    assert storage.email_resets_of(owner.id, 10) == []

    sent = asked.looked_up(owner, "a hash")
    storage.save_email_reset(sent)
    assert storage.email_reset(asked.id) == sent
    before = NOW - timedelta(seconds=1)
    assert storage.email_resets_sent(owner.id, email_given=True, since=before) == 1
    assert storage.email_resets_sent(owner.id, email_given=True, since=NOW) == 0
    assert storage.email_resets_sent(owner.id, email_given=False, since=before) == 0

    storage.save_email_reset(replace(sent, used_at=NOW, tries_left=2))
    assert storage.email_resets_of(owner.id, 10) == [(NOW, NOW)]
    storage.forget_email_reset(asked.id)
    assert storage.email_reset(asked.id) is None


def test_a_hash_is_renewed_once_and_only_the_one_that_was_seen(storage: AnyStorage) -> None:
    owner = account(storage)
    credential = samples.active(owner.id, password_hash="old")
    storage.add_credential(credential, str(uuid4()), NOW)
    storage.renew_hash(credential.id, "another", "wrong")
    storage.renew_hash(credential.id, "old", "new")
    storage.renew_hash(credential.id, "old", "late")
    assert [live.password_hash for live in storage.live_credentials(owner.id)] == ["new"]


def test_a_hash_of_staff_is_renewed_once_and_only_the_one_that_was_seen(storage: AnyStorage) -> None:
    member = samples.staff(id=uuid4(), user="mai", password_hash="old")
    storage.add_staff(member, NOW)
    for before, renewed in (("another", "wrong"), ("old", "new"), ("old", "late")):
        storage.renew_staff_hash(member.id, before, renewed)
    assert storage.staff_named("mai") == replace(member, password_hash="new")


# --- first passwords that are followed -----------------------------------------------------------


def test_by_which_ways_the_passwords_of_a_registration_failed(storage: AnyStorage) -> None:
    holder, registration_id, other = account(storage), uuid4(), uuid4()
    assert storage.last_cause_for(holder.id, registration_id) is None
    rows = ((None, "failed"), (None, "sent"), (None, "failed"), (Way.LINK, "failed"), (Way.COUNTER, None))
    for number, (channel, state) in enumerate(rows):
        made = samples.issued(holder.id, channel=channel)
        cause = f"{registration_id} {number}" if number else str(registration_id)
        storage.add_credential(made, cause, NOW + timedelta(seconds=number))
        if state:
            storage.note_delivery(made.id, state)
        storage.end_credentials([made.id], NOW)
    assert sorted(storage.failed_ways(holder.id, registration_id)) == [Way.LINK, Way.SMS, Way.SMS]
    assert storage.failed_ways(holder.id, other) == storage.failed_ways(uuid4(), registration_id) == []
    assert storage.last_cause_for(holder.id, registration_id) == f"{registration_id} 4"
    assert storage.last_cause_for(holder.id, other) is None


def test_a_link_is_found_while_it_may_be_tried(storage: AnyStorage) -> None:
    holder = account(storage)
    link = samples.issued(holder.id, channel=Way.LINK, password_hash="ab" * 32)
    storage.add_credential(link, str(uuid4()), NOW)
    for _ in range(5):
        assert storage.link(link.id) == link
        storage.count_link_try(link.id)
    assert storage.link(link.id) is None
    storage.end_credentials([link.id], NOW)
    ended = samples.issued(holder.id, channel=Way.LINK)
    storage.add_credential(ended, str(uuid4()), NOW)
    storage.end_credentials([ended.id], NOW)
    first = samples.issued(holder.id)
    storage.add_credential(first, str(uuid4()), NOW)
    found = storage.link(ended.id)
    assert found is not None
    assert found.state is CredentialState.ENDED
    assert [storage.link(i) for i in (first.id, uuid4())] == [None, None]


def test_whether_a_password_was_chosen_since(storage: AnyStorage) -> None:
    holder = account(storage)
    storage.add_credential(samples.issued(holder.id), str(uuid4()), NOW + timedelta(days=1))
    assert not storage.has_chosen_since(holder.id, NOW)
    own = samples.active(holder.id)
    storage.add_credential(own, str(uuid4()), NOW)
    storage.end_credentials([own.id], NOW)
    assert storage.has_chosen_since(holder.id, NOW)
    assert not storage.has_chosen_since(holder.id, NOW + timedelta(seconds=1))
    assert not storage.has_chosen_since(uuid4(), NOW)
