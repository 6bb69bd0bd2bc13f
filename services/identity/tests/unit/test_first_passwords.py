"""First passwords, what they are good for, and those that did not arrive: on the fake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity import credentials, refusals, use_cases
from services.identity.credentials import Credential, CredentialState
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.house import House
from services.identity.tests.unit.samples import NOW
from services.identity.tests.unit.steps import (
    changed,
    hear,
    issue,
    logged_in,
    opened,
    replacements_due,
    with_account,
)


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


def log_in(house: House, used: Credential, at: datetime) -> credentials.Session:
    return use_cases.log_in(house.storage, house.account, used, session_id=uuid4(), now=at)


def change(house: House, session: credentials.Session, used: Credential) -> None:
    own = samples.active(house.account.id)
    use_cases.change_password(house.storage, session, used, own, session_id=uuid4(), now=NOW)


def is_refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except (refusals.LogInFailed, refusals.TokenInvalid, refusals.FirstPasswordExpired):
        return True
    return False


def first_password_holds(house: House) -> None:
    own = samples.active(house.account.id)
    house.storage.add_credential(own, str(uuid4()), NOW - timedelta(days=1))
    first = house.storage.credentials[house.sms()]
    late = NOW + timedelta(hours=72)
    assert is_refused(lambda: log_in(house, first, late)), "a first password was used after 72 hours"
    session = log_in(house, first, NOW)
    assert session.must_change_password, "a first password opened more than its change"
    assert not is_refused(lambda: log_in(house, own, NOW)), "the old password was refused too early"
    change(house, session, first)
    assert is_refused(lambda: log_in(house, first, NOW)), "a first password was used twice"
    assert is_refused(lambda: log_in(house, own, NOW)), "the old password outlived the new one"


@pytest.mark.proves("G15")
def test_the_first_password_is_good_once_for_72_hours_and_for_its_change_alone(house: House) -> None:
    first_password_holds(house)
    assert set(house.followed()) == {"logged_in"}


def for_ever(credential: Credential, _now: datetime) -> str:
    is_own = credential.state is CredentialState.ACTIVE
    return credentials.SCOPE_CITIZEN if is_own else credentials.SCOPE_PASSWORD_CHANGE


def no_forced_change(credential: Credential, now: datetime) -> str:
    if credential.valid_until is not None and now >= credential.valid_until:
        raise refusals.FirstPasswordExpired
    return credentials.SCOPE_CITIZEN


def ends_nothing(_storage: FakeStorage, _ids: Any, _at: datetime) -> int:
    return 0


def added_alone(storage: FakeStorage, credential: Credential, cause: str, at: datetime) -> None:
    storage.end_credentials([c.id for c in storage.live_credentials(credential.account_id)], at)
    add_credential(storage, credential, cause, at)


add_credential = FakeStorage.add_credential


@pytest.mark.planted("G15")
@pytest.mark.parametrize(
    ("place", "name", "defect", "seen"),
    [
        (FakeStorage, "end_credentials", ends_nothing, "used twice"),
        (credentials, "scope_of", for_ever, "after 72 hours"),
        (credentials, "scope_of", no_forced_change, "more than its change"),
        (FakeStorage, "add_credential", added_alone, "refused too early"),
    ],
    ids=["used twice", "valid for ever", "no forced change", "the old one ends too early"],
)
def test_a_first_password_that_is_good_for_more_is_seen(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    defect: Callable[..., Any],
    seen: str,
) -> None:
    monkeypatch.setattr(place, name, defect)
    with pytest.raises(AssertionError, match=seen):
        first_password_holds(house)
