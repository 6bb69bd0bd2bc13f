"""The second step of a log-in with a password that was read aloud: a code by SMS to the registered phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.identity import credentials, guessing, refusals, use_cases
from services.identity.credentials import Credential
from services.identity.domain import Account
from services.identity.log_in_otp import (
    TRIES,
    VALID_MINUTES,
    LogInOtp,
    OtpExpired,
    OtpTooMany,
    OtpUnavailable,
)
from services.identity.parts import Parts, new_id, now
from services.identity.storage import Storage
from shared.cache import CacheUnavailable
from shared.database import Database, Transaction
from shared.otp import keyed_hash, new_otp
from shared.refusals import Refused

NEXT_STEP = "otp"
Reply = dict[str, Any]


def is_due(parts: Parts, used: Credential) -> bool:
    """Whether a log-in with this password from an unknown device needs a code besides."""
    return parts.settings.voice_log_in_otp and use_cases.is_spoken(used)


def ask(db: Database, parts: Parts, account: Account, used: Credential, *, address: str) -> Reply:
    """Send a code; the log-in goes on with it and the token that is answered.

    Raises ``FirstPasswordExpired``, ``OtpTooMany``, ``OtpUnavailable``.
    """
    at = now()
    credentials.scope_of(used, at)
    _count(parts, str(account.id), address)
    otp_id = new_id()
    token, code = parts.proofs.new(otp_id), new_otp()
    otp = LogInOtp(
        otp_id,
        account.id,
        used.id,
        parts.proofs.hash(token),
        _keyed_hash(parts, otp_id, code),
        at + timedelta(minutes=VALID_MINUTES),
    )
    sealed = parts.sealer.seal("notification", code)
    with db.transaction() as tx:
        use_cases.begin_log_in_otp(Storage(tx), account, otp, sealed_otp=sealed, now=at)
    return {
        "next_step": NEXT_STEP,
        "sealed_log_in_token": parts.sealer.seal("gateway", token),
        "valid_until": otp.valid_until.isoformat(),
        "tries_left": TRIES,
    }


def tried(storage: Storage, parts: Parts, *, token: str, code: str) -> tuple[Account, Credential] | Refused:
    """Whose log-in goes on. A refusal is returned, so that the try is kept."""
    try:
        otp_id = parts.proofs.owner(token)
    except refusals.TokenInvalid:
        return OtpExpired()
    keyed_hash = _keyed_hash(parts, otp_id, code)
    return use_cases.try_log_in_otp(storage, otp_id, parts.proofs.hash(token), keyed_hash, now())


def counted(
    tx: Transaction, parts: Parts, address: str, network: str, confirm: Callable[[], Reply | Refused]
) -> Reply | Refused:
    """What a confirmation in this transaction comes to, whose wrong codes count for where they came from. A
    right one that finds others to have used that up meanwhile is undone with it, and stays good: raises
    ``TooManyTries``. After a wrong one that is returned, so that the try is kept."""
    tries = guessing.tries_of_otps(parts, address, network)
    parts.throttle.check(*tries, tx=tx)
    outcome = confirm()
    if not isinstance(outcome, Refused):
        parts.throttle.check(*tries, tx=tx)
        return outcome
    try:
        parts.throttle.note_wrong(*tries, tx=tx)
    except refusals.TooManyTries as held_back:
        return held_back
    return outcome


def _count(parts: Parts, account_id: str, address: str) -> None:
    """Each is an SMS. Raises ``OtpTooMany``, and ``OtpUnavailable`` while Redis is away."""
    settings = parts.settings
    limits = (
        ("log_in_otp_address", address, settings.log_in_otps_per_address),
        ("log_in_otp", account_id, settings.log_in_otps_per_account),
        ("log_in_otp_day", account_id, settings.log_in_otps_per_day),
    )
    try:
        for name, key, limit in limits:
            if not parts.limiter.hit(name, key, limit):
                raise OtpTooMany(retry_after_seconds=parts.limiter.wait_seconds(name, key, limit))
    except CacheUnavailable:
        raise OtpUnavailable from None


def _keyed_hash(parts: Parts, otp_id: UUID, code: str) -> str:
    return keyed_hash(parts.settings.seal_private, "vssid-log-in-otp", (otp_id,), code)
