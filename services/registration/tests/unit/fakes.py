"""Registrations and places kept in dictionaries: the twin of ``storage.py``, proven by the same suite."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.registration.domain import AdministrativeUnit, Agency, Registration
from services.registration.refusals import CodeTaken, PhoneTaken
from services.registration.storage import plain
from services.registration.timeline import Progress
from shared.testing.transactions import FakeTransaction

UNITS = [
    AdministrativeUnit("01", "Thành phố Hà Nội", "thành phố", None),
    AdministrativeUnit("79", "Thành phố Hồ Chí Minh", "thành phố", None),
    AdministrativeUnit("00004", "Phường Ba Đình", "phường", "01"),
    AdministrativeUnit("26740", "Phường Sài Gòn", "phường", "79"),
]
AGENCIES = [
    Agency("S001", "BHXH TP. Hà Nội – BHXH cơ sở Đống Đa", "01", "Phường Đống Đa", 21.0119, 105.822),
    Agency("S082", "BHXH TP. Hồ Chí Minh – BHXH cơ sở Sài Gòn", "79", "Phường Sài Gòn", 10.78, 106.7),
]


class FakeStorage:
    """``use_cases.Storage`` in memory. ``tx`` remembers what was added."""

    def __init__(self) -> None:
        self.tx = FakeTransaction()
        self.kept: dict[UUID, Registration] = {}
        self.claims: dict[UUID, tuple[str, str]] = {}
        self.declarations = 0

    def add(self, registration: Registration) -> None:
        self.kept[registration.id] = registration

    def find(self, registration_id: UUID, *, to_change: bool = False) -> Registration | None:
        return self.kept.get(registration_id)

    def save(self, registration: Registration) -> None:
        self.kept[registration.id] = registration

    def progress(self, ids: Sequence[UUID]) -> dict[UUID, Progress]:
        return {held.id: progress_of(held, self) for i in ids if (held := self.kept.get(i))}

    def claim(self, registration_id: UUID, *, phone: str, code: str) -> None:
        if phone in {held for held, _ in self.claims.values()}:
            raise PhoneTaken()
        if code in {held for _, held in self.claims.values()}:
            raise CodeTaken()
        self.claims[registration_id] = (phone, code)

    def free_claims(self, registration_id: UUID) -> None:
        self.claims.pop(registration_id, None)

    def next_declaration(self) -> int:
        self.declarations += 1
        return self.declarations

    def agency(self, code: str) -> Agency | None:
        return next((agency for agency in AGENCIES if agency.code == code), None)

    def agencies(self, *, province_code: str | None, name_part: str | None) -> list[Agency]:
        return [
            agency
            for agency in AGENCIES
            if province_code in (None, agency.province_code) and plain(name_part or "") in plain(agency.name)
        ]

    def administrative_units(self, *, parent: str | None) -> list[AdministrativeUnit]:
        return sorted((unit for unit in UNITS if unit.parent == parent), key=lambda unit: unit.code)

    def administrative_unit(self, code: str) -> AdministrativeUnit | None:
        return next((unit for unit in UNITS if unit.code == code), None)


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
    )
