"""Logging in, and changing the password: on the fake."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from services.identity import domain, refusals, use_cases
from services.identity.credentials import CredentialState
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW
from services.identity.tests.unit.steps import changed, claims, issue, logged_in, opened, with_account


@pytest.fixture
def account(storage: FakeStorage) -> domain.Account:
    account = with_account(storage, opened(storage))
    issue(storage, account.id, uuid4())
    return account


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
