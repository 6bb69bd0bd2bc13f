"""Passwords, and the sessions that begin with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.identity.credentials import Credential, CredentialState, Session
from services.identity.delivery import Way
from services.identity.devices import Refresh
from services.identity.domain import Account
from services.identity.tests.unit.fakes.tables import FakeTables


class FakeCredentials(FakeTables):
    def live_credentials(self, account_id: UUID) -> list[Credential]:
        live = [
            c
            for c in self.credentials.values()
            if c.account_id == account_id and c.state is not CredentialState.ENDED
        ]
        return live[::-1]

    def live_credentials_named(self, user: str) -> tuple[Account, list[Credential]] | None:
        person_id = self.numbers.get(user)
        account = next((a for a in self.accounts.values() if a.person_id == person_id), None)
        return (account, self.live_credentials(account.id)) if account else None

    def credential_for(self, account_id: UUID, cause: str) -> Credential | None:
        credential_id = self.causes.get((account_id, cause))
        return self.credentials[credential_id] if credential_id else None

    def link(self, credential_id: UUID) -> Credential | None:
        found = self.credentials.get(credential_id)
        if found is None or found.channel != Way.LINK:
            return None
        return found if self.tries_left.get(credential_id, 5) > 0 else None

    def count_link_try(self, credential_id: UUID) -> None:
        self.tries_left[credential_id] = self.tries_left.get(credential_id, 5) - 1

    def failed_ways(self, account_id: UUID, registration_id: UUID) -> list[Way]:
        return [
            Way(self.credentials[credential_id].channel or Way.SMS)
            for credential_id in self._first_passwords(account_id, registration_id).values()
            if self.deliveries.get(credential_id) == "failed"
            and self.made_at[credential_id] >= self.contact_since.get(account_id, self.made_at[credential_id])
        ]

    def gave_way_to_voice(self, credential_id: UUID) -> bool:
        given = self.credentials.get(credential_id)
        later = [
            other
            for other in self.credentials.values()
            if given is not None
            and other.account_id == given.account_id
            and self.made_at[other.id] > self.made_at[credential_id]
        ]
        is_waiting = any(
            other.state is CredentialState.ISSUED and self.deliveries.get(other.id) != "delivered"
            for other in later
        )
        return is_waiting and all(other.channel == "voice" for other in later)

    def cause_before_voice(self, account_id: UUID) -> str | None:
        made = [
            (self.made_at[credential_id], self.credentials[credential_id], cause)
            for (owner, cause), credential_id in self.causes.items()
            if owner == account_id and self.credentials[credential_id].channel != "voice"
        ]
        _, last, cause = max(made, key=lambda one: (one[0], one[1].id), default=(None, None, None))
        return cause if last and last.valid_until is not None else None

    def last_cause_for(self, account_id: UUID, registration_id: UUID) -> str | None:
        return next(reversed(self._first_passwords(account_id, registration_id)), None)

    def _first_passwords(self, account_id: UUID, registration_id: UUID) -> dict[str, UUID]:
        return {
            cause: credential_id
            for (owner, cause), credential_id in self.causes.items()
            if owner == account_id
            and cause.partition(" ")[0] == str(registration_id)
            and self.credentials[credential_id].valid_until is not None
        }

    def has_chosen_since(self, account_id: UUID, at: datetime) -> bool:
        return any(
            credential.account_id == account_id
            and credential.valid_until is None
            and self.made_at[credential.id] >= at
            for credential in self.credentials.values()
        )

    def cause_of(self, credential_id: UUID) -> tuple[UUID, str] | None:
        keys = (key for key, known in self.causes.items() if known == credential_id)
        return next(keys, None)

    def add_credential(self, credential: Credential, cause: str, at: datetime) -> None:
        self.credentials[credential.id] = credential
        self.made_at[credential.id] = at
        self.causes[credential.account_id, cause] = credential.id

    def end_credentials(self, credential_ids: Sequence[UUID], at: datetime) -> int:
        live = [i for i in credential_ids if self.credentials[i].state is not CredentialState.ENDED]
        for credential_id in live:
            ended = replace(self.credentials[credential_id], state=CredentialState.ENDED)
            self.credentials[credential_id] = ended
        return len(live)

    def renew_hash(self, credential_id: UUID, before: str, renewed: str) -> None:
        credential = self.credentials[credential_id]
        if (credential.password_hash, credential.state is CredentialState.ENDED) == (before, False):
            self.credentials[credential_id] = replace(credential, password_hash=renewed)

    def note_delivery(self, credential_id: UUID, state: str) -> bool:
        credential, before = self.credentials.get(credential_id), self.deliveries.get(credential_id)
        if credential is None:
            return False
        is_late = (
            before == "failed" and state == "delivered" and credential.state is not CredentialState.ENDED
        )
        if before not in (None, "sent") and not is_late:
            return False
        self.deliveries[credential_id] = state
        return True

    def delivery(self, credential_id: UUID) -> str | None:
        return self.deliveries.get(credential_id)

    def start_session(self, session: Session, credential_id: UUID, refresh_hash: bytes | None = None) -> bool:
        credential = self.credentials.get(credential_id)
        if credential is None or credential.account_id != session.account.id:
            return False
        if credential.state is CredentialState.ENDED:
            return False
        self.sessions[session.id] = session
        if refresh_hash is not None:
            at = session.started_at
            self.refreshes[session.id] = Refresh(session.id, at, refresh_hash, at)
        return True

    def session(self, session_id: UUID) -> Session | None:
        return self.sessions.get(session_id)

    def end_sessions(self, account_id: UUID, at: datetime) -> list[datetime]:
        return self._end([s for s in self.sessions.values() if s.account.id == account_id], at)

    def end_sessions_on(self, device_id: UUID, at: datetime, *, issued_after: datetime) -> list[datetime]:
        on = [s for s in self.sessions.values() if s.device_id == device_id]
        old = [s for s in on if self._issued_at(s) <= issued_after]
        self._end(old, at)
        return self._end([s for s in on if s not in old], at)

    def end_session(self, session_id: UUID, at: datetime) -> list[datetime]:
        return self._end([self.sessions[session_id]], at)

    def _end(self, sessions: list[Session], at: datetime) -> list[datetime]:
        ended = []
        for session in sessions:
            if session.ended_at is None:
                moment = max(at, self._issued_at(session) + timedelta(microseconds=1))
                self.sessions[session.id] = replace(session, ended_at=moment)
                ended.append(moment)
        return ended

    def last_cause_by_sms(self, account_id: UUID) -> str | None:
        causes = [
            cause
            for (owner, cause), credential_id in self.causes.items()
            if owner == account_id
            and self.credentials[credential_id].valid_until is not None
            and self.credentials[credential_id].channel != "voice"
        ]
        return causes[-1] if causes else None
