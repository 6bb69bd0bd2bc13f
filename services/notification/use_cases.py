"""What notification does: send each message once, and settle what became of it (written: ``writing``)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from services.notification.domain import (
    AttemptTaken,
    Channel,
    Declined,
    Kept,
    Message,
    Outcome,
    Purpose,
    Receipt,
    Sent,
    SmsParked,
    SmsQuotas,
    State,
    Unknown,
    hindrance,
    verdict,
)
from shared.events.envelope import EventType
from shared.events.notification import DELIVERED, FAILED, SENT
from shared.messaging import outbox

IN_FLIGHT_SECONDS = 2.0
"""How long a worker that has its answer may take to record it; a receipt waits that long for its message."""

NO_ANSWER = "no_answer"
"""The reason of an ``unknown`` message that has been reported failed."""

NO_RECEIPT = "no_receipt"
"""The reason of a ``sent`` message that has been reported failed."""

REPORTED = (NO_ANSWER, NO_RECEIPT)

RECEIPT_SECONDS = 7 * 3600.0
"""How long an SMS with a password waits for its receipt, unless a deployment decides otherwise."""

DEFAULT_QUOTAS = SmsQuotas()

ENDINGS = {State.DELIVERED: DELIVERED, State.FAILED: FAILED}


class Storage(Protocol):
    """Messages, attempts and receipts, inside the caller's transaction."""

    @property
    def tx(self) -> outbox.Transaction: ...

    def add_message(self, message: Message, at: datetime) -> bool: ...
    def message(self, message_id: UUID) -> Message | None: ...
    def set_state(self, message_id: UUID, state: State, reason: str | None, at: datetime) -> None: ...
    def erase_secret(self, message_id: UUID) -> None: ...
    def count_sms(self, day: date, recipient: str, most: int) -> bool: ...
    def begin_attempt(self, message_id: UUID, number: int, at: datetime) -> None: ...
    def end_attempt(self, message_id: UUID, outcome: str, reason: str | None, at: datetime) -> None: ...
    def last_attempt_at(self, message_id: UUID) -> datetime | None: ...
    def add_parts(self, message_id: UUID, provider_ids: Sequence[str]) -> None: ...
    def parts(self, message_id: UUID) -> list[Receipt | None]: ...
    def keep_receipt(self, receipt: Receipt, at: datetime) -> Kept: ...
    def open_messages(self, phone: str) -> list[Message]: ...
    def stray_receipts(self, phone: str, since: datetime) -> list[Receipt]: ...
    def of_registration(self, registration_id: UUID) -> list[tuple[Message, datetime]]: ...
    def was_told(self, registration_id: UUID, purposes: Sequence[Purpose], cause: UUID) -> bool: ...
    def was_told_of(self, account_id: UUID, purpose: Purpose, at: str, cause: UUID) -> bool: ...
    def in_flight(self, limit: int) -> list[UUID]: ...


# ---- sending: what the job does around the channel -----------------------------------------------------


def take_up(
    storage: Storage, message_id: UUID, *, receipt_wait_seconds: float, now: datetime
) -> Message | None:
    """The message to send now, or None when there is nothing (more) to do.

    A message found ``sending`` was begun by a worker that died or is very late: whether it went out nobody
    knows, so it becomes ``unknown`` and is not sent again.
    """
    message = storage.message(message_id)
    if message is None:
        return None
    if message.state is State.SENDING:
        record(
            storage, message_id, Unknown("interrupted"), receipt_wait_seconds=receipt_wait_seconds, now=now
        )
        return None
    if message.state is not State.WAITING:
        return None
    if reason := hindrance(message, now):
        _end(storage, message, State.FAILED, reason, now)
        return None
    return message


def begin_attempt(
    storage: Storage,
    message_id: UUID,
    now: datetime,
    quotas: SmsQuotas = DEFAULT_QUOTAS,
    receipt_seconds: float = RECEIPT_SECONDS,
) -> None:
    """To be committed just before the first byte that could become a message leaves. An SMS counts once,
    however often it is tried. From here on a password waits for its receipt, whatever comes of the attempt.
    Raises ``AttemptTaken`` when somebody else has begun, ``SmsParked``."""
    message = storage.message(message_id)
    if message is None or message.state is not State.WAITING:
        raise AttemptTaken
    if message.channel is Channel.SMS and message.attempts == 0:
        day = now.astimezone(quotas.zone).date()
        for quota, (recipient, most) in quotas.of(message).items():
            if not storage.count_sms(day, recipient, most):
                raise SmsParked(quota)
    storage.begin_attempt(message_id, message.attempts + 1, now)
    storage.set_state(message_id, State.SENDING, None, now)
    if message.channel is Channel.SMS and message.purpose is Purpose.CREDENTIALS:
        _due(storage, "report_unreceipted", message_id, now, receipt_seconds)


def record(
    storage: Storage,
    message_id: UUID,
    outcome: Outcome,
    *,
    receipt_wait_seconds: float,
    now: datetime,
    is_last: bool = False,
) -> None:
    """What came of an attempt. ``is_last``: a message declined now is not tried again.
    Receipts that came before this record are joined to it here."""
    message = storage.message(message_id)
    if message is None or message.state not in (State.WAITING, State.SENDING, State.UNKNOWN):
        return
    match outcome:
        case Sent(provider_ids):
            storage.end_attempt(message_id, "sent", None, now)
            storage.add_parts(message_id, provider_ids)
            _send_off(storage, message, now)
            _join_receipts(storage, message_id, now)
        case Declined(reason, permanent):
            storage.end_attempt(message_id, "declined", reason, now)
            if permanent or is_last or message.state is State.UNKNOWN:
                _end(storage, message, State.FAILED, reason, now)
            else:
                storage.set_state(message_id, State.WAITING, reason, now)
        case Unknown(reason, provider_ids) if message.state is not State.UNKNOWN:
            storage.end_attempt(message_id, "unknown", reason, now)
            storage.add_parts(message_id, provider_ids)
            storage.set_state(message_id, State.UNKNOWN, reason, now)
            storage.erase_secret(message_id)
            _due(storage, "report_unknown", message_id, now, receipt_wait_seconds)
            if _strays(storage, message):
                _due(storage, "settle_unknown", message_id, now, IN_FLIGHT_SECONDS)


# ---- settling: what receipts say -----------------------------------------------------------------------


def note_receipts(storage: Storage, receipts: Sequence[Receipt], now: datetime) -> None:
    """Keep what the SMSC reports and settle the messages it is about.

    A receipt whose message is not known by the provider's id belongs either to a submission whose answer is
    being recorded right now (``record`` will join it) or to one whose answer never came: ``settle_unknown``
    looks at it a little later.
    """
    for receipt in sorted(receipts, key=lambda receipt: receipt.provider_id):
        kept = storage.keep_receipt(receipt, now)
        if kept.message_id is not None:
            _join_receipts(storage, kept.message_id, now)
        elif kept.is_new:
            for message in storage.open_messages(receipt.phone):
                if message.state is State.UNKNOWN:
                    _due(storage, "settle_unknown", message.id, now, IN_FLIGHT_SECONDS)


def settle_unknown(storage: Storage, message_id: UUID, now: datetime) -> None:
    """Settle a message whose answer never came by a receipt for its phone that belongs to no other message.
    Where two such messages to one phone are open, a receipt could be either's and settles neither."""
    _settle(storage, message_id, now, again="settle_unknown")


def report_unknown(storage: Storage, message_id: UUID, now: datetime) -> None:
    """Report a message failed of which no receipt came in time, so that whoever caused it can act: a
    credential is replaced, never resent. It stays ``unknown``: a still later receipt is heard."""
    if _settle(storage, message_id, now, again="report_unknown"):
        return
    message = storage.message(message_id)
    if message is not None and message.reason != NO_ANSWER:
        storage.set_state(message_id, State.UNKNOWN, NO_ANSWER, now)
        _publish(storage, FAILED, message, NO_ANSWER, now)


def report_unreceipted(
    storage: Storage, message_id: UUID, now: datetime, receipt_seconds: float = RECEIPT_SECONDS
) -> bool:
    """Whether a password that was sent is reported failed now, as the SMSC has long given it up and never
    said so: the next way is tried. It stays ``sent``: a still later receipt is heard."""
    message, begun_at = storage.message(message_id), storage.last_attempt_at(message_id)
    if message is None or begun_at is None or message.state in ENDINGS or message.reason in REPORTED:
        return False
    if now < begun_at + timedelta(seconds=receipt_seconds):  # it was tried again since this fell due
        _due(storage, "report_unreceipted", message_id, begun_at, receipt_seconds)
    elif message.state is State.SENT:
        storage.set_state(message_id, State.SENT, NO_RECEIPT, now)
        _publish(storage, FAILED, message, NO_RECEIPT, now)
        return True
    return False


def _settle(storage: Storage, message_id: UUID, now: datetime, *, again: str) -> bool:
    """Whether it is settled, or will be looked at ``again`` once a rival for the receipt has its answer."""
    message = storage.message(message_id)
    if message is None or message.state is not State.UNKNOWN:
        return True
    strays = _strays(storage, message)
    if not strays:
        return False
    rivals = [rival for rival in storage.open_messages(message.recipient) if rival.id != message_id]
    if any(rival.state is State.SENDING for rival in rivals):
        _due(storage, again, message_id, now, IN_FLIGHT_SECONDS)
        return True
    if rivals:
        return False
    storage.add_parts(message_id, [receipt.provider_id for receipt in strays])
    _send_off(storage, message, now)
    _join_receipts(storage, message_id, now)
    return True


def _strays(storage: Storage, message: Message) -> list[Receipt]:
    begun_at = storage.last_attempt_at(message.id)
    if message.channel is not Channel.SMS or begun_at is None:
        return []
    return storage.stray_receipts(message.recipient, begun_at)


def _due(storage: Storage, kind: str, message_id: UUID, now: datetime, seconds: float) -> None:
    outbox.add(storage.tx, outbox.Due(kind, key=str(message_id), at=now + timedelta(seconds=seconds)))


def _join_receipts(storage: Storage, message_id: UUID, now: datetime) -> None:
    message = storage.message(message_id)
    parts = storage.parts(message_id)
    state = verdict(parts)
    if message is None or message.state is not State.SENT or state is None:
        return
    reasons = [part.reason for part in parts if part is not None and not part.delivered]
    _end(storage, message, state, next(iter(reasons), None), now)


def _send_off(storage: Storage, message: Message, now: datetime) -> None:
    reported = NO_ANSWER if message.reason == NO_ANSWER else None
    storage.set_state(message.id, State.SENT, reported, now)
    storage.erase_secret(message.id)
    _publish(storage, SENT, message, None, now)


def _end(storage: Storage, message: Message, state: State, reason: str | None, now: datetime) -> None:
    storage.set_state(message.id, state, reason, now)
    storage.erase_secret(message.id)
    if state is not State.FAILED or message.reason not in REPORTED:  # a failure is reported once
        _publish(storage, ENDINGS[state], message, reason, now)


def _publish(
    storage: Storage, event_type: EventType, message: Message, reason: str | None, now: datetime
) -> None:
    data = {
        "message_id": message.id,
        "cause_event_id": message.cause_event_id,
        "purpose": message.purpose.value,
        "channel": message.channel.value,
        "registration_id": message.registration_id,
        "credential_id": message.credential_id,
        "reason": reason,
        "at": now,
    }
    event = event_type.event(subject=message.id, correlation_id=message.subject_id, at=now, data=data)
    outbox.add(storage.tx, event)


# ---- after a restore (``vssid restore``, ``vssid reconcile``) -------------------------------------------


def give_up_in_flight(storage: Storage, *, receipt_wait_seconds: float, limit: int, now: datetime) -> int:
    """Messages that waited when the backup was made may have gone out since: nobody knows. They are never
    sent again blindly; a first password among them is replaced. Returns how many, ``limit`` at the most."""
    messages = storage.in_flight(limit)
    for message_id in messages:
        record(storage, message_id, Unknown("restored"), receipt_wait_seconds=receipt_wait_seconds, now=now)
    return len(messages)


def tell_outcome_again(storage: Storage, message_id: UUID, now: datetime) -> None:
    """What became of a message, to those who lost it."""
    message = storage.message(message_id)
    if message is None:
        return
    told = {State.SENT: SENT, **ENDINGS}.get(message.state)
    if message.state in (State.UNKNOWN, State.SENT) and message.reason in REPORTED:
        told = FAILED
    if told is not None:
        _publish(storage, told, message, message.reason, now)


# ---- telling -------------------------------------------------------------------------------------------


def messages(storage: Storage, registration_id: UUID) -> list[dict[str, Any]]:
    """The messages of one registration, oldest first: states only, nothing of a person."""
    return [
        {
            "message_id": str(message.id),
            "channel": message.channel.value,
            "purpose": message.purpose.value,
            "state": message.state.value,
            "reason": message.reason,
            "attempts": message.attempts,
            "at": at.isoformat(),
        }
        for message, at in storage.of_registration(registration_id)
    ]
