"""What the use cases need of a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol
from uuid import UUID

from services.registration import claims, erasure
from services.registration.address import AdministrativeUnit
from services.registration.agency import Agency
from services.registration.domain import Registration
from services.registration.timeline import Progress
from shared.messaging.outbox import Transaction


class Storage(claims.Claims, erasure.Storage, Protocol):
    """Where registrations are kept. ``storage.py`` is the real one, ``tests/unit/fakes.py`` its twin."""

    @property
    def tx(self) -> Transaction: ...

    def add(self, registration: Registration) -> None: ...
    def find(self, registration_id: UUID, *, to_change: bool = False) -> Registration | None:
        """``to_change`` holds it until the transaction ends."""

    def save(self, registration: Registration) -> None: ...
    def progress(self, ids: Sequence[UUID]) -> dict[UUID, Progress]:
        """What the timelines of these are made of, by id."""

    def next_declaration(self) -> int: ...
    def agency(self, code: str) -> Agency | None: ...
    def agencies(self, *, province_code: str | None, name_part: str | None, on: date) -> list[Agency]:
        """Those offered that day, by code; ``name_part`` is found whatever its case and diacritics."""

    def administrative_units(self, *, parent: str | None, on: date) -> list[AdministrativeUnit]:
        """The provinces, or what ``parent`` held that day, in order of code."""

    def administrative_unit(self, code: str, *, on: date) -> AdministrativeUnit | None: ...
