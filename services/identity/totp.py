"""Codes of an authenticator app (RFC 6238: SHA-1, six digits, 30 s), the second factor of staff; and the code
that an operator hands over, with which such an app may be set up.

Part of the domain: standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import UUID

from shared.refusals import FieldProblem, Refused

STEP_SECONDS = 30
DIGITS = 6
DRIFT_STEPS = 1
"""By which the clock of a phone may be off (RFC 6238, 5.2)."""
SEED_SIZE_BYTES = 20
ISSUER = "VssID"
ENROLMENT_SIZE_BYTES = 10
"""80 random bits: 16 signs, none of which is taken for another (base32 has no 0, 1 and 8)."""
ENROLMENT_LASTS = timedelta(hours=72)


def step_at(now: datetime) -> int:
    """The number of the 30 seconds that ``now`` is in."""
    return int(now.timestamp()) // STEP_SECONDS


def code_of(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """What an app with this secret shows during the step (RFC 4226, 5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """The step, this one or a neighbour, whose code it is. Takes the same time whichever it is, or none."""
    steps = range(step_at(now) - DRIFT_STEPS, step_at(now) + DRIFT_STEPS + 1)
    fitting = [s for s in steps if hmac.compare_digest(code_of(secret, s).encode(), code.encode())]
    return max(fitting, default=None)


def secret_of(key: str, staff_id: UUID, seed: bytes) -> bytes:
    """The 160 bits that the app and the service share (RFC 4226, 4): made of the seed that is stored and of
    the service's own ``key``, so that the database alone gives no code away."""
    own = hashlib.blake2b(key.encode(), person=b"vssid staff totp").digest()
    return hashlib.blake2b(staff_id.bytes + seed, key=own, digest_size=20).digest()


def uri_of(secret: bytes, user: str) -> str:
    """What the app reads, as a QR code, to be set up."""
    label = quote(f"{ISSUER}:{user}", safe=":")
    return (
        f"otpauth://totp/{label}?secret={base64.b32encode(secret).decode()}&issuer={ISSUER}"
        f"&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )


def new_enrolment_code() -> str:
    """What an operator hands over, in fours."""
    signs = base64.b32encode(secrets.token_bytes(ENROLMENT_SIZE_BYTES)).decode()
    return "-".join(signs[i : i + 4] for i in range(0, len(signs), 4))


def enrolment_hash(code: str) -> bytes:
    """What is stored of it, however it is typed; 80 random bits for three days need no slow hash."""
    return hashlib.sha256("".join(filter(str.isalnum, code.upper())).encode()).digest()


NEEDED = FieldProblem(
    "totp",
    "Nhập mã 6 chữ số đang hiện trong ứng dụng xác thực.",
    "Give the six digits that the authenticator app shows.",
)
NEXT_NEEDED = FieldProblem(
    "totp",
    "Nhập mã 6 chữ số đang hiện trong ứng dụng xác thực; mỗi mã chỉ dùng một lần, xin chờ mã kế tiếp.",
    "Give the six digits that the authenticator app shows; each code is good once, wait for the next one.",
)


class TotpRequired(Refused):
    """The password was right, and a code is needed besides. Told only to somebody who knew the password."""

    vi = "Cần mã của ứng dụng xác thực."
    en = "A code of the authenticator app is needed."

    def __init__(self) -> None:
        super().__init__(NEEDED)


class TotpWrong(Refused):
    """Not the code of now, or one that was used: which of them is not told."""

    vi = "Mã của ứng dụng xác thực không đúng hoặc đã được dùng."
    en = "The code of the authenticator app is wrong, or was used before."

    def __init__(self) -> None:
        super().__init__(NEXT_NEEDED)


ENROLMENT_NEEDED = FieldProblem(
    "enrolment_code",
    "Nhập mã thiết lập ứng dụng xác thực do người quản trị cấp, có hiệu lực 72 giờ; hết hạn thì xin cấp lại.",
    "Give the code to set up an authenticator app that the operator handed over, good for 72 hours; "
    "ask for another one after that.",
)


class EnrolmentCodeRequired(Refused):
    """The password was right, no app is set up, and the operator's code is needed for that."""

    vi = "Cần mã thiết lập ứng dụng xác thực."
    en = "The code to set up an authenticator app is needed."

    def __init__(self) -> None:
        super().__init__(ENROLMENT_NEEDED)


class EnrolmentCodeWrong(Refused):
    """Not the operator's code, or one that is too old: which of them is not told."""

    vi = "Mã thiết lập ứng dụng xác thực không đúng hoặc đã hết hạn."
    en = "The code to set up an authenticator app is wrong, or no longer valid."

    def __init__(self) -> None:
        super().__init__(ENROLMENT_NEEDED)
