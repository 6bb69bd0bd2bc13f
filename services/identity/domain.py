"""Cases and their one ending, people and their accounts: the rules, without a clock or a database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.identity.refusals import (
    CaseAlreadyEnded,
    CaseClaimed,
    PhotoUnknown,
    ReasonMissing,
    RequestInvalid,
)
from shared.refusals import FieldProblem

VIETNAM = timezone(timedelta(hours=7))

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


SUPPLEMENT_REQUESTED, AWAITING_APPROVAL = "supplement_requested", "awaiting_approval"
"""Stages of a waiting case: the citizen is asked for something; a second officer is to confirm."""
ANSWER = "answer"
"""What may be asked for besides photos: a written answer to the officer's note."""


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
class Guardian:
    """Who registers a child: an account, its code, and the relation that is declared, ``parent`` or
    ``guardian``."""

    account_id: UUID
    code: str
    relation: str


@dataclass(frozen=True)
class Photo:
    """A photo of the application, by reference into the object store."""

    kind: str
    ref: str
    sha256: str


@dataclass(frozen=True)
class Hold:
    """An officer works on a case, for a time. ``name`` is what colleagues call the officer."""

    staff_id: UUID
    until: datetime
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Supplement:
    """What an officer asked the citizen for, kinds of photos or an answer, and what came."""

    items: tuple[str, ...]
    note: str | None
    asked_by: UUID
    asked_at: datetime
    answer: str | None = None
    answered_at: datetime | None = None
    kept_until: datetime | None = None
    """Until when the case is kept for who asked, once it was answered."""

    def answered(self, answer: str | None, at: datetime) -> Supplement:
        """With what came. One that came late, after the officer asked again, answers nothing new, but what
        was written in it is kept."""
        texts = [text for text in (self.answer, answer) if text]
        if at < self.asked_at or (self.answered_at is not None and at <= self.answered_at):
            return replace(self, answer="\n".join(reversed(texts)) or None)
        return replace(self, answer="\n".join(texts) or None, answered_at=at)


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
    hold: Hold | None = None
    supplement: Supplement | None = None
    photos_at: datetime | None = None
    """When the citizen sent the photos, if after the submission."""
    first_confirmed_by: UUID | None = None
    guardian: Guardian | None = None
    """Of a child, whose phone and e-mail are the guardian's."""

    @property
    def stage(self) -> str:
        """Its status, and what a waiting one waits for."""
        if self.status is not CaseStatus.WAITING:
            return self.status.value
        if self.supplement is not None and self.supplement.answered_at is None:
            return SUPPLEMENT_REQUESTED
        return AWAITING_APPROVAL if self.first_confirmed_by else CaseStatus.WAITING.value

    def open_to(self, officer: Officer, now: datetime) -> Case:
        """Itself, unless it has ended or a colleague works on it. Raises ``CaseAlreadyEnded``,
        ``CaseClaimed``."""
        if self.status is not CaseStatus.WAITING:
            raise CaseAlreadyEnded(status=self.status.value)
        if self.hold is not None and self.hold.staff_id != officer.id and now < self.hold.until:
            raise CaseClaimed(until=self.hold.until.isoformat())
        return self

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


EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}")
PHONE = re.compile(r"(?:(?:\+|00)?84|0)?([35789]\d{8})")


def search_words(text: str) -> tuple[str, ...]:
    """The words of a search as ``Case.search_text`` has them: whole words, folded."""
    return tuple(folded(text).split())


def phones_in(words: Sequence[str]) -> tuple[str, ...]:
    """The same with phones, in any writing, as they are kept. What looks like one may be a BHXH code (one in
    twenty does): whoever searches looks for both."""
    return tuple("+84" + phone[1] if (phone := PHONE.fullmatch(word)) else word for word in words)


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


def supplement_of(
    items: Sequence[str], note: str, known: Collection[str]
) -> tuple[tuple[str, ...], str | None]:
    """What is asked for, each once, and the note to the citizen, 500 characters at the most; an answer needs
    a note that asks for it. Raises ``RequestInvalid``."""
    wanted, told = tuple(dict.fromkeys(items)), " ".join(note.split())
    problems = []
    if not wanted or not set(wanted) <= set(known):
        kinds = ", ".join(known)
        problems.append(
            FieldProblem("items", f"Chọn ít nhất một trong: {kinds}.", f"Choose at least one of: {kinds}.")
        )
    if len(told) > 500 or (ANSWER in wanted and len(told) < 10):
        problems.append(
            FieldProblem(
                "note",
                "Ghi rõ điều cần trả lời, từ 10 đến 500 ký tự.",
                "Say what is to be answered, in 10 to 500 characters.",
            )
        )
    if problems:
        raise RequestInvalid(*problems)
    return wanted, told or None


# --- people and accounts -------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """Somebody whose identity an officer confirmed, once, for life."""

    id: UUID
    applicant: Applicant
    verified_at: datetime
    numbers: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    """Every number that has stood for the person, as the database knows them."""

    def may_have(self, numbers: Collection[str]) -> bool:
        """Whether these can be the same person's: of BHXH codes (10 digits) and of personal numbers (12) a
        person has one each."""
        together = self.numbers.union(self.applicant.numbers, numbers)
        return all(len([n for n in together if len(n) == length]) <= 1 for length in (10, 12))


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

    def is_reached_at(self, phone: str, email: str) -> bool:
        """Whether this is its contact."""
        return (phone, email.casefold()) == (self.phone, self.email.casefold())

    @property
    def channels(self) -> list[dict[str, str]]:
        """Where its messages go; nowhere when its last guardian's guardianship was ended."""
        return [{"kind": kind, "to": to} for kind, to in (("sms", self.phone), ("email", self.email)) if to]


@dataclass(frozen=True)
class ContactChange:
    """A change of contact that an officer asked for: ``pending`` until its phone is claimed, then
    ``changed``. It is ``refused`` when the phone is another account's, or the person was verified anew."""

    id: UUID
    account_id: UUID
    staff_id: UUID
    phone: str = field(repr=False)
    email: str = field(repr=False)
    reason: str = field(repr=False)
    asked_at: datetime
    state: str = "pending"


PHONE_WRONG = FieldProblem(
    "phone",
    "Nhập số di động Việt Nam, ví dụ 0912345678.",
    "Enter a Vietnamese mobile number such as 0912345678.",
)


def held_value(number: str | None, phone: str | None) -> str:
    """What an application holds and is looked for: a code or personal number, or a phone as ``+84…``. Raises
    ``RequestInvalid`` unless it is one of the two."""
    if (number is None) == (phone is None):
        one, other = (
            "Ghi mã số hoặc số điện thoại, một trong hai.",
            "Give a number or a phone, one of the two.",
        )
        raise RequestInvalid(FieldProblem("number", one, other))
    if number is not None:
        return number
    found = PHONE.fullmatch("".join((phone or "").split()))
    if not found:
        raise RequestInvalid(PHONE_WRONG)
    return "+84" + found[1]


def new_contact(account: Account, phone: str | None, email: str | None) -> tuple[str, str]:
    """The contact as it is to be; what is not given stays. Raises ``RequestInvalid``."""
    problems = []
    found = PHONE.fullmatch("".join(phone.split())) if phone else None
    if phone and not found:
        problems.append(PHONE_WRONG)
    if email and not EMAIL.fullmatch(email.strip()):
        problems.append(
            FieldProblem("email", "Nhập e-mail dạng ten@example.vn.", "Enter an e-mail like name@example.vn.")
        )
    if not phone and not email:
        problems.append(
            FieldProblem("phone", "Nhập số điện thoại hoặc e-mail mới.", "Enter a new phone or e-mail.")
        )
    if problems:
        raise RequestInvalid(*problems)
    return "+84" + found[1] if found else account.phone, email.strip() if email else account.email


def is_known_contact(account: Account, person: Person, applicant: Applicant) -> bool:
    """Whether a verified person registers again as itself: same contact, name, birth date and document.
    Anything else is a change, and changes are made at the desk."""
    known = person.applicant
    return (
        account.is_reached_at(applicant.phone, applicant.email)
        and same_name(applicant.full_name, known.full_name)
        and applicant.birth_value == known.birth_value
        and (applicant.document_kind, applicant.document_number)
        == (known.document_kind, known.document_number)
    )


# --- staff ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Officer:
    """A member of staff who is logged in."""

    id: UUID
    agency_code: str


@dataclass(frozen=True)
class StaffAccount:
    """A member of staff as log-in needs it. With a seed a secret was shown to an app; with a step, the one
    of the last code that was used, the app is set up. Until then an operator's code, here its hash, is
    needed to have a secret shown."""

    id: UUID
    user: str
    name: str
    agency_code: str
    password_hash: str = field(repr=False)
    totp_seed: bytes | None = field(default=None, repr=False)
    totp_last_step: int | None = None
    enrolment_hash: bytes | None = field(default=None, repr=False)
    enrolment_until: datetime | None = None


@dataclass(frozen=True)
class StaffEntry:
    """What an operator sees of a member of staff. ``has_app``: an authenticator app is set up."""

    user: str
    name: str
    agency_code: str
    is_active: bool
    has_app: bool
    added_at: datetime


@dataclass(frozen=True)
class AuditEntry:
    """One read or act of a member of staff; never changed afterwards."""

    at: datetime
    staff_id: UUID
    action: str
    case_id: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
