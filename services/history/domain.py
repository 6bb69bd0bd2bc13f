"""Whose records may be seen, what a row of participation is, and how pages follow one another."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from shared.refusals import FieldProblem, Refused

PAGE_ROWS = 20
FUNDS = ("BHXH", "BHYT", "BHTN", "BHTNLĐ-BNN")
"""Social, health and unemployment insurance; work accidents and occupational diseases."""

CODE = re.compile(r"\d{10}|\d{12}", re.ASCII)
MONTH = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])", re.ASCII)
LONGEST_TEXT = 300
HIGHEST_SALARY = 100_000_000_000
MOST_PROBLEMS = 100


class TokenInvalid(Refused):
    """The access token is missing, malformed, expired, revoked or not ours."""

    vi = "Phiên đăng nhập không hợp lệ hoặc đã hết hạn. Xin đăng nhập lại."
    en = "The session is not valid or has expired. Please log in again."


class PasswordChangeRequired(Refused):
    """The password that was issued, the first or a later one, has not been changed yet."""

    vi = "Xin đổi mật khẩu được cấp thành mật khẩu của riêng mình trước khi tiếp tục."
    en = "Please change the password that was issued to one of your own before going on."


class CursorInvalid(Refused):
    """Not a cursor that an earlier answer handed out."""

    vi = "Vị trí trang không hợp lệ; hãy dùng next_cursor của trang trước."
    en = "The cursor is not valid; use the next_cursor of the page before."


class ImportInvalid(Refused):
    """Rows of an import are wrong; nothing of it was taken."""

    vi = "Tệp có dòng sai; không dòng nào được nhập."
    en = "The file has wrong rows; none was imported."


class ImportKeyReused(Refused):
    """The import's key was used before for other content."""

    vi = "Khóa nhập liệu này đã được dùng cho một tệp khác."
    en = "This import key was used before for another file."


class ChildUnknown(Refused):
    """No child for whom an officer has confirmed the caller: whether there is such a child is not told."""

    vi = "Không tìm thấy trẻ này, hoặc bạn chưa được xác nhận là người giám hộ."
    en = "There is no such child, or you were not confirmed as its guardian."


@dataclass(frozen=True)
class Claims:
    """What the citizen's access token says."""

    account_id: UUID
    code: str
    scope: str
    issued_at: datetime


@dataclass(frozen=True)
class Position:
    """The last row of a page: the next page starts after it."""

    from_month: date
    row_id: int


@dataclass(frozen=True)
class Lookup:
    """One citizen's question: about the own records, those of the token's code, or about those of a child,
    named by its person's id, which a guardian sees who was confirmed and while the child is under age."""

    claims: Claims
    after: Position | None
    child_id: UUID | None = None
    at: datetime | None = None
    """When it is asked about a child."""


@dataclass(frozen=True)
class Guardianship:
    """Who sees a child's records: the guardian's account, the child's code, until when. ``confirmed_at``:
    since when that holds; of one that was ended, when it was."""

    account_id: UUID
    child_id: UUID
    code: str
    valid_until: datetime
    confirmed_at: datetime


@dataclass(frozen=True)
class Participation:
    """One stretch of participation: from the first to the last month, each the first day of it. Salary base
    in dong a month. ``paid`` is False where the employer still owes the contributions."""

    code: str
    from_month: date
    to_month: date
    employer: str
    job_title: str
    workplace: str
    salary_base: int
    funds: tuple[str, ...]
    paid: bool = True


@dataclass(frozen=True)
class Found:
    """What the store holds of one citizen. ``rows`` are as JSON, with their ids: a page, and one row more
    where there is another page."""

    months: int
    unpaid_months: int
    rows: tuple[Mapping[str, Any], ...]
    source: str | None
    as_of: datetime | None
    sessions_ended_at: datetime | None
    is_allowed: bool = True
    """Whether the caller may see them: False for a child of somebody else's, of which nothing is found."""


@dataclass(frozen=True)
class Import:
    """A file as it was offered. ``key`` is the caller's name for it; ``sha256`` is of the content."""

    id: UUID
    key: str
    sha256: str
    source: str
    as_of: datetime


@dataclass(frozen=True)
class Imported:
    """What an import did. ``rows`` are new ones, ``unchanged`` were held already; ``again``: this file had
    been imported before, and nothing was done now."""

    import_id: UUID
    people: int
    rows: int
    unchanged: int
    again: bool = False


def asked(claims: Claims, cursor: str | None, child: str | None = None, at: datetime | None = None) -> Lookup:
    """The look-up that these claims allow. Raises ``PasswordChangeRequired``, ``TokenInvalid`` (a scope that
    is no citizen's), ``CursorInvalid`` or ``ChildUnknown`` (an id that is none)."""
    if claims.scope == "password_change":
        raise PasswordChangeRequired
    if claims.scope != "citizen":
        raise TokenInvalid
    after = read_cursor(cursor) if cursor else None
    if child is None:
        return Lookup(claims, after)
    try:
        return Lookup(claims, after, UUID(child), at)
    except ValueError:
        raise ChildUnknown from None


def is_ended(claims: Claims, sessions_ended_at: datetime | None) -> bool:
    """Whether the account's sessions were ended after this token was issued."""
    return sessions_ended_at is not None and claims.issued_at < sessions_ended_at


def cursor_after(row: Mapping[str, Any]) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(f"{row['from_month']}.{row['id']}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> Position:
    """Raises ``CursorInvalid``."""
    try:
        month, row_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(".")
        position = Position(_month(month), int(row_id))
        if 0 <= position.row_id < 2**63:
            return position
    except ValueError:
        pass
    raise CursorInvalid(
        FieldProblem("cursor", "next_cursor của trang trước", "the next_cursor of the page before")
    )


def read_row(row: Any, line: int) -> Participation | list[FieldProblem]:
    """A row of an import file, or what is wrong with it, each field named as ``line 3: salary_base``."""
    if not isinstance(row, dict):
        return [FieldProblem(f"line {line}", "một đối tượng JSON", "a JSON object")]
    paid = row.get("paid", True)
    checks = {
        "code": (_matches(CODE, row.get("code")), "10 hoặc 12 chữ số", "10 or 12 digits"),
        "from_month": (_matches(MONTH, row.get("from_month")), "năm-tháng: 2019-07", "year-month: 2019-07"),
        "to_month": (_matches(MONTH, row.get("to_month")), "năm-tháng: 2019-07", "year-month: 2019-07"),
        "employer": (_is_text(row.get("employer")), "tên đơn vị", "the employer's name"),
        "job_title": (_is_text(row.get("job_title")), "chức danh", "the job title"),
        "workplace": (_is_text(row.get("workplace")), "nơi làm việc", "the place of work"),
        "salary_base": (_is_salary(row.get("salary_base")), "số nguyên, đồng", "a whole number of dong"),
        "funds": (_are_funds(row.get("funds")), ", ".join(FUNDS), ", ".join(FUNDS)),
        "paid": (isinstance(paid, bool), "true hoặc false", "true or false"),
    }
    problems = [
        FieldProblem(f"line {line}: {name}", vi, en) for name, (right, vi, en) in checks.items() if not right
    ]
    if not problems and row["to_month"] < row["from_month"]:
        problems.append(
            FieldProblem(f"line {line}: to_month", "không trước from_month", "not before from_month")
        )
    if problems:
        return problems
    return Participation(
        code=row["code"],
        from_month=_month(row["from_month"]),
        to_month=_month(row["to_month"]),
        employer=row["employer"].strip(),
        job_title=row["job_title"].strip(),
        workplace=row["workplace"].strip(),
        salary_base=row["salary_base"],
        funds=tuple(fund for fund in FUNDS if fund in row["funds"]),
        paid=paid,
    )


def conflict(line: int) -> FieldProblem:
    """A row about a stretch that is held already, differently."""
    return FieldProblem(
        f"line {line}",
        "khác với quá trình đã có cho cùng mã số, tháng, đơn vị và chức danh",
        "differs from what is held for the same code, month, employer and job title",
    )


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_text(value: Any) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()  # half a surrogate pair is no text
    except UnicodeEncodeError:
        return False
    return 0 < len(value.strip()) <= LONGEST_TEXT


def _is_salary(value: Any) -> bool:
    return type(value) is int and 0 <= value <= HIGHEST_SALARY


def _are_funds(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) == len({str(fund) for fund in value})
        and all(fund in FUNDS for fund in value)
    )


def _month(text: str) -> date:
    if not MONTH.fullmatch(text):
        raise ValueError("not a month")
    return date(int(text[:4]), int(text[5:]), 1)
