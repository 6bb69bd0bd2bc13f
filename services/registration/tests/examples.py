"""Registrations at each of their stages, of people who do not exist."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from services.registration.address import LAST_DAY_OF_DISTRICTS, AdministrativeUnit
from services.registration.declaration import Declaration, declare
from services.registration.domain import Check, EmailOtp, Photo, Registration
from services.registration.submission import Submission

TODAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
TOKEN_HASH = bytes(range(32))

FORM: dict[str, Any] = {
    "code": "0123456789",
    "full_name": "Nguyễn Thị Thử Lan",
    "birth": {"precision": "day", "value": "1990-05-17"},
    "sex": "female",
    "document": {"kind": "cccd", "number": "001190123456"},
    "phone": "0912345678",
    "address": {"province_code": "01", "commune_code": "00004", "street": "Số 1, phố Giả Định"},
}


def form(**changes: Any) -> dict[str, Any]:
    """The form with some fields changed, named as in a refusal: ``document__number=…``."""
    changed = copy.deepcopy(FORM)
    for name, value in changes.items():
        *parts, last = name.split("__")
        at = changed
        for part in parts:
            at = at[part]
        at[last] = value
    return changed


OLD = {"valid_to": LAST_DAY_OF_DISTRICTS}
NEW = {"valid_from": date(2025, 7, 1)}
UNITS = [
    AdministrativeUnit("01", "Thành phố Hà Nội", "thành phố", None, **NEW),
    AdministrativeUnit("79", "Thành phố Hồ Chí Minh", "thành phố", None, **NEW),
    AdministrativeUnit("00004", "Phường Ba Đình", "phường", "01", latitude=21.0386, longitude=105.838, **NEW),
    AdministrativeUnit("00008", "Phường Ngọc Hà", "phường", "01", latitude=21.0381, longitude=105.816, **NEW),
    AdministrativeUnit("26732", "Đặc khu Côn Đảo", "đặc khu", "79", **NEW),
    AdministrativeUnit("26740", "Phường Sài Gòn", "phường", "79", **NEW),
    AdministrativeUnit("01", "Thành phố Hà Nội", "thành phố", None, successors=("01",), **OLD),
    AdministrativeUnit("77", "Tỉnh Bà Rịa - Vũng Tàu", "tỉnh", None, successors=("79",), **OLD),
    AdministrativeUnit("001", "Quận Ba Đình", "quận", "01", **OLD),
    AdministrativeUnit("755", "Huyện Côn Đảo", "huyện", "77", successors=("26732",), **OLD),
    AdministrativeUnit("00004", "Phường Trúc Bạch", "phường", "001", successors=("00004",), **OLD),
    AdministrativeUnit("00022", "Phường Đội Cấn", "phường", "001", successors=("00004", "00008"), **OLD),
]
"""Today's units, and those of before July 2025."""


class Places:
    """The units of the examples."""

    def administrative_unit(self, code: str, *, on: date) -> AdministrativeUnit | None:
        return next((unit for unit in units_on(on) if unit.code == code), None)


def units_on(day: date) -> list[AdministrativeUnit]:
    return [unit for unit in UNITS if (unit.valid_from or day) <= day <= (unit.valid_to or day)]


def declared(**changes: Any) -> Declaration:
    return declare(form(**changes), today=TODAY, places=Places())


def photo(kind: str) -> Photo:
    return Photo(kind, f"photos/{uuid4().hex}", "0" * 64, 1000)


def otp(email: str = "lan@example.org", **changes: Any) -> EmailOtp:
    values = {
        "keyed_hash": "right",
        "email": email,
        "valid_until": NOW + timedelta(minutes=10),
        "tries_left": 5,
    }
    return EmailOtp(**(values | changes))


def draft(**changes: Any) -> Registration:
    return Registration(**({"id": uuid4(), "language": "vi", "token_hash": TOKEN_HASH} | changes))


def complete(
    outcome: str = "matched", form_changes: dict[str, Any] | None = None, **changes: Any
) -> Registration:
    """A draft that lacks nothing; with the photos that the register's answer asks for."""
    kinds = ("portrait",) if outcome == "matched" else ("portrait", "id_front", "id_back")
    values = {
        "declaration": declared(**(form_changes or {})),
        "check": Check(UUID(int=7), outcome),
        "photos": tuple(photo(kind) for kind in kinds),
        "agency_code": "S001",
        "email": "lan@example.org",
        "email_verified": True,
    }
    return draft(**(values | changes))


def submitted(outcome: str = "matched") -> Registration:
    submission = Submission("TK-2026-000000001", NOW, NOW + timedelta(days=30), "2026-01")
    return complete(outcome).submitted(submission)
