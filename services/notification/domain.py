"""What a message is, when it may go out, and what an answer from outside means for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from uuid import UUID, uuid5

VIETNAMESE_MOBILE = re.compile(r"\+84\d{9}")


class Channel(StrEnum):
    """How a message travels."""

    SMS = "sms"
    EMAIL = "email"


class Purpose(StrEnum):
    """Why a message is sent; the names of the templates, and of the X-Vssid-Purpose header."""

    EMAIL_OTP = "email_otp"
    RESET_OTP = "reset_otp"
    LOG_IN_OTP = "log_in_otp"  # by SMS only
    CREDENTIALS = "credentials"  # the password: by SMS only
    ACTIVATION_LINK = "activation_link"  # to choose a password: by e-mail only
    INSTRUCTIONS = "instructions"  # how to use it: by e-mail, without the password
    REJECTED = "rejected"
    CLOSED = "closed"
    SUPPLEMENT = "supplement"
    REMINDER = "reminder"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    REISSUED = "reissued"
    NEW_DEVICE = "new_device"
    SESSION_COPIED = "session_copied"
    CONTACT_CHANGED = "contact_changed"
    THROTTLED = "throttled"
    REQUEST_ANSWERED = "request_answered"
    GUARDIANSHIP_ENDED = "guardianship_ended"


class State(StrEnum):
    """``waiting → sending → sent → delivered | failed``. ``unknown``: it may or may not have gone out, so it
    is never sent again; only a receipt can still settle it."""

    WAITING = "waiting"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Message:
    """One message to one recipient. ``facts`` are what its template tells (text, times as ISO 8601);
    ``sealed_secret`` is a box that only this service opens, and only to send it."""

    cause_event_id: UUID
    channel: Channel
    purpose: Purpose
    recipient: str
    language: str
    facts: Mapping[str, str] = field(default_factory=dict)
    sealed_secret: str | None = None
    valid_until: datetime | None = None
    registration_id: UUID | None = None
    credential_id: UUID | None = None
    account_id: UUID | None = None
    state: State = State.WAITING
    reason: str | None = None
    attempts: int = 0

    @property
    def id(self) -> UUID:
        """The same cause, channel and purpose is the same message, however often it is asked for."""
        return uuid5(self.cause_event_id, f"{self.channel}/{self.purpose}")

    @property
    def subject_id(self) -> UUID:
        """The registration or account that it belongs to."""
        return self.registration_id or self.account_id or self.cause_event_id


@dataclass(frozen=True)
class Sent:
    """The outside took it over; ``provider_ids`` are its names there, one per part."""

    provider_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declined:
    """It certainly did not go out. ``permanent``: trying again would not help."""

    reason: str
    permanent: bool = False


@dataclass(frozen=True)
class Unknown:
    """No (whole) answer: it may have gone out. ``provider_ids`` are the parts that were answered."""

    reason: str
    provider_ids: tuple[str, ...] = ()


Outcome = Sent | Declined | Unknown


@dataclass(frozen=True)
class Receipt:
    """What the SMSC says became of one part. ``phone`` is E.164."""

    provider_id: str
    phone: str
    delivered: bool
    reason: str | None = None


@dataclass(frozen=True)
class Kept:
    """What keeping a receipt told: whether it said something new, and the message it is about, if known."""

    is_new: bool
    message_id: UUID | None


SECRETS = (Purpose.CREDENTIALS, Purpose.LOG_IN_OTP)
"""What its owner waits for, and no stranger can have sent at will: not held back by what else a phone got,
and a tenth of the day is kept for it."""
PARKED = timedelta(minutes=30)
"""How long an SMS whose quota is used up waits until it is looked at again."""
LAST_LOOK = timedelta(minutes=2)
"""How long before its end a message that would be too late by then is looked at once more."""


@dataclass(frozen=True)
class SmsQuotas:
    """How many SMS leave on a day: to all phones together, whatever happens, and to one phone (F16)."""

    per_day: int = 200_000
    per_phone: int = 20
    zone: timezone = timezone(timedelta(hours=7))

    def of(self, message: Message) -> dict[str, tuple[str, int]]:
        """What a message counts for: quota → whose, and how many."""
        if message.purpose in SECRETS:
            return {"day": ("", self.per_day)}
        return {
            "day": ("", self.per_day - self.per_day // 10),
            "phone": (message.recipient, self.per_phone),
        }


class SmsParked(Exception):
    """A quota of the day is used up: the message waits, and is not lost."""

    def __init__(self, quota: str) -> None:
        super().__init__(quota)
        self.quota = quota


class AttemptTaken(Exception):
    """Another worker has begun to send this message: whoever meets this must not."""


def next_look(message: Message, now: datetime) -> datetime:
    """When a parked message is looked at again: in half an hour; one that would be too late by then shortly
    before its end, and after that at its end, when it is told that it did not arrive."""
    later = now + PARKED
    if message.valid_until is None or later < message.valid_until:
        return later
    last = message.valid_until - LAST_LOOK
    return last if now < last else message.valid_until


def hindrance(message: Message, now: datetime) -> str | None:
    """Why a message must not be sent now, or None: too late to be of use, or a number abroad (the ministry's
    SMS contract is for +84 alone, and premium numbers abroad are what SMS pumping lives on)."""
    if message.valid_until is not None and now >= message.valid_until:
        return "expired"
    if message.channel is Channel.SMS and not VIETNAMESE_MOBILE.fullmatch(message.recipient):
        return "destination_refused"
    return None


def verdict(parts: Sequence[Receipt | None]) -> State | None:
    """What the receipts of all parts say together: delivered when every part is, failed as soon as one is,
    None while one is still awaited."""
    if any(part is not None and not part.delivered for part in parts):
        return State.FAILED
    if parts and all(part is not None for part in parts):
        return State.DELIVERED
    return None
