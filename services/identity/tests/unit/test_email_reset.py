"""A forgotten password, chosen anew by a code to the e-mail: the rules and the use cases, on the fake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity import use_cases
from services.identity.credentials import Credential, CredentialState, Session
from services.identity.devices import Device
from services.identity.domain import Account
from services.identity.email_reset import KEPT, REASON, TRIES, EmailReset, ResetRefused, asked_for
from services.identity.refusals import RequestInvalid
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW
from services.identity.tests.unit.test_contact import ask, verified

SOON = NOW + timedelta(seconds=1)
MOST_A_DAY = 2


@pytest.fixture
def account(storage: FakeStorage) -> Account:
    """Somebody with a password of the own."""
    account = verified(storage)
    storage.add_credential(samples.active(account.id), str(uuid4()), NOW)
    return account


def asked(storage: FakeStorage, user: str = "0123456789", email: str | None = None) -> UUID:
    """An asking that was answered."""
    reset = asked_for(uuid4(), user, email, now=NOW, valid_minutes=10)
    use_cases.start_email_reset(storage, reset)
    return reset.id


def sent(storage: FakeStorage, reset_id: UUID, **changes: Any) -> EmailReset:
    """What the job does after it."""
    account = use_cases.find_account_to_reset(storage, reset_id, SOON)
    otp = account and use_cases.ResetOtp(account.email, f"hash for {reset_id}", "sealed")
    values = {"most_a_day": MOST_A_DAY, "now": SOON, **changes}
    use_cases.send_reset_otp(storage, reset_id, otp, **values)
    return storage.resets[reset_id]


def codes_sent(storage: FakeStorage) -> list[dict[str, Any]]:
    return [event.data for event in storage.tx.events("account.reset_requested.v1")]


def the_new_device(account: Account) -> Device:
    return Device(UUID(int=1), account.id, "", b"new hash", SOON, SOON)


def finish(storage: FakeStorage, reset_id: UUID, account: Account) -> Credential:
    chosen = samples.active(account.id, id=uuid4(), reason=REASON)
    use_cases.finish_email_reset(storage, reset_id, account, chosen, the_new_device(account), SOON)
    return chosen


# --- asking --------------------------------------------------------------------------------------


@pytest.mark.proves("G3")
@pytest.mark.parametrize("user", ["0123456789", "001190000001", " 0123 456 789 "])
@pytest.mark.parametrize("email", [None, "thu@example.com", "Thu@Example.com "])
def test_a_code_goes_to_the_e_mail_registered_at_first(
    storage: FakeStorage, account: Account, user: str, email: str | None
) -> None:
    reset = sent(storage, asked(storage, user, email))
    (told,) = codes_sent(storage)
    assert (told["account_id"], told["email"], told["sealed_otp"]) == (account.id, account.email, "sealed")
    assert told["valid_until"] == NOW + timedelta(minutes=10)
    assert (reset.account_id, reset.keyed_hash) == (account.id, f"hash for {reset.id}")


@pytest.mark.parametrize(
    ("user", "email"),
    [("9999999999", None), ("9999999999", "thu@example.com"), ("0123456789", "other@example.com")],
)
def test_who_is_not_known_gets_the_same_answer_and_no_code(
    storage: FakeStorage, account: Account, user: str, email: str | None
) -> None:
    known, unknown = asked(storage), asked(storage, user, email)
    before = [
        replace(storage.resets[i], id=known, user="", email=None, email_given=False) for i in (known, unknown)
    ]
    assert before[0] == before[1]
    kinds = [
        [due.kind for due in storage.tx.additions if getattr(due, "key", "") == str(i)]
        for i in (known, unknown)
    ]
    assert kinds[0] == kinds[1]
    assert sent(storage, unknown).keyed_hash is None
    assert codes_sent(storage) == []


def test_a_closed_account_gets_no_code(storage: FakeStorage, account: Account) -> None:
    storage.end_credentials([c.id for c in storage.live_credentials(account.id)], NOW)
    assert sent(storage, asked(storage)).account_id is None
    assert codes_sent(storage) == []


def test_what_was_typed_is_forgotten_once_it_was_looked_up_and_the_asking_after_two_days(
    storage: FakeStorage, account: Account
) -> None:
    for user in ("0123456789", "9999999999"):
        reset = sent(storage, asked(storage, user, "thu@example.com"))
        assert (reset.user, reset.email, reset.email_given) == (None, None, True)
        (due,) = [d for d in storage.tx.due(use_cases.FORGET_EMAIL_RESET) if d.key == str(reset.id)]
        assert due.at == NOW + KEPT
        use_cases.forget_email_reset(storage, reset.id)
    assert storage.resets == {}


def test_an_asking_is_looked_up_once(storage: FakeStorage, account: Account) -> None:
    reset_id = asked(storage)
    assert sent(storage, reset_id) == sent(storage, reset_id)
    assert len(codes_sent(storage)) == 1


def test_a_stranger_without_the_e_mail_cannot_use_up_the_owners_codes_of_a_day(
    storage: FakeStorage, account: Account
) -> None:
    for _ in range(MOST_A_DAY + 3):
        sent(storage, asked(storage))
    assert len(codes_sent(storage)) == MOST_A_DAY
    owners = [sent(storage, asked(storage, email=account.email)) for _ in range(MOST_A_DAY + 1)]
    assert [reset.account_id is not None for reset in owners] == [True] * MOST_A_DAY + [False]


def test_codes_of_the_day_before_do_not_count(storage: FakeStorage, account: Account) -> None:
    for _ in range(MOST_A_DAY):
        sent(storage, asked(storage))
    assert sent(storage, asked(storage), now=NOW + timedelta(days=1)).account_id == account.id


@pytest.mark.parametrize("user", ["", "123", "12345678901", "0123456789a", "０１２３４５６７８９"])
def test_what_is_no_number_is_refused_by_its_field(user: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        asked_for(uuid4(), user, "no address", now=NOW, valid_minutes=10)
    assert [problem.field for problem in refused.value.problems] == ["user", "email"]


# --- the code ------------------------------------------------------------------------------------


def open_reset(**changes: Any) -> EmailReset:
    reset = asked_for(uuid4(), "0123456789", None, now=NOW, valid_minutes=10)
    return replace(reset, account_id=uuid4(), keyed_hash="hash", **changes)


@pytest.mark.parametrize(
    ("reset", "fits", "counts"),
    [
        (open_reset(), True, True),
        (open_reset(), False, False),
        (open_reset(tries_left=1), True, True),
        (open_reset(tries_left=0), True, False),
        (open_reset(used_at=NOW), True, True),
        (open_reset(valid_until=SOON), True, False),
        (replace(open_reset(), keyed_hash=None), True, False),
    ],
)
def test_a_code_counts_when_it_fits_in_time(reset: EmailReset, fits: bool, counts: bool) -> None:
    assert reset.tried(fits, SOON)[1] is counts


def test_after_five_wrong_tries_even_the_right_code_is_refused(
    storage: FakeStorage, account: Account
) -> None:
    reset_id = sent(storage, asked(storage)).id
    for _ in range(TRIES):
        assert not use_cases.try_reset_otp(storage, storage.resets[reset_id], fits=False, now=SOON)
    assert not use_cases.try_reset_otp(storage, storage.resets[reset_id], fits=True, now=SOON)


# --- the new password ----------------------------------------------------------------------------


@pytest.mark.proves("G3")
def test_the_new_password_replaces_all_and_every_session_ends_and_the_other_channel_is_told(
    storage: FakeStorage, account: Account
) -> None:
    storage.add_credential(samples.issued(account.id), str(uuid4()), NOW)
    device = Device(uuid4(), account.id, "máy", b"hash", NOW, NOW)
    storage.save_device(device)
    session = Session(uuid4(), account, "citizen", NOW, device_id=device.id)
    storage.sessions[session.id] = session

    chosen = finish(storage, sent(storage, asked(storage)).id, account)

    assert storage.live_credentials(account.id) == [chosen]
    assert chosen.state is CredentialState.ACTIVE
    assert storage.sessions[session.id].ended_at == SOON
    assert list(storage.devices.values()) == [the_new_device(account)]
    (ended,) = storage.tx.events("account.sessions_ended.v1")
    assert (ended.data["account_id"], ended.data["issued_before"]) == (account.id, SOON)
    (notice,) = storage.tx.events("account.notice_due.v1")
    assert (notice.data["kind"], notice.data["channels"]) == (
        "password_changed",
        [{"kind": "sms", "to": account.phone}],
    )


def test_a_reset_is_finished_once(storage: FakeStorage, account: Account) -> None:
    reset_id = sent(storage, asked(storage)).id
    first = finish(storage, reset_id, account)
    with pytest.raises(ResetRefused):
        finish(storage, reset_id, account)
    assert storage.live_credentials(account.id) == [first]


def test_a_code_that_went_to_an_e_mail_that_is_no_more_the_accounts_is_refused(
    storage: FakeStorage, account: Account
) -> None:
    reset_id = sent(storage, asked(storage)).id
    storage.save_account(replace(account, email="new@example.com"), SOON)
    with pytest.raises(ResetRefused):
        finish(storage, reset_id, account)


def test_a_contact_that_changes_until_the_account_is_held_counts(
    storage: FakeStorage, account: Account
) -> None:
    moved = replace(account, phone="+84987654321")
    storage.when_locked = lambda: storage.save_account(moved, SOON)
    finish(storage, sent(storage, asked(storage)).id, account)
    (notice,) = storage.tx.events("account.notice_due.v1")
    assert notice.data["channels"] == [{"kind": "sms", "to": moved.phone}]

    reset_id = sent(storage, asked(storage)).id
    storage.when_locked = lambda: storage.save_account(replace(moved, email="new@example.com"), SOON)
    with pytest.raises(ResetRefused):
        finish(storage, reset_id, moved)


def test_a_code_for_an_e_mail_that_changed_while_it_was_made_is_not_sent(
    storage: FakeStorage, account: Account
) -> None:
    reset_id = asked(storage)
    otp = use_cases.ResetOtp("former@example.com", "hash", "sealed")
    use_cases.send_reset_otp(storage, reset_id, otp, most_a_day=MOST_A_DAY, now=SOON)
    assert codes_sent(storage) == []


def test_while_the_desk_changes_the_contact_no_code_is_sent_and_none_counts(
    storage: FakeStorage, account: Account
) -> None:
    before = sent(storage, asked(storage)).id
    ask(storage)
    assert sent(storage, asked(storage)).account_id is None
    assert len(codes_sent(storage)) == 1
    with pytest.raises(ResetRefused):
        finish(storage, before, account)


def test_an_account_that_was_closed_meanwhile_stays_closed(storage: FakeStorage, account: Account) -> None:
    reset_id = sent(storage, asked(storage)).id
    storage.end_credentials([c.id for c in storage.live_credentials(account.id)], SOON)
    with pytest.raises(ResetRefused):
        finish(storage, reset_id, account)
    assert storage.live_credentials(account.id) == []


def test_nothing_secret_is_shown(storage: FakeStorage, account: Account) -> None:
    reset = sent(storage, asked(storage))
    assert "hash" not in repr(reset)
    assert "0123456789" not in repr(storage.resets[asked(storage)])
    assert account.email not in repr(use_cases.ResetOtp(account.email, "hash", "sealed"))
