"""The timeline of an application: its statuses, its lines, and what comes next, as a citizen reads them.

Pure, like ``domain.py``, of which it is a part: standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Status(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    AWAITING_VISIT = "awaiting_visit"
    SUPPLEMENT_REQUESTED = "supplement_requested"
    VERIFIED = "verified"
    COMPLETED = "completed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN = frozenset({Status.SUBMITTED, Status.AWAITING_VISIT, Status.SUPPLEMENT_REQUESTED})
"""Submitted, and the case not yet decided."""

SETTLED = frozenset({Status.VERIFIED, Status.COMPLETED})
"""The identity is verified."""


USED, LATE = "credentials_used", "credentials_late"
LINK_SENT, COUNTER_DUE = "credentials_link_sent", "credentials_counter_due"
HANDED_OVER, REISSUED = "credentials_handed_over", "credentials_reissued"
RECEIVED = frozenset({"credentials_delivered", HANDED_OVER})
FAILURES = frozenset({"credentials_failed", "credentials_link_failed", COUNTER_DUE})
CERTAIN = frozenset({COUNTER_DUE, HANDED_OVER, USED})
"""What identity itself says of a password, whenever its messages are reported."""
TIMED = frozenset({Status.COMPLETED.value, LINK_SENT, HANDED_OVER, REISSUED})
"""What comes next is to use a password or a link, for as long as it is good."""


@dataclass(frozen=True)
class Entry:
    """One line of the timeline. ``at`` never goes back from one line to the next. ``credential_id`` is the
    password that a line is about, ``valid_until`` its end where it is known; neither is shown."""

    step: str
    at: datetime
    detail: str | None = None
    credential_id: UUID | None = None
    valid_until: datetime | None = None


Sentence = tuple[str, str]
"""In Vietnamese and in English."""

LINES: dict[str, Sentence] = {
    "started": ("Đã bắt đầu đăng ký.", "The registration was begun."),
    "submitted": ("Đã nộp tờ khai điện tử.", "The electronic declaration was submitted."),
    "awaiting_visit": (
        "Cơ quan BHXH đã tiếp nhận hồ sơ.",
        "The agency has taken the application in.",
    ),
    "register_checked": (
        "CSDLQG về dân cư chưa xác thực được thông tin; cơ quan BHXH sẽ đối chiếu giấy tờ.",
        "The national population database could not confirm the data; the agency will check the papers.",
    ),
    "register_checked/matched": (
        "Thông tin công dân đã được CSDLQG về dân cư xác thực.",
        "The national population database has confirmed the citizen's data.",
    ),
    "reminded": (
        "Đã gửi tin nhắn và e-mail nhắc lịch đến cơ quan BHXH.",
        "A reminder of the visit was sent by SMS and e-mail.",
    ),
    "supplement_requested": (
        "Cơ quan BHXH yêu cầu bổ sung hồ sơ.",
        "The agency has asked for a supplement.",
    ),
    "supplemented": ("Đã bổ sung hồ sơ.", "The application was supplemented."),
    "cancel_requested": ("Đã yêu cầu hủy hồ sơ.", "Cancelling was asked for."),
    "deadline_passed": (
        "Đã hết thời hạn đến cơ quan BHXH.",
        "The time for the visit to the agency has passed.",
    ),
    "supersede_requested": (
        "Số điện thoại hoặc mã số của hồ sơ đã được xác nhận cho người khác tại cơ quan BHXH.",
        "The phone or the code was confirmed for somebody else at an agency.",
    ),
    "verified": ("Danh tính đã được xác thực.", "The identity was verified."),
    "verified/reused": (
        "Danh tính đã được xác thực từ lần trước; không cần đến cơ quan BHXH.",
        "The identity was verified before: no visit to the agency is needed.",
    ),
    "verified/guardianship": (
        "Cơ quan BHXH đã đối chiếu giấy khai sinh và xác nhận quan hệ giám hộ.",
        "The agency has compared the birth certificate and confirmed the guardianship.",
    ),
    "credentials_issued": ("Tài khoản đã được cấp.", "The account was issued."),
    "credentials_sent": ("Đã gửi mật khẩu qua SMS.", "The password was sent by SMS."),
    "credentials_delivered": ("SMS mật khẩu đã đến điện thoại.", "The SMS has reached the phone."),
    "credentials_failed": (
        "SMS mật khẩu không đến được điện thoại.",
        "The SMS with the password did not reach the phone.",
    ),
    LATE: (
        "Một SMS trước đã đến muộn; mật khẩu trong SMS đó không còn dùng được.",
        "An earlier SMS has arrived late; its password is no longer valid.",
    ),
    "credentials_replaced": (
        "Đã cấp mật khẩu khác thay cho mật khẩu trước.",
        "Another password was issued in place of the one before.",
    ),
    "credentials_link_issued": (
        "SMS không đến được; liên kết kích hoạt được gửi qua e-mail đã xác nhận.",
        "The SMS did not arrive; an activation link goes to the e-mail that was verified.",
    ),
    "credentials_link_sent": (
        "Đã gửi liên kết kích hoạt qua e-mail.",
        "The activation link was sent by e-mail.",
    ),
    "credentials_link_failed": (
        "E-mail có liên kết kích hoạt không gửi được.",
        "The e-mail with the activation link could not be sent.",
    ),
    "credentials_counter_due": (
        "Chưa gửi được mật khẩu; tài khoản sẽ được giao tại quầy của cơ quan BHXH.",
        "The password could not be sent; the account will be handed over at the agency's counter.",
    ),
    "credentials_handed_over": (
        "Đã giao tài khoản tại quầy của cơ quan BHXH.",
        "The account was handed over at the agency's counter.",
    ),
    REISSUED: (
        "Tổng đài 1900 9068 đã đọc mật khẩu mới; mật khẩu hoặc liên kết trước đó không còn dùng được.",
        "The hotline 1900 9068 has read a new password aloud; the one before, or the link, is void.",
    ),
    "credentials_used": ("Đã đăng nhập lần đầu.", "The first log-in was made."),
    "credentials_used/link": (
        "Đã đặt mật khẩu bằng liên kết kích hoạt.",
        "A password was chosen by the activation link.",
    ),
    "rejected": ("Hồ sơ không được chấp nhận.", "The application was rejected."),
    "expired": ("Hồ sơ đã đóng vì quá thời hạn.", "The application was closed: its time had passed."),
    "cancelled": ("Hồ sơ đã hủy.", "The application was cancelled."),
    "cancelled/superseded": (
        "Hồ sơ đã đóng vì số điện thoại hoặc mã số đã được xác nhận cho người khác tại cơ quan BHXH.",
        "The application was closed: its phone or code was confirmed for somebody else at an agency.",
    ),
}
"""What a line says, by its step; where the detail is a word of ours, by ``step/detail``."""

REGISTER_TEXTS = {
    "matched": (
        "Thông tin công dân đã được CSDLQG về dân cư xác thực.",
        "The national population database has confirmed the citizen's data.",
    ),
    "photos_needed": (
        "Cần chụp ảnh chân dung 4x6 và ảnh hai mặt giấy tờ tùy thân.",
        "A 4x6 portrait and photos of both sides of the ID document are needed.",
    ),
    "child": (
        "Cần ảnh chân dung 4x6 và ảnh giấy khai sinh của trẻ.",
        "A 4x6 portrait and a photo of the child's birth certificate are needed.",
    ),
}
"""What the citizen reads of the register check (guide row G7): never which field was wrong. A child's
photos are needed whatever the register says."""

NEXT: dict[str, tuple[str, str, str]] = {
    Status.DRAFT: (
        "submit",
        "Hoàn thành các bước còn thiếu rồi nộp hồ sơ.",
        "Complete what is missing, then submit.",
    ),
    Status.SUBMITTED: ("wait", "Hồ sơ đang được tiếp nhận.", "Your application is being taken in."),
    Status.AWAITING_VISIT: (
        "visit",
        "Mang CMND/CCCD/hộ chiếu đến cơ quan BHXH đã chọn trong thời hạn được thông báo.",
        "Bring your CMND/CCCD/passport to the chosen agency before the deadline.",
    ),
    Status.SUPPLEMENT_REQUESTED: (
        "supplement",
        "Bổ sung hồ sơ theo yêu cầu của cơ quan BHXH.",
        "Supply what the agency has asked for.",
    ),
    Status.VERIFIED: (
        "wait",
        "Tài khoản đang được cấp; mật khẩu sẽ gửi qua SMS.",
        "Your account is being made; the password will come by SMS.",
    ),
    Status.COMPLETED: (
        "log_in",
        "Đăng nhập bằng mã số BHXH và mật khẩu đã gửi đến điện thoại.",
        "Log in with your BHXH code and the password sent to your phone.",
    ),
    Status.REJECTED: (
        "start_again",
        "Hồ sơ không được chấp nhận. Xem lý do và đăng ký lại.",
        "The application was rejected. Read the reason and register again.",
    ),
    Status.EXPIRED: (
        "start_again",
        "Đã quá thời hạn. Vui lòng đăng ký lại.",
        "The deadline has passed. Please register again.",
    ),
    Status.CANCELLED: (
        "start_again",
        "Hồ sơ đã hủy. Có thể đăng ký lại.",
        "The application was cancelled. You may register again.",
    ),
    "emptied": (
        "start_again",
        "Dữ liệu cá nhân của hồ sơ đã xoá theo thời hạn lưu giữ hoặc theo yêu cầu. Có thể đăng ký lại.",
        "What was personal of this application was deleted: its time was over, or it was asked for. You may "
        "register again.",
    ),
    "certificate": (
        "wait",
        "Cơ quan BHXH đang đối chiếu giấy khai sinh của trẻ; không phải đến cơ quan.",
        "The agency is comparing the child's birth certificate; no visit is needed.",
    ),
    "close_requested": (
        "wait",
        "Đang chờ cơ quan BHXH đóng hồ sơ; có thể hồ sơ đã được xác thực trước đó.",
        "The agency is closing the application, unless it was verified before.",
    ),
    "credentials_failed": (
        "wait",
        "SMS mật khẩu không đến được; mật khẩu khác sẽ được gửi sau ít phút, rồi thử lại trong hơn một giờ. "
        "Xin để điện thoại bật và có sóng. Nếu cần ngay, gọi 1900 9068 nhánh 8.",
        "The SMS did not reach your phone; another password follows in a few minutes, and is tried again for "
        "over an hour. Keep the phone on and in reach. If you need it now, call 1900 9068, key 8.",
    ),
    "credentials_replaced": (
        "wait",
        "Mật khẩu khác đang được gửi qua SMS; mật khẩu trước không còn dùng được.",
        "Another password is on its way by SMS; the one before is no longer valid.",
    ),
    "credentials_link_issued": (
        "wait",
        "Liên kết kích hoạt đang được gửi qua e-mail; mật khẩu trong SMS trước không còn dùng được.",
        "An activation link is on its way by e-mail; the password of the SMS before is no longer valid.",
    ),
    "credentials_link_sent": (
        "activate",
        "Mở liên kết trong e-mail, nhập mã số BHXH và tự đặt mật khẩu. Nếu không thấy thư, mang "
        "CMND/CCCD/hộ chiếu đến cơ quan BHXH để nhận tài khoản tại quầy.",
        "Open the link in the e-mail, enter your BHXH code and choose a password. If there is no e-mail, "
        "bring your CMND/CCCD/passport to the agency and receive your account at the counter.",
    ),
    "credentials_link_failed": (
        "collect",
        "Mang CMND/CCCD/hộ chiếu đến cơ quan BHXH đã chọn để nhận tài khoản tại quầy.",
        "Bring your CMND/CCCD/passport to the chosen agency and receive your account at the counter.",
    ),
    "credentials_counter_due": (
        "collect",
        "Mang CMND/CCCD/hộ chiếu đến cơ quan BHXH đã chọn để nhận tài khoản tại quầy.",
        "Bring your CMND/CCCD/passport to the chosen agency and receive your account at the counter.",
    ),
    "credentials_handed_over": (
        "log_in",
        "Đăng nhập bằng mã số BHXH và mật khẩu trên phiếu đã nhận, rồi đổi mật khẩu.",
        "Log in with your BHXH code and the password on the slip that you received, then change it.",
    ),
    REISSUED: (
        "log_in",
        "Đăng nhập bằng mã số BHXH và mật khẩu đã nghe qua điện thoại, rồi đổi mật khẩu. Nếu không đăng nhập "
        "được, gọi lại 1900 9068 nhánh 8, hoặc mang CMND/CCCD/hộ chiếu đến cơ quan BHXH để nhận tài khoản "
        "tại quầy.",
        "Log in with your BHXH code and the password that you heard on the phone, then change it. If that "
        "fails, call 1900 9068, key 8, again, or bring your CMND/CCCD/passport to the agency and receive "
        "your account at the counter.",
    ),
    USED: (
        "log_in",
        "Đăng nhập bằng mã số BHXH và mật khẩu của Ông/Bà.",
        "Log in with your BHXH code and your own password.",
    ),
}
"""What the citizen does next, by status or by what last happened: a word for programs, and a sentence."""

TEXTS_TAG = hashlib.sha256(repr((LINES, NEXT)).encode()).hexdigest()


def line_of(entry: Entry, language: str) -> str:
    """The sentence of a line."""
    vi, en = LINES.get(f"{entry.step}/{entry.detail}") or LINES[entry.step]
    return en if language == "en" else vi


@dataclass(frozen=True)
class Progress:
    """All that the timeline of one registration is made of. ``agency`` is as the citizen reads it."""

    id: UUID
    language: str
    token_hash: bytes = field(repr=False)
    status: Status
    entries: Sequence[Entry]
    deadline: datetime | None = None
    close_requested: str | None = None
    agency: str | None = None
    is_childs: bool = False
    """A child's: there is no visit, and no deadline of one."""
    is_emptied: bool = False
    """Number, times and steps are all that is left."""

    @property
    def tag(self) -> str:
        """Another one whenever the timeline reads otherwise: lines are only added, and the rest is in it."""
        until = self.until
        told = (
            self.status.value,
            len(self.entries),
            self.language,
            self.deadline and self.deadline.timestamp(),
            until and until.timestamp(),
            self.agency,
            self.is_emptied,
            TEXTS_TAG,
        )
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]

    @property
    def next(self) -> tuple[str, str]:
        """What comes next: the word and the sentence."""
        step, vi, en = NEXT[self._where]
        return step, en if self.language == "en" else vi

    @property
    def until(self) -> datetime | None:
        """Until when, where the citizen has to do it."""
        if self._where in TIMED:
            last = self._last_of_password
            of_it = (e for e in self.entries if last and e.credential_id == last.credential_id)
            return next((e.valid_until for e in of_it if e.valid_until), None)
        if self.is_childs or self.next[0] not in ("visit", "supplement"):
            return None
        return self.deadline

    @property
    def _where(self) -> str:
        if self.is_emptied:
            return "emptied"
        if self.status in OPEN and self.close_requested is not None:
            return "close_requested"
        if self.is_childs and self.status is Status.AWAITING_VISIT:
            return "certificate"
        if self.status not in SETTLED:
            return self.status
        last = self._last_of_password.step if self._last_of_password else ""
        if last in ("credentials_sent", "credentials_delivered"):
            return Status.COMPLETED
        return last if last in NEXT else Status.VERIFIED

    @property
    def _last_of_password(self) -> Entry | None:
        """The last line about the password that counts."""
        told = (e for e in reversed(self.entries) if e.step != LATE)
        return next((e for e in told if e.step.startswith("credentials_")), None)
