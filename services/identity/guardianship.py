"""Who may act for a child: a parent or guardian whom an officer has confirmed, until the child is of age.

Part of the domain: standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Self
from uuid import UUID

from services.identity.domain import VIETNAM, Account, Applicant, Officer
from services.identity.refusals import RequestInvalid
from shared.refusals import FieldProblem, Refused

YEARS_OF_AGE = 18
"""Civil Code 91/2015, article 20: from then on a person is of age and acts alone."""


@dataclass(frozen=True)
class Guardianship:
    """That an officer has confirmed whose child it is: the guardian's account, the child, until when. That is
    when the child comes of age, or when an officer ended it, for ``end_reason``."""

    account_id: UUID
    child_person_id: UUID
    relation: str
    confirmed_by: UUID
    confirmed_at: datetime
    valid_until: datetime
    end_reason: str | None = None
    end_note: str | None = field(default=None, repr=False)
    ended_by: UUID | None = None

    def lasts(self, now: datetime) -> bool:
        """Whether the guardian acts for the child."""
        return now < self.valid_until

    def after_confirmation(self, now: datetime) -> datetime:
        """Now; always after it was confirmed, whatever the clocks of two hosts say."""
        return max(now, self.confirmed_at + timedelta(microseconds=1))

    def ended(self, officer: Officer, reason: str, note: str | None, now: datetime) -> Self:
        """Over from now on (``after_confirmation``)."""
        over = self.after_confirmation(now)
        return replace(self, valid_until=over, end_reason=reason, end_note=note, ended_by=officer.id)


END_REASONS = ("came_of_age", "custody_changed", "confirmed_in_error")
LONGEST_NOTE = 500


def ending_of(reason: str, note: str) -> tuple[str, str | None]:
    """Why a guardianship ends, one of ``END_REASONS``, and the officer's note, which stays at the agency.
    Raises ``RequestInvalid``."""
    kept, problems = " ".join(note.split()), []
    if reason not in END_REASONS:
        reasons = ", ".join(END_REASONS)
        problems.append(FieldProblem("reason", f"Chọn một trong: {reasons}.", f"Choose one of: {reasons}."))
    if len(kept) > LONGEST_NOTE:
        problems.append(
            FieldProblem(
                "note", f"Ghi tối đa {LONGEST_NOTE} ký tự.", f"Write {LONGEST_NOTE} characters at the most."
            )
        )
    if problems:
        raise RequestInvalid(*problems)
    return reason, kept or None


def whose_contact(child: Applicant, guardians: Sequence[Account]) -> Account | None:
    """Of the guardians whose guardianship lasts, in the order in which they were confirmed, the one at whose
    contact the child is reached: that at which it is, else the first. None where there is no guardian."""
    reached = [guardian for guardian in guardians if guardian.is_reached_at(child.phone, child.email)]
    return next(iter([*reached, *guardians]), None)


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


class GuardianshipUnknown(Refused):
    """The case made nobody a guardian."""

    vi = "Hồ sơ này không xác nhận quan hệ giám hộ nào."
    en = "No guardianship was confirmed by this case."


class GuardianshipOver(Refused):
    """Who registered the child by this case acts for it no more."""

    vi = "Quan hệ giám hộ của hồ sơ này đã chấm dứt; người giám hộ hiện nay nhận theo hồ sơ của mình."
    en = "The guardianship of this case has ended; who is the guardian now is served by the own case."


class ChildUnknown(Refused):
    """No child for whom the caller is a guardian now: whether there is such a child is not told."""

    vi = "Không tìm thấy trẻ này, hoặc bạn không (còn) là người giám hộ."
    en = "There is no such child, or you are not (any more) its guardian."
