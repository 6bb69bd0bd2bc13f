"""Log-in, and the session that it begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.identity import credentials, refusals
from services.identity.credentials import Claims, Credential, CredentialState, Session
from services.identity.delivery import Way
from services.identity.domain import Account
from services.identity.use_cases.accounts import DELIVERED
from services.identity.use_cases.hotline import is_spoken
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_followed, tell_notice

TOLD_AGAIN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Candidate:
    """An account with the credentials that a password may open."""

    account: Account
    credentials: tuple[Credential, ...]


def find_account(storage: Storage, user: str) -> Candidate | None:
    """The account of a BHXH code or personal number. The same question is asked when there is none."""
    found = storage.live_credentials_named(user.strip())
    return Candidate(found[0], _passwords(found[1])) if found else None


def live_passwords(storage: Storage, account_id: UUID) -> tuple[Credential, ...]:
    """What may be typed as the account's password."""
    return _passwords(storage.live_credentials(account_id))


def _passwords(live: list[Credential]) -> tuple[Credential, ...]:
    """A link's secret is none."""
    return tuple(credential for credential in live if credential.channel != Way.LINK)


def log_in(
    storage: Storage,
    account: Account,
    credential: Credential,
    *,
    session_id: UUID,
    refresh_hash: bytes | None = None,
    device_id: UUID | None = None,
    now: datetime,
) -> Session:
    """A session, for a password that was right, with its first refresh token unless it was a first password:
    that one's session is not to last. Whoever has a first password must have received it,
    whatever is said of the SMS later. Raises ``FirstPasswordExpired``, and ``LogInFailed`` when the password
    was replaced in the meantime."""
    session = Session(session_id, account, credentials.scope_of(credential, now), now, device_id=device_id)
    if credential.state is CredentialState.ISSUED:
        storage.note_delivery(credential.id, DELIVERED)
    if session.must_change_password:
        refresh_hash = None
    if not storage.start_session(session, credential.id, refresh_hash):
        raise refusals.LogInFailed
    if credential.is_registrations:
        _, cause = storage.cause_of(credential.id) or (account.id, "")
        tell_followed(storage, account.id, credential.id, cause, "logged_in", now)
    elif is_spoken(credential) and (before := storage.cause_before_voice(account.id)):
        tell_followed(storage, account.id, credential.id, before, "logged_in", now)
    return session


def tell_throttled(storage: Storage, account_id: UUID, now: datetime) -> None:
    """Somebody guesses at the password: its holder is told by e-mail, once a day (guarantee F13). Not by SMS,
    which strangers would have sent at will (F16). Nobody's account is passed over."""
    account = storage.account(account_id)
    if account and storage.note_throttled_told(account_id, now, last_before=now - TOLD_AGAIN_AFTER):
        tell_notice(storage, account, "throttled", now, emails=[account.email])


def live_session(storage: Storage, claims: Claims) -> Session:
    """The session of a token, while it lasts. Raises ``TokenInvalid``."""
    session = storage.session(claims.session_id)
    if session is None or session.account.id != claims.account_id or session.ended_at is not None:
        raise refusals.TokenInvalid
    return session


def citizen_session(storage: Storage, claims: Claims) -> Session:
    """The same of who may do more than choose a password. Raises ``TokenInvalid``, and
    ``PasswordChangeRequired`` for the first password's session."""
    session = live_session(storage, claims)
    if session.must_change_password:
        raise refusals.PasswordChangeRequired
    return session
