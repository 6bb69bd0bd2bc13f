"""Devices, and the refresh tokens of the sessions on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.devices import Device, Refresh
from services.identity.storage.tables import Tables

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

    SEE_DEVICE = """
        UPDATE devices SET name = %(name)s, last_seen_at = %(last_seen_at)s
        WHERE id = %(id)s AND account_id = %(account_id)s AND token_hash = %(token_hash)s
    """

    def see_device(self, device: Device) -> bool:
        """A known one is seen again. False when it was forgotten in the meantime: it stays so."""
        return self.tx.run(self.SEE_DEVICE, asdict(device)) == 1

    DEVICE = f"SELECT {COLUMNS} FROM devices WHERE id = %(id)s"
    DEVICE_TO_CHANGE = f"{DEVICE} FOR UPDATE"

    def device(self, device_id: UUID, *, to_change: bool = False) -> Device | None:
        """By its id, whosever it is. ``to_change``: nobody else sees it again or forgets it meanwhile."""
        row = self.tx.one(self.DEVICE_TO_CHANGE if to_change else self.DEVICE, {"id": device_id})
        return Device(**row) if row else None

    DEVICES_OF = f"""
        SELECT {COLUMNS} FROM devices WHERE account_id = %(account_id)s
        ORDER BY last_seen_at DESC, id DESC LIMIT %(limit)s
    """

    def devices_of(self, account_id: UUID, limit: int) -> list[Device]:
        """Those of an account, the last seen first."""
        rows = self.tx.all(self.DEVICES_OF, {"account_id": account_id, "limit": limit})
        return [Device(**row) for row in rows]

    LOGGED_IN = f"""
        SELECT {COLUMNS} FROM devices d WHERE account_id = %(account_id)s AND EXISTS (
            SELECT FROM sessions s WHERE s.device_id = d.id AND s.ended_at IS NULL
                AND coalesce(s.refreshed_at, s.started_at) > %(used_after)s
                AND s.started_at > %(started_after)s)
        ORDER BY last_seen_at DESC, id DESC LIMIT %(limit)s
    """

    def logged_in_devices(
        self, account_id: UUID, *, used_after: datetime, started_after: datetime, limit: int
    ) -> list[Device]:
        """Those with a session that was neither ended nor has run out."""
        parameters = {"account_id": account_id, "used_after": used_after, "started_after": started_after}
        return [Device(**row) for row in self.tx.all(self.LOGGED_IN, {**parameters, "limit": limit})]

    FORGET_DEVICE = "DELETE FROM devices WHERE id = %(id)s"

    def forget_device(self, device_id: UUID) -> None:
        """It is not known any more; its sessions are ended before."""
        self.tx.run(self.FORGET_DEVICE, {"id": device_id})

    FORGET_OLD_SESSIONS = """
        DELETE FROM sessions WHERE id = ANY(ARRAY(
            SELECT id FROM sessions WHERE started_at < %(before)s
            ORDER BY started_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
    """
    FORGET_OLD_DEVICES = """
        DELETE FROM devices WHERE id = ANY(ARRAY(
            SELECT id FROM devices WHERE last_seen_at < %(before)s
            ORDER BY last_seen_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
    """

    def forget_log_ins(self, *, before: datetime, limit: int) -> int:
        """Sessions that began, and devices last seen, before then, ``limit`` of each at once; of the kind of
        which more went, how many."""
        old = {"before": before, "limit": limit}
        return max(self.tx.run(self.FORGET_OLD_SESSIONS, old), self.tx.run(self.FORGET_OLD_DEVICES, old))

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
