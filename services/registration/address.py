"""Addresses of two levels, and of three as they were until June 2025, which are turned into the new ones.

Part of the domain: standard library only. Since 1 July 2025 there are provinces and communes and no
districts. Whoever knows an old address only gives that: where its commune went into one of today's, that is
filled in; where it was divided, the citizen chooses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Protocol

from services.registration.form import Form, Wrong, matches

LAST_DAY_OF_DISTRICTS = date(2025, 6, 30)
LONGEST_STREET, LONGEST_DISTRICT = 200, 100


@dataclass(frozen=True)
class AdministrativeUnit:
    """A province, a commune of the province ``parent``; of earlier days also a district, and its communes.

    In force from ``valid_from`` to ``valid_to``, both included; ``None`` is since ever and until further
    notice. ``successors`` are the codes of today's units that hold what was its ground; ``latitude`` and
    ``longitude``, in degrees, are its middle.
    """

    code: str
    name: str
    kind: str
    parent: str | None
    valid_from: date | None = None
    valid_to: date | None = None
    successors: tuple[str, ...] = ()
    latitude: float | None = None
    longitude: float | None = None


class Places(Protocol):
    """Where units are looked up."""

    def administrative_unit(self, code: str, *, on: date) -> AdministrativeUnit | None:
        """The unit that had this code on that day."""


@dataclass(frozen=True)
class FormerAddress:
    """The codes of an address of three levels. Five islands had no communes: the district is the last."""

    province_code: str
    district_code: str
    commune_code: str | None = None


@dataclass(frozen=True)
class Address:
    """Where the citizen can be reached: today's province and commune. ``former`` is what was declared of
    before July 2025; ``district_name`` the district in words."""

    province_code: str
    commune_code: str
    street: str
    district_name: str | None = None
    former: FormerAddress | None = None

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Address:
        """Out of its JSON, or of what an event told; what more is there is left out."""
        own = {field.name: kept.get(field.name) for field in fields(cls)}
        former = kept.get("former")
        return cls(**{**own, "former": former and FormerAddress(**former)})


@dataclass(frozen=True)
class Finder:
    """The units of one day."""

    places: Places
    on: date

    def unit(self, code: str | None) -> AdministrativeUnit | None:
        return None if code is None else self.places.administrative_unit(code, on=self.on)


def address_in(form: Form, places: Places, today: date) -> Address:
    """The address in ``form``; what is wrong with it is noted there.

    Of today's codes those that ``former`` settles may be left out.
    """
    now = Finder(places, today)
    former, holders = former_address_in(form, places, now)
    settled = holders[0] if len(holders) == 1 and not form.has("commune_code") else None
    if settled is not None:
        province_code, commune_code = settled.parent, settled.code
    else:
        of_former = {unit.parent for unit in holders}
        known = of_former.pop() if len(of_former) == 1 and not form.has("province_code") else None
        province_code = known or form.take("province_code", province)
        commune_code = form.take("commune_code", lambda text: commune(text, province_code, now, holders))
    return Address(
        province_code=province_code,  # type: ignore[arg-type]  # None only beside a problem
        commune_code=commune_code,
        street=form.take("street", street),
        district_name=form.take("district_name", district_name, optional=True),
        former=former,
    )


def former_address_in(
    form: Form, places: Places, now: Finder
) -> tuple[FormerAddress | None, tuple[AdministrativeUnit, ...]]:
    """The three old codes, and the communes of today that hold that ground."""
    if not form.has("former"):
        return None, ()
    then, part = Finder(places, LAST_DAY_OF_DISTRICTS), form.part("former")
    province_code = part.take("province_code", lambda text: former_unit(text, then, r"\d{2}", None))
    district_code = part.take("district_code", lambda text: former_unit(text, then, r"\d{3}", province_code))
    has_no_communes = bool((found := then.unit(district_code)) and found.successors)
    commune_code = part.take(
        "commune_code",
        lambda text: former_unit(text, then, r"\d{5}", district_code),
        optional=has_no_communes,
    )
    last = then.unit(commune_code or district_code)
    holders = tuple(unit for code in (last.successors if last else ()) if (unit := now.unit(code)))
    return FormerAddress(province_code, district_code, commune_code), holders


def former_unit(text: str, then: Finder, pattern: str, parent: str | None) -> str:
    """The code of a unit of that time, within ``parent``; while that is wrong only its form is looked at."""
    code = text.strip()
    unit = then.unit(code) if matches(pattern, code) else None
    if unit is None or (parent is not None and unit.parent != parent):
        raise Wrong(
            "Chọn tỉnh, huyện, xã của địa chỉ cũ (trước 7/2025) trong danh sách.",
            "Choose province, district and commune of the old address (before July 2025) of the lists.",
        )
    return code


def province(text: str) -> str:
    if not matches(r"\d{2}", text.strip()):
        raise Wrong(
            "Chọn tỉnh, thành phố trong danh sách (mã 2 chữ số).",
            "Choose a province or city of the list (a code of 2 digits).",
        )
    return text.strip()


def commune(
    text: str, province_code: str | None, now: Finder, holders: tuple[AdministrativeUnit, ...]
) -> str:
    """A commune of the province; of a former one that was divided, ``holders`` are the choices."""
    code = text.strip()
    unit = now.unit(code) if matches(r"\d{5}", code) else None
    if unit is not None and province_code in (None, unit.parent):
        return code
    if len(holders) > 1:
        choices = ", ".join(f"{held.name} ({held.code})" for held in holders)
        raise Wrong(
            f"Xã, phường cũ đã được chia; chọn nơi ở hiện nay: {choices}.",
            f"The former commune was divided; choose where it is now: {choices}.",
        )
    raise Wrong(
        "Chọn xã, phường, đặc khu thuộc tỉnh, thành phố đã chọn (mã 5 chữ số).",
        "Choose a commune of the chosen province (a code of 5 digits).",
    )


def street(text: str) -> str:
    line = one_line(text, LONGEST_STREET)
    if line is None:
        raise Wrong(
            f"Nhập số nhà, đường, thôn xóm (1–{LONGEST_STREET} ký tự).",
            f"Enter house number, street or hamlet (1–{LONGEST_STREET} characters).",
        )
    return line


def district_name(text: str) -> str:
    line = one_line(text, LONGEST_DISTRICT)
    if line is None:
        raise Wrong(
            f"Tên quận, huyện cũ: 1–{LONGEST_DISTRICT} ký tự, hoặc bỏ trống.",
            f"The former district: 1–{LONGEST_DISTRICT} characters, or left out.",
        )
    return line


def one_line(text: str, longest: int) -> str | None:
    line = re.sub(r"\s+", " ", text).strip()
    return line if 1 <= len(line) <= longest and line.isprintable() else None


def in_words(address: Address, places: Places, today: date) -> dict[str, str | None]:
    """``text``, the address as people write it, and ``former_text``, what was declared of an old one."""
    return {
        "text": ", ".join([address.street, *names_upwards(address.commune_code, Finder(places, today))]),
        "former_text": None if address.former is None else former_in_words(address.former, places),
    }


def former_in_words(former: FormerAddress, places: Places) -> str:
    last = former.commune_code or former.district_code
    return ", ".join(names_upwards(last, Finder(places, LAST_DAY_OF_DISTRICTS)))


def names_upwards(code: str | None, finder: Finder) -> list[str]:
    """The name of a unit, of the one that holds it, and so on."""
    unit = finder.unit(code)
    return [] if unit is None else [unit.name, *names_upwards(unit.parent, finder)]


def conversion_disagrees(address: Address, places: Places) -> bool:
    """Whether the commune that was declared is none of those that hold the old one's ground."""
    if address.former is None:
        return False
    then = Finder(places, LAST_DAY_OF_DISTRICTS)
    last = then.unit(address.former.commune_code or address.former.district_code)
    return last is not None and address.commune_code not in last.successors
