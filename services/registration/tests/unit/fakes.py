"""Registrations and places kept in dictionaries: the twin of ``storage.py``, proven by the same suite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from services.registration.address import AdministrativeUnit
from services.registration.agency import Agency
from services.registration.claims import Claim
from services.registration.domain import Registration
from services.registration.retention import Emptied, Erasure, photos_of
from services.registration.storage import plain
from services.registration.tests.examples import Places, units_on
from services.registration.timeline import Progress
from services.registration.use_cases import CLOSED
from shared.testing.transactions import FakeTransaction

AGENCIES = [
    Agency("S001", "BHXH TP. Hà Nội – BHXH cơ sở Đống Đa", "01", "00235", "Phường Đống Đa", 21.0119, 105.822),
    Agency("S002", "BHXH TP. Hà Nội – BHXH cơ sở Tùng Thiện", "01", "09604", "Tùng Thiện", 21.1212, 105.458),
    Agency("S082", "BHXH TP. Hồ Chí Minh – BHXH cơ sở Sài Gòn", "79", "26740", "Sài Gòn", 10.78, 106.7),
]
MERGED = Agency(
    "S900", "BHXH TP. Hà Nội – BHXH cơ sở Cũ", "01", "00235", "Phường Đống Đa", 21.0, 105.8,
    valid_to=date(2026, 1, 31), successor="S001",
)  # fmt: skip


class FakeStorage:
    """``use_cases.Storage`` in memory. ``tx`` remembers what was added."""

    def __init__(self) -> None:
        self.tx = FakeTransaction()
        self.kept: dict[UUID, Registration] = {}
        self.claims: dict[UUID, Claim] = {}
        self.erasures: dict[UUID, Erasure] = {}
        self.proofs: dict[UUID, Emptied] = {}
        self.declarations = 0
        self.all_agencies = [*AGENCIES, MERGED]

    def add(self, registration: Registration) -> None:
        self.kept[registration.id] = registration

    def find(self, registration_id: UUID, *, to_change: bool = False) -> Registration | None:
        return self.kept.get(registration_id)

    def save(self, registration: Registration) -> None:
        self.kept[registration.id] = registration

    def progress(self, ids: Sequence[UUID]) -> dict[UUID, Progress]:
        return {held.id: progress_of(held, self) for i in ids if (held := self.kept.get(i))}

    def unsubmitted_of(self, numbers: Sequence[str], births: Sequence[str]) -> list[UUID]:
        return [
            held.id
            for held in self.kept.values()
            if held.submission is None
            and held.declaration is not None
            and {held.declaration.code, held.declaration.document.number} & set(numbers)
            and held.declaration.birth.value in births
        ]

    def unsubmitted_by(self, account_id: UUID) -> list[UUID]:
        drafts = [held for held in self.kept.values() if held.submission is None and held.erased_at is None]
        return [held.id for held in drafts if held.guardian and held.guardian.account_id == account_id]

    def photos_kept_of(self, registration_ids: Sequence[UUID]) -> int:
        held = [self.kept[i] for i in registration_ids]
        return sum(len(list(photos_of(one))) for one in held if one.erased_at is None)

    def objects_known(self, refs: Sequence[str]) -> set[str]:
        return {photo.ref for held in self.kept.values() for photo in photos_of(held)} & set(refs)

    def add_erasure(self, erasure: Erasure) -> None:
        self.erasures[erasure.request_id] = erasure

    def erasure(self, request_id: UUID) -> Erasure | None:
        return self.erasures.get(request_id)

    def applications_over(self, *, before: datetime, limit: int) -> list[UUID]:
        over = (
            held
            for held in self.kept.values()
            if held.status in CLOSED and held.submission is not None and held.erased_at is None
        )
        ended = sorted((held.timeline[-1].at, held.id) for held in over)
        return [found for at, found in ended if at <= before][:limit]

    def prove_emptied(self, emptied: Emptied) -> None:
        self.proofs.setdefault(emptied.registration_id, emptied)

    def emptied(self, registration_id: UUID) -> Emptied | None:
        return self.proofs.get(registration_id)

    def lock_claimed(self, values: Sequence[str]) -> None:
        pass

    def claims_on(self, values: Sequence[str]) -> list[Claim]:
        return [claim for claim in self.claims.values() if set(values) & set(claim.values)]

    def claim_of(self, registration_id: UUID) -> Claim | None:
        return self.claims.get(registration_id)

    def save_claim(self, claim: Claim) -> None:
        self.claims[claim.registration_id] = claim

    def free_claims(self, registration_id: UUID) -> None:
        self.claims.pop(registration_id, None)

    def next_declaration(self) -> int:
        self.declarations += 1
        return self.declarations

    def agency(self, code: str) -> Agency | None:
        return next((agency for agency in self.all_agencies if agency.code == code), None)

    def agencies(self, *, province_code: str | None, name_part: str | None, on: date) -> list[Agency]:
        return [
            agency
            for agency in self.all_agencies
            if province_code in (None, agency.province_code)
            and plain(name_part or "") in plain(agency.name)
            and agency.is_offered(on)
        ]

    def administrative_units(self, *, parent: str | None, on: date) -> list[AdministrativeUnit]:
        return sorted((unit for unit in units_on(on) if unit.parent == parent), key=lambda unit: unit.code)

    def administrative_unit(self, code: str, *, on: date) -> AdministrativeUnit | None:
        return Places().administrative_unit(code, on=on)


def progress_of(held: Registration, storage: FakeStorage) -> Progress:
    """What the timeline of a registration is made of."""
    agency = storage.agency(held.agency_code or "")
    return Progress(
        id=held.id,
        language=held.language,
        token_hash=held.token_hash,
        status=held.status,
        entries=held.timeline,
        deadline=held.submission and held.submission.deadline,
        close_requested=held.close_requested,
        agency=agency and agency.display_name,
        is_childs=held.guardian is not None,
        is_emptied=held.is_emptied,
    )
