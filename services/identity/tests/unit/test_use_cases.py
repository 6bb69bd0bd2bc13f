"""Cases from their opening to their one ending, accounts, first passwords, log-ins: on the fake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.identity import domain, refusals, use_cases
from services.identity.credentials import Claims, CredentialState, Session
from services.identity.delivery import Policy
from services.identity.domain import Case, CaseStatus, Officer, Outcome, RegisterAnswer, RegisterCheck
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER

MATCHED = RegisterAnswer(Outcome.MATCHED)


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


def opened(storage: FakeStorage, outcome: Outcome = Outcome.MATCHED, **changes: object) -> Case:
    data = samples.checked(storage, samples.submitted(**changes), outcome)
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    return case


def applied(storage: FakeStorage, **changes: str) -> Case:
    """Another application of the same person, with some data changed."""
    data = samples.submitted(samples.applicant(**changes))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    return case


def confirmed(storage: FakeStorage, case: Case) -> Case:
    return use_cases.confirm_case(storage, OFFICER, case.id, papers_checked=True, person_id=uuid4(), now=NOW)


def outcomes_told(storage: FakeStorage) -> list[str]:
    return [event.data["outcome"] for event in storage.tx.events("identity.checked.v1")]


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


# --- verified once -------------------------------------------------------------------------------


def with_account(storage: FakeStorage, case: Case) -> domain.Account:
    confirmed(storage, case)
    verified = storage.tx.events("identity.verified.v1")[-1]
    use_cases.open_account(storage, verified.data, account_id=uuid4(), now=NOW)
    account = storage.account_named(case.applicant.code)
    assert account is not None
    return account


@pytest.mark.proves("G13")
def test_who_was_verified_once_is_not_sent_to_the_desk_again(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    again = opened(storage)
    assert again.status is CaseStatus.VERIFIED
    told = storage.tx.events("identity.verified.v1")[-1]
    assert (told.data["method"], told.data["person_id"]) == ("reused", account.person_id)


@pytest.mark.proves("G13")
@pytest.mark.parametrize(
    "changes",
    [
        {"phone": "+84987654321"},
        {"email": "other@example.com"},
        {"full_name": "Nguyễn Thị Khác"},
        {"birth_value": "1991-05-17"},
        {"document_kind": "passport", "document_number": "C1234567"},
    ],
)
def test_a_verified_person_with_another_contact_or_name_is_sent_to_the_desk(
    storage: FakeStorage, changes: dict[str, str]
) -> None:
    with_account(storage, opened(storage))
    data = samples.submitted(samples.applicant(**changes))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    assert case.status is CaseStatus.WAITING


def test_the_desk_gives_a_known_person_the_new_contact_and_keeps_the_account(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    data = samples.submitted(samples.applicant(phone="+84987654321"))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    changed = with_account(storage, case)
    assert (changed.id, changed.person_id) == (account.id, account.person_id)
    assert changed.phone == "+84987654321"
    assert len(storage.people) == 1


def test_numbers_of_two_verified_people_do_not_make_a_third(storage: FakeStorage) -> None:
    confirmed(storage, opened(storage))
    other = samples.applicant(code="9999999999", document_number="001190000002")
    data = samples.submitted(other)
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    other_case = storage.case_of(data["registration_id"])
    assert other_case is not None
    confirmed(storage, other_case)
    mixed = samples.submitted(samples.applicant(code="0123456789", document_number="001190000002"))
    use_cases.open_case(storage, mixed, case_id=uuid4(), at=NOW)
    mixed_case = storage.case_of(mixed["registration_id"])
    assert mixed_case is not None
    with pytest.raises(refusals.PersonNumberTaken):
        confirmed(storage, mixed_case)


def contact_notices(storage: FakeStorage) -> list[dict[str, object]]:
    return [e.data for e in storage.tx.events("account.notice_due.v1") if e.data["kind"] == "contact_changed"]


@pytest.mark.proves("G13")
def test_a_contact_changed_at_the_desk_is_told_to_the_old_and_the_new_one_and_ends_every_session(
    storage: FakeStorage,
) -> None:
    account = with_account(storage, opened(storage))
    own = samples.active(account.id)
    storage.add_credential(own, "session", NOW)
    session = use_cases.log_in(storage, account, own, session_id=uuid4(), now=NOW)
    again = applied(storage, phone="+84987654321", email="new@example.com")
    read = use_cases.read_case(storage, OFFICER, again.id, NOW)
    assert read.account is not None
    assert (read.case.applicant.phone, read.account.phone) == ("+84987654321", "+84912345678")
    changed = with_account(storage, again)
    assert (changed.phone, changed.email) == ("+84987654321", "new@example.com")
    (notice,) = contact_notices(storage)
    assert notice["channels"] == [
        {"kind": "sms", "to": "+84912345678"},
        {"kind": "sms", "to": "+84987654321"},
        {"kind": "email", "to": "thu@example.com"},
        {"kind": "email", "to": "new@example.com"},
    ]
    with pytest.raises(refusals.TokenInvalid):
        use_cases.live_session(storage, claims(session))
    assert own in storage.live_credentials(account.id)


@pytest.mark.proves("G13")
@pytest.mark.parametrize("late_first", [True, False])
def test_the_account_has_the_contact_that_the_desk_saw_last_whichever_event_comes_first(
    storage: FakeStorage, late_first: bool
) -> None:
    confirmed(storage, opened(storage))
    confirmed(storage, applied(storage, phone="+84987654321"))
    told = storage.tx.events("identity.verified.v1")
    for event in reversed(told) if late_first else told:
        use_cases.open_account(storage, event.data, account_id=uuid4(), now=NOW)
    account = storage.account_named("0123456789")
    assert account is not None
    assert account.phone == "+84987654321"


@pytest.mark.proves("G13")
@pytest.mark.parametrize("code", ["0123456789", "001190000001"])
def test_code_and_personal_number_are_one_persons(storage: FakeStorage, code: str) -> None:
    account = with_account(storage, opened(storage))
    again = applied(storage, code=code)
    assert again.status is CaseStatus.VERIFIED
    assert storage.tx.events("identity.verified.v1")[-1].data["person_id"] == account.person_id


@pytest.mark.proves("G13")
@pytest.mark.parametrize(
    "changes",
    [{"document_number": "001190999999"}, {"code": "9999999999"}],
    ids=["a leaked code with other papers", "a leaked personal number with another code"],
)
def test_a_leaked_number_with_the_papers_of_somebody_else_takes_no_account(
    storage: FakeStorage, changes: dict[str, str]
) -> None:
    account = with_account(storage, opened(storage))
    thief = applied(storage, phone="+84987654321", email="thief@example.com", **changes)
    assert thief.status is CaseStatus.WAITING
    with pytest.raises(refusals.PersonNumberTaken):
        confirmed(storage, thief)
    assert storage.account(account.id) == account
    assert contact_notices(storage) == []


# --- the officer's list --------------------------------------------------------------------------


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


# --- first passwords -----------------------------------------------------------------------------


def issue(storage: FakeStorage, account_id: UUID, cause: object) -> UUID:
    made = use_cases.FirstPassword(uuid4(), "hash", "sealed")
    use_cases.issue_credential(storage, account_id, str(cause), made, now=NOW, valid_hours=72)
    return made.credential_id


def hear(storage: FakeStorage, credential_id: UUID | None, state: str, channel: str = "sms") -> None:
    """What notification tells of a message."""
    message = {"credential_id": credential_id, "channel": channel}
    use_cases.note_delivery(storage, message, state, policy=Policy(sms=4, link=False), now=NOW)


def replacements_due(storage: FakeStorage) -> list[str]:
    """The causes of the passwords that are to be made, after the first."""
    return [due.key for due in storage.tx.due("issue_credential") if " " in due.key]


@pytest.mark.proves("G12")
def test_a_verified_person_gets_an_account_and_a_first_password_by_sms_with_instructions_by_email(
    storage: FakeStorage,
) -> None:
    account = with_account(storage, opened(storage))
    (due,) = storage.tx.due("issue_credential")
    assert due.payload["account_id"] == str(account.id)
    issue(storage, account.id, due.key)
    (told,) = storage.tx.events("credentials.issued.v1")
    assert told.data["channels"] == [
        {"kind": "sms", "to": "+84912345678"},
        {"kind": "email", "to": "thu@example.com"},
    ]
    assert told.data["valid_until"] == NOW + timedelta(hours=72)
    assert told.data["sealed_secret"] == "sealed"
    assert "sealed" not in repr(due)


def test_a_registration_has_one_first_password_however_often_the_job_runs(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    registration_id = uuid4()
    first = issue(storage, account.id, registration_id)
    issue(storage, account.id, registration_id)
    assert list(storage.credentials) == [first]
    assert len(storage.tx.events("credentials.issued.v1")) == 1


def test_a_new_first_password_ends_the_unused_one_and_spares_the_one_in_use(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    own = samples.active(account.id)
    storage.add_credential(own, "session", NOW)
    unused = issue(storage, account.id, uuid4())
    newest = issue(storage, account.id, uuid4())
    assert storage.credentials[unused].state is CredentialState.ENDED
    assert {c.id for c in storage.live_credentials(account.id)} == {own.id, newest}


@pytest.mark.parametrize(
    ("states", "kept"),
    [(["sent", "delivered"], "delivered"), (["delivered", "sent"], "delivered"), (["failed"], "failed")],
)
def test_how_far_the_sms_came_is_kept_in_whatever_order_it_is_told(
    storage: FakeStorage, states: list[str], kept: str
) -> None:
    account = with_account(storage, opened(storage))
    credential_id = issue(storage, account.id, uuid4())
    hear(storage, credential_id, "failed", channel="email")
    hear(storage, None, "failed")
    hear(storage, uuid4(), "failed")
    for state in states:
        hear(storage, credential_id, state)
    assert storage.delivery(credential_id) == kept


# --- first passwords that did not arrive ---------------------------------------------------------


@pytest.mark.parametrize("states", [["failed"], ["sent", "failed"], ["failed", "failed"], ["failed", "sent"]])
def test_a_password_that_did_not_arrive_ends_and_another_falls_due_for_the_same_registration(
    storage: FakeStorage, states: list[str]
) -> None:
    account = with_account(storage, opened(storage))
    registration_id = uuid4()
    lost = issue(storage, account.id, registration_id)
    for state in states:
        hear(storage, lost, state)
    assert storage.live_credentials(account.id) == []
    assert replacements_due(storage) == [f"{registration_id} 1"]
    another = issue(storage, account.id, f"{registration_id} 1")
    assert issue(storage, account.id, f"{registration_id} 1") not in storage.credentials
    assert [credential.id for credential in storage.live_credentials(account.id)] == [another]
    told = storage.tx.events("credentials.issued.v1")
    assert [event.data["credential_id"] for event in told] == [lost, another]
    assert {event.data["registration_id"] for event in told} == {registration_id}


def test_replacing_ends_after_a_while_and_leaves_the_last_password(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    registration_id = uuid4()
    causes = [f"{registration_id}", *(f"{registration_id} {number}" for number in (1, 2, 3))]
    for cause in causes:
        last = issue(storage, account.id, cause)
        hear(storage, last, "failed")
    assert replacements_due(storage) == causes[1:]
    assert [credential.id for credential in storage.live_credentials(account.id)] == [last]


def test_a_password_that_arrived_is_not_replaced_whatever_is_said_later(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    arrived = issue(storage, account.id, uuid4())
    hear(storage, arrived, "delivered")
    hear(storage, arrived, "failed")
    assert [credential.id for credential in storage.live_credentials(account.id)] == [arrived]
    assert replacements_due(storage) == []


def test_a_password_with_which_somebody_logged_in_has_arrived(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    used = issue(storage, account.id, uuid4())
    session = logged_in(storage, account)
    hear(storage, used, "failed")
    assert replacements_due(storage) == []
    assert changed(storage, session).scope == "citizen"


def test_a_password_that_was_changed_or_followed_by_another_is_not_replaced(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    own = samples.active(account.id)
    storage.add_credential(own, "session", NOW)
    followed = issue(storage, account.id, uuid4())
    newest = issue(storage, account.id, uuid4())
    hear(storage, followed, "failed")
    assert {credential.id for credential in storage.live_credentials(account.id)} == {own.id, newest}
    assert replacements_due(storage) == []


def test_the_password_in_use_outlives_the_replacing_of_another(storage: FakeStorage) -> None:
    account = with_account(storage, opened(storage))
    own = samples.active(account.id)
    storage.add_credential(own, "session", NOW)
    hear(storage, issue(storage, account.id, uuid4()), "failed")
    assert storage.live_credentials(account.id) == [own]
    assert len(replacements_due(storage)) == 1


# --- logging in and changing the password --------------------------------------------------------


@pytest.fixture
def account(storage: FakeStorage) -> domain.Account:
    account = with_account(storage, opened(storage))
    issue(storage, account.id, uuid4())
    return account


def logged_in(storage: FakeStorage, account: domain.Account) -> Session:
    found = use_cases.find_account(storage, account.code)
    assert found is not None
    return use_cases.log_in(storage, account, found.credentials[0], session_id=uuid4(), now=NOW)


def changed(storage: FakeStorage, session: Session) -> Session:
    used = storage.live_credentials(session.account.id)[0]
    new = samples.active(session.account.id)
    return use_cases.change_password(storage, session, used, new, session_id=uuid4(), now=NOW)


def claims(session: Session) -> Claims:
    return Claims(session.account.id, session.account.code, session.scope, session.id)


@pytest.mark.proves("G15")
def test_code_and_personal_number_both_name_the_account(
    storage: FakeStorage, account: domain.Account
) -> None:
    for user in ("0123456789", " 001190000001 "):
        found = use_cases.find_account(storage, user)
        assert found is not None
        assert found.account == account
    assert use_cases.find_account(storage, "0000000000") is None


@pytest.mark.proves("G15")
def test_the_first_log_in_may_only_change_the_password_and_then_everything(
    storage: FakeStorage, account: domain.Account
) -> None:
    first = logged_in(storage, account)
    assert (first.scope, first.must_change_password) == ("password_change", True)
    own = changed(storage, first)
    assert (own.scope, own.must_change_password) == ("citizen", False)
    assert logged_in(storage, account).scope == "citizen"


def test_a_change_ends_every_earlier_password_and_session_and_tells_the_owner(
    storage: FakeStorage, account: domain.Account
) -> None:
    first, second = logged_in(storage, account), logged_in(storage, account)
    fresh = changed(storage, first)
    for ended in (first, second):
        with pytest.raises(refusals.TokenInvalid):
            use_cases.live_session(storage, claims(ended))
    assert use_cases.live_session(storage, claims(fresh)).account == account
    assert [c.state for c in storage.live_credentials(account.id)] == [CredentialState.ACTIVE]
    (notice,) = storage.tx.events("account.notice_due.v1")
    assert notice.data["kind"] == "password_changed"
    assert notice.data["channels"] == [{"kind": "email", "to": "thu@example.com"}]


def test_of_two_changes_with_one_password_the_second_is_refused_and_changes_nothing(
    storage: FakeStorage, account: domain.Account
) -> None:
    session = logged_in(storage, account)
    used = storage.live_credentials(account.id)[0]
    changed(storage, session)
    with pytest.raises(refusals.TokenInvalid):
        use_cases.change_password(
            storage, session, used, samples.active(account.id), session_id=uuid4(), now=NOW
        )
    assert len(storage.tx.events("account.notice_due.v1")) == 1


def test_a_repeated_change_is_known_by_the_session_in_which_it_was_made(
    storage: FakeStorage, account: domain.Account
) -> None:
    session, other = logged_in(storage, account), logged_in(storage, account)
    assert use_cases.find_repeated_change(storage, claims(session)) is None
    changed(storage, session)
    repeated = use_cases.find_repeated_change(storage, claims(session))
    assert repeated is not None
    assert repeated[1] == storage.live_credentials(account.id)[0]
    assert use_cases.find_repeated_change(storage, claims(other)) is None


def test_a_password_that_was_replaced_while_it_was_being_checked_opens_nothing(
    storage: FakeStorage, account: domain.Account
) -> None:
    used = storage.live_credentials(account.id)[0]
    changed(storage, logged_in(storage, account))
    with pytest.raises(refusals.LogInFailed):
        use_cases.log_in(storage, account, used, session_id=uuid4(), now=NOW)


def test_a_token_that_names_another_account_than_its_session_is_refused(
    storage: FakeStorage, account: domain.Account
) -> None:
    session = logged_in(storage, account)
    forged = replace(claims(session), account_id=uuid4())
    with pytest.raises(refusals.TokenInvalid):
        use_cases.live_session(storage, forged)
    assert use_cases.find_repeated_change(storage, forged) is None
