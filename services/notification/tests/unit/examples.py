"""Events and messages that the tests start from. All people are synthetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from shared.events import account, credentials, identity, registration
from shared.events.envelope import Event, EventType

NOW = datetime(2026, 1, 15, 3, 0, tzinfo=UTC)
PHONE = "+84912000111"
EMAIL = "thu.nghiem@example.org"
REGISTRATION = UUID("0192f000-0000-7000-8000-000000000001")
ACCOUNT = UUID("0192f000-0000-7000-8000-000000000002")
CREDENTIAL = UUID("0192f000-0000-7000-8000-000000000003")


def event(event_type: EventType, subject: object = REGISTRATION, **data: Any) -> Event:
    return event_type.event(subject=subject, correlation_id=subject, at=NOW, data=data)


def otp_requested(**changes: Any) -> Event:
    data = {
        "registration_id": REGISTRATION,
        "email": EMAIL,
        "sealed_otp": "sealed(123456)",
        "valid_until": NOW + timedelta(minutes=10),
        "language": "vi",
    }
    return event(registration.EMAIL_OTP_REQUESTED, **(data | changes))


def reset_requested() -> Event:
    return event(
        account.RESET_REQUESTED,
        ACCOUNT,
        account_id=ACCOUNT,
        email=EMAIL,
        sealed_otp="sealed(654321)",
        valid_until=NOW + timedelta(minutes=10),
        language="vi",
    )


def log_in_otp_requested(language: str = "vi") -> Event:
    return event(
        account.LOG_IN_OTP_REQUESTED,
        ACCOUNT,
        account_id=ACCOUNT,
        phone=PHONE,
        sealed_otp="sealed(246810)",
        valid_until=NOW + timedelta(minutes=10),
        language=language,
    )


def issued(**changes: Any) -> Event:
    data = {
        "credential_id": uuid4(),
        "account_id": ACCOUNT,
        "registration_id": REGISTRATION,
        "code": "0123456789",
        "reason": "registration",
        "channels": [{"kind": "sms", "to": PHONE}, {"kind": "email", "to": EMAIL}],
        "sealed_secret": "sealed(Mk7-Qd2-Xv9-Tz4)",
        "valid_until": NOW + timedelta(hours=72),
        "language": "vi",
    }
    return event(credentials.ISSUED, **(data | changes))


def rejected(language: str = "vi") -> Event:
    return event(
        identity.REJECTED,
        registration_id=REGISTRATION,
        reason="Ảnh chân dung không khớp",
        phone=PHONE,
        email=EMAIL,
        language=language,
    )


def closed(reason: str = "cancelled", language: str = "vi") -> Event:
    return event(
        identity.CLOSED,
        registration_id=REGISTRATION,
        reason=reason,
        phone=PHONE,
        email=EMAIL,
        language=language,
    )


def guardianship_ended(reason: str = "custody_changed", language: str = "vi") -> Event:
    return event(
        identity.GUARDIANSHIP_ENDED,
        account_id=ACCOUNT,
        child_person_id=uuid4(),
        codes=["9999999999"],
        ended_at=NOW,
        reason=reason,
        channels=[{"kind": "sms", "to": PHONE}, {"kind": "email", "to": EMAIL}],
        language=language,
    )


def supplement_requested(language: str = "vi") -> Event:
    return event(
        identity.SUPPLEMENT_REQUESTED,
        registration_id=REGISTRATION,
        items=["portrait", "id_front"],
        note="Ảnh bị mờ",
        phone=PHONE,
        email=EMAIL,
        language=language,
    )


def reminder_due(language: str = "vi") -> Event:
    return event(
        registration.REMINDER_DUE,
        registration_id=REGISTRATION,
        phone=PHONE,
        email=EMAIL,
        agency={
            "code": "00101",
            "display_name": "(001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa",
            "address": "Số 1 phố Thử",
        },
        deadline=NOW + timedelta(days=7),
        language=language,
    )


def request_answered(kind: str = "correction", outcome: str = "granted", language: str = "vi") -> Event:
    return event(
        account.REQUEST_ANSWERED,
        ACCOUNT,
        account_id=ACCOUNT,
        request_kind=kind,
        outcome=outcome,
        answer="Thông tin đã được sửa.",
        channels=[{"kind": "email", "to": EMAIL}, {"kind": "sms", "to": PHONE}],
        language=language,
    )


def notice_due(kind: str = "password_changed", language: str = "vi", exact_kind: str | None = None) -> Event:
    return event(
        account.NOTICE_DUE,
        ACCOUNT,
        account_id=ACCOUNT,
        kind=kind,
        exact_kind=exact_kind,
        channels=[{"kind": "email", "to": EMAIL}, {"kind": "sms", "to": PHONE}],
        language=language,
    )
