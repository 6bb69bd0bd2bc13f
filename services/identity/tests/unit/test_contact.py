"""A verified person gets another phone or e-mail at the desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity import email_reset, hotline, refusals, use_cases
from services.identity.credentials import Credential, CredentialState, Session
from services.identity.delivery import Way
from services.identity.devices import Device
from services.identity.domain import Account, CaseStatus, ContactChange, Officer
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER

NEW_PHONE = "+84987654321"
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def account(storage: FakeStorage) -> Account:
    return verified(storage)


def verified(storage: FakeStorage, **changes: Any) -> Account:
    data = samples.submitted(samples.applicant(**changes))
    use_cases.open_case(storage, data, case_id=uuid4(), at=NOW)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    use_cases.confirm_case(storage, OFFICER, case.id, papers_checked=True, person_id=uuid4(), now=NOW)
    event = storage.tx.events("identity.verified.v1")[-1]
    use_cases.open_account(storage, event.data, account_id=uuid4(), now=NOW)
    account = storage.account_named(case.applicant.code)
    assert account is not None
    return account


def ask(storage: FakeStorage, **changes: Any) -> ContactChange:
    values = {
        "officer": OFFICER,
        "user": "0123456789",
        "phone": "0987 654 321",
        "email": None,
        "papers_checked": True,
        "reason": "Mất điện thoại cũ",
        "change_id": uuid4(),
        "now": LATER,
    }
    return use_cases.ask_contact_change(storage, **(values | changes))


def finish(storage: FakeStorage, change: ContactChange, is_claimed: bool = True) -> str:
    return use_cases.finish_contact_change(storage, change.id, is_claimed=is_claimed, now=LATER)


def notices(storage: FakeStorage) -> list[Any]:
    return [e.data for e in storage.tx.events("account.notice_due.v1") if e.data["kind"] == "contact_changed"]


def apply_again(storage: FakeStorage, **changes: Any) -> CaseStatus:
    data = samples.submitted(samples.applicant(**changes))
    use_cases.open_case(storage, data, case_id=uuid4(), at=LATER)
    case = storage.case_of(data["registration_id"])
    assert case is not None
    return case.status


@pytest.mark.proves("G13")
def test_who_comes_back_with_the_phone_that_is_being_changed_is_sent_to_the_desk(
    storage: FakeStorage, account: Account
) -> None:
    change = ask(storage)
    assert apply_again(storage) is CaseStatus.WAITING
    assert [event.data["method"] for event in storage.tx.events("identity.verified.v1")] == ["desk"]
    finish(storage, change)
    assert apply_again(storage) is CaseStatus.WAITING, "the old phone is another contact by now"
    assert apply_again(storage, phone=NEW_PHONE) is CaseStatus.VERIFIED


def test_a_password_that_is_due_waits_for_the_end_of_a_change_and_goes_to_the_phone_there_is_then(
    storage: FakeStorage, account: Account
) -> None:
    change, cause = ask(storage), str(uuid4())
    made = use_cases.NewSecret(uuid4(), "hash", "sealed")

    def issue() -> None:
        use_cases.issue(storage, account.id, cause, Way.SMS, made, now=LATER, valid_hours=1)

    issue()
    assert storage.live_credentials(account.id) == []
    again = storage.tx.due("issue_credential")[-1]
    assert (again.key, again.payload) == (cause, {"account_id": str(account.id)})
    assert again.at == LATER + timedelta(seconds=use_cases.RETRY_SECONDS)
    finish(storage, change)
    issue()
    (issued,) = storage.tx.events("credentials.issued.v1")
    assert issued.data["channels"][0] == {"kind": "sms", "to": NEW_PHONE}


@pytest.mark.parametrize("user", ["0123456789", "001190000001"])
def test_a_change_waits_for_the_claim_and_takes_effect_once(
    storage: FakeStorage, account: Account, user: str
) -> None:
    change = ask(storage, user=user)
    assert change.state == "pending"
    assert storage.account(account.id) == account
    found = use_cases.find_contact_change(storage, change.id)
    assert found == (change, {"0123456789", "001190000001"})
    assert [due.key for due in storage.tx.due("change_contact")] == [str(change.id)]

    assert [finish(storage, change), finish(storage, change)] == ["changed", "changed"]

    assert storage.account(account.id) == replace(account, phone=NEW_PHONE)
    (person,) = storage.people_with(["0123456789"])
    assert (person.applicant.phone, person.verified_at) == (NEW_PHONE, NOW)
    (notice,) = notices(storage)
    assert [channel["to"] for channel in notice["channels"]] == ["+84912345678", NEW_PHONE, "thu@example.com"]
    assert use_cases.find_contact_change(storage, change.id) is None
    acts = [action for action, _, _ in storage.audit_rows()][-2:]
    assert acts == ["contact_change_asked", "contact_changed"]
    assert "Mất điện thoại" not in repr(storage.audit_rows())


def test_sessions_end_devices_are_forgotten_and_the_own_password_stays(
    storage: FakeStorage, account: Account
) -> None:
    own = samples.active(account.id)
    storage.add_credential(own, "a session", NOW)
    storage.save_device(Device(uuid4(), account.id, "máy", b"hash", NOW, NOW))
    session: Session = use_cases.log_in(storage, account, own, session_id=uuid4(), now=NOW)
    finish(storage, ask(storage))
    ended = storage.session(session.id)
    assert ended is not None
    assert ended.ended_at == LATER
    assert storage.live_credentials(account.id) == [own]
    assert storage.devices == {}


@pytest.mark.parametrize("reason", [hotline.REASON, email_reset.REASON])
@pytest.mark.parametrize("has_unused", [True, False])
def test_a_password_that_was_recovered_over_the_old_contact_ends_and_the_new_one_gets_another(
    storage: FakeStorage, account: Account, reason: str, has_unused: bool
) -> None:
    storage.add_credential(samples.issued(account.id), str(uuid4()), NOW)
    recovered = log_in_and_choose(storage, account, samples.issued(account.id, id=uuid4(), reason=reason))
    again = log_in_and_choose(storage, account, recovered)
    assert [c.reason for c in storage.live_credentials(account.id)] == [reason]
    if has_unused:
        unused = samples.issued(account.id, id=uuid4(), reason=hotline.REASON, channel=hotline.CHANNEL)
        storage.add_credential(unused, str(uuid4()), NOW)
    before = len(storage.tx.due("issue_credential"))

    finish(storage, ask(storage))

    assert storage.credentials[again.id].state is CredentialState.ENDED
    assert storage.live_credentials(account.id) == []
    assert len(storage.tx.due("issue_credential")) == before + 1
    assert storage.devices == {}


def log_in_and_choose(storage: FakeStorage, account: Account, used: Credential) -> Credential:
    """On a device that is known by then."""
    if used.id not in storage.credentials:
        storage.add_credential(used, str(uuid4()), NOW)
    device = Device(uuid4(), account.id, "máy", b"hash", NOW, NOW)
    storage.save_device(device)
    session = use_cases.log_in(storage, account, used, session_id=uuid4(), device_id=device.id, now=NOW)
    new = samples.active(account.id, id=uuid4())
    use_cases.change_password(storage, session, used, new, session_id=uuid4(), now=NOW)
    return storage.credentials[new.id]


def test_whom_the_desk_verifies_anew_with_another_contact_keeps_nothing_that_was_recovered(
    storage: FakeStorage, account: Account
) -> None:
    recovered = samples.issued(account.id, reason=hotline.REASON, channel=hotline.CHANNEL)
    log_in_and_choose(storage, account, recovered)
    verified(storage, phone=NEW_PHONE)
    assert storage.live_credentials(account.id) == []
    assert storage.devices == {}
    assert len(storage.tx.due("issue_credential")) == 2, "the first password of each case, and no other"


def test_what_was_recovered_until_the_account_has_its_new_contact_ends_too(
    storage: FakeStorage, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = use_cases.open_account
    recovered = samples.active(account.id, reason=hotline.REASON)

    def late(*given: Any, **named: Any) -> None:
        storage.add_credential(recovered, str(uuid4()), NOW)
        opened(*given, **named)

    monkeypatch.setattr(use_cases, "open_account", late)
    verified(storage, phone=NEW_PHONE)
    assert storage.credentials[recovered.id].state is CredentialState.ENDED


def test_a_first_password_that_waits_at_the_old_phone_is_replaced(
    storage: FakeStorage, account: Account
) -> None:
    first = samples.issued(account.id)
    storage.add_credential(first, str(uuid4()), NOW)
    finish(storage, ask(storage))
    assert storage.credentials[first.id].state is CredentialState.ENDED
    assert len(storage.tx.due("issue_credential")) == 2


def test_a_refused_phone_changes_nothing(storage: FakeStorage, account: Account) -> None:
    assert finish(storage, ask(storage), is_claimed=False) == "refused"
    assert storage.account(account.id) == account
    assert notices(storage) == []
    assert ask(storage, phone="0355555555").state == "pending"


def test_asking_again_is_the_same_change_and_another_one_waits(
    storage: FakeStorage, account: Account
) -> None:
    change = ask(storage)
    assert ask(storage) == change
    with pytest.raises(refusals.ContactChangePending):
        ask(storage, phone="0355555555")
    finish(storage, change)
    assert ask(storage).state == "changed"


def test_an_email_alone_claims_no_phone(storage: FakeStorage, account: Account) -> None:
    change = ask(storage, phone=None, email="new@example.com")
    assert use_cases.find_contact_change(storage, change.id) == (change, frozenset())
    finish(storage, change)
    assert storage.account(account.id) == replace(account, email="new@example.com")


def test_whom_the_desk_verifies_anew_meanwhile_keeps_what_was_seen_then(
    storage: FakeStorage, account: Account
) -> None:
    change = ask(storage)
    (person,) = storage.people_with(["0123456789"])
    storage.save_person(replace(person, verified_at=LATER + timedelta(seconds=1)))
    assert use_cases.find_contact_change(storage, change.id) is None
    assert finish(storage, change) == "refused"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"papers_checked": "yes"}, refusals.PapersNotChecked),
        ({"reason": "x"}, refusals.ReasonMissing),
        ({"user": "9999999999"}, refusals.AccountUnknown),
        ({"officer": Officer(uuid4(), "79001")}, refusals.AccountUnknown),
        ({"phone": "12345"}, refusals.RequestInvalid),
        ({"email": "nobody"}, refusals.RequestInvalid),
        ({"phone": None}, refusals.RequestInvalid),
    ],
)
def test_what_may_not_be_changed_is_refused_by_name(
    storage: FakeStorage, account: Account, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        ask(storage, **changes)
    assert storage.changes == {}
