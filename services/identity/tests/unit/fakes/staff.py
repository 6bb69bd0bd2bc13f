"""Staff, their sessions, and what they did."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.domain import AuditEntry, Officer, StaffAccount
from services.identity.refusals import StaffUserTaken
from services.identity.tests.unit.fakes.tables import FakeTables


class FakeStaff(FakeTables):
    def add_staff(self, staff: StaffAccount, at: datetime) -> None:
        if staff.user in self.staff:
            raise StaffUserTaken
        self.staff[staff.user] = staff

    def staff_named(self, user: str) -> StaffAccount | None:
        return self.staff.get(user) if user not in self.disabled else None

    def renew_staff_hash(self, staff_id: UUID, before: str, renewed: str) -> None:
        for user, known in self.staff.items():
            if (known.id, known.password_hash) == (staff_id, before):
                self.staff[user] = replace(known, password_hash=renewed)

    def disable_staff(self, user: str) -> tuple[UUID, bool] | None:
        staff = self.staff.get(user)
        if staff is None:
            return None
        was_active = user not in self.disabled
        self.disabled.add(user)
        self._end_staff_sessions(staff.id)
        return staff.id, was_active

    def _end_staff_sessions(self, staff_id: UUID) -> None:
        sessions = self.staff_sessions.items()
        self.staff_sessions = {token: held for token, held in sessions if held[0] != staff_id}

    def begin_totp(self, staff_id: UUID, seed: bytes, enrolment_hash: bytes) -> bool:
        staff = self._staff(staff_id)
        if staff.totp_last_step is not None or staff.enrolment_hash != enrolment_hash:
            return False
        self.staff[staff.user] = replace(staff, totp_seed=seed)
        return True

    def use_totp(self, staff_id: UUID, seed: bytes, step: int) -> bool:
        staff = self._staff(staff_id)
        is_used = staff.totp_last_step is not None and staff.totp_last_step >= step
        if is_used or staff.totp_seed != seed:
            return False
        self.staff[staff.user] = replace(
            staff, totp_last_step=step, enrolment_hash=None, enrolment_until=None
        )
        return True

    def reset_totp(self, user: str, enrolment_hash: bytes, until: datetime) -> UUID | None:
        staff = self.staff_named(user)
        if staff is None:
            return None
        self.staff[user] = replace(
            staff,
            totp_seed=None,
            totp_last_step=None,
            enrolment_hash=enrolment_hash,
            enrolment_until=until,
        )
        self._end_staff_sessions(staff.id)
        return staff.id

    def _staff(self, staff_id: UUID) -> StaffAccount:
        return next(staff for staff in self.staff.values() if staff.id == staff_id)

    def start_staff_session(
        self, token_hash: bytes, staff_id: UUID, started_at: datetime, expires_at: datetime
    ) -> None:
        self.staff_sessions[token_hash] = (staff_id, expires_at)

    def end_staff_session(self, token_hash: bytes) -> None:
        self.staff_sessions.pop(token_hash, None)

    def officer(self, token_hash: bytes, now: datetime) -> Officer | None:
        staff_id, expires_at = self.staff_sessions.get(token_hash, (None, now))
        if staff_id is None or expires_at <= now:
            return None
        return next(Officer(s.id, s.agency_code) for s in self.staff.values() if s.id == staff_id)

    def add_audit(self, entry: AuditEntry) -> None:
        self.audit.append(entry)

    def audit_rows(self) -> list[tuple[str, UUID | None, dict[str, Any]]]:
        """For tests: what staff did, in order."""
        return [(entry.action, entry.case_id, dict(entry.details)) for entry in self.audit]
