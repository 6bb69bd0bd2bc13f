"""Devices, and the refresh tokens of the sessions on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity.devices import Device, Refresh
from services.identity.tests.unit.fakes.tables import FakeTables


class FakeDevices(FakeTables):
    def save_device(self, device: Device) -> None:
        self.devices[device.id] = device

    def see_device(self, device: Device) -> bool:
        kept = self.devices.get(device.id)
        if kept is None or (kept.account_id, kept.token_hash) != (device.account_id, device.token_hash):
            return False
        self.devices[device.id] = replace(kept, name=device.name, last_seen_at=device.last_seen_at)
        return True

    def device(self, device_id: UUID, *, to_change: bool = False) -> Device | None:
        return self.devices.get(device_id)

    def devices_of(self, account_id: UUID, limit: int) -> list[Device]:
        found = [device for device in self.devices.values() if device.account_id == account_id]
        return sorted(found, key=lambda device: (device.last_seen_at, device.id), reverse=True)[:limit]

    def logged_in_devices(
        self, account_id: UUID, *, used_after: datetime, started_after: datetime, limit: int
    ) -> list[Device]:
        last = {
            s.device_id
            for s in self.sessions.values()
            if s.ended_at is None and self._issued_at(s) > used_after and s.started_at > started_after
        }
        return [device for device in self.devices_of(account_id, 1000) if device.id in last][:limit]

    def forget_device(self, device_id: UUID) -> None:
        del self.devices[device_id]

    def forget_log_ins(self, *, before: datetime, limit: int) -> int:
        sessions = [s.id for s in self.sessions.values() if s.started_at < before][:limit]
        devices = [d.id for d in self.devices.values() if d.last_seen_at < before][:limit]
        for session_id in sessions:
            del self.sessions[session_id]
        for device_id in devices:
            del self.devices[device_id]
        return max(len(sessions), len(devices))

    def save_refresh(self, refresh: Refresh) -> None:
        self.refreshes[refresh.session_id] = refresh

    def refresh(self, session_id: UUID) -> Refresh | None:
        return self.refreshes.get(session_id)
