"""Synthetic citizens, the same for the same seed, for tests, demo and benchmarks. None of them exists.

Each name carries "Thử" (a trial). Codes, numbers and phones are unique within a seed; two seeds meet as
rarely as two short stretches laid blindly on the whole range of numbers.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

from shared.testing import photos

Place = tuple[str, str]
"""A province code and a commune code in it."""

DEFAULT_PLACES: tuple[Place, ...] = (("01", "00004"), ("01", "00070"), ("79", "26740"))
CHILD_BORN = "2020-06-01"
MOBILE_PREFIXES = [32, 35, 38, 56, 58, 70, 77, 79, 81, 84, 86, 90, 93, 96, 97, 98]
BIRTH_PLACES = ["001", "024", "031", "037", "048", "052", "060", "077", "079", "092"]

FAMILY = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ"]
MIDDLE = {"male": ["Văn", "Đức", "Hữu", "Quốc", "Minh"], "female": ["Thị", "Ngọc", "Thuỳ", "Kim", "Diệu"]}
GIVEN = {
    "male": ["An", "Bình", "Cường", "Dũng", "Đạt", "Hiếu", "Khôi", "Long", "Nghĩa", "Phúc", "Sơn"],
    "female": ["Ánh", "Chi", "Dung", "Hạnh", "Hương", "Lan", "Mỹ", "Nguyệt", "Oanh", "Yến"],
}
EMPLOYERS = (
    "Công ty Thử Nghiệm Sông Hồng",
    "Xí nghiệp May Mẫu Số 3",
    "Trường Tiểu học Giả Định",
    "Bệnh viện Đa khoa Ví Dụ",
)
JOB_TITLES = ("Công nhân may", "Kế toán viên", "Giáo viên", "Điều dưỡng", "Kỹ sư", "Nhân viên kho")
WORKPLACES = ("Hà Nội", "Hải Phòng", "Đà Nẵng", "Thành phố Hồ Chí Minh", "Cần Thơ")
ALL_FUNDS = ("BHXH", "BHYT", "BHTN", "BHTNLĐ-BNN")

SPREADING_PRIMES = (2_654_435_761, 1_640_531_513, 982_451_653, 776_531_401, 3_367_900_313)
ADULT_ON = date(2007, 1, 1)  # everybody is born in the 55 years before it
LAST_MONTH = (2025, 12)


@dataclass(frozen=True)
class Participation:
    """One stretch of insured work. Months are ``yyyy-mm``, both included; ``salary_base`` in VND a month."""

    from_month: str
    to_month: str
    employer: str
    job_title: str
    workplace: str
    salary_base: int
    funds: tuple[str, ...]


@dataclass(frozen=True)
class Citizen:
    """One person. ``birth`` is ``yyyy-mm-dd``, or ``yyyy-mm`` or ``yyyy`` where no more is known;
    ``phone`` is national (``0…``); ``cmnd`` is the old 9-digit card that older people have."""

    code: str
    personal_number: str
    cmnd: str | None
    full_name: str
    sex: Literal["male", "female"]
    birth: str
    phone: str
    email: str
    province_code: str
    commune_code: str
    street: str
    participation: tuple[Participation, ...]

    @property
    def phone_e164(self) -> str:
        return "+84" + self.phone[1:]

    @property
    def birth_precision(self) -> str:
        return {4: "year", 7: "month", 10: "day"}[len(self.birth)]

    def declaration(self) -> dict[str, Any]:
        """The body of ``PUT /v1/registrations/{id}/declaration``."""
        return {
            "code": self.code,
            "full_name": self.full_name,
            "birth": {"precision": self.birth_precision, "value": self.birth},
            "sex": self.sex,
            "document": {"kind": "cccd", "number": self.personal_number},
            "phone": self.phone,
            "address": {
                "province_code": self.province_code,
                "commune_code": self.commune_code,
                "street": self.street,
            },
        }

    def register_row(self) -> dict[str, Any]:
        """A line of the stand-in population register's citizens file."""
        row = {
            "personalNumber": self.personal_number,
            "fullName": self.full_name,
            "birthDate": self.birth,
            "code": self.code,
        }
        return row if self.cmnd is None else row | {"cmnd": self.cmnd}

    def participation_rows(self) -> list[dict[str, Any]]:
        """The stretches of insured work, oldest first, each with the person's code."""
        return [{"code": self.code, **vars(row), "funds": list(row.funds)} for row in self.participation]


def generate(count: int, *, seed: int, places: Sequence[Place] = DEFAULT_PLACES) -> list[Citizen]:
    """``count`` people, up to a million, in ``places``. A greater count does not change the first ones."""
    start = random.Random(f"citizens {seed}").randrange(10**12)
    return [
        _citizen(random.Random(f"citizen {seed} {index}"), start + index, places) for index in range(count)
    ]


def as_child(citizen: Citizen) -> Citizen:
    """The same person, born later: a child until 2034."""
    return replace(citizen, birth=CHILD_BORN)


def _citizen(rng: random.Random, position: int, places: Sequence[Place]) -> Citizen:
    sex: Literal["male", "female"] = rng.choice(("male", "female"))
    born = ADULT_ON - timedelta(days=rng.randrange(1, 55 * 365))
    family, given = rng.choice(FAMILY), rng.choice(GIVEN[sex])
    code = f"{_spread(position, 10**10, key=0):010}"
    province_code, commune_code = rng.choice(places)
    return Citizen(
        code=code,
        personal_number=_personal_number(rng, position, sex, born),
        cmnd=f"{_spread(position, 10**9, key=1):09}" if born.year < 1985 else None,
        full_name=f"{family} {rng.choice(MIDDLE[sex])} Thử {given}",
        sex=sex,
        birth=born.isoformat()[: rng.choices((10, 7, 4), weights=(16, 1, 3))[0]],
        phone=_phone(position),
        email=f"{_ascii(given)}.{_ascii(family)}.{_spread(position, 10**9, key=2)}@example.org".lower(),
        province_code=province_code,
        commune_code=commune_code,
        street=f"Số {rng.randrange(1, 400)}, ngõ {rng.randrange(1, 90)}, phố Giả Định",
        participation=_participation(rng, born.year),
    )


def _spread(position: int, size: int, *, key: int) -> int:
    """Neighbours far apart, none twice: multiplying by a prime permutes the numbers below ``size``,
    which has no other factors than 2 and 5. Another key, another order."""
    return position * SPREADING_PRIMES[key] % size


def _personal_number(rng: random.Random, position: int, sex: str, born: date) -> str:
    """Place of birth, century and sex, year, and six digits without a meaning."""
    century_and_sex = 2 * (born.year // 100 - 19) + (sex == "female")
    return (
        f"{rng.choice(BIRTH_PLACES)}{century_and_sex}{born.year % 100:02}{_spread(position, 10**6, key=3):06}"
    )


def _phone(position: int) -> str:
    prefix, rest = divmod(_spread(position, 10**7 * len(MOBILE_PREFIXES), key=4), 10**7)
    return f"0{MOBILE_PREFIXES[prefix]}{rest:07}"


def _participation(rng: random.Random, born_year: int) -> tuple[Participation, ...]:
    """One to four stretches that do not overlap, from the age of 19 on, none later than ``LAST_MONTH``."""
    month = (born_year + 19) * 12 + rng.randrange(12)
    end = LAST_MONTH[0] * 12 + LAST_MONTH[1] - 1
    rows: list[Participation] = []
    for _ in range(rng.randrange(1, 5)):
        last = min(month + rng.randrange(6, 72), end)
        if month > last:
            break
        rows.append(
            Participation(
                from_month=_month(month),
                to_month=_month(last),
                employer=rng.choice(EMPLOYERS),
                job_title=rng.choice(JOB_TITLES),
                workplace=rng.choice(WORKPLACES),
                salary_base=rng.randrange(3_500, 36_000) * 1_000,
                funds=ALL_FUNDS[: rng.choice((2, 3, 4))],
            )
        )
        month = last + 1 + rng.randrange(0, 14)
    return tuple(rows)


def _month(months: int) -> str:
    return f"{months // 12:04}-{months % 12 + 1:02}"


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
    return plain.encode("ascii", "ignore").decode()


def portrait_jpeg(citizen: Citizen) -> bytes:
    """A portrait 4x6, sharp, another for each citizen."""
    return photos.portrait(citizen.code)


def id_card_jpeg(citizen: Citizen, side: Literal["front", "back"]) -> bytes:
    """One side of an ID card, marked as a specimen, with the citizen's number on it; sharp."""
    name = _ascii(citizen.full_name)
    if side == "front":
        return photos.id_card_front(citizen.code, [citizen.personal_number, name, citizen.birth, citizen.sex])
    machine_readable = f"{name.upper().replace(' ', '<')}<<<"
    return photos.id_card_back(citizen.code, [f"IDVNM{citizen.personal_number[3:]}<<<", machine_readable])


def birth_certificate_jpeg(citizen: Citizen) -> bytes:
    """A birth certificate, marked as a specimen, with the citizen's name and date of birth on it; sharp."""
    lines = [_ascii(citizen.full_name), citizen.birth, citizen.sex, citizen.personal_number]
    return photos.birth_certificate(citizen.code, lines)
