"""A password that is read aloud on the phone, and the second step of the log-in with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.identity import hotline
from services.identity.credentials import Credential, CredentialState
from services.identity.domain import Account
from services.identity.hotline import Call
from services.identity.log_in_otp import LogInOtp, OtpExpired
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_notice, tell_reissued
from shared.events import account as account_events
from shared.messaging import outbox
from shared.refusals import Refused


def use_request(storage: Storage, key_id: str, nonce: str, *, clock_seconds: int, now: datetime) -> None:
    """A signed request is good once. Its nonce is kept until its signature is too old on every clock.

    Raises ``SignatureReplayed``.
    """
    kept_until = now + timedelta(seconds=2 * clock_seconds + 1)
    if not storage.use_nonce(key_id, nonce, kept_until=kept_until, now=now):
        raise hotline.SignatureReplayed


@dataclass(frozen=True)
class VoicePassword:
    """A password that was just made: what is stored of it. ``cause`` is an id of its own."""

    credential_id: UUID
    cause: UUID
    password_hash: str


def reissue(
    storage: Storage, call: Call, made: VoicePassword, *, valid_hours: int, now: datetime
) -> Credential:
    """The voice password of the account that both the number and the code belong to (guide row G2). An issued
    one that was never used ends; the password in use and its sessions live until the new one is changed.
    Unknown code, another number and an account without a password (not completed, or closed) are the same
    refusal after the same statements; so is one whose contact is in doubt (``is_contact_in_doubt``): the desk
    helps. The holder is told on both channels: a caller ID can be forged.

    Raises ``HotlineMismatch``.
    """
    found = storage.account_named(call.code or "")
    account_id = found.id if found else hotline.NOBODY
    storage.lock_account(account_id)
    account = storage.account(account_id)  # its contact may have changed until it was locked
    live = storage.live_credentials(account_id)
    in_doubt = storage.is_contact_in_doubt(account_id, now)
    if in_doubt or not hotline.is_callers(account, call) or account is None or not live:
        raise hotline.HotlineMismatch
    unused = [credential.id for credential in live if credential.state is CredentialState.ISSUED]
    storage.end_credentials(unused, now)
    issued = Credential(
        made.credential_id,
        account.id,
        CredentialState.ISSUED,
        made.password_hash,
        now + timedelta(hours=valid_hours),
        hotline.REASON,
        hotline.CHANNEL,
    )
    storage.add_credential(issued, str(made.cause), now)
    tell_reissued(storage, issued, now)
    tell_notice(storage, account, "reissued", now, phones=[account.phone], emails=[account.email])
    return issued


def is_spoken(credential: Credential) -> bool:
    """Whether it was read aloud: then a log-in from an unknown device needs a code besides."""
    return credential.state is CredentialState.ISSUED and credential.channel == hotline.CHANNEL


def begin_log_in_otp(
    storage: Storage, account: Account, otp: LogInOtp, *, sealed_otp: str, now: datetime
) -> None:
    """A log-in waits for the code, which goes to the registered phone."""
    storage.add_log_in_otp(otp, now)
    data = {
        "account_id": account.id,
        "phone": account.phone,
        "sealed_otp": sealed_otp,
        "valid_until": otp.valid_until,
        "language": account.language,
    }
    outbox.add(
        storage.tx,
        account_events.LOG_IN_OTP_REQUESTED.event(
            subject=account.id, correlation_id=account.id, at=now, data=data
        ),
    )


def try_log_in_otp(
    storage: Storage, otp_id: UUID, token_hash: bytes, keyed_hash: str, now: datetime
) -> tuple[Account, Credential] | Refused:
    """Whose log-in goes on, with the password that it began with. A wrong try is counted."""
    otp = storage.log_in_otp(otp_id)
    if otp is None or otp.token_hash != token_hash:
        return OtpExpired()
    otp, refusal = otp.tried(hotline.is_same(otp.keyed_hash, keyed_hash), now)
    storage.save_log_in_otp(otp)
    if refusal is not None:
        return refusal
    account = storage.account(otp.account_id)
    live = {credential.id: credential for credential in storage.live_credentials(otp.account_id)}
    if account is None or otp.credential_id not in live:
        return OtpExpired()
    return account, live[otp.credential_id]
