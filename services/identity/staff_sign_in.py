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
        staff = Storage(tx).staff_named(attempt.user)
    device = _known_device(parts, staff, attempt.device_token)
    own = staff.id if staff and staff_totp.is_handed_over(staff, attempt.enrolment_code) else device
    tries = guessing.tries_of_staff(parts, attempt.user, attempt.address, attempt.network, own)
    parts.throttle.check(*tries)
    password_hash = staff.password_hash if staff else None
    if not parts.passwords.is_right(password_hash, attempt.password) or staff is None:
        parts.throttle.note_wrong(*tries)
        raise refusals.LogInFailed
    parts.throttle.check(*tries)
    if not parts.settings.staff_totp:
        return _enter(db, parts, staff, attempt.password, None, device)
    with staff_totp.counted(parts, staff, tries) as all_tries:
        if staff_totp.must_enrol(staff, attempt.totp):
            return staff_totp.enrol(db, parts, staff, attempt.enrolment_code)
        step = staff_totp.step_of(parts, staff, attempt.totp)
        parts.throttle.check(*all_tries)
        return _enter(db, parts, staff, attempt.password, step, device)


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
    """The device that the token proves: there this officer was logged in, with the app of today."""
    if staff is None or not token:
        return None
    try:
        device = ProofTokens.owner(token)
    except refusals.TokenInvalid:
        return None
    return device if hmac.compare_digest(token, _device_token(parts, staff, device)) else None


def _device_token(parts: Parts, staff: StaffAccount, device: UUID) -> str:
    return staff_device_token(parts.settings.seal_private, device, staff.id, staff.totp_seed or b"")
