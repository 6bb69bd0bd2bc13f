"""Where a citizen is logged in: devices known again, refresh tokens used once, sessions ended one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity import refusals
from services.identity.credentials import Claims, Credential, Session
from services.identity.devices import MOST_DEVICES, TOKENS_LIVE, Device, Lifetimes, Use
from services.identity.domain import Account
from services.identity.use_cases.everywhere import end_everywhere
from services.identity.use_cases.log_in import citizen_session
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_ended, tell_notice

DEVICES_SHOWN = 100


def known_device(
    storage: Storage, account: Account | None, device_id: UUID, token_hash: bytes
) -> Device | None:
    """The account's device of that id, when it proves to be it. Nobody's is looked for as well."""
    device = storage.device(device_id)
    account_id = account.id if account else None
    if device is None or (device.account_id, device.token_hash) != (account_id, token_hash):
        return None
    return device


def is_logged_in(storage: Storage, device: Device, *, lifetimes: Lifetimes, now: datetime) -> bool:
    """Whether a session on it lasts: one that was logged out, or unused for too long, may be in
    other hands, and so may one that proves itself by another token since. It stays so until the
    transaction ends."""
    held = storage.device(device.id, to_change=True)
    if held is None or held.token_hash != device.token_hash:
        return False
    return device.id in {known.id for known in _logged_in(storage, device.account_id, lifetimes, now)}


def enter_again(storage: Storage, account: Account, device: Device, now: datetime) -> datetime | None:
    """Somebody logs in on a known device, with a password. The session before ends, of which the other
    services hear while one of its access tokens may count. Returns when the new session begins; None when the
    device was forgotten in the meantime, which makes it a new one."""
    if not storage.see_device(device):  # first: whoever else enters on it, or forgets it, waits for that
        return None
    ended = _end_on(storage, device, now)
    return tell_ended(storage, account.id, ended, now) if ended else now


def enter_anew(
    storage: Storage, account: Account, device: Device, used: Credential, now: datetime
) -> datetime:
    """Somebody logs in on a new device, with a password. Its holder is told by e-mail, unless it is the
    first, where a registration's first password is used: that none is known says no more, as whoever logs out
    everywhere, or was away for long, has none. Returns when the new session begins."""
    ended: list[datetime] = []
    others = storage.devices_of(account.id, DEVICES_SHOWN)
    if others or not used.is_registrations:
        tell_notice(storage, account, "new_device", now, emails=[account.email])
    for forgotten in others[MOST_DEVICES - 1 :]:
        ended += _forget(storage, forgotten, now)
    storage.save_device(device)
    return tell_ended(storage, account.id, ended, now) if ended else now


def use_refresh_token(
    storage: Storage, session_id: UUID, used: bytes, following: bytes, *, lifetimes: Lifetimes, now: datetime
) -> tuple[Session, datetime] | None:
    """The session goes on with the following token; with when its access token is issued. None when the token
    was used before: it is in two hands, so its session has ended, and its holder is told. Raises
    ``TokenInvalid``."""
    found = storage.session(session_id)
    device = None
    if found and found.device_id:  # before the session, as whoever logs in on it does
        device = storage.device(found.device_id, to_change=True)
    refresh = storage.refresh(session_id)
    session = storage.session(session_id)
    if refresh is None or session is None or session.ended_at is not None:
        raise refusals.TokenInvalid
    account = session.account
    use = refresh.use(used, now, lifetimes)
    if use is Use.STOLEN:
        tell_ended(storage, account.id, storage.end_session(session.id, now), now)
        tell_notice(storage, account, "session_copied", now, phones=[account.phone], emails=[account.email])
        return None
    if use is Use.UNKNOWN or (use is Use.REPEATED and refresh.token_hash != following):
        raise refusals.TokenInvalid
    if use is Use.DUE:
        refresh = refresh.followed_by(following, now)
        storage.save_refresh(refresh)
        if device:
            storage.see_device(replace(device, last_seen_at=now))
    return session, refresh.refreshed_at


def log_out(storage: Storage, claims: Claims, now: datetime) -> None:
    """This session ends. Again: nothing. Other devices ask for their next access token a little earlier."""
    session = storage.session(claims.session_id)
    if session is None or session.account.id != claims.account_id:
        raise refusals.TokenInvalid
    if ended := storage.end_session(session.id, now):
        tell_ended(storage, session.account.id, ended, now)


def list_devices(
    storage: Storage, claims: Claims, *, lifetimes: Lifetimes, now: datetime
) -> tuple[Session, list[Device]]:
    """The citizen's session, and the devices that are logged in, the last seen first. Raises
    ``TokenInvalid``, ``PasswordChangeRequired``."""
    session = citizen_session(storage, claims)
    devices = _logged_in(storage, session.account.id, lifetimes, now)
    return session, devices


def end_device(storage: Storage, claims: Claims, device_id: UUID, now: datetime) -> None:
    """A device is logged out and forgotten. Raises ``TokenInvalid``, ``PasswordChangeRequired``,
    ``DeviceUnknown``."""
    session = citizen_session(storage, claims)
    device = storage.device(device_id)
    if device is None or device.account_id != session.account.id:
        raise refusals.DeviceUnknown
    if ended := _forget(storage, device, now):
        tell_ended(storage, session.account.id, ended, now)


def log_out_everywhere(storage: Storage, claims: Claims, now: datetime) -> None:
    """Every session of the account ends, this one too, and every device is forgotten. Raises
    ``TokenInvalid``, ``PasswordChangeRequired``."""
    end_everywhere(storage, citizen_session(storage, claims).account.id, now)


def _logged_in(storage: Storage, account_id: UUID, lifetimes: Lifetimes, now: datetime) -> list[Device]:
    return storage.logged_in_devices(
        account_id,
        used_after=now - lifetimes.idle,
        started_after=now - lifetimes.longest,
        limit=DEVICES_SHOWN,
    )


def _end_on(storage: Storage, device: Device, now: datetime) -> list[datetime]:
    """When the sessions on it ended of which others must hear: those that an access token may outlive."""
    return storage.end_sessions_on(device.id, now, issued_after=now - TOKENS_LIVE)


def _forget(storage: Storage, device: Device, now: datetime) -> list[datetime]:
    """When the sessions on it ended of which others must hear."""
    storage.device(device.id, to_change=True)  # first: a log-in on it comes before, and ends too, or after
    ended = _end_on(storage, device, now)
    storage.forget_device(device.id)
    return ended
