"""Change of password, by whoever is logged in and knows the one before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.identity import refusals
from services.identity.credentials import Claims, Credential, CredentialState, Session
from services.identity.devices import Lifetimes
from services.identity.domain import Account
from services.identity.password_rules import OwnData
from services.identity.use_cases.devices import is_logged_in
from services.identity.use_cases.log_in import log_in
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_ended, tell_notice

REPEATED_WITHIN = timedelta(minutes=2)
"""After a change whose answer was lost: longer than an app waits before it asks again, and far shorter than
the token of the session that the change ended would last."""


def find_repeated_change(
    storage: Storage, claims: Claims, *, lifetimes: Lifetimes, now: datetime
) -> tuple[Session, Credential] | None:
    """This session, and the password that was set in it a moment ago, while that is in use and somebody is
    logged in where it was set: a repeat of that request is answered like the first. None otherwise."""
    session = storage.session(claims.session_id)
    if session is None or session.account.id != claims.account_id:
        return None
    if session.ended_at is None or now >= session.ended_at + REPEATED_WITHIN:
        return None
    credential = storage.credential_for(session.account.id, str(session.id))
    if credential is None or credential.state is not CredentialState.ACTIVE:
        return None
    device = storage.device(session.device_id) if session.device_id else None
    if device is None or not is_logged_in(storage, device, lifetimes=lifetimes, now=now):
        return None
    return session, credential


def repeat_change(
    storage: Storage,
    claims: Claims,
    chosen: Credential,
    *,
    session_id: UUID,
    refresh_hash: bytes,
    lifetimes: Lifetimes,
    now: datetime,
) -> Session:
    """Another session with the password that was set in this one, on the same device. Raises ``TokenInvalid``
    when the password or the device has ended since they were found."""
    storage.lock_account(claims.account_id)
    repeated = find_repeated_change(storage, claims, lifetimes=lifetimes, now=now)
    if repeated is None or repeated[1].id != chosen.id:
        raise refusals.TokenInvalid
    before = repeated[0]
    return log_in(
        storage,
        before.account,
        chosen,
        session_id=session_id,
        refresh_hash=refresh_hash,
        device_id=before.device_id,
        now=now,
    )


def own_data(storage: Storage, account: Account) -> OwnData:
    """What a stranger who knows the account's person would try as its password."""
    numbers = (person.numbers for person in storage.people_with([account.code]))
    return OwnData.of(account, frozenset().union(*numbers))


def change_password(
    storage: Storage,
    session: Session,
    used: Credential,
    new: Credential,
    *,
    session_id: UUID,
    refresh_hash: bytes | None = None,
    now: datetime,
) -> Session:
    """The new password replaces every earlier one and every earlier session, and its owner is told by
    e-mail. What was chosen with a recovered password is a recovered one (``accounts.end_recovered``).
    Raises ``TokenInvalid`` when another change came first, or the session has ended since it was read."""
    account = session.account
    storage.lock_account(account.id)
    live = [c.id for c in storage.live_credentials(account.id)]
    if used.id not in live or not (ended := storage.end_session(session.id, now)):
        raise refusals.TokenInvalid
    storage.end_credentials(live, now)
    ended = [*ended, *storage.end_sessions(account.id, now)]
    storage.add_credential(replace(new, reason=used.reason), str(session.id), now)
    tell_notice(storage, account, "password_changed", now, emails=[account.email])
    begins_at = tell_ended(storage, account.id, ended, now)
    return log_in(
        storage,
        account,
        new,
        session_id=session_id,
        refresh_hash=refresh_hash,
        device_id=session.device_id,
        now=begins_at,
    )
