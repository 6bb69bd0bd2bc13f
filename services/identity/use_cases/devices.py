"""Where a citizen is logged in: devices known again, refresh tokens used once, sessions ended one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity import domain
from services.identity.devices import MOST_DEVICES, Device, Lifetimes, Refresh, Use
from services.identity.domain import Account, Claims, Session
from services.identity.use_cases.log_in import live_session
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_notice, tell_sessions_ended

DEVICES_SHOWN = 100


def known_device(storage: Storage, account: Account, device_id: UUID, token_hash: bytes) -> Device | None:
    """The account's device of that id, when it proves to be it."""
    device = storage.device(device_id)
    if device is None or (device.account_id, device.token_hash) != (account.id, token_hash):
        return None
    return device


def enter(storage: Storage, account: Account, device: Device, *, is_known: bool, now: datetime) -> None:
    """Somebody logs in on a device. On a known one the session before ends. A new one is told to the
    holder by e-mail, unless it is the account's first."""
    ended = 0
    if is_known:
        ended = storage.end_sessions_on(device.id, now)
    elif others := storage.devices_of(account.id, DEVICES_SHOWN):
        tell_notice(storage, account, "new_device", ["email"], now)
        ended = sum(_forget(storage, forgotten, now) for forgotten in others[MOST_DEVICES - 1 :])
    if ended:
        tell_sessions_ended(storage, account.id, now, now)
    storage.save_device(device)


def start_refresh(storage: Storage, session: Session, token_hash: bytes) -> None:
    """The first refresh token of a session."""
    storage.save_refresh(Refresh(session.id, session.started_at, token_hash, session.started_at))


def use_refresh_token(
    storage: Storage, session_id: UUID, used: bytes, following: bytes, *, lifetimes: Lifetimes, now: datetime
) -> Session | None:
    """The session goes on with the following token. None when the token was used before: it is in two hands,
    so its session has ended, and its holder is told. Raises ``TokenInvalid``."""
    refresh = storage.refresh(session_id)
    session = storage.session(session_id)
    if refresh is None or session is None or session.ended_at is not None:
        raise domain.TokenInvalid
    use = refresh.use(used, now, lifetimes)
    if use is Use.STOLEN:
        storage.end_session(session.id, now)
        tell_sessions_ended(storage, session.account.id, now, now)
        tell_notice(storage, session.account, "new_device", ["sms", "email"], now)
        return None
    if use is Use.UNKNOWN or (use is Use.REPEATED and refresh.token_hash != following):
        raise domain.TokenInvalid
    if use is Use.DUE:
        storage.save_refresh(refresh.followed_by(following, now))
        device = session.device_id and storage.device(session.device_id)
        if device:
            storage.save_device(replace(device, last_seen_at=now))
    return session


def log_out(storage: Storage, claims: Claims, now: datetime) -> None:
    """This session ends. Again: nothing. Other devices ask for their next access token a little earlier."""
    session = storage.session(claims.session_id)
    if session is None or session.account.id != claims.account_id:
        raise domain.TokenInvalid
    if storage.end_session(session.id, now):
        tell_sessions_ended(storage, session.account.id, now, now)


def list_devices(storage: Storage, claims: Claims) -> tuple[Session, list[Device]]:
    """The citizen's session, and the devices, the last seen first. Raises ``TokenInvalid``."""
    session = live_session(storage, claims)
    return session, storage.devices_of(session.account.id, DEVICES_SHOWN)


def end_device(storage: Storage, claims: Claims, device_id: UUID, now: datetime) -> None:
    """A device is logged out and forgotten. Raises ``TokenInvalid``, ``DeviceUnknown``."""
    session = live_session(storage, claims)
    device = storage.device(device_id)
    if device is None or device.account_id != session.account.id:
        raise domain.DeviceUnknown
    _forget(storage, device, now)
    tell_sessions_ended(storage, session.account.id, now, now)


def log_out_everywhere(storage: Storage, claims: Claims, now: datetime) -> None:
    """Every session of the account ends, this one too, and every device is forgotten."""
    session = live_session(storage, claims)
    for device in storage.devices_of(session.account.id, DEVICES_SHOWN):
        _forget(storage, device, now)
    storage.end_sessions(session.account.id, now)
    tell_sessions_ended(storage, session.account.id, now, now)


def _forget(storage: Storage, device: Device, now: datetime) -> int:
    """How many sessions ended with it."""
    ended = storage.end_sessions_on(device.id, now)
    storage.forget_device(device.id)
    return ended
