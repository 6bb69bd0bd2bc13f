"""What every part of the fake storage stands on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from services.identity.credentials import Credential, Session
from services.identity.devices import Device, Refresh
from services.identity.domain import (
    Account,
    AuditEntry,
    Case,
    ContactChange,
    Ending,
    Person,
    RegisterAnswer,
    RegisterCheck,
    StaffAccount,
)
from services.identity.email_reset import EmailReset
from services.identity.guardianship import Guardianship
from services.identity.hotline import HotlineKey
from services.identity.log_in_otp import LogInOtp
from services.identity.rights import PersonRequest
from services.identity.sealing import Seal
from shared.testing.transactions import FakeTransaction


class FakeTables:
    """Identity's tables as dictionaries. Locks are not needed: nothing happens at once."""

    def __init__(self) -> None:
        self.tx = FakeTransaction()
        self.checks: list[tuple[RegisterCheck, RegisterAnswer | None]] = []
        self.all_cases: dict[UUID, Case] = {}
        self.endings: dict[UUID, Ending] = {}
        self.close_requests: dict[UUID, str] = {}
        self.people: dict[UUID, Person] = {}
        self.guardianships: dict[tuple[UUID, UUID], Guardianship] = {}
        self.changes: dict[UUID, ContactChange] = {}
        self.numbers: dict[str, UUID] = {}
        self.accounts: dict[UUID, Account] = {}
        self.contact_since: dict[UUID, datetime] = {}
        self.throttled_told_at: dict[UUID, datetime] = {}
        self.credentials: dict[UUID, Credential] = {}
        self.causes: dict[tuple[UUID, str], UUID] = {}
        self.deliveries: dict[UUID, str] = {}
        self.made_at: dict[UUID, datetime] = {}
        self.tries_left: dict[UUID, int] = {}
        self.sessions: dict[UUID, Session] = {}
        self.staff: dict[str, StaffAccount] = {}
        self.disabled: set[str] = set()
        self.staff_sessions: dict[bytes, tuple[UUID, datetime]] = {}
        self.audit: list[AuditEntry] = []
        self.seals: list[Seal] = []
        self.devices: dict[UUID, Device] = {}
        self.when_locked: Callable[[], object] = lambda: None
        """For tests: what happened while an account was waited for."""
        self.locked: list[UUID] = []
        """For tests: the accounts that were locked, in order."""
        self.refreshes: dict[UUID, Refresh] = {}
        self.requests: dict[UUID, PersonRequest] = {}
        self.resets: dict[UUID, EmailReset] = {}
        self.wrong_tries: list[tuple[str, bytes, datetime]] = []
        self.keys: dict[str, HotlineKey] = {}
        self.nonces: dict[tuple[str, str], datetime] = {}
        self.otps: dict[UUID, LogInOtp] = {}

    def _issued_at(self, session: Session) -> datetime:
        refresh = self.refreshes.get(session.id)
        return refresh.refreshed_at if refresh else session.started_at
