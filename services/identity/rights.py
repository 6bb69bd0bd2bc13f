"""What people may ask about their own data, and by when it is answered.

Part of the domain: standard library only. Law on personal data 91/2025 and decree 356/2025: a request is
answered within two working days; consent may be withdrawn; what the law on social insurance has kept is not
erased on request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from services.identity.domain import VIETNAM, Account, Applicant, Case, CaseStatus, Officer, Person
from services.identity.guardianship import Child, Guardianship
from services.identity.refusals import RequestInvalid
from shared.refusals import FieldProblem, HeldBack, Refused

WORKING_DAYS = 2
SATURDAY = 5
LONGEST_ANSWER = 500


class RequestKind(StrEnum):
    """What is asked for."""

    EXPORT = "export"
    CORRECTION = "correction"
    ERASURE = "erasure"
    WITHDRAWAL = "withdrawal"  # of the consent: the account is closed


class RequestState(StrEnum):
    """A request is open until it gets one answer."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True)
class PersonRequest:
    """One request of an account's holder. ``wanted`` is what a correction asks for, by field."""

    id: UUID
    account_id: UUID
    agency_code: str
    kind: RequestKind
    asked_at: datetime
    due_at: datetime
    wanted: Mapping[str, str] = field(default_factory=dict, repr=False)
    state: RequestState = RequestState.OPEN
    answer: str | None = field(default=None, repr=False)
    answered_at: datetime | None = None
    answered_by: UUID | None = None

    def answered(
        self, state: RequestState, answer: str, at: datetime, officer: Officer | None = None
    ) -> Self:
        """With its one answer: an officer's, or at once. Raises ``RequestAnswered``."""
        if self.state is not RequestState.OPEN:
            raise RequestAnswered(state=self.state.value)
        by = officer.id if officer else None
        return replace(self, state=state, answer=answer, answered_at=at, answered_by=by)


@dataclass(frozen=True)
class Held:
    """What identity holds of a person."""

    account: Account
    person: Person
    cases: list[Case]
    log_ins: list[tuple[datetime, datetime | None]]
    questions: list[dict[str, Any]]
    resets: list[tuple[datetime, datetime | None]]
    requests: list[PersonRequest]
    children: list[Child]
    ended: list[Guardianship]


@dataclass(frozen=True)
class AtTheDesk:
    """A request with the person it is about."""

    request: PersonRequest
    account: Account
    person: Person


def due_at(asked_at: datetime) -> datetime:
    """The end, in Vietnam, of the second working day after it. Saturdays and Sundays are none; public
    holidays count as if they were, so that an answer is due too early rather than too late."""
    day, left = asked_at.astimezone(VIETNAM).date(), WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < SATURDAY
    return datetime.combine(day + timedelta(days=1), time(), VIETNAM)


BIRTH_PRECISIONS = {4: "year", 7: "month", 10: "day"}
SEXES = ("male", "female")


def corrected(person: Applicant, wanted: Mapping[str, str], today: date) -> Applicant:
    """The person's data as the correction has it: ``full_name``, ``birth`` (``1990``, ``1990-05`` or
    ``1990-05-17``), ``sex``. A number is changed by another registration, with its papers; phone and
    e-mail at the desk. Raises ``RequestInvalid`` for each field that is wrong, and when nothing differs."""
    given = {name: " ".join(value.split()) for name, value in wanted.items()}
    problems, name, birth, sex = [], given.get("full_name"), given.get("birth"), given.get("sex")
    if name is not None and not 2 <= len(name) <= 200:
        problems.append(
            FieldProblem(
                "full_name", "Nhập họ tên từ 2 đến 200 ký tự.", "Enter a name of 2 to 200 characters."
            )
        )
    if birth is not None and not _is_birth(birth, today):
        problems.append(
            FieldProblem(
                "birth",
                "Nhập ngày sinh dạng 1990, 1990-05 hoặc 1990-05-17, không sau hôm nay.",
                "Enter a birth date as 1990, 1990-05 or 1990-05-17, not after today.",
            )
        )
    if sex is not None and sex not in SEXES:
        problems.append(FieldProblem("sex", "Chọn male hoặc female.", "Choose male or female."))
    if problems:
        raise RequestInvalid(*problems)
    changed = replace(
        person,
        full_name=name or person.full_name,
        birth_value=birth or person.birth_value,
        birth_precision=BIRTH_PRECISIONS[len(birth)] if birth else person.birth_precision,
        sex=sex or person.sex,
    )
    if changed == person:
        raise RequestInvalid(
            FieldProblem(
                "full_name",
                "Ghi ít nhất một điều cần sửa khác với hiện tại: full_name, birth hoặc sex.",
                "Give at least one thing that differs from what is held: full_name, birth or sex.",
            )
        )
    return changed


def _is_birth(text: str, today: date) -> bool:
    if len(text) not in BIRTH_PRECISIONS:
        return False
    try:
        return date(1880, 1, 1) <= date.fromisoformat(text + "-01-01"[: 10 - len(text)]) <= today
    except ValueError:
        return False


ANSWERS = {
    RequestKind.EXPORT: {
        "vi": "Dữ liệu đã được cung cấp.",
        "en": "The data was handed over.",
    },
    RequestKind.WITHDRAWAL: {
        "vi": "Sự đồng ý đã được rút; tài khoản VssID đã đóng. Quyền lợi BHXH, BHYT không thay đổi. "
        "Muốn dùng lại VssID, xin đăng ký lại.",
        "en": "The consent was withdrawn and the VssID account is closed. Social and health insurance are "
        "not affected. To use VssID again, please register again.",
    },
}
"""What is answered at once, in the person's language."""
ERASED = {
    "vi": "Đã xóa: {photos} ảnh; dữ liệu cá nhân của {applications} hồ sơ không được chấp nhận hoặc đã đóng "
    "và của {drafts} bản khai chưa nộp, kể cả đã khai cho trẻ. Vẫn giữ: quá trình tham gia và hưởng BHXH, "
    "BHYT, danh tính đã xác thực và tờ khai của nó, quan hệ giám hộ đã xác nhận (pháp luật về BHXH, "
    "BHYT); nhật ký việc cán bộ đã xem và làm, các lần đổi số điện thoại và email tại quầy, lần hỏi CSDL "
    "dân cư, tin đã gửi, sự đồng ý và yêu cầu này (chứng minh việc xử lý dữ liệu, pháp luật về bảo vệ dữ "
    "liệu cá nhân); hồ sơ đang xử lý, đến khi có kết quả: nếu không được "
    "chấp nhận hoặc bị đóng thì được xóa ngay; phiên đăng nhập, đến khi hết hạn lưu.",
    "en": "Erased: {photos} photos; what is personal of {applications} applications that were rejected or "
    "closed and of {drafts} that were never submitted, also those made for a child. Kept: the insurance "
    "records, the verified identity and its declaration, confirmed guardianships (law on social and health "
    "insurance); the trail of what officers read and did, changes of phone and e-mail at the desk, "
    "questions to the population register, messages sent, the consent and this request (to prove how data "
    "was handled, law on personal data); applications under way, until they have ended: one "
    "that is rejected or closed is erased at once; log-ins, until their time is over.",
}
"""What came of a request for erasure: what is gone, and what stays under which duty."""
GRANTED_CORRECTION = {"vi": "Thông tin đã được sửa.", "en": "The data was corrected."}


def births_of(person: Person, cases: Iterable[Case]) -> frozenset[str]:
    """The birth dates under which somebody was verified, now and before a correction."""
    verified = [case.applicant for case in cases if case.status is CaseStatus.VERIFIED]
    return frozenset({person.applicant.birth_value, *(applicant.birth_value for applicant in verified)})


def is_about(case: Case, numbers: frozenset[str], births: frozenset[str]) -> bool:
    """Whether a case is about the person of these numbers and birth dates. Somebody else may have declared
    the same number: what was about that other person is not the holder's to erase."""
    person = case.applicant
    return bool(numbers.intersection(person.numbers)) and person.birth_value in births


NOBODY = Applicant(
    code="",
    personal_number=None,
    full_name="",
    birth_precision="year",
    birth_value="",
    sex=None,
    document_kind="",
    document_number="",
    phone="",
    email="",
    address={},
)


def emptied(case: Case) -> Case:
    """Without what is personal: number, times, agency and ending stay."""
    register = replace(case.register, mismatched_fields=())
    return replace(case, applicant=NOBODY, register=register, warnings=(), supplement=None, guardian=None)


def answer_text(text: str) -> str:
    """An officer's answer as it is told, 10 to 500 characters. Raises ``AnswerMissing``."""
    told = " ".join(text.split())
    if not 10 <= len(told) <= LONGEST_ANSWER:
        raise AnswerMissing(
            FieldProblem(
                "answer", "Ghi câu trả lời từ 10 đến 500 ký tự.", "Give an answer of 10 to 500 characters."
            )
        )
    return told


class ExportsTooMany(HeldBack):
    """Handed over often enough in a day; ``retry_after_seconds`` in the details says how long to wait."""

    vi = "Dữ liệu đã được cung cấp nhiều lần trong 24 giờ qua. Xin thử lại sau {wait}."
    en = "The data was handed over several times in the last 24 hours. Please try again in {wait}."


class RequestPending(Refused):
    """One correction after the other; the details say when the open one is due."""

    vi = "Một yêu cầu sửa thông tin khác đang chờ trả lời."
    en = "Another request for correction waits for its answer."


class RequestAnswered(Refused):
    """A request has one answer; ``state`` in the details says which."""

    vi = "Yêu cầu này đã được trả lời."
    en = "This request has been answered."


class PersonRequestUnknown(Refused):
    """No such request at the officer's own agency."""

    vi = "Không tìm thấy yêu cầu này tại cơ quan của bạn."
    en = "There is no such request at your agency."


class AnswerMissing(Refused):
    """Whoever asked is told what came of it, in words."""

    vi = "Phải ghi câu trả lời."
    en = "An answer must be given."
