"""Notification's entrypoints."""

from __future__ import annotations

from typing import Any

from services.notification import jobs, use_cases, writing
from services.notification.parts import parts_of
from services.notification.schemas import MessagesRequest, MessageView
from services.notification.storage import MessageStorage
from shared.database import Transaction
from shared.events import account, credentials, identity, registration
from shared.events.envelope import Event
from shared.messaging.dependencies import Database, Parts
from shared.messaging.jobs import job
from shared.messaging.listener import on_event
from shared.messaging.rpc import rpc


class NotificationService:
    """Writes messages as it hears of their causes, sends each once, settles what became of them."""

    name = "notification"
    db = Database()
    parts = Parts(parts_of)

    @on_event(registration.EMAIL_OTP_REQUESTED, account.RESET_REQUESTED)
    def send_otp(self, tx: Transaction, event: Event) -> None:
        """An OTP by e-mail."""
        writing.send_otp(MessageStorage(tx), event)

    @on_event(account.LOG_IN_OTP_REQUESTED)
    def send_log_in_otp(self, tx: Transaction, event: Event) -> None:
        """An OTP by SMS, for a log-in."""
        writing.send_log_in_otp(MessageStorage(tx), event)

    @on_event(credentials.ISSUED)
    def deliver_credentials(self, tx: Transaction, event: Event) -> None:
        """The password by SMS, instructions by e-mail."""
        writing.deliver_credentials(MessageStorage(tx), event)

    @on_event(credentials.LINK_ISSUED)
    def deliver_link(self, tx: Transaction, event: Event) -> None:
        """A link to choose a password, by e-mail."""
        writing.deliver_link(MessageStorage(tx), event)

    @on_event(identity.REJECTED)
    def tell_rejected(self, tx: Transaction, event: Event) -> None:
        """The registration was refused."""
        writing.tell_rejected(MessageStorage(tx), event)

    @on_event(identity.CLOSED)
    def tell_closed(self, tx: Transaction, event: Event) -> None:
        """The registration was closed."""
        writing.tell_closed(MessageStorage(tx), event)

    @on_event(identity.GUARDIANSHIP_ENDED)
    def tell_guardianship_ended(self, tx: Transaction, event: Event) -> None:
        """Somebody is a child's guardian no more."""
        writing.tell_guardianship_ended(MessageStorage(tx), event)

    @on_event(identity.SUPPLEMENT_REQUESTED)
    def tell_supplement(self, tx: Transaction, event: Event) -> None:
        """The agency asks for more."""
        writing.tell_supplement(MessageStorage(tx), event)

    @on_event(registration.REMINDER_DUE)
    def remind(self, tx: Transaction, event: Event) -> None:
        """The visit is due."""
        writing.remind(MessageStorage(tx), event)

    @on_event(account.NOTICE_DUE)
    def tell_account(self, tx: Transaction, event: Event) -> None:
        """Something happened to an account."""
        writing.tell_account(MessageStorage(tx), event)

    @on_event(account.REQUEST_ANSWERED)
    def tell_request_answered(self, tx: Transaction, event: Event) -> None:
        """What came of something that a person asked about the own data."""
        writing.tell_request_answered(MessageStorage(tx), event)

    # A kind of job for each channel: where one is away, the other is not held up.

    @job("send_sms", lease_seconds=20, workers=8, attempts=30)
    def send_sms(self, due: jobs.Due) -> jobs.Record | None:
        """Send one SMS, once."""
        return jobs.send_message(self.db, MessageStorage, self.parts.outside, due)

    @job("send_email", lease_seconds=20, workers=8, attempts=30)
    def send_email(self, due: jobs.Due) -> jobs.Record | None:
        """Send one e-mail, once."""
        return jobs.send_message(self.db, MessageStorage, self.parts.outside, due)

    @job("settle_unknown", lease_seconds=10, workers=1)
    def settle_unknown(self, due: jobs.Due) -> jobs.Record:
        """A receipt may be about a message that was never answered."""
        return jobs.settle_unknown(MessageStorage, due)

    @job("report_unknown", lease_seconds=10, workers=1)
    def report_unknown(self, due: jobs.Due) -> jobs.Record:
        """A message was not answered in time."""
        return jobs.report_unknown(MessageStorage, due)

    @job("report_unreceipted", lease_seconds=10, workers=1)
    def report_unreceipted(self, due: jobs.Due) -> jobs.Record:
        """Of a password that was sent no receipt came in time."""
        return jobs.report_unreceipted(MessageStorage, self.parts.outside, due)

    @rpc
    def messages(self, **request: Any) -> dict[str, Any]:
        """The messages of a registration: states only."""
        asked = MessagesRequest().load(request)
        with self.db.transaction() as tx:
            found = use_cases.messages(MessageStorage(tx), asked["registration_id"])
        return {"items": MessageView(many=True).dump(found)}
