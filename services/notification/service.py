"""Notification's entrypoints, and the channels to the outside that live as long as the process."""

from __future__ import annotations

from typing import Any

from nameko.extensions import DependencyProvider

from services.notification import jobs, use_cases
from services.notification.domain import Receipt
from services.notification.email import EmailChannel, MailServer
from services.notification.schemas import MessagesRequest, MessageView
from services.notification.settings import Settings
from services.notification.smpp_link import Smsc
from services.notification.sms import SmsChannel
from services.notification.storage import MessageStorage
from services.notification.texts import Texts
from shared.database import Transaction, is_away
from shared.events import account, credentials, identity, registration
from shared.events.envelope import Event
from shared.messaging.dependencies import Database
from shared.messaging.jobs import job
from shared.messaging.listener import on_event
from shared.messaging.rpc import rpc
from shared.messaging.runtime import Runtime
from shared.sealed import Sealer


class Channels(DependencyProvider):  # type: ignore[misc]
    """The session with the SMSC, the mail server, the templates and the own key."""

    runtime = Runtime()

    def setup(self) -> None:
        settings: Settings = self.runtime.settings
        self._sms = SmsChannel(smsc_of(settings), self._record_receipts)
        self._outside = jobs.Outside(
            sms=self._sms,
            email=EmailChannel(mail_server_of(settings)),
            words=texts_of(settings),
            sealer=Sealer.from_settings(settings),
            receipt_wait_seconds=settings.receipt_wait_seconds,
        )

    def start(self) -> None:
        self._sms.start()

    def stop(self) -> None:
        self._sms.stop()

    def get_dependency(self, _worker_ctx: Any) -> jobs.Outside:
        return self._outside

    def _record_receipts(self, receipts: list[Receipt]) -> None:
        jobs.record_receipts(self.runtime.database, MessageStorage, is_away, receipts)


class NotificationService:
    """Writes messages as it hears of their causes, sends each once, settles what became of them."""

    name = "notification"
    db = Database()
    outside = Channels()

    @on_event(registration.EMAIL_OTP_REQUESTED, account.RESET_REQUESTED)
    def send_otp(self, tx: Transaction, event: Event) -> None:
        """An OTP by e-mail."""
        use_cases.send_otp(MessageStorage(tx), event)

    @on_event(credentials.ISSUED)
    def deliver_credentials(self, tx: Transaction, event: Event) -> None:
        """The password by SMS, instructions by e-mail."""
        use_cases.deliver_credentials(MessageStorage(tx), event)

    @on_event(identity.REJECTED)
    def tell_rejected(self, tx: Transaction, event: Event) -> None:
        """The registration was refused."""
        use_cases.tell_rejected(MessageStorage(tx), event)

    @on_event(identity.CLOSED)
    def tell_closed(self, tx: Transaction, event: Event) -> None:
        """The registration was closed."""
        use_cases.tell_closed(MessageStorage(tx), event)

    @on_event(identity.SUPPLEMENT_REQUESTED)
    def tell_supplement(self, tx: Transaction, event: Event) -> None:
        """The agency asks for more."""
        use_cases.tell_supplement(MessageStorage(tx), event)

    @on_event(registration.REMINDER_DUE)
    def remind(self, tx: Transaction, event: Event) -> None:
        """The visit is due."""
        use_cases.remind(MessageStorage(tx), event)

    @on_event(account.NOTICE_DUE)
    def tell_account(self, tx: Transaction, event: Event) -> None:
        """Something happened to an account."""
        use_cases.tell_account(MessageStorage(tx), event)

    # A kind of job for each channel: where one is away, the other is not held up.

    @job("send_sms", lease_seconds=20, workers=8, attempts=30)
    def send_sms(self, due: jobs.Due) -> jobs.Record | None:
        """Send one SMS, once."""
        return jobs.send_message(self.db, MessageStorage, self.outside, due)

    @job("send_email", lease_seconds=20, workers=8, attempts=30)
    def send_email(self, due: jobs.Due) -> jobs.Record | None:
        """Send one e-mail, once."""
        return jobs.send_message(self.db, MessageStorage, self.outside, due)

    @job("settle_unknown", lease_seconds=10, workers=1)
    def settle_unknown(self, due: jobs.Due) -> jobs.Record:
        """A receipt may be about a message that was never answered."""
        return jobs.settle_unknown(MessageStorage, due)

    @job("report_unknown", lease_seconds=10, workers=1)
    def report_unknown(self, due: jobs.Due) -> jobs.Record:
        """A message was not answered in time."""
        return jobs.report_unknown(MessageStorage, due)

    @rpc
    def messages(self, **request: Any) -> dict[str, Any]:
        """The messages of a registration: states only."""
        asked = MessagesRequest().load(request)
        with self.db.transaction() as tx:
            found = use_cases.messages(MessageStorage(tx), asked["registration_id"])
        return {"items": MessageView(many=True).dump(found)}


def smsc_of(settings: Settings) -> Smsc:
    """The SMSC of these settings."""
    return Smsc(
        host=settings.smpp_host,
        port=settings.smpp_port,
        system_id=settings.smpp_system_id,
        password=settings.smpp_password,
        sender=settings.smpp_sender,
        response_seconds=settings.smpp_response_seconds,
        enquire_seconds=settings.smpp_enquire_seconds,
    )


def mail_server_of(settings: Settings) -> MailServer:
    """The mail server of these settings."""
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_from,
        seconds=settings.smtp_seconds,
        starttls=settings.smtp_starttls,
        user=settings.smtp_user,
        password=settings.smtp_password,
        dkim_selector=settings.dkim_selector,
        dkim_domain=settings.dkim_domain,
        dkim_private_key=settings.dkim_private_key,
    )


def texts_of(settings: Settings) -> Texts:
    """The templates with the places of these settings."""
    places = {
        "hotline": settings.hotline,
        "app_store_url": settings.app_store_url,
        "google_play_url": settings.google_play_url,
    }
    return Texts(places, settings.utc_offset_hours)
