"""Keys of voice platforms and the nonces of their requests; log-ins that wait for their code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.hotline import HotlineKey, HotlineKeyTaken
from services.identity.log_in_otp import LogInOtp
from services.identity.storage.tables import Tables

KEY_COLUMNS = "id, client, public_key, added_at, disabled_at"
OTP_COLUMNS = "id, account_id, credential_id, token_hash, keyed_hash, valid_until, tries_left"
Row = Mapping[str, Any]


class Hotline(Tables):
    """What comes in by the hotline, and the second step that its passwords need."""

    ADD_KEY = f"""
        INSERT INTO hotline_keys ({KEY_COLUMNS})
        VALUES (%(id)s, %(client)s, %(public_key)s, %(added_at)s, %(disabled_at)s) ON CONFLICT DO NOTHING
    """

    def add_hotline_key(self, key: HotlineKey) -> None:
        """Raises ``HotlineKeyTaken``."""
        if not self.tx.run(self.ADD_KEY, asdict(key)):
            raise HotlineKeyTaken

    KEY = f"SELECT {KEY_COLUMNS} FROM hotline_keys WHERE id = %(id)s"

    def hotline_key(self, key_id: str) -> HotlineKey | None:
        """One that is in use, or was."""
        row = self.tx.one(self.KEY, {"id": key_id})
        return HotlineKey(**row) if row else None

    KEYS = f"SELECT {KEY_COLUMNS} FROM hotline_keys ORDER BY client, added_at, id"

    def hotline_keys(self) -> list[HotlineKey]:
        """All there ever were."""
        return [HotlineKey(**row) for row in self.tx.all(self.KEYS)]

    DISABLE_KEY = "UPDATE hotline_keys SET disabled_at = coalesce(disabled_at, %(at)s) WHERE id = %(id)s"

    def disable_hotline_key(self, key_id: str, at: datetime) -> bool:
        """False when there is none."""
        return self.tx.run(self.DISABLE_KEY, {"id": key_id, "at": at}) == 1

    USE_NONCE = """
        INSERT INTO hotline_nonces (key_id, nonce, kept_until) VALUES (%(key_id)s, %(nonce)s, %(kept_until)s)
        ON CONFLICT DO NOTHING
    """
    FORGET_NONCES = """
        DELETE FROM hotline_nonces WHERE ctid IN (
            SELECT ctid FROM hotline_nonces WHERE kept_until < %(now)s ORDER BY kept_until LIMIT 100
            FOR UPDATE SKIP LOCKED
        )
    """

    def use_nonce(self, key_id: str, nonce: str, *, kept_until: datetime, now: datetime) -> bool:
        """False when it was used before. Some of those whose time is over go."""
        used = {"key_id": key_id, "nonce": nonce, "kept_until": kept_until}
        is_new = self.tx.run(self.USE_NONCE, used) == 1
        self.tx.run(self.FORGET_NONCES, {"now": now})
        return is_new

    ADD_OTP = f"""
        INSERT INTO log_in_otps ({OTP_COLUMNS})
        VALUES (%(id)s, %(account_id)s, %(credential_id)s, %(token_hash)s, %(keyed_hash)s, %(valid_until)s,
                %(tries_left)s)
    """
    FORGET_OTPS = """
        DELETE FROM log_in_otps WHERE ctid IN (
            SELECT ctid FROM log_in_otps WHERE valid_until < %(now)s ORDER BY valid_until LIMIT 100
            FOR UPDATE SKIP LOCKED
        )
    """

    def add_log_in_otp(self, otp: LogInOtp, now: datetime) -> None:
        """Another log-in that waits. Some of those whose time is over go."""
        self.tx.run(self.ADD_OTP, asdict(otp))
        self.tx.run(self.FORGET_OTPS, {"now": now})

    OTP = f"SELECT {OTP_COLUMNS} FROM log_in_otps WHERE id = %(id)s FOR UPDATE"

    def log_in_otp(self, otp_id: UUID) -> LogInOtp | None:
        """Held until the transaction ends: of two tries the second sees the first."""
        row = self.tx.one(self.OTP, {"id": otp_id})
        return LogInOtp(**row) if row else None

    SAVE_TRIES = "UPDATE log_in_otps SET tries_left = %(tries_left)s WHERE id = %(id)s"

    def save_log_in_otp(self, otp: LogInOtp) -> None:
        """How many tries are left."""
        self.tx.run(self.SAVE_TRIES, {"id": otp.id, "tries_left": otp.tries_left})
