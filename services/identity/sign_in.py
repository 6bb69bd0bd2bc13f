"""Log-ins and changes of password: read, hash away from the hub and outside any transaction, write."""

from __future__ import annotations

from typing import Any

from services.identity import domain, use_cases
from services.identity.domain import Account, Claims, Credential, CredentialState, Session
from services.identity.parts import Parts, new_id, now
from services.identity.passwords import common_passwords
from services.identity.rights import PersonRequest
from services.identity.storage import Storage
from services.identity.tokens import new_staff_token, staff_token_hash
from shared.database import Database

Reply = dict[str, Any]


def log_in(db: Database, parts: Parts, *, user: str, password: str, address: str) -> Reply:
    """A session for the right password. Unknown user and wrong password cost and look the same.

    Raises ``LogInFailed``, ``TooManyTries``, ``FirstPasswordExpired``.
    """
    tries = f"{user} {address}"
    parts.throttle.check("log_in", tries)
    with db.transaction() as tx:
        found = use_cases.find_account(Storage(tx), user)
    used = parts.passwords.find(found.credentials if found else (), password)
    if found is None or used is None:
        parts.throttle.note_wrong("log_in", tries)
        raise domain.LogInFailed
    with db.transaction() as tx:
        session = use_cases.log_in(Storage(tx), found.account, used, session_id=new_id(), now=now())
    return _session_reply(parts, session)


def change_password(db: Database, parts: Parts, *, claims: Claims, old: str, new: str) -> Reply:
    """The citizen's own password from here on. The same request again gets a session too, and changes
    nothing. Raises ``TokenInvalid``, ``OldPasswordWrong``, ``PasswordTooWeak``, ``TooManyTries``."""
    tries = str(claims.account_id)
    parts.throttle.check("change_password", tries)
    with db.transaction() as tx:
        storage = Storage(tx)
        repeated = use_cases.find_repeated_change(storage, claims)
        session = use_cases.live_session(storage, claims) if repeated is None else None
        credentials = tuple(storage.live_credentials(claims.account_id))
    if session is None:
        assert repeated is not None
        return _answer_again(db, parts, *repeated, new=new)
    used = parts.passwords.find(credentials, old)
    if used is None:
        parts.throttle.note_wrong("change_password", tries)
        raise domain.OldPasswordWrong
    domain.scope_of(used, now())
    domain.check_new_password(new, old=old, account=session.account, common=common_passwords())
    chosen = Credential(new_id(), session.account.id, CredentialState.ACTIVE, parts.passwords.hashed(new))
    try:
        with db.transaction() as tx:
            fresh = use_cases.change_password(
                Storage(tx), session, used, chosen, session_id=new_id(), now=now()
            )
    except domain.TokenInvalid:  # another change came first: perhaps this very request, sent twice
        with db.transaction() as tx:
            repeated = use_cases.find_repeated_change(Storage(tx), claims)
        if repeated is None:
            raise
        return _answer_again(db, parts, *repeated, new=new)
    return _session_reply(parts, fresh)


def _answer_again(db: Database, parts: Parts, account: Account, credential: Credential, *, new: str) -> Reply:
    """Whoever knows the password that was set may have a session, as by logging in."""
    if not parts.passwords.is_right(credential.password_hash, new):
        raise domain.TokenInvalid
    with db.transaction() as tx:
        session = use_cases.log_in(Storage(tx), account, credential, session_id=new_id(), now=now())
    return _session_reply(parts, session)


def withdraw_consent(db: Database, parts: Parts, *, claims: Claims, password: str) -> PersonRequest:
    """Close the account, for its holder's own password. Raises ``TokenInvalid``, ``PasswordChangeRequired``,
    ``OldPasswordWrong``, ``TooManyTries``."""
    tries = str(claims.account_id)
    parts.throttle.check("withdraw_consent", tries)
    with db.transaction() as tx:
        storage = Storage(tx)
        use_cases.citizen(storage, claims)
        credentials = tuple(storage.live_credentials(claims.account_id))
    used = parts.passwords.find(credentials, password)
    if used is None:
        parts.throttle.note_wrong("withdraw_consent", tries)
        raise domain.OldPasswordWrong
    with db.transaction() as tx:
        return use_cases.withdraw_consent(Storage(tx), claims, used, request_id=new_id(), now=now())


def staff_log_in(db: Database, parts: Parts, *, user: str, password: str, address: str) -> Reply:
    """An opaque token for an active member of staff. Raises ``LogInFailed``, ``TooManyTries``."""
    tries = f"{user} {address}"
    parts.throttle.check("staff_log_in", tries)
    with db.transaction() as tx:
        staff = Storage(tx).staff_named(user)
    if not parts.passwords.is_right(staff.password_hash if staff else None, password) or staff is None:
        parts.throttle.note_wrong("staff_log_in", tries)
        raise domain.LogInFailed
    token = new_staff_token()
    with db.transaction() as tx:
        expires_at = use_cases.start_staff_session(
            Storage(tx), staff, staff_token_hash(token), hours=parts.settings.staff_token_hours, now=now()
        )
    return {
        "sealed_staff_token": parts.sealer.seal("gateway", token),
        "expires_at": expires_at.isoformat(),
    }


def _session_reply(parts: Parts, session: Session) -> Reply:
    return {
        "sealed_access_token": parts.sealer.seal("gateway", parts.tokens.signed(session, now())),
        "expires_in": parts.tokens.lifetime_seconds,
        "must_change_password": session.must_change_password,
    }
