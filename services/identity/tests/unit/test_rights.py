"""What a person may ask about the own data, by when it is answered, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import domain, refusals, rights, use_cases
from services.identity.credentials import Claims, Credential, CredentialState, Session
from services.identity.devices import Device
from services.identity.domain import Account, Officer
from services.identity.rights import PersonRequest, RequestKind, RequestState
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.test_contact import verified

LATER = NOW + timedelta(minutes=1)
NAME = {"full_name": "Nguyễn Thị Thư"}
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.fixture
def account(storage: FakeStorage) -> Account:
    account = verified(storage)
    case = next(iter(storage.all_cases.values()))
    own = Credential(uuid4(), account.id, CredentialState.ACTIVE, "hash")
    storage.add_credential(own, str(case.registration_id), NOW)
    return account


def claims_of(storage: FakeStorage, account: Account, scope: str = "citizen") -> Claims:
    session = Session(uuid4(), account, scope, NOW)
    storage.sessions[session.id] = session
    return Claims(account.id, account.code, scope, session.id)


def ask(storage: FakeStorage, account: Account, wanted: dict[str, str] | None = None) -> PersonRequest:
    return use_cases.ask_correction(storage, account, wanted or NAME, request_id=uuid4(), now=NOW)


def answer(storage: FakeStorage, request: PersonRequest, **changes: Any) -> PersonRequest:
    values = {"officer": OFFICER, "granted": True, "answer": "", "papers_checked": True, "now": LATER}
    return use_cases.answer_request(storage, request_id=request.id, **(values | changes))


def told(storage: FakeStorage) -> list[tuple[str, str]]:
    events = storage.tx.events("account.request_answered.v1")
    return [(event.data["request_kind"], event.data["outcome"]) for event in events]


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        ("2026-03-02T09:00", "2026-03-05T00:00"),  # Monday: the end of Wednesday
        ("2026-03-05T09:00", "2026-03-10T00:00"),  # Thursday: the end of Monday
        ("2026-03-07T09:00", "2026-03-11T00:00"),  # Saturday: the end of Tuesday
        ("2026-03-06T23:59", "2026-03-11T00:00"),  # Friday evening: the same
    ],
)
def test_an_answer_is_due_at_the_end_of_the_second_working_day(asked: str, due: str) -> None:
    moment = datetime.fromisoformat(asked).replace(tzinfo=domain.VIETNAM)
    assert rights.due_at(moment.astimezone(UTC)) == datetime.fromisoformat(due).replace(tzinfo=domain.VIETNAM)


@given(moments)
def test_two_whole_working_days_lie_between_a_request_and_its_answer(asked: datetime) -> None:
    due, day = rights.due_at(asked), asked.astimezone(domain.VIETNAM).date()
    between = [day + timedelta(days=n) for n in range(1, (due.date() - day).days)]
    assert sum(d.weekday() < 5 for d in between) == 2
    assert between[-1].weekday() < 5


def test_an_officer_makes_a_correction_and_the_person_is_told(storage: FakeStorage, account: Account) -> None:
    asked = ask(storage, account, NAME | {"birth": "1990-05", "sex": "female"})
    (waiting,) = use_cases.list_open_requests(storage, OFFICER, NOW)
    assert (waiting.request, waiting.account) == (asked, account)
    made = answer(storage, asked)
    assert (made.state, made.answered_by) == (RequestState.GRANTED, OFFICER.id)
    corrected = storage.account(account.id)
    assert corrected is not None
    assert (corrected.full_name, corrected.birth_value) == ("Nguyễn Thị Thư", "1990-05")
    assert corrected.phone == account.phone
    (person,) = storage.people_with([account.code])
    assert (person.applicant.birth_precision, person.applicant.document_number) == ("month", "001190000001")
    assert told(storage) == [("correction", "granted")]
    assert use_cases.list_open_requests(storage, OFFICER, NOW) == []
    acts = [entry.action for entry in storage.audit][-3:]
    assert acts == ["requests_listed", "correction_made", "requests_listed"]


def test_the_same_answer_again_is_the_same_and_another_is_refused(
    storage: FakeStorage, account: Account
) -> None:
    asked = ask(storage, account)
    made = answer(storage, asked)
    assert answer(storage, asked) == made
    with pytest.raises(rights.RequestAnswered):
        answer(storage, asked, granted=False, answer="Giấy tờ không khớp")
    assert told(storage) == [("correction", "granted")]


def test_a_refusal_has_its_reason_and_changes_nothing(storage: FakeStorage, account: Account) -> None:
    asked = ask(storage, account)
    with pytest.raises(rights.AnswerMissing):
        answer(storage, asked, granted=False, answer="không")
    refused = answer(storage, asked, granted=False, answer="Giấy tờ không khớp với yêu cầu")
    assert (refused.state, refused.answer) == (RequestState.REFUSED, "Giấy tờ không khớp với yêu cầu")
    assert storage.account(account.id) == account
    assert told(storage) == [("correction", "refused")]


def test_no_correction_without_papers_and_none_by_a_foreign_agency(
    storage: FakeStorage, account: Account
) -> None:
    asked = ask(storage, account)
    with pytest.raises(refusals.PapersNotChecked):
        answer(storage, asked, papers_checked=False)
    stranger = Officer(uuid4(), "00202")
    assert use_cases.list_open_requests(storage, stranger, NOW) == []
    with pytest.raises(rights.PersonRequestUnknown):
        answer(storage, asked, officer=stranger)
    assert storage.account(account.id) == account


def test_one_correction_after_the_other(storage: FakeStorage, account: Account) -> None:
    asked = ask(storage, account)
    assert ask(storage, account) == asked
    with pytest.raises(rights.RequestPending):
        ask(storage, account, {"sex": "male"})
    answer(storage, asked)
    assert ask(storage, account, {"sex": "male"}).state is RequestState.OPEN


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"sex": "female"}, "full_name"),
        ({"full_name": "Nguyễn Thị Thử"}, "full_name"),
        ({"full_name": " "}, "full_name"),
        ({"birth": "1990-13"}, "birth"),
        ({"birth": "2026-03-03"}, "birth"),
        ({"birth": "90"}, "birth"),
        ({"sex": "x"}, "sex"),
    ],
)
def test_a_correction_that_is_none_says_which_field(
    storage: FakeStorage, account: Account, wanted: dict[str, str], field: str
) -> None:
    with pytest.raises(refusals.RequestInvalid) as refused:
        ask(storage, account, wanted)
    assert [problem.field for problem in refused.value.problems] == [field]
    assert storage.requests == {}


@given(st.text(max_size=12) | st.dates(max_value=date(2027, 1, 1)).map(str))
def test_what_is_taken_for_a_birth_date_is_one(text: str) -> None:
    try:
        changed = rights.corrected(samples.applicant(), {"birth": text}, date(2026, 3, 2))
    except refusals.RequestInvalid:
        return
    assert changed.birth_value == text
    assert changed.birth_precision in ("day", "month", "year")


def test_what_is_handed_over_is_recorded_and_answered_at_once(storage: FakeStorage, account: Account) -> None:
    held = use_cases.export(storage, account, request_id=uuid4(), now=LATER)
    assert [request.kind for request in held.requests] == [RequestKind.EXPORT]
    assert held.requests[0].answered_at == LATER
    assert [case.applicant.full_name for case in held.cases] == ["Nguyễn Thị Thử"]
    assert held.person.applicant.numbers == ("001190000001", "0123456789")
    assert told(storage) == []


def test_data_is_handed_over_so_often_in_a_day_and_then_it_is_said_how_long_to_wait(
    storage: FakeStorage, account: Account
) -> None:
    def export(hours: float) -> None:
        at = NOW + timedelta(hours=hours)
        use_cases.export(storage, account, request_id=uuid4(), now=at, a_day=2)

    export(0)
    export(1)
    with pytest.raises(rights.ExportsTooMany) as refused:
        export(2)
    assert refused.value.details == {"retry_after_seconds": 22 * 3600}
    assert len(storage.requests) == 2, "a refusal adds no row"
    export(24)


def test_a_withdrawal_leaves_no_way_in(storage: FakeStorage, account: Account) -> None:
    claims, other = claims_of(storage, account), claims_of(storage, account)
    (used,) = storage.live_credentials(account.id)
    closed = use_cases.withdraw_consent(
        storage, claims, used, request_id=uuid4(), erasure_id=uuid4(), now=LATER
    )
    assert (closed.kind, closed.state) == (RequestKind.WITHDRAWAL, RequestState.GRANTED)
    assert storage.live_credentials(account.id) == []
    for ended in (claims, other):
        with pytest.raises(refusals.TokenInvalid):
            use_cases.citizen(storage, ended)
    (event,) = storage.tx.events("account.sessions_ended.v1")
    assert event.data["account_id"] == account.id
    assert told(storage) == [("withdrawal", "granted")]


def test_a_correction_leaves_a_contact_that_changed_until_it_was_its_turn(
    storage: FakeStorage, account: Account
) -> None:
    asked, moved = ask(storage, account), replace(account, phone="+84987654321")
    storage.when_locked = lambda: storage.save_account(moved, LATER)  # the desk was first
    answer(storage, asked)
    corrected = storage.account(account.id)
    assert corrected is not None
    assert (corrected.phone, corrected.full_name) == (moved.phone, "Nguyễn Thị Thư")


def test_whoever_withdraws_leaves_no_device(storage: FakeStorage, account: Account) -> None:
    claims, (used,) = claims_of(storage, account), storage.live_credentials(account.id)
    storage.save_device(Device(uuid4(), account.id, "máy của Thử", b"hash", NOW, NOW))
    use_cases.withdraw_consent(storage, claims, used, request_id=uuid4(), erasure_id=uuid4(), now=LATER)
    assert storage.devices == {}


def test_a_withdrawal_with_a_password_that_has_ended_does_nothing(
    storage: FakeStorage, account: Account
) -> None:
    claims, (used,) = claims_of(storage, account), storage.live_credentials(account.id)
    storage.end_credentials([used.id], NOW)
    with pytest.raises(refusals.TokenInvalid):
        use_cases.withdraw_consent(storage, claims, used, request_id=uuid4(), erasure_id=uuid4(), now=LATER)
    assert told(storage) == []
    assert storage.requests == {}


def test_the_first_password_opens_none_of_this(storage: FakeStorage, account: Account) -> None:
    with pytest.raises(refusals.PasswordChangeRequired):
        use_cases.citizen(storage, claims_of(storage, account, "password_change"))
