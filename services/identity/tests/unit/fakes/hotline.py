"""Keys of the voice platform, and log-ins that wait for a code."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity.hotline import HotlineKey, HotlineKeyTaken
from services.identity.log_in_otp import LogInOtp
from services.identity.tests.unit.fakes.tables import FakeTables


class FakeHotline(FakeTables):
    def add_hotline_key(self, key: HotlineKey) -> None:
        if key.id in self.keys:
            raise HotlineKeyTaken
        self.keys[key.id] = key

    def hotline_key(self, key_id: str) -> HotlineKey | None:
        return self.keys.get(key_id)

    def hotline_keys(self) -> list[HotlineKey]:
        return sorted(self.keys.values(), key=lambda key: (key.client, key.added_at, key.id))

    def disable_hotline_key(self, key_id: str, at: datetime) -> bool:
        key = self.keys.get(key_id)
        if key is not None:
            self.keys[key_id] = replace(key, disabled_at=key.disabled_at or at)
        return key is not None

    def use_nonce(self, key_id: str, nonce: str, *, kept_until: datetime, now: datetime) -> bool:
        is_new = (key_id, nonce) not in self.nonces
        self.nonces.setdefault((key_id, nonce), kept_until)
        self.nonces = {used: until for used, until in self.nonces.items() if until >= now}
        return is_new

    def add_log_in_otp(self, otp: LogInOtp, now: datetime) -> None:
        self.otps = {known.id: known for known in self.otps.values() if known.valid_until >= now}
        self.otps[otp.id] = otp

    def log_in_otp(self, otp_id: UUID) -> LogInOtp | None:
        return self.otps.get(otp_id)

    def save_log_in_otp(self, otp: LogInOtp) -> None:
        self.otps[otp.id] = otp
