"""What runs on leases: sending a message, settling one that was never answered; and recording receipts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from prometheus_client import Counter, Histogram

from services.notification import use_cases
from services.notification.domain import (
    AttemptTaken,
    Channel,
    Declined,
    Message,
    Outcome,
    Receipt,
    SmsParked,
    SmsQuotas,
    Unknown,
    next_look,
)
from services.notification.email import Letter
from services.notification.texts import EmailText
from services.notification.use_cases import Storage
from shared import logs, metrics, tracing
from shared.messaging import outbox

log = logs.get(__name__)

AWAY_SECONDS = 0.5
PROVIDERS = {Channel.SMS: "smsc", Channel.EMAIL: "mail_server"}

messages_total = Counter(
    "vssid_messages_total",
    "Attempts to send by what the provider made of them: sent, declined (by status or reach), unknown",
    ["provider", "outcome", "reason"],
    registry=metrics.REGISTRY,
)
message_seconds = Histogram(
    "vssid_message_seconds",
    "Time until the provider had answered, or had not",
    ["provider"],
    buckets=metrics.SECONDS,
    registry=metrics.REGISTRY,
)
sms_parked_total = Counter(
    "vssid_sms_parked_total",
    "SMS that have to wait, by the quota reached: day (all together, notices at 90 %), phone (one)",
    ["quota"],
    registry=metrics.REGISTRY,
)
receipts_total = Counter(
    "vssid_receipts_total",
    "Parts of messages by what the provider reported in the end: delivered, failed; or passwords of which it "
    "reported nothing: missing",
    ["provider", "outcome"],
    registry=metrics.REGISTRY,
)

Record = Callable[[Any], None]


class Due(Protocol):
    """The job in hand, as the kit gives it."""

    @property
    def key(self) -> str: ...
    @property
    def is_last(self) -> bool: ...


class Opener(Protocol):
    """Opens what was sealed to this service."""

    def open(self, sealed: str) -> str: ...


class Sms(Protocol):
    """The way to the SMSC."""

    def send(self, to: str, text: str, begin: Callable[[], None]) -> Outcome: ...


class Email(Protocol):
    """The way to the mail server."""

    def send(self, letter: Letter, begin: Callable[[], None]) -> Outcome: ...


class Words(Protocol):
    """The templates."""

    def sms(self, message: Message, secret: str | None) -> str: ...
    def email(self, message: Message, secret: str | None) -> EmailText: ...


class NotTaken(Exception):
    """The outside declined, nothing went out; the kit tries again later."""


@dataclass(frozen=True)
class Outside:
    """What sending needs apart from the database. ``mail_domain`` is the right side of Message-IDs."""

    sms: Sms
    email: Email
    words: Words
    sealer: Opener
    receipt_wait_seconds: float
    quotas: SmsQuotas = use_cases.DEFAULT_QUOTAS
    receipt_seconds: float = use_cases.RECEIPT_SECONDS
    mail_domain: str = "vssid.example"


def now() -> datetime:
    """The clock of jobs."""
    return datetime.now(UTC)


class Database(Protocol):
    """Transactions on the own database."""

    def transaction(self) -> AbstractContextManager[Any]: ...


StorageOf = Callable[[Any], Storage]


def send_message(db: Database, storage_of: StorageOf, outside: Outside, due: Due) -> Record | None:
    """Send the message ``due.key``, once.

    The attempt is committed just before the first byte that could become a message leaves; whatever happens
    after that without an answer makes the message ``unknown``. Raises ``NotTaken`` when it was declined and
    is to be tried again.
    """
    message_id = UUID(due.key)
    wait = outside.receipt_wait_seconds
    with db.transaction() as tx:
        message = use_cases.take_up(storage_of(tx), message_id, receipt_wait_seconds=wait, now=now())
    if message is None:
        return None

    begun = threading.Event()

    def begin() -> None:
        with db.transaction() as tx:
            use_cases.begin_attempt(
                storage_of(tx), message_id, now(), outside.quotas, outside.receipt_seconds
            )
        begun.set()

    def record(tx: Any) -> None:
        use_cases.record(
            storage_of(tx), message_id, outcome, receipt_wait_seconds=wait, now=now(), is_last=due.is_last
        )

    outcome: Outcome
    try:
        outcome = _counted(message, lambda: _speak(outside, message, begin))
    except AttemptTaken:
        return None
    except SmsParked as parked:
        return _put_off(storage_of, message, parked.quota)
    except Exception as error:
        if not due.is_last:
            raise
        log.error("a message could not be sent", message_id=due.key, exc_info=error)
        outcome = Unknown("error") if begun.is_set() else Declined("error")
    if isinstance(outcome, Declined) and not outcome.permanent and not due.is_last:
        with db.transaction() as tx:
            record(tx)
        raise NotTaken(outcome.reason)
    return record


def _put_off(storage_of: StorageOf, message: Message, quota: str) -> Record:
    """The same job again, later: not a failed attempt."""
    sms_parked_total.labels(quota).inc()
    log.warning("an SMS has to wait", message_id=str(message.id), quota=quota)
    later = outbox.Due(f"send_{message.channel}", str(message.id), next_look(message, now()))
    return lambda tx: outbox.add(storage_of(tx).tx, later)


def _counted(message: Message, send: Callable[[], Outcome]) -> Outcome:
    """Send, and count what came of it; the trace shows it by the message's id."""
    provider = PROVIDERS[message.channel]
    started = time.perf_counter()
    with tracing.step(f"send to {provider}", tracing.CLIENT, message_id=str(message.id)):
        outcome = send()
        name, reason = type(outcome).__name__.lower(), getattr(outcome, "reason", "")
        tracing.describe(outcome=name)
    message_seconds.labels(provider).observe(time.perf_counter() - started)
    messages_total.labels(provider, name, reason).inc()
    return outcome


def _speak(outside: Outside, message: Message, begin: Callable[[], None]) -> Outcome:
    secret = outside.sealer.open(message.sealed_secret) if message.sealed_secret else None
    if message.channel is Channel.SMS:
        return outside.sms.send(message.recipient, outside.words.sms(message, secret), begin)
    text = outside.words.email(message, secret)
    letter = Letter(
        message_id=f"{message.id}@{outside.mail_domain}",
        purpose=message.purpose.value,
        language=message.language,
        to=message.recipient,
        subject=text.subject,
        text=text.text,
        html=text.html,
        at=now(),
    )
    return outside.email.send(letter, begin)


def settle_unknown(storage_of: StorageOf, due: Due) -> Record:
    """Settle the message ``due.key``, whose answer never came, by a receipt."""
    return lambda tx: use_cases.settle_unknown(storage_of(tx), UUID(due.key), now())


def report_unknown(storage_of: StorageOf, due: Due) -> Record:
    """The message ``due.key`` has had its time: settle it, or report that there was no answer."""
    return lambda tx: use_cases.report_unknown(storage_of(tx), UUID(due.key), now())


def report_unreceipted(storage_of: StorageOf, outside: Outside, due: Due) -> Record:
    """The password ``due.key`` was sent and has had its time: report that no receipt came."""

    def record(tx: Any) -> None:
        if use_cases.report_unreceipted(storage_of(tx), UUID(due.key), now(), outside.receipt_seconds):
            receipts_total.labels(PROVIDERS[Channel.SMS], "missing").inc()

    return record


def record_receipts(
    db: Database, storage_of: StorageOf, is_away: Callable[[BaseException], bool], receipts: list[Receipt]
) -> None:
    """Record what the SMSC reports; while the database is away it waits, and the SMSC with it."""
    while True:
        try:
            with db.transaction() as tx:
                use_cases.note_receipts(storage_of(tx), receipts, now())
            break
        except Exception as error:
            if not is_away(error):
                raise
            time.sleep(AWAY_SECONDS)
    for receipt in receipts:
        receipts_total.labels(PROVIDERS[Channel.SMS], "delivered" if receipt.delivered else "failed").inc()
