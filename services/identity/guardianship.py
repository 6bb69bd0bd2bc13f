"""Who may act for a child: a parent or guardian whom an officer has confirmed, until the child is of age.

Part of the domain: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID

from services.identity.domain import VIETNAM, Account, Applicant
from shared.refusals import Refused

YEARS_OF_AGE = 18
"""Civil Code 91/2015, article 20: from then on a person is of age and acts alone."""


@dataclass(frozen=True)
class Guardianship:
    """That an officer has confirmed whose child it is: the guardian's account, the child, until when."""

    account_id: UUID
    child_person_id: UUID
    relation: str
    confirmed_by: UUID
    confirmed_at: datetime
    valid_until: datetime


@dataclass(frozen=True)
class Child:
    """A child as its guardian sees it."""

    guardianship: Guardianship
    applicant: Applicant


def of_age_at(birth_value: str) -> datetime:
    """When somebody comes of age: in Vietnam, as that day begins. Where the day of birth is not known, as the
    year after that one begins."""
    year, *month_and_day = (int(part) for part in birth_value.split("-"))
    if len(month_and_day) < 2:
        birthday = date(year + YEARS_OF_AGE + 1, 1, 1)
    elif month_and_day == [2, 29]:
        birthday = date(year + YEARS_OF_AGE, 3, 1)  # 18 years after a leap year there is none
    else:
        birthday = date(year + YEARS_OF_AGE, *month_and_day)
    return datetime.combine(birthday, time(), VIETNAM)


def see_that_is_of_age(account: Account, now: datetime) -> None:
    """Raises ``GuardianTooYoung``."""
    if now < of_age_at(account.birth_value):
        raise GuardianTooYoung


class GuardianTooYoung(Refused):
    """Whoever is not of age acts for nobody."""

    vi = "Chỉ cha, mẹ hoặc người giám hộ từ đủ 18 tuổi đăng ký cho trẻ."
    en = "Only a parent or guardian of 18 years or more registers a child."


class GuardianshipNotConfirmed(Refused):
    """A child is verified together with who may act for it."""

    vi = "Phải đối chiếu giấy khai sinh và xác nhận quan hệ giám hộ; không khớp thì từ chối, nêu lý do."
    en = "The birth certificate must show the guardianship; if it does not, reject with the reason."


class NotAChild(Refused):
    """The number is one of a verified person who is of age."""

    vi = "Mã số này là của một người đã thành niên đã được xác thực."
    en = "This number is of a verified person who is of age."


class ContactIsGuardians(Refused):
    """A child is reached at its guardian's contact, and follows it."""

    vi = "Tài khoản của trẻ dùng liên hệ của người giám hộ; hãy đổi liên hệ của người giám hộ."
    en = "A child's account has its guardian's contact; change the guardian's."
