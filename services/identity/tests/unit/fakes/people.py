"""People, their accounts and the changes of their contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity.domain import Account, ContactChange, Person
from services.identity.tests.unit.fakes.tables import FakeTables


class FakePeople(FakeTables):
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
        if known and not known.is_reached_at(account.phone, account.email):
            self.contact_since[saved.id] = at
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
