"""A forgotten password is chosen anew, by a code to the account's e-mail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.identity.credentials import Credential
from services.identity.devices import Device
from services.identity.domain import Account
from services.identity.email_reset import AFTER_THE_ANSWER, KEPT, REASON, EmailReset, ResetRefused
from services.identity.use_cases.everywhere import end_everywhere
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_notice
from shared.events import account as account_events
from shared.messaging import outbox

SEND_RESET_OTP, FORGET_EMAIL_RESET = "send_reset_otp", "forget_email_reset"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class ResetOtp:
    """A code that was just made, for one reset and one e-mail address: what is stored of it, and the sealed
    text that travels."""

    email: str = field(repr=False)
    keyed_hash: str = field(repr=False)
    sealed_otp: str


def start_email_reset(storage: Storage, reset: EmailReset) -> None:
    """Write an asking down. That and no more is done before it is answered, whoever is asked for."""
    storage.add_email_reset(reset)
    outbox.add(storage.tx, outbox.Due(SEND_RESET_OTP, str(reset.id), reset.asked_at + AFTER_THE_ANSWER))
    outbox.add(storage.tx, outbox.Due(FORGET_EMAIL_RESET, str(reset.id), reset.asked_at + KEPT))


def find_account_to_reset(storage: Storage, reset_id: UUID, now: datetime) -> Account | None:
    """Whose account an asking means. None when it is nobody's, was closed, has another e-mail than the one
    that was typed or a contact in doubt, or was looked up before."""
    reset = storage.email_reset(reset_id)
    account = storage.account_named(reset.user) if reset is not None and reset.user is not None else None
    if reset is None or account is None or not storage.live_credentials(account.id):
        return None
    if storage.is_contact_in_doubt(account.id, now):
        return None
    if reset.email is not None and reset.email.casefold() != account.email.casefold():
        return None
    return account


def send_reset_otp(
    storage: Storage, reset_id: UUID, otp: ResetOtp | None, *, most_a_day: int, now: datetime
) -> None:
    """The code goes out, unless the account has had ``most_a_day``; without one the asking comes to nothing.

    Askings with the right e-mail are counted apart from those without, so that a stranger who knows a code
    alone cannot use up its owner's.
    """
    reset = storage.email_reset(reset_id, to_change=True)
    if reset is None or reset.user is None:
        return
    account = find_account_to_reset(storage, reset_id, now)
    if account is not None:
        storage.lock_account(account.id)
        account = find_account_to_reset(storage, reset_id, now)  # its contact may have changed until then
    if account is None or otp is None or otp.email != account.email:
        storage.save_email_reset(reset.looked_up(None, None))
        return
    if storage.email_resets_sent(account.id, email_given=reset.email_given, since=now - DAY) >= most_a_day:
        storage.save_email_reset(reset.looked_up(None, None))
        return
    storage.save_email_reset(reset.looked_up(account, otp.keyed_hash))
    data = {
        "account_id": account.id,
        "email": account.email,
        "sealed_otp": otp.sealed_otp,
        "valid_until": reset.valid_until,
        "language": account.language,
    }
    event = account_events.RESET_REQUESTED.event(
        subject=account.id, correlation_id=account.id, at=now, data=data
    )
    outbox.add(storage.tx, event)


def hold_email_reset(storage: Storage, reset_id: UUID) -> tuple[EmailReset | None, Account | None]:
    """A reset, held until the transaction ends, and its account as it is now. An asking that meant nobody
    takes as long: there is no account by its own id."""
    reset = storage.email_reset(reset_id, to_change=True)
    return reset, storage.account((reset and reset.account_id) or reset_id)


def try_reset_otp(storage: Storage, reset: EmailReset, *, fits: bool, now: datetime) -> bool:
    """Whether the code counts; a try that does not is kept."""
    tried, counts = reset.tried(fits, now)
    storage.save_email_reset(tried)
    return counts


def finish_email_reset(
    storage: Storage, reset_id: UUID, account: Account, new: Credential, device: Device, now: datetime
) -> None:
    """The new password replaces every earlier one, every session ends and every device is forgotten but the
    one on which it was chosen: the holder gets in there, however many guess at the account (row F13). The
    holder is told by SMS: the e-mail may be in other hands. Raises ``ResetRefused`` when the code was used,
    the account closed, its e-mail changed since the code was tried, or its contact is in doubt."""
    reset = storage.email_reset(reset_id, to_change=True)
    if reset is None or reset.used_at is not None:
        raise ResetRefused
    storage.lock_account(account.id)
    held = storage.account(account.id)  # its contact may have changed until it was locked
    live = [credential.id for credential in storage.live_credentials(account.id)]
    if held is None or held.email != account.email or not live:
        raise ResetRefused
    if storage.is_contact_in_doubt(account.id, now):
        raise ResetRefused
    storage.save_email_reset(replace(reset, used_at=now))
    storage.end_credentials(live, now)
    storage.add_credential(replace(new, reason=REASON), str(reset.id), now)
    end_everywhere(storage, account.id, now)
    storage.save_device(device)
    tell_notice(storage, held, "password_changed", now, phones=[held.phone])


def forget_email_reset(storage: Storage, reset_id: UUID) -> None:
    """Its time is over."""
    storage.forget_email_reset(reset_id)
