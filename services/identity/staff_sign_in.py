"""Log-ins of staff: the password, and behind it the second factor."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.identity import guessing, refusals, staff_totp, use_cases
from services.identity.domain import StaffAccount
from services.identity.parts import Parts, new_id, now
from services.identity.storage import Storage
from services.identity.tokens import ProofTokens, new_staff_token, staff_device_token, staff_token_hash
from shared.database import Database

Reply = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What somebody typed, from where (hashes), and the token of a device where the officer was logged in.
    ``enrolment_code`` is the operator's, ``totp`` the app's."""

    user: str
    password: str = field(repr=False)
    totp: str | None = field(default=None, repr=False)
    enrolment_code: str | None = field(default=None, repr=False)
    device_token: str | None = field(default=None, repr=False)
    address: str
    network: str = ""


def log_in(db: Database, parts: Parts, attempt: Attempt) -> Reply:
    """An opaque token for an active member of staff, and one of the device where it is a new one. Where
    ``STAFF_TOTP`` is on, a code of the authenticator app is needed besides, and to whoever has none, but the
    operator's code, the answer shows its secret (``staff_totp.enrol``).

    Raises ``LogInFailed``, ``TooManyTries``, ``TotpRequired``, ``TotpWrong``, ``EnrolmentCodeRequired``,
    ``EnrolmentCodeWrong``.
    """
    with guessing.counted("staff"):
        return _log_in(db, parts, attempt)


def _log_in(db: Database, parts: Parts, attempt: Attempt) -> Reply:
    with db.transaction() as tx:
        found = Storage(tx).staff_named(attempt.user)
    device = _known_device(parts, found, attempt.device_token)
    is_handed_over = found is not None and staff_totp.is_handed_over(found, attempt.enrolment_code)
    own = found.id if found and is_handed_over else device
    tries = guessing.tries_of_staff(parts, attempt.user, attempt.address, attempt.network, own)
    parts.throttle.check(*tries)
    staff = guessing.tried(db, parts, tries, None, lambda: _proven(parts, found, attempt.password))
    if staff is None:
        raise refusals.LogInFailed
    if not parts.settings.staff_totp:
        return _enter(db, parts, staff, attempt.password, None, device)
    if staff_totp.must_enrol(staff, attempt.totp):
        with staff_totp.counted(parts, staff, tries):
            return staff_totp.enrol(db, parts, staff, attempt.enrolment_code)
    if not is_handed_over:
        tries = (*tries, staff_totp.tries_of(parts, staff))
    with staff_totp.counted(parts, staff, tries):
        parts.throttle.check(*tries)
        step = staff_totp.step_of(parts, staff, attempt.totp)
        parts.throttle.check(*tries)
        return _enter(db, parts, staff, attempt.password, step, device)


def _proven(parts: Parts, found: StaffAccount | None, password: str) -> StaffAccount | None:
    """Whose password it is; the same work where there is nobody."""
    is_right = parts.passwords.is_right(found.password_hash if found else None, password)
    return found if is_right else None


def _enter(
    db: Database, parts: Parts, staff: StaffAccount, password: str, step: int | None, device: UUID | None
) -> Reply:
    """A session, and the code of the step, if there is one, is used up. Raises ``TotpWrong``."""
    token = new_staff_token()
    renewed = parts.passwords.renewed(staff.password_hash, password)
    with db.transaction() as tx:
        storage = Storage(tx)
        if step is not None:
            use_cases.use_totp(storage, staff, step, now())
        if renewed:
            storage.renew_staff_hash(staff.id, staff.password_hash, renewed)
        expires_at = use_cases.start_staff_session(
            storage, staff, staff_token_hash(token), hours=parts.settings.staff_token_hours, now=now()
        )
    made = None if device else _device_token(parts, staff, new_id())
    return {
        "sealed_staff_token": parts.sealer.seal("gateway", token),
        "expires_at": expires_at.isoformat(),
        "sealed_device_token": made and parts.sealer.seal("gateway", made),
    }


def _known_device(parts: Parts, staff: StaffAccount | None, token: str | None) -> UUID | None:
    """The device that the token proves: there this officer was logged in, with the app of today, or where
    there is none, since an operator handed the last code over: ``vssid staff reset-totp`` ends either."""
    if staff is None or not token:
        return None
    try:
        device = ProofTokens.owner(token)
    except refusals.TokenInvalid:
        return None
    return device if hmac.compare_digest(token, _device_token(parts, staff, device)) else None


def _device_token(parts: Parts, staff: StaffAccount, device: UUID) -> str:
    since = staff.totp_seed or staff.enrolment_hash or b""
    return staff_device_token(parts.settings.seal_private, device, staff.id, since)
