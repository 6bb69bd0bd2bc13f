"""The storage that a test of this folder is given: the fake, or the one on PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from services.identity.domain import Account, Person
from services.identity.storage import Storage
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW


class RealStorage(Storage):
    """The real one, with the look that tests take."""

    def audit_rows(self) -> list[tuple[str, UUID | None, dict[str, Any]]]:
        rows = self.tx.all("SELECT action, case_id, details FROM audit ORDER BY id")
        return [(row["action"], row["case_id"], row["details"]) for row in rows]


AnyStorage = RealStorage | FakeStorage


def person(storage: AnyStorage, **changes: Any) -> Person:
    saved = Person(uuid4(), samples.applicant(**changes), NOW)
    storage.save_person(saved)
    return saved


def account(storage: AnyStorage, **changes: Any) -> Account:
    return storage.save_account(samples.account(person(storage, **changes).id), NOW)
