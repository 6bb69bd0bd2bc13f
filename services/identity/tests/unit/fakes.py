"""The in-memory twin of ``storage.Storage``; the suite in ``test_storage.py`` of the integration tests runs
on both."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.identity.credentials import Credential, CredentialState, Session
from services.identity.delivery import Way
from services.identity.devices import Device, Refresh
from services.identity.domain import (
    Account,
    AuditEntry,
    Case,
    CaseStatus,
    ContactChange,
    Ending,
    Officer,
    Person,
    RegisterAnswer,
    RegisterCheck,
    StaffAccount,
)
from services.identity.email_reset import EmailReset
from services.identity.guardianship import Child, Guardianship
from services.identity.hotline import HotlineKey, HotlineKeyTaken
from services.identity.log_in_otp import LogInOtp
from services.identity.refusals import StaffUserTaken
from services.identity.rights import PersonRequest, RequestKind, RequestState
from services.identity.sealing import Seal, TrailRow
from services.identity.use_cases import Position
from shared.testing.transactions import FakeTransaction


class FakeStorage:
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

    # what people ask about their own data

    def add_request(self, request: PersonRequest) -> None:
        self.requests[request.id] = request

    def answer_request(self, request: PersonRequest) -> None:
        if self.requests[request.id].state is RequestState.OPEN:
            self.requests[request.id] = request

    def request(self, request_id: UUID) -> PersonRequest | None:
        return self.requests.get(request_id)

    def requests_of(self, account_id: UUID, limit: int) -> list[PersonRequest]:
        found = [request for request in self.requests.values() if request.account_id == account_id]
        return sorted(found, key=lambda request: (request.asked_at, request.id), reverse=True)[:limit]

    def exports_since(self, account_id: UUID, since: datetime) -> list[datetime]:
        exports = [r for r in self.requests_of(account_id, 1000) if r.kind is RequestKind.EXPORT]
        return [export.asked_at for export in exports if export.asked_at > since]

    def open_request(self, account_id: UUID, kind: RequestKind) -> PersonRequest | None:
        for request in self.requests_of(account_id, 100):
            if (request.state, request.kind) == (RequestState.OPEN, kind):
                return request
        return None

    def cases_with(self, numbers: Collection[str], *statuses: CaseStatus) -> list[Case]:
        found = [
            case
            for case in self.all_cases.values()
            if case.status in statuses and set(numbers) & set(case.search_text.split())
        ]
        return sorted(found, key=lambda case: (case.opened_at, case.id))

    def cases_registered_by(self, account_id: UUID, *statuses: CaseStatus) -> list[Case]:
        found = [
            case
            for case in self.all_cases.values()
            if case.status in statuses
            and case.guardian is not None
            and case.guardian.account_id == account_id
        ]
        return sorted(found, key=lambda case: (case.opened_at, case.id))

    def save_emptied(self, case: Case, at: datetime) -> None:
        self.all_cases[case.id] = case
        ending = self.endings[case.id]
        if case.status is CaseStatus.REJECTED:
            self.endings[case.id] = replace(ending, reason="")

    def open_requests(self, agency_code: str, limit: int) -> list[PersonRequest]:
        found = [
            request
            for request in self.requests.values()
            if (request.agency_code, request.state, request.kind)
            == (agency_code, RequestState.OPEN, RequestKind.CORRECTION)
        ]
        return sorted(found, key=lambda request: (request.due_at, request.id))[:limit]

    def cases_of_account(self, account_id: UUID) -> list[Case]:
        ids = {UUID(cause.split(" ")[0]) for owner, cause in self.causes if owner == account_id}
        found = [case for case in self.all_cases.values() if case.registration_id in ids]
        return sorted(found, key=lambda case: (case.opened_at, case.id), reverse=True)

    def log_ins(self, account_id: UUID, limit: int) -> list[tuple[datetime, datetime | None]]:
        found = [
            (session.started_at, session.ended_at)
            for session in self.sessions.values()
            if session.account.id == account_id
        ]
        return sorted(found, key=lambda times: times[0], reverse=True)[:limit]

    def register_questions(self, registration_ids: list[UUID], limit: int) -> list[dict[str, Any]]:
        return [
            {"purpose": check.purpose, "asked_at": check.at, "answered": answer is not None}
            for check, answer in reversed(self.checks)
            if check.registration_id in registration_ids
        ][:limit]

    # register checks

    def add_register_check(self, check: RegisterCheck) -> None:
        self.checks.append((check, None))

    def answer_register_check(self, request_id: UUID, answer: RegisterAnswer, at: datetime) -> None:
        self.checks = [
            (check, answer if check.request_id == request_id and known is None else known)
            for check, known in self.checks
        ]

    def register_answer(self, request_id: UUID, registration_id: UUID) -> RegisterAnswer | None:
        for check, answer in reversed(self.checks):
            if (check.request_id, check.registration_id) == (request_id, registration_id) and answer:
                return answer
        return None

    # cases

    def lock_registration(self, registration_id: UUID) -> None:
        pass

    def add_case(self, case: Case) -> bool:
        if self.case_of(case.registration_id):
            return False
        self.all_cases[case.id] = case
        return True

    def case(self, case_id: UUID, *, to_change: bool = False) -> Case | None:
        return self.all_cases.get(case_id)

    def save_case(self, case: Case) -> None:
        if self.all_cases[case.id].status is CaseStatus.WAITING:
            self.all_cases[case.id] = case

    def case_of(self, registration_id: UUID, *, to_change: bool = False) -> Case | None:
        return next((c for c in self.all_cases.values() if c.registration_id == registration_id), None)

    def cases(
        self, agency_code: str, status: CaseStatus, words: Sequence[str], after: Position | None, limit: int
    ) -> list[Case]:
        found = [
            case
            for case in self.all_cases.values()
            if case.agency_code == agency_code
            and case.status is status
            and set(words) <= set(case.search_text.split())
            and (after is None or (case.opened_at, case.id) > after)
        ]
        return sorted(found, key=lambda case: (case.opened_at, case.id))[:limit]

    def note_register_answer(self, case_id: UUID, answer: RegisterAnswer) -> None:
        self.all_cases[case_id] = replace(self.all_cases[case_id], register=answer)

    def end_case(self, case_id: UUID, ending: Ending) -> bool:
        case = self.all_cases.get(case_id)
        if case is None or case.status is not CaseStatus.WAITING:
            return False
        self.all_cases[case_id] = replace(case, status=ending.status)
        self.endings[case_id] = ending
        return True

    def ending(self, case_id: UUID) -> Ending | None:
        return self.endings.get(case_id)

    def add_close_request(self, registration_id: UUID, reason: str, at: datetime) -> None:
        self.close_requests.setdefault(registration_id, reason)

    def close_request(self, registration_id: UUID) -> str | None:
        return self.close_requests.get(registration_id)

    # people

    def lock_numbers(self, numbers: Sequence[str]) -> None:
        pass

    def people_with(self, numbers: Sequence[str]) -> list[Person]:
        found = {self.numbers[n] for n in numbers if n in self.numbers}
        of = {i: frozenset(n for n, owner in self.numbers.items() if owner == i) for i in found}
        return [replace(self.people[i], numbers=of[i]) for i in found]

    def save_person(self, person: Person) -> None:
        self.people[person.id] = person
        for number in person.applicant.numbers:
            self.numbers.setdefault(number, person.id)

    # guardianships

    def save_guardianship(self, confirmed: Guardianship) -> None:
        self.guardianships[confirmed.account_id, confirmed.child_person_id] = confirmed

    def guardianship(self, account_id: UUID, child_person_id: UUID) -> Guardianship | None:
        return self.guardianships.get((account_id, child_person_id))

    def guardianships_of(self, child_person_id: UUID) -> list[Guardianship]:
        found = [one for one in self.guardianships.values() if one.child_person_id == child_person_id]
        return sorted(found, key=lambda one: (one.confirmed_at, one.account_id))

    def children_of(self, account_id: UUID, now: datetime) -> list[Child]:
        found = [
            Child(confirmed, self.people[confirmed.child_person_id].applicant)
            for confirmed in self.guardianships.values()
            if confirmed.account_id == account_id and confirmed.valid_until > now
        ]
        return sorted(found, key=lambda child: child.applicant.full_name)

    def ended_guardianships_of(self, account_id: UUID, now: datetime) -> list[Guardianship]:
        ended = [g for g in self.guardianships.values() if g.end_reason and g.valid_until <= now]
        own = [g for g in ended if g.account_id == account_id]
        return sorted(own, key=lambda one: (now - one.valid_until, one.child_person_id))

    def guardians_of(self, child_person_id: UUID, now: datetime) -> list[Account]:
        confirmed = sorted(self.guardianships.values(), key=lambda one: one.confirmed_at)
        return [
            self.accounts[one.account_id]
            for one in confirmed
            if one.child_person_id == child_person_id and one.valid_until > now
        ]

    # accounts

    def add_contact_change(self, change: ContactChange) -> None:
        self.changes[change.id] = change

    def contact_change(self, change_id: UUID, *, to_change: bool = False) -> ContactChange | None:
        return self.changes.get(change_id)

    def pending_contact_change(self, account_id: UUID) -> ContactChange | None:
        pending = (c for c in self.changes.values() if (c.account_id, c.state) == (account_id, "pending"))
        return next(pending, None)

    def is_contact_in_doubt(self, account_id: UUID, now: datetime) -> bool:
        account = self.accounts.get(account_id)
        if account is None:
            return False
        confirmed = [g for g in self.guardianships.values() if g.child_person_id == account.person_id]
        guardians = [g.account_id for g in confirmed if g.valid_until > now]
        if any(self.pending_contact_change(i) for i in (account_id, *guardians)):
            return True
        own = [
            c.asked_at for c in self.changes.values() if (c.account_id, c.state) == (account_id, "changed")
        ]
        given = max([self.people[account.person_id].verified_at, *own])
        for ended in (g for g in confirmed if g.valid_until <= now):
            guardian = self.accounts[ended.account_id]
            if account.phone == guardian.phone or account.email.casefold() == guardian.email.casefold():
                return True
            lasting = [self.accounts[i] for i in guardians]
            followed = any(one.is_reached_at(account.phone, account.email) for one in lasting)
            if given <= ended.confirmed_at and not followed:
                return True
        return False

    def end_contact_change(self, change_id: UUID, state: str, at: datetime) -> None:
        self.changes[change_id] = replace(self.changes[change_id], state=state)

    def save_account(self, account: Account, at: datetime) -> Account:
        known = self.account_of(account.person_id)
        saved = replace(account, id=known.id) if known else account
        self.accounts[saved.id] = saved
        return saved

    def account(self, account_id: UUID) -> Account | None:
        return self.accounts.get(account_id)

    def note_throttled_told(self, account_id: UUID, at: datetime, *, last_before: datetime) -> bool:
        told_at = self.throttled_told_at.get(account_id)
        if account_id not in self.accounts or (told_at is not None and told_at >= last_before):
            return False
        self.throttled_told_at[account_id] = at
        return True

    def account_of(self, person_id: UUID) -> Account | None:
        return next((a for a in self.accounts.values() if a.person_id == person_id), None)

    def account_named(self, user: str) -> Account | None:
        person_id = self.numbers.get(user)
        return self.account_of(person_id) if person_id else None

    def lock_account(self, account_id: UUID) -> None:
        self.locked.append(account_id)
        self.when_locked()

    # credentials and sessions

    def live_credentials(self, account_id: UUID) -> list[Credential]:
        live = [
            c
            for c in self.credentials.values()
            if c.account_id == account_id and c.state is not CredentialState.ENDED
        ]
        return live[::-1]

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
        ]

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
        if credential_id not in self.credentials or self.deliveries.get(credential_id) not in (None, "sent"):
            return False
        self.deliveries[credential_id] = state
        return True

    def delivery(self, credential_id: UUID) -> str | None:
        """For tests: how far the message came."""
        return self.deliveries.get(credential_id)

    def start_session(self, session: Session, credential_id: UUID, refresh_hash: bytes | None = None) -> bool:
        credential = self.credentials.get(credential_id)
        if credential is None or credential.account_id != session.account.id:
            return False
        if credential.state is CredentialState.ENDED:
            return False
        self.sessions[session.id] = session
        if refresh_hash is not None:
            self.save_refresh(Refresh(session.id, session.started_at, refresh_hash, session.started_at))
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

    def _issued_at(self, session: Session) -> datetime:
        refresh = self.refreshes.get(session.id)
        return refresh.refreshed_at if refresh else session.started_at

    def last_cause_by_sms(self, account_id: UUID) -> str | None:
        causes = [
            cause
            for (owner, cause), credential_id in self.causes.items()
            if owner == account_id
            and self.credentials[credential_id].valid_until is not None
            and self.credentials[credential_id].channel != "voice"
        ]
        return causes[-1] if causes else None

    # the hotline

    def add_hotline_key(self, key: HotlineKey) -> None:
        if key.id in self.keys:
            raise HotlineKeyTaken
        self.keys[key.id] = key

    def hotline_key(self, key_id: str) -> HotlineKey | None:
        key = self.keys.get(key_id)
        return key if key and key.disabled_at is None else None

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

    # devices

    def save_device(self, device: Device) -> None:
        self.devices[device.id] = device

    def device(self, device_id: UUID) -> Device | None:
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

    # resets by e-mail

    def add_email_reset(self, reset: EmailReset) -> None:
        self.resets[reset.id] = reset

    def email_reset(self, reset_id: UUID, *, to_change: bool = False) -> EmailReset | None:
        return self.resets.get(reset_id)

    def save_email_reset(self, reset: EmailReset) -> None:
        self.resets[reset.id] = reset

    def email_resets_sent(self, account_id: UUID, *, email_given: bool, since: datetime) -> int:
        sent = [r for r in self.resets.values() if (r.account_id, r.email_given) == (account_id, email_given)]
        return sum(reset.asked_at > since for reset in sent)

    def email_resets_of(self, account_id: UUID, limit: int) -> list[tuple[datetime, datetime | None]]:
        found = [(r.asked_at, r.used_at) for r in self.resets.values() if r.account_id == account_id]
        return sorted(found, key=lambda times: times[0], reverse=True)[:limit]

    def forget_email_reset(self, reset_id: UUID) -> None:
        self.resets.pop(reset_id, None)

    # staff

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

    def disable_staff(self, user: str) -> UUID | None:
        staff = self.staff.get(user)
        if staff is None:
            return None
        self.disabled.add(user)
        self._end_staff_sessions(staff.id)
        return staff.id

    def _end_staff_sessions(self, staff_id: UUID) -> None:
        sessions = self.staff_sessions.items()
        self.staff_sessions = {token: held for token, held in sessions if held[0] != staff_id}

    def begin_totp(self, staff_id: UUID, seed: bytes) -> bool:
        staff = self._staff(staff_id)
        if staff.totp_last_step is not None:
            return False
        self.staff[staff.user] = replace(staff, totp_seed=seed)
        return True

    def use_totp(self, staff_id: UUID, seed: bytes, step: int) -> bool:
        staff = self._staff(staff_id)
        is_used = staff.totp_last_step is not None and staff.totp_last_step >= step
        if is_used or staff.totp_seed != seed:
            return False
        self.staff[staff.user] = replace(staff, totp_last_step=step)
        return True

    def reset_totp(self, user: str) -> UUID | None:
        staff = self.staff.get(user)
        if staff is None:
            return None
        self.staff[user] = replace(staff, totp_seed=None, totp_last_step=None)
        self._end_staff_sessions(staff.id)
        return staff.id

    def _staff(self, staff_id: UUID) -> StaffAccount:
        return next(staff for staff in self.staff.values() if staff.id == staff_id)

    def start_staff_session(
        self, token_hash: bytes, staff_id: UUID, started_at: datetime, expires_at: datetime
    ) -> None:
        self.staff_sessions[token_hash] = (staff_id, expires_at)

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

    # the trail

    def last_row_and_moment(self) -> tuple[int, str]:
        return len(self.audit), "1"

    def have_ended_before(self, moment: str) -> bool:
        return True

    def lock_seals(self) -> None:
        pass

    def last_seal(self) -> Seal | None:
        return self.seals[-1] if self.seals else None

    def seal(self, sequence: int) -> Seal | None:
        return next((seal for seal in self.seals if seal.sequence == sequence), None)

    def seals_after(self, sequence: int, limit: int) -> list[Seal]:
        return [seal for seal in self.seals if seal.sequence > sequence][:limit]

    def trail(self, *, after: int, until: int, limit: int) -> list[TrailRow]:
        rows = [
            TrailRow(id, entry.at, entry.staff_id, entry.action, entry.case_id, json.dumps(entry.details))
            for id, entry in enumerate(self.audit, 1)
        ]
        return [row for row in rows if after < row.id <= until][:limit]

    def add_seal(self, seal: Seal) -> None:
        self.seals.append(seal)

    # wrong tries

    def reached_by(self, kind: str, key: bytes, amount: int, *, since: datetime) -> datetime | None:
        times = sorted(at for *what, at in self.wrong_tries if what == [kind, key] and at > since)
        return times[-amount] if len(times) >= amount else None

    def add_wrong_try(self, kind: str, key: bytes, *, at: datetime, forget_before: datetime) -> None:
        self.wrong_tries = [row for row in self.wrong_tries if row[0] != kind or row[2] >= forget_before]
        self.wrong_tries.append((kind, key, at))
