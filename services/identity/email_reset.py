"""A password that was forgotten is chosen anew with a code sent to the e-mail registered at first (row G3).

Part of the domain: standard library only. Whoever asks learns nothing about who has an account: every
asking is written down and answered alike, and what it comes to is found out afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from services.identity.domain import EMAIL, Account
from services.identity.refusals import RequestInvalid
from shared.refusals import FieldProblem, HeldBack, Refused

REASON = "email_reset"
TRIES = 5
"""How often a code may be tried."""
AFTER_THE_ANSWER = timedelta(seconds=1)
"""When it is found out whose account it is: so late that the time of the answer cannot tell."""
KEPT = timedelta(days=2)
"""How long an asking is remembered, for the limit of a day."""


@dataclass(frozen=True)
class EmailReset:
    """One asking. ``user`` and ``email`` are what was typed, until it was looked up; ``email_given`` stays.
    Without an account that may have a code, there is no ``keyed_hash``, and no code fits."""

    id: UUID
    asked_at: datetime
    valid_until: datetime
    user: str | None = field(repr=False)
    email: str | None = field(repr=False)
    email_given: bool
    account_id: UUID | None = None
    keyed_hash: str | None = field(default=None, repr=False)
    tries_left: int = TRIES
    used_at: datetime | None = None

    def looked_up(self, account: Account | None, keyed_hash: str | None) -> Self:
        """What it came to; what was typed is forgotten."""
        sent = account is not None and keyed_hash is not None
        return replace(
            self,
            user=None,
            email=None,
            account_id=account.id if sent and account else None,
            keyed_hash=keyed_hash if sent else None,
        )

    def tried(self, fits: bool, now: datetime) -> tuple[Self, bool]:
        """After a try, and whether the code counts: it fits, in time, and was not tried too often before.
        Of one that was used it counts for the same password alone."""
        if now >= self.valid_until or self.tries_left < 1:
            return self, False
        if fits and self.keyed_hash is not None:
            return self, True
        return replace(self, tries_left=self.tries_left - 1), False


def asked_for(
    reset_id: UUID, user: str, email: str | None, *, now: datetime, valid_minutes: int
) -> EmailReset:
    """An asking by BHXH code (10 digits) or personal number (12 digits), with the account's e-mail where it
    is known. Raises ``RequestInvalid``."""
    number, address = "".join(user.split()), (email or "").strip()
    problems = []
    if not (number.isascii() and number.isdigit() and len(number) in (10, 12)):
        problems.append(
            FieldProblem(
                "user",
                "Nhập mã số BHXH (10 chữ số) hoặc số định danh cá nhân (12 chữ số).",
                "Enter the BHXH code (10 digits) or the personal number (12 digits).",
            )
        )
    if address and not EMAIL.fullmatch(address):
        problems.append(
            FieldProblem("email", "Nhập e-mail dạng ten@example.vn.", "Enter an e-mail like name@example.vn.")
        )
    if problems:
        raise RequestInvalid(*problems)
    valid_until = now + timedelta(minutes=valid_minutes)
    return EmailReset(reset_id, now, valid_until, number, address or None, bool(address))


class ResetRefused(Refused):
    """A code that is wrong, late, used, of another reset, or of a user who does not exist: all alike."""

    vi = "Mã xác nhận không đúng hoặc không còn hiệu lực. Xin kiểm tra lại hoặc yêu cầu mã mới."
    en = "The code is wrong or no longer valid. Please check it, or ask for a new one."

    def __init__(self) -> None:
        super().__init__(
            FieldProblem("otp", "Nhập mã trong e-mail mới nhất.", "Give the code of the latest e-mail.")
        )


class ResetsTooMany(HeldBack):
    """Asked too often; ``retry_after_seconds`` in the details says how long to wait."""

    vi = (
        "Yêu cầu cấp lại mật khẩu quá nhiều lần. Xin thử lại sau {wait}, gọi 1900 9068 nhánh 8, hoặc đến cơ"
        " quan BHXH."
    )
    en = (
        "Too many password resets asked for. Please try again in {wait}, call 1900 9068, key 8, or visit the"
        " agency."
    )


class ResetsUnavailable(Refused):
    """Nobody can count askings right now, and without a limit none is taken."""

    vi = "Tạm thời chưa thể cấp lại mật khẩu qua e-mail. Xin thử lại sau ít phút."
    en = "Passwords cannot be reset by e-mail right now. Please try again in a few minutes."
