"""The hotline (guide row G2): who is given a new password on the phone, and the words in which it is read.

Part of the domain: standard library only. The voice platform sends the caller's number and the code that was
spoken; both must belong to one account that works.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.identity.domain import PHONE, Account
from shared.refusals import HeldBack, Refused

METHOD, PATH = "POST", "/v1/hotline/password-reissues"
"""What the voice platform signs: its request is good for nothing else."""
SIGNED_HEADERS = ("signature-input", "signature", "content-digest", "idempotency-key")
REASON, CHANNEL = "hotline", "voice"
NOBODY = UUID(int=0)
CODE = re.compile(r"\d{10}|\d{12}")
DIGITS = 10
SHORTEST_NONCE, LONGEST_NONCE = 16, 128


@dataclass(frozen=True)
class HotlineKey:
    """A public key (Ed25519, PEM) of a voice platform; ``id`` is the ``keyid`` of what it signs."""

    id: str
    client: str
    public_key: str = field(repr=False)
    added_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True)
class Call:
    """Who calls, in E.164, and the code or personal number that was spoken: None when it is none at all."""

    caller: str | None = field(repr=False)
    code: str | None = field(repr=False)


def call_of(caller: str, code: str) -> Call:
    """What the platform heard, in the form in which accounts have it."""
    phone = PHONE.fullmatch("".join(caller.split()))
    spoken = re.sub(r"[\s.,-]", "", code)
    return Call("+84" + phone[1] if phone else None, spoken if CODE.fullmatch(spoken) else None)


def is_callers(account: Account | None, call: Call) -> bool:
    """Whether the account is reached at the caller's number."""
    return is_same(account.phone if account else "", call.caller or "-")


def is_same(one: str, other: str) -> bool:
    """Compared in the same time wherever they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


@dataclass(frozen=True)
class Script:
    """What the assistant reads, as text and as SSML 1.1."""

    text: str = field(repr=False)
    ssml: str = field(repr=False)


BEFORE = "Mật khẩu VssID mới của quý khách là"
AGAIN = "Xin nhắc lại, mật khẩu mới của quý khách là"
AFTER = (
    "Mật khẩu có hiệu lực trong {hours} giờ, tên đăng nhập là mã số bảo hiểm xã hội. "
    "Quý khách cần đổi mật khẩu ngay lần đăng nhập đầu tiên và không cung cấp mật khẩu cho bất kỳ ai."
)


def script_of(password: str, hours: int) -> Script:
    """The password in pairs of digits, said twice (domain rule of the voice channel). In the text the digits
    of a pair stand apart, so that 48 is read as "bốn tám" by whoever, or whatever, reads it."""
    pairs = [password[i : i + 2] for i in range(0, len(password), 2)]
    spaced = ", ".join(" ".join(pair) for pair in pairs)
    after = AFTER.format(hours=hours)
    said = '<break time="500ms"/>'.join(
        f'<say-as interpret-as="characters">{pair}</say-as>' for pair in pairs
    )
    digits = f'<prosody rate="slow">{said}</prosody><break time="1s"/>'
    return Script(
        text=f"{BEFORE}: {spaced}. {AGAIN}: {spaced}. {after}",
        ssml='<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="vi-VN">'
        f'<s>{BEFORE}</s><break time="500ms"/>{digits}<s>{AGAIN}</s><break time="500ms"/>{digits}'
        f"<s>{after}</s></speak>",
    )


class HotlineMismatch(Refused):
    """Unknown code, another number and an account that does not work yet look the same. The sentence is the
    one that the assistant says."""

    vi = "số điện thoại và mã số bảo hiểm không khớp hoặc chưa đăng ký với cơ quan BHXH"
    en = "the phone number and the insurance code do not match, or are not registered with the agency"


class HotlineTooMany(HeldBack):
    """Too many calls of one number, about one code, or of one day."""

    vi = (
        "Quý khách đã yêu cầu cấp lại mật khẩu quá nhiều lần. Xin gọi lại sau {wait}, cấp lại mật khẩu qua"
        " e-mail trong ứng dụng, hoặc đến cơ quan BHXH."
    )
    en = (
        "Too many passwords were asked for. Please call again in {wait}, reset the password by e-mail in the"
        " app, or visit the agency."
    )


class HotlineUnavailable(Refused):
    """Calls cannot be counted right now, and are not let through uncounted."""

    vi = "Tổng đài tạm thời chưa cấp lại được mật khẩu. Xin gọi lại sau ít phút."
    en = "The hotline cannot issue passwords right now. Please call again in a few minutes."


class Flaw(StrEnum):
    """What is wrong with a signature: for the log, so that an operator can tell the platform's."""

    MALFORMED = "malformed"  # no signature, several, or parameters that are none
    CLOCK = "clock"  # made too long ago, or ahead, or without a time
    KEY_UNKNOWN = "key_unknown"
    KEY_DISABLED = "key_disabled"
    SIGNATURE = "signature"  # by another key, or over something else than was sent
    NOT_COVERED = "not_covered"  # leaves out something that has to be signed
    BODY = "body"  # not the one of content-digest
    NONCE = "nonce"  # none, too short or too long


class SignatureInvalid(Refused):
    """The request is not signed as agreed by a registered key. Whoever sent it is told how to, and not what
    is wrong: that is ``flaw``, with ``key_id`` of a key that is registered, for our log."""

    vi = (
        "Chữ ký của yêu cầu không hợp lệ. Hãy ký @method, @path, content-digest và idempotency-key (nếu gửi)"
        " bằng khóa Ed25519 đã đăng ký, với created (đồng hồ đúng giờ), keyid và nonce 16 đến 128 ký tự."
    )
    en = (
        "The request's signature is not valid. Sign @method, @path, content-digest and idempotency-key (where"
        " it is sent) by a registered Ed25519 key, with created (of a right clock), keyid and a nonce of"
        " 16 to 128 characters."
    )

    def __init__(self, flaw: Flaw, key_id: str | None = None) -> None:
        super().__init__()
        self.flaw, self.key_id = flaw, key_id


class SignatureReplayed(Refused):
    """A request is good once. Whoever repeats one signs anew, under the same Idempotency-Key."""

    vi = "Yêu cầu này đã được dùng. Hãy ký lại với nonce mới."
    en = "This request was used before. Sign again with another nonce."


class HotlineKeyTaken(Exception):
    """The key is registered already."""
