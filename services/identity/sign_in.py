"""Log-ins and changes of password: read, hash away from the hub and outside any transaction, write."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from services.identity import guessing, refusals, second_step, use_cases
from services.identity.credentials import Claims, Credential, CredentialState, Session, scope_of
from services.identity.devices import Device, device_name
from services.identity.domain import Account
from services.identity.parts import Parts, new_id, now
from services.identity.password_rules import check_new_password
from services.identity.passwords import common_passwords, meant
from services.identity.rights import PersonRequest
from services.identity.storage import Storage
from shared import logs
from shared.database import Database, Transaction
from shared.refusals import Refused

log = logs.get(__name__)
Reply = dict[str, Any]


def log_in(
    db: Database,
    parts: Parts,
    *,
    user: str,
    password: str,
    address: str,
    network: str = "",
    device_token: str | None = None,
    device_name: str | None = None,
) -> Reply:
    """A session for the right password, on a device that is known by its token, or new. Unknown user and
    wrong password cost and look the same. For a password that was read aloud, on a device that is new
    or logged out, the answer names a second step instead (``second_step.ask``); strangers who guess at the
    user do not keep it waiting.

    Raises ``LogInFailed``, ``TooManyTries``, ``FirstPasswordExpired``, ``OtpTooMany``, ``OtpUnavailable``.
    """
    with guessing.counted("citizen"):
        return _log_in(db, parts, user, password, address, network, device_token, device_name)


def _log_in(
    db: Database,
    parts: Parts,
    user: str,
    password: str,
    address: str,
    network: str,
    device_token: str | None,
    device_name: str | None,
) -> Reply:
    def find(tx: Transaction) -> tuple[use_cases.Candidate | None, Device | None]:
        storage = Storage(tx)
        found = use_cases.find_account(storage, user)
        return found, _known_device(storage, parts, found.account if found else None, device_token)

    found, device = db.autocommit(find)
    tries = guessing.tries_of(parts, user, address, network, device)
    try:
        parts.throttle.check(*tries)
    except refusals.TooManyTries:
        step = None if device else _spoken_step(db, parts, user, found, password, address, network)
        if step is None:
            raise
        return step
    candidates = found.credentials if found else ()
    account = found.account if found else None
    used = guessing.tried(db, parts, tries, account, lambda: parts.passwords.find(candidates, password))
    if found is None or used is None:
        raise refusals.LogInFailed
    renewed = parts.passwords.renewed(used.password_hash, meant(used, password))

    def enter(tx: Transaction) -> Reply | None:
        storage = Storage(tx)
        if renewed:
            storage.renew_hash(used.id, used.password_hash, renewed)
        if second_step.is_due(parts, used) and not _is_in_use(storage, parts, device):
            return None
        return _enter(storage, parts, found.account, used, device, device_name)

    return db.change(enter) or second_step.ask(db, parts, found.account, used, address=address)


def _spoken_step(
    db: Database,
    parts: Parts,
    user: str,
    found: use_cases.Candidate | None,
    password: str,
    address: str,
    network: str,
) -> Reply | None:
    """The second step of a log-in with a password that was read aloud, while strangers keep the user's new
    devices waiting. None for any other password, of anybody, at the same cost; and where these tries are used
    up too. Raises ``FirstPasswordExpired``, ``OtpTooMany``, ``OtpUnavailable``."""
    if not parts.settings.voice_log_in_otp:
        return None
    tries = guessing.tries_of_spoken(parts, user, address, network)
    spoken = tuple(c for c in found.credentials if second_step.is_due(parts, c)) if found else ()
    account = found.account if found else None
    try:
        parts.throttle.check(*tries)
        used = guessing.tried(db, parts, tries, account, lambda: parts.passwords.find(spoken, password))
    except refusals.TooManyTries:
        return None
    if found is None or used is None:
        return None
    return second_step.ask(db, parts, found.account, used, address=address)


def confirm_log_in(
    storage: Storage, parts: Parts, *, token: str, code: str, device_name: str | None
) -> Reply | Refused:
    """The log-in that waited for the code goes on, on a new device. A refusal is returned, so that the wrong
    try is kept. Raises ``FirstPasswordExpired``."""
    tried = second_step.tried(storage, parts, token=token, code=code)
    if isinstance(tried, Refused):
        return tried
    account, used = tried
    return _enter(storage, parts, account, used, None, device_name)


def _is_in_use(storage: Storage, parts: Parts, device: Device | None) -> bool:
    """Whether somebody is logged in on it: its token alone proves no more than that it once was."""
    return device is not None and use_cases.is_logged_in(
        storage, device, lifetimes=parts.lifetimes, now=now()
    )


def _enter(
    storage: Storage,
    parts: Parts,
    account: Account,
    used: Credential,
    known: Device | None,
    name: str | None,
) -> Reply:
    """A session, on a known device or a new one."""
    at, begins, new_token = now(), None, None
    device = known and replace(known, name=device_name(name) or known.name, last_seen_at=at)
    if device is not None:
        begins = use_cases.enter_again(storage, account, device, at)
    if device is None or begins is None:
        device, new_token = new_device(parts, account, name, at)
        begins = use_cases.enter_anew(storage, account, device, used, at)
    ids = _SessionIds(parts)
    session = use_cases.log_in(
        storage,
        account,
        used,
        session_id=ids.id,
        refresh_hash=ids.refresh_hash,
        device_id=device.id,
        now=begins,
    )
    return {
        **_session_reply(parts, session, ids),
        "sealed_device_token": new_token and parts.sealer.seal("gateway", new_token),
    }


def new_device(parts: Parts, account: Account, name: str | None, at: datetime) -> tuple[Device, str]:
    """A device that is seen for the first time, and the token that will prove it."""
    device_id = new_id()
    made = parts.proofs.new(device_id)
    return Device(device_id, account.id, device_name(name), parts.proofs.hash(made), at, at), made


def _known_device(
    storage: Storage, parts: Parts, account: Account | None, token: str | None
) -> Device | None:
    """The account's device that the token proves."""
    try:
        device_id = parts.proofs.owner(token or "")
    except refusals.TokenInvalid:
        return None
    return use_cases.known_device(storage, account, device_id, parts.proofs.hash(token or ""))


def refresh(db: Database, parts: Parts, *, token: str) -> Reply:
    """The next access and refresh token. A refresh token that was used before ends its session. Raises
    ``TokenInvalid``."""
    session_id = parts.proofs.owner(token)
    following = parts.proofs.following(token)
    refreshed = db.change(
        lambda tx: use_cases.use_refresh_token(
            Storage(tx),
            session_id,
            parts.proofs.hash(token),
            parts.proofs.hash(following),
            lifetimes=parts.lifetimes,
            now=now(),
        )
    )
    if refreshed is None:
        log.warning("a refresh token was used twice; its session has ended")
        raise refusals.TokenInvalid
    session, issued_at = refreshed
    return _tokens(parts, session, following, issued_at)


def change_password(db: Database, parts: Parts, *, claims: Claims, old: str, new: str) -> Reply:
    """The citizen's own password from here on. The same request again gets a session too, and changes
    nothing. Raises ``TokenInvalid``, ``OldPasswordWrong``, ``PasswordTooWeak``, ``TooManyTries``."""
    tries = guessing.tries_in_session(parts, claims.session_id)
    parts.throttle.check(*tries)
    with db.transaction() as tx:
        storage = Storage(tx)
        repeated = use_cases.find_repeated_change(storage, claims, lifetimes=parts.lifetimes, now=now())
        session = use_cases.live_session(storage, claims) if repeated is None else None
        credentials = use_cases.live_passwords(storage, claims.account_id)
        own = use_cases.own_data(storage, session.account) if session is not None else None
    if session is None:
        assert repeated is not None
        return _answer_again(db, parts, claims, *repeated, new=new)
    used = guessing.tried(db, parts, tries, session.account, lambda: parts.passwords.find(credentials, old))
    if used is None:
        raise refusals.OldPasswordWrong
    scope_of(used, now())
    check_new_password(new, common=common_passwords(), old=meant(used, old), own=own)
    chosen = Credential(new_id(), session.account.id, CredentialState.ACTIVE, parts.passwords.hashed(new))
    ids = _SessionIds(parts)

    def change(tx: Transaction) -> Session:
        return use_cases.change_password(
            Storage(tx), session, used, chosen, session_id=ids.id, refresh_hash=ids.refresh_hash, now=now()
        )

    try:
        return _session_reply(parts, db.change(change), ids)
    except refusals.TokenInvalid:  # another change came first: perhaps this very request, sent twice
        with db.transaction() as tx:
            repeated = use_cases.find_repeated_change(
                Storage(tx), claims, lifetimes=parts.lifetimes, now=now()
            )
        if repeated is None:
            raise
        return _answer_again(db, parts, claims, *repeated, new=new)


def _answer_again(
    db: Database, parts: Parts, claims: Claims, before: Session, chosen: Credential, *, new: str
) -> Reply:
    """Whoever knows the password that was set may have a session on the same device, as by logging in, and
    may guess at it no more than at the one before. Raises ``TokenInvalid``, ``TooManyTries``."""
    tries = guessing.tries_in_session(parts, claims.session_id)
    if not guessing.tried(db, parts, tries, before.account, lambda: parts.passwords.find((chosen,), new)):
        raise refusals.TokenInvalid
    ids = _SessionIds(parts)
    session = db.change(
        lambda tx: use_cases.repeat_change(
            Storage(tx),
            claims,
            chosen,
            session_id=ids.id,
            refresh_hash=ids.refresh_hash,
            lifetimes=parts.lifetimes,
            now=now(),
        )
    )
    return _session_reply(parts, session, ids)


def withdraw_consent(db: Database, parts: Parts, *, claims: Claims, password: str) -> PersonRequest:
    """Close the account, for the password that its holder chose. Raises ``TokenInvalid``,
    ``PasswordChangeRequired``, ``OldPasswordWrong``, ``TooManyTries``."""
    tries = guessing.tries_in_session(parts, claims.session_id)
    parts.throttle.check(*tries)
    with db.transaction() as tx:
        storage = Storage(tx)
        account = use_cases.citizen(storage, claims)
        live = use_cases.live_passwords(storage, claims.account_id)
    own = tuple(credential for credential in live if credential.state is CredentialState.ACTIVE)
    used = guessing.tried(db, parts, tries, account, lambda: parts.passwords.find(own, password))
    if used is None:
        raise refusals.OldPasswordWrong("password")
    return db.change(
        lambda tx: use_cases.withdraw_consent(
            Storage(tx), claims, used, request_id=new_id(), erasure_id=new_id(), now=now()
        )
    )


class _SessionIds:
    """The id of a session that is to begin, and its first refresh token."""

    def __init__(self, parts: Parts) -> None:
        self.id = new_id()
        self.refresh_token = parts.proofs.new(self.id)
        self.refresh_hash = parts.proofs.hash(self.refresh_token)


def _session_reply(parts: Parts, session: Session, ids: _SessionIds) -> Reply:
    """The tokens of a session that has just begun. A first password's session is not to last."""
    refresh_token = None if session.must_change_password else ids.refresh_token
    return _tokens(parts, session, refresh_token, session.started_at)


def _tokens(parts: Parts, session: Session, refresh_token: str | None, issued_at: datetime) -> Reply:
    """``issued_at`` as it stands with the session: whoever ends it knows which tokens there were."""
    return {
        "sealed_access_token": parts.sealer.seal("gateway", parts.tokens.signed(session, issued_at)),
        "expires_in": parts.tokens.lifetime_seconds,
        "must_change_password": session.must_change_password,
        "sealed_refresh_token": refresh_token and parts.sealer.seal("gateway", refresh_token),
    }
