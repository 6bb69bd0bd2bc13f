"""The code by SMS that a first log-in with a voice password needs besides: caller IDs can be forged.

Part of the domain: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from shared.refusals import FieldProblem, HeldBack, Refused

TRIES = 5
VALID_MINUTES = 10


@dataclass(frozen=True)
class LogInOtp:
    """A log-in that waits for its code, as hashes. Whoever began it holds the token."""

    id: UUID
    account_id: UUID
    credential_id: UUID
    token_hash: bytes = field(repr=False)
    keyed_hash: str = field(repr=False)
    valid_until: datetime
    tries_left: int = TRIES

    def tried(self, is_right: bool, now: datetime) -> tuple[Self, Refused | None]:
        """After a try: a right one in time is None, and it is good once; each wrong one is counted."""
        if now >= self.valid_until or self.tries_left < 1:
            return replace(self, tries_left=0), OtpExpired()
        if is_right:
            return replace(self, tries_left=0), None
        left = self.tries_left - 1
        return replace(self, tries_left=left), OtpWrong(tries_left=left)


class OtpWrong(Refused):
    """Not the code that was sent; ``tries_left`` in the details."""

    vi = "Mã xác nhận không đúng."
    en = "The code is wrong."

    def __init__(self, *, tries_left: int) -> None:
        typed = FieldProblem("otp", "Nhập mã trong SMS mới nhất.", "Give the code of the latest SMS.")
        super().__init__(typed, tries_left=tries_left)


class OtpExpired(Refused):
    """Too late, tried too often, used, or never begun."""

    vi = "Mã xác nhận đã hết hiệu lực. Xin đăng nhập lại để nhận mã mới."
    en = "The code is no longer valid. Please log in again for another one."


class OtpTooMany(HeldBack):
    """So many codes were sent."""

    vi = "Đã gửi quá nhiều mã xác nhận. Xin thử lại sau {wait}, hoặc cấp lại mật khẩu qua e-mail."
    en = "Too many codes were sent. Please try again in {wait}, or reset the password by e-mail."


class OtpUnavailable(Refused):
    """Codes cannot be counted right now, and are not sent uncounted."""

    vi = "Tạm thời chưa gửi được mã xác nhận. Xin thử lại sau ít phút."
    en = "Codes cannot be sent right now. Please try again in a few minutes."
