"""Devices, and the refresh tokens of the sessions on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.devices import Device, Refresh
from services.identity.storage.base import Tables

COLUMNS = "id, account_id, name, token_hash, first_seen_at, last_seen_at"
Row = Mapping[str, Any]


class Devices(Tables):
    """Where citizens are logged in."""

    SAVE_DEVICE = f"""
        INSERT INTO devices ({COLUMNS})
        VALUES (%(id)s, %(account_id)s, %(name)s, %(token_hash)s, %(first_seen_at)s, %(last_seen_at)s)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, token_hash = excluded.token_hash,
            last_seen_at = excluded.last_seen_at
    """

    def save_device(self, device: Device) -> None:
        """A new one, or one that was seen again."""
        self.tx.run(self.SAVE_DEVICE, asdict(device))

    DEVICE = f"SELECT {COLUMNS} FROM devices WHERE id = %(id)s"

    def device(self, device_id: UUID) -> Device | None:
        """By its id, whosever it is."""
        row = self.tx.one(self.DEVICE, {"id": device_id})
        return Device(**row) if row else None

    DEVICES_OF = f"""
        SELECT {COLUMNS} FROM devices WHERE account_id = %(account_id)s
        ORDER BY last_seen_at DESC, id DESC LIMIT %(limit)s
    """

    def devices_of(self, account_id: UUID, limit: int) -> list[Device]:
        """Those of an account, the last seen first."""
        rows = self.tx.all(self.DEVICES_OF, {"account_id": account_id, "limit": limit})
        return [Device(**row) for row in rows]

    FORGET_DEVICE = "DELETE FROM devices WHERE id = %(id)s"

    def forget_device(self, device_id: UUID) -> None:
        """It is not known any more; its sessions are ended before."""
        self.tx.run(self.FORGET_DEVICE, {"id": device_id})

    END_ON_DEVICE = """
        UPDATE sessions SET ended_at = %(at)s WHERE device_id = %(device_id)s AND ended_at IS NULL
    """

    def end_sessions_on(self, device_id: UUID, at: datetime) -> int:
        """How many of its sessions were still going on."""
        return self.tx.run(self.END_ON_DEVICE, {"device_id": device_id, "at": at})

    END_SESSION = "UPDATE sessions SET ended_at = %(at)s WHERE id = %(id)s AND ended_at IS NULL"

    def end_session(self, session_id: UUID, at: datetime) -> bool:
        """False when it had ended before."""
        return self.tx.run(self.END_SESSION, {"id": session_id, "at": at}) == 1

    SAVE_REFRESH = """
        UPDATE sessions SET refresh_hash = %(token_hash)s, former_hashes = %(former)s,
            refreshed_at = %(refreshed_at)s
        WHERE id = %(session_id)s
    """

    def save_refresh(self, refresh: Refresh) -> None:
        """Which token of a session is due."""
        self.tx.run(self.SAVE_REFRESH, {**asdict(refresh), "former": list(refresh.former)})

    REFRESH = """
        SELECT id AS session_id, started_at, refresh_hash AS token_hash, former_hashes AS former, refreshed_at
        FROM sessions WHERE id = %(id)s AND refresh_hash IS NOT NULL FOR UPDATE
    """

    def refresh(self, session_id: UUID) -> Refresh | None:
        """Held until the transaction ends: of two that use one token, the second sees the first."""
        row = self.tx.one(self.REFRESH, {"id": session_id})
        return Refresh(**{**row, "former": tuple(row["former"])}) if row else None
