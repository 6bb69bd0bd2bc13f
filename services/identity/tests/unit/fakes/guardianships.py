"""Who is whose guardian."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.domain import Account
from services.identity.guardianship import Child, Guardianship
from services.identity.tests.unit.fakes.tables import FakeTables


class FakeGuardianships(FakeTables):
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
