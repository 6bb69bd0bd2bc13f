"""Cases and their one ending, people and their credentials: the rules, without a clock or a database."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.refusals import FieldProblem, Refused

# --- the population register ---------------------------------------------------------------------


class Outcome(StrEnum):
    """What the register said, or why it said nothing."""

    MATCHED = "matched"
    MISMATCHED = "mismatched"
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    UNAUTHORISED = "unauthorised"
    UNAVAILABLE = "unavailable"

    @property
    def answered(self) -> bool:
        """Whether the register decided. Being refused by it, or not reaching it, is never a mismatch."""
        return self not in (Outcome.UNAUTHORISED, Outcome.UNAVAILABLE)

    @property
    def told(self) -> str:
        """All that may leave the service: never which field was wrong, nor that a person does not exist."""
        if self is Outcome.MATCHED:
            return "matched"
        return "photos_needed" if self.answered else "unavailable"


@dataclass(frozen=True)
class RegisterAnswer:
    """An outcome and, for the officer's eyes only, the fields that differ."""

    outcome: Outcome
    mismatched_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What the register is asked: one person, by the number of one document."""

    request_id: UUID
    full_name: str
    birth_value: str  # yyyy-mm-dd, yyyy-mm or yyyy
    document_kind: str  # cccd, cmnd or passport
    document_number: str
    personal_number: str | None = None


@dataclass(frozen=True)
class RegisterCheck:
    """The record of one question: who asked, what for, when. Nothing of the person asked about."""

    request_id: UUID
    registration_id: UUID
    purpose: str
    asker: str
    at: datetime


# --- cases ---------------------------------------------------------------------------------------


class CaseStatus(StrEnum):
    """A case waits for the officer until it gets exactly one ending."""

    WAITING = "waiting"
    VERIFIED = "verified"
    REJECTED = "rejected"
    CLOSED = "closed"


@dataclass(frozen=True)
class Applicant:
    """What the citizen declared, as the officer compares it with the papers."""

    code: str
    personal_number: str | None
    full_name: str
    birth_precision: str
    birth_value: str
    sex: str | None
    document_kind: str
    document_number: str
    phone: str
    email: str
    address: Mapping[str, Any]

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers that stand for this person: the code, the personal number and the CCCD's number,
        which is the personal number."""
        cccd = self.document_number if self.document_kind == "cccd" else None
        return tuple(sorted({n for n in (self.code, self.personal_number, cccd) if n}))


@dataclass(frozen=True)
class Photo:
    """A photo of the application, by reference into the object store."""

    kind: str
    ref: str
    sha256: str


@dataclass(frozen=True)
class Case:
    """One application, waiting for an officer of one agency or ended. ``traceparent`` is the trace of its
    submission, in which its ending is told: the visit may be weeks later, in a request of somebody else."""

    id: UUID
    registration_id: UUID
    declaration_number: str
    agency_code: str
    applicant: Applicant
    photos: tuple[Photo, ...]
    register: RegisterAnswer
    warnings: tuple[str, ...]
    deadline: datetime
    language: str
    opened_at: datetime
    status: CaseStatus = CaseStatus.WAITING
    traceparent: str | None = None

    @property
    def search_text(self) -> str:
        """What an officer's search looks in."""
        person = self.applicant
        return folded(" ".join((person.full_name, *person.numbers, person.phone, self.declaration_number)))

    def photo(self, kind: str) -> Photo:
        """Raises ``PhotoUnknown``."""
        for photo in self.photos:
            if photo.kind == kind:
                return photo
        raise PhotoUnknown


@dataclass(frozen=True)
class Ending:
    """How a case ended, and by whose hand: a member of staff, or nobody (closed on request)."""

    status: CaseStatus
    at: datetime
    staff_id: UUID | None = None
    reason: str | None = None


def folded(text: str) -> str:
    """For searching: lower case, without Vietnamese marks, spaces collapsed."""
    bare = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    return " ".join("".join(c for c in bare if not unicodedata.combining(c)).split())


def same_name(one: str, other: str) -> bool:
    """Names compare NFC, case-folded, spaces collapsed, tone placement (òa, oà) equal; diacritics count."""
    return _name_key(one) == _name_key(other)


TONES = "\u0300\u0301\u0303\u0309\u0323"


def _name_key(name: str) -> list[tuple[str, str]]:
    """Each word as its letters and its tone, wherever the tone was written."""
    words = unicodedata.normalize("NFD", name.casefold()).split()
    return [("".join(c for c in w if c not in TONES), "".join(c for c in w if c in TONES)) for w in words]


def reason_of_rejection(text: str) -> str:
    """The reason as it is told to the citizen, 10 to 500 characters. Raises ``ReasonMissing``."""
    reason = " ".join(text.split())
    if not 10 <= len(reason) <= 500:
        raise ReasonMissing(
            FieldProblem("reason", "Ghi lý do từ 10 đến 500 ký tự.", "Give a reason of 10 to 500 characters.")
        )
    return reason


# --- people and accounts -------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """Somebody whose identity an officer confirmed, once, for life."""

    id: UUID
    applicant: Applicant
    verified_at: datetime


@dataclass(frozen=True)
class Account:
    """How a verified person logs in, and where messages go."""

    id: UUID
    person_id: UUID
    code: str
    full_name: str
    birth_value: str
    phone: str
    email: str
    language: str


def is_known_contact(account: Account, person: Person, applicant: Applicant) -> bool:
    """Whether a verified person registers again as itself: same contact, name, birth date and document.
    Anything else is a change, and changes are made at the desk."""
    known = person.applicant
    return (
        (applicant.phone, applicant.email.casefold()) == (account.phone, account.email.casefold())
        and same_name(applicant.full_name, known.full_name)
        and applicant.birth_value == known.birth_value
        and (applicant.document_kind, applicant.document_number)
        == (known.document_kind, known.document_number)
    )


class CredentialState(StrEnum):
    """``issued`` is a first password, good for nothing but choosing one's own, which is ``active``."""

    ISSUED = "issued"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True)
class Credential:
    """A password of an account. An account has at most one issued and one active at a time."""

    id: UUID
    account_id: UUID
    state: CredentialState
    password_hash: str = field(repr=False)
    valid_until: datetime | None = None  # of an issued one


def registration_of(cause: str) -> UUID:
    """The registration for which a first password was made."""
    return UUID(cause.partition(" ")[0])


def cause_of_replacement(cause: str, at_most: int) -> str | None:
    """What a first password is made for: a registration, and, when it replaces one that did not arrive, the
    how-manieth replacement it is (``<registration>``, ``<registration> 1``, …). None after ``at_most``."""
    registration_id, _, number = cause.partition(" ")
    following = int(number or 0) + 1
    return f"{registration_id} {following}" if following <= at_most else None


@dataclass(frozen=True)
class Session:
    """One log-in. ``ended_at`` is set when the password it began with was replaced."""

    id: UUID
    account: Account
    scope: str
    started_at: datetime
    ended_at: datetime | None = None

    @property
    def must_change_password(self) -> bool:
        """Whether this session may do nothing but choose a password."""
        return self.scope == SCOPE_PASSWORD_CHANGE


SCOPE_CITIZEN = "citizen"
SCOPE_PASSWORD_CHANGE = "password_change"  # noqa: S105  a scope, not a password


@dataclass(frozen=True)
class Claims:
    """What an access token says, once its signature, issuer and expiry are verified."""

    account_id: UUID
    code: str
    scope: str
    session_id: UUID


def scope_of(credential: Credential, now: datetime) -> str:
    """What a log-in with this credential allows. Raises ``FirstPasswordExpired``."""
    if credential.state is CredentialState.ACTIVE:
        return SCOPE_CITIZEN
    if credential.valid_until is not None and now >= credential.valid_until:
        raise FirstPasswordExpired
    return SCOPE_PASSWORD_CHANGE


SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 128


def normalised_password(password: str) -> str:
    """The same letters typed on another phone are the same password (NFC)."""
    return unicodedata.normalize("NFC", password)


def check_new_password(new: str, *, old: str, account: Account, common: Collection[str]) -> None:
    """Raises ``PasswordTooWeak`` with what would be right: 8 to 128 characters, not the old one, not made
    of the account's own data, not one of the common ones."""
    problem = _weakness(normalised_password(new), normalised_password(old), account, common)
    if problem:
        vi, en = problem
        raise PasswordTooWeak(FieldProblem("new_password", vi, en))


def _weakness(new: str, old: str, account: Account, common: Collection[str]) -> tuple[str, str] | None:
    if not SHORTEST_PASSWORD <= len(new) <= LONGEST_PASSWORD:
        return "Mật khẩu dài từ 8 đến 128 ký tự.", "A password has 8 to 128 characters."
    if new == old:
        return "Mật khẩu mới phải khác mật khẩu cũ.", "The new password must differ from the old one."
    plain = _letters(new)
    if plain in _own_data(account):
        return (
            "Không dùng mã số, số điện thoại, họ tên hay ngày sinh làm mật khẩu.",
            "Your code, phone, name or birth date cannot be the password.",
        )
    if len(set(plain)) < 4 or plain in common or new.casefold() in common:
        return "Mật khẩu này quá dễ đoán.", "This password is too easy to guess."
    return None


def _letters(text: str) -> str:
    """Letters and digits only, unmarked and in lower case: ``Trần An 1990`` is ``tranan1990``."""
    return "".join(c for c in folded(text) if c.isalnum())


def _own_data(account: Account) -> frozenset[str]:
    """What a stranger who knows the citizen tries first."""
    local = account.phone.removeprefix("+84")
    name = _letters(account.full_name)
    parts = account.birth_value.split("-")
    birth = {"".join(parts), "".join(reversed(parts))}
    joined = {name + b for b in birth} | {name + parts[0]}
    return frozenset({account.code, local, "0" + local, "84" + local, name} | birth | joined)


# --- staff ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Officer:
    """A member of staff who is logged in."""

    id: UUID
    agency_code: str


@dataclass(frozen=True)
class StaffAccount:
    """A member of staff as log-in needs it."""

    id: UUID
    user: str
    name: str
    agency_code: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True)
class AuditEntry:
    """One read or act of a member of staff; never changed afterwards."""

    at: datetime
    staff_id: UUID
    action: str
    case_id: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


# --- refusals ------------------------------------------------------------------------------------


class RequestInvalid(Refused):
    """A call of the wrong shape."""

    vi = "Yêu cầu không hợp lệ; xem từng mục."
    en = "The request is not valid; see each field."


class LogInFailed(Refused):
    """Unknown user and wrong password look the same."""

    vi = "Mã số hoặc mật khẩu không đúng."
    en = "The code or the password is wrong."


class FirstPasswordExpired(Refused):
    """Told only to somebody who knew the right password."""

    vi = "Mật khẩu cấp lần đầu đã hết hạn. Xin yêu cầu cấp lại mật khẩu."
    en = "The first password has expired. Please ask for a new one."


class TooManyTries(Refused):
    """Throttled, for a moment only."""

    vi = "Đăng nhập quá nhiều lần. Xin thử lại sau ít phút."
    en = "Too many log-ins. Please try again in a few minutes."


class TokenInvalid(Refused):
    """A token that is missing, foreign, expired or of an ended session."""

    vi = "Phiên đăng nhập không hợp lệ hoặc đã hết hạn. Xin đăng nhập lại."
    en = "The session is not valid or has expired. Please log in again."


class OldPasswordWrong(Refused):
    """The password that is to be replaced was not given right."""

    vi = "Mật khẩu hiện tại không đúng."
    en = "The current password is wrong."


class PasswordTooWeak(Refused):
    """The new password would not protect the account."""

    vi = "Mật khẩu mới chưa đủ an toàn."
    en = "The new password is not safe enough."


class CaseUnknown(Refused):
    """No such case at the officer's own agency."""

    vi = "Không tìm thấy hồ sơ tại cơ quan của bạn."
    en = "There is no such case at your agency."


class PhotoUnknown(Refused):
    """The case has no photo of this kind."""

    vi = "Hồ sơ không có ảnh này."
    en = "The case has no such photo."


class CaseAlreadyEnded(Refused):
    """A case has one ending; ``status`` in the details says which."""

    vi = "Hồ sơ đã kết thúc."
    en = "The case has already ended."


class PapersNotChecked(Refused):
    """No confirmation while the papers were not seen."""

    vi = "Phải đối chiếu giấy tờ gốc trước khi xác nhận."
    en = "The original papers must be checked before confirming."


class ReasonMissing(Refused):
    """A citizen who is turned away is told why."""

    vi = "Phải ghi lý do từ chối."
    en = "A reason must be given."


class PersonNumberTaken(Refused):
    """The code and the personal number belong to two different verified people."""

    vi = "Mã số BHXH và số định danh thuộc về hai người đã được xác thực khác nhau."
    en = "The BHXH code and the personal number belong to two different verified people."


class StaffUserTaken(Refused):
    """One user name, one member of staff."""

    vi = "Tên đăng nhập này đã có."
    en = "This user name is taken."
