"""An account that is to be logged in nowhere: its holder, or what happened to it, asks for that."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_ended

ALL = 10**6


def end_everywhere(storage: Storage, account_id: UUID, now: datetime) -> None:
    """The account is logged in nowhere, and knows no device. A change of password that is under way comes
    before or after: the session that it begins ends too, or does not begin."""
    storage.lock_account(account_id)
    ended = storage.end_sessions(account_id, now)
    for device in storage.devices_of(account_id, ALL):
        storage.forget_device(device.id)
    tell_ended(storage, account_id, ended, now)
