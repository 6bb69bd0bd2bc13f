"""What citizens and officers do on the fake, step by step."""

from __future__ import annotations

from uuid import UUID, uuid4

from services.identity import domain, use_cases
from services.identity.credentials import Claims, Session
from services.identity.delivery import Policy, Way
from services.identity.domain import Case, Outcome
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER


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


def with_account(storage: FakeStorage, case: Case) -> domain.Account:
    confirmed(storage, case)
    verified = storage.tx.events("identity.verified.v1")[-1]
    use_cases.open_account(storage, verified.data, account_id=uuid4(), now=NOW)
    account = storage.account_named(case.applicant.code)
    assert account is not None
    return account


def issue(storage: FakeStorage, account_id: UUID, cause: object) -> UUID:
    made = use_cases.NewSecret(uuid4(), "hash", "sealed")
    use_cases.issue(storage, account_id, str(cause), Way.SMS, made, now=NOW, valid_hours=72)
    return made.credential_id


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


def hear(storage: FakeStorage, credential_id: UUID | None, state: str, channel: str = "sms") -> None:
    """What notification tells of a message."""
    message = {"credential_id": credential_id, "channel": channel}
    use_cases.note_delivery(storage, message, state, policy=Policy(sms=4, link=False), now=NOW)


def replacements_due(storage: FakeStorage) -> list[str]:
    """The causes of the passwords that are to be made, after the first."""
    return [due.key for due in storage.tx.due("issue_credential") if " " in due.key]
