"""Resets by e-mail: asked for and answered, looked up by a job, finished with the code."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity import guessing, use_cases
from services.identity.credentials import Credential, CredentialState
from services.identity.devices import Device
from services.identity.domain import Account
from services.identity.email_reset import (
    EmailReset,
    ResetRefused,
    ResetsTooMany,
    ResetsUnavailable,
    asked_for,
)
from services.identity.jobs import Due, Record
from services.identity.parts import Parts, new_id, now
from services.identity.password_rules import check_new_password
from services.identity.passwords import common_passwords
from services.identity.storage import Storage
from services.identity.throttle import Tries
from shared.cache import CacheUnavailable
from shared.database import Database, Transaction
from shared.otp import keyed_hash, new_otp

RESET_OTP = "vssid-reset-otp"


def start(tx: Transaction, parts: Parts, *, user: str, email: str | None, address: str) -> EmailReset:
    """An asking, answered alike whoever is meant. Raises ``RequestInvalid``, ``ResetsTooMany``,
    ``ResetsUnavailable``."""
    reset = asked_for(new_id(), user, email, now=now(), valid_minutes=parts.settings.email_reset_minutes)
    count(parts, f"{reset.user} {address}", address)
    use_cases.start_email_reset(Storage(tx), reset)
    return reset


def count(parts: Parts, user_and_address: str, address: str) -> None:
    """Raises ``ResetsTooMany``, and ``ResetsUnavailable`` when nobody can count."""
    counted = (
        ("email_reset", user_and_address, parts.settings.email_reset_limit),
        ("email_reset_address", address, parts.settings.email_reset_address_limit),
    )
    try:
        for what in counted:
            if not parts.limiter.hit(*what):
                raise ResetsTooMany(retry_after_seconds=parts.limiter.wait_seconds(*what))
    except CacheUnavailable:
        raise ResetsUnavailable() from None


def send_otp(db: Database, parts: Parts, due: Due) -> Record:
    """Find out whose account an asking means, and make its code. Only a hash is stored, only the sealed text
    travels; a run that was killed leaves nothing, and the next one makes another."""
    reset_id = UUID(due.key)
    with db.transaction() as tx:
        account = use_cases.find_account_to_reset(Storage(tx), reset_id, now())
    made = _otp(parts, reset_id, account) if account is not None else None

    def record(tx: Transaction) -> None:
        most = parts.settings.email_resets_a_day
        use_cases.send_reset_otp(Storage(tx), reset_id, made, most_a_day=most, now=now())

    return record


def _otp(parts: Parts, reset_id: UUID, account: Account) -> use_cases.ResetOtp:
    code = new_otp()
    return use_cases.ResetOtp(
        account.email,
        hash_of(parts, reset_id, account.email, code),
        parts.sealer.seal("notification", code),
    )


def hash_of(parts: Parts, reset_id: UUID, email: str, code: str) -> str:
    """What is kept of a code: bound to one reset and to the address that it was sent to."""
    return keyed_hash(parts.settings.seal_private, RESET_OTP, (reset_id, email), code)


def finish(
    db: Database,
    parts: Parts,
    *,
    reset_id: UUID,
    code: str,
    new: str,
    address: str = "",
    network: str = "",
) -> str:
    """The new password is the citizen's from here on; the token of the device on which it was chosen. The
    same request again gets another token of that device, and changes nothing else. A password that is too
    weak uses up neither the code nor a try. Whatever is refused counts for where it came from, whoever is
    meant. Raises ``PasswordTooWeak``, ``ResetRefused``, ``TooManyTries``."""
    check_new_password(new, common=common_passwords())
    tries = guessing.tries_of_otps(parts, address, network)
    parts.throttle.check(*tries)
    try:
        return _finish(db, parts, tries, reset_id, code, new)
    except ResetRefused:
        parts.throttle.note_wrong(*tries)
        raise


def _finish(db: Database, parts: Parts, tries: tuple[Tries, ...], reset_id: UUID, code: str, new: str) -> str:
    at = now()
    with db.transaction() as tx:
        storage = Storage(tx)
        reset, account = use_cases.hold_email_reset(storage, reset_id)
        tried = hash_of(parts, reset_id, account.email if account else "", code)
        fits = hmac.compare_digest((reset and reset.keyed_hash) or "", tried)
        counts = reset is not None and use_cases.try_reset_otp(storage, reset, fits=fits, now=at)
        own = use_cases.own_data(storage, account) if account and counts else None
    if account is None or own is None or reset is None:
        raise ResetRefused
    parts.throttle.check(*tries)
    if reset.used_at is not None:
        return _answer_again(db, parts, reset_id, account, new)
    check_new_password(new, common=common_passwords(), own=own)
    chosen = Credential(new_id(), account.id, CredentialState.ACTIVE, parts.passwords.hashed(new))
    device, token = _device(parts, reset_id, account, at)
    try:
        db.change(lambda tx: use_cases.finish_email_reset(Storage(tx), reset_id, account, chosen, device, at))
    except ResetRefused:  # another came first: perhaps this very request, sent twice
        return _answer_again(db, parts, reset_id, account, new)
    return token


def _device(parts: Parts, reset_id: UUID, account: Account, at: datetime) -> tuple[Device, str]:
    """The device on which a password was chosen, and a token that proves it. Its id is the reset's: repeats
    without end make one device, of which the last token counts."""
    token = parts.proofs.new(reset_id)
    return Device(reset_id, account.id, "", parts.proofs.hash(token), at, at), token


def _answer_again(db: Database, parts: Parts, reset_id: UUID, account: Account, new: str) -> str:
    """Whoever knows the password that was chosen is answered as then; another one is a wrong try. A right one
    after the last wrong try is refused: many at once learn no more than one by one."""
    with db.transaction() as tx:
        before = use_cases.chosen_for(Storage(tx), account.id, reset_id)
    if before is None:
        raise ResetRefused
    right, at = parts.passwords.is_right(before.password_hash, new), now()
    device, token = _device(parts, reset_id, account, at)
    with db.transaction() as tx:
        storage = Storage(tx)
        reset, _ = use_cases.hold_email_reset(storage, reset_id)
        counts = reset is not None and use_cases.try_reset_otp(storage, reset, fits=right, now=at)
        if counts:
            first = storage.device(device.id, to_change=True)
            storage.save_device(
                replace(first, token_hash=device.token_hash, last_seen_at=at) if first else device
            )
    if not counts:
        raise ResetRefused
    return token


def forget(due: Due) -> Record:
    """An asking whose time is over is deleted."""
    return lambda tx: use_cases.forget_email_reset(Storage(tx), UUID(due.key))
