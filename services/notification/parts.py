"""What notification is composed of besides its tables: the channels, which live as long as the process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone

from services.notification import jobs
from services.notification.domain import Receipt, SmsQuotas
from services.notification.email import EmailChannel, MailServer
from services.notification.settings import Settings
from services.notification.smpp_link import Smsc
from services.notification.sms import SmsChannel
from services.notification.storage import MessageStorage
from services.notification.texts import Texts
from shared.database import Database, is_away
from shared.sealed import Sealer


@dataclass(frozen=True)
class Parts:
    """The session with the SMSC, and what the jobs send with."""

    sms: SmsChannel
    outside: jobs.Outside

    def start(self) -> None:
        """Connect to the SMSC."""
        self.sms.start()

    def stop(self) -> None:
        """Leave the SMSC."""
        self.sms.stop()


def parts_of(settings: Settings, database: Database) -> Parts:
    """The parts of a process. Raises ``SealKeyInvalid`` for keys that are none."""

    def record_receipts(receipts: list[Receipt]) -> None:
        jobs.record_receipts(database, MessageStorage, is_away, receipts)

    sms = SmsChannel(smsc_of(settings), record_receipts)
    outside = jobs.Outside(
        sms=sms,
        email=EmailChannel(mail_server_of(settings)),
        words=texts_of(settings),
        sealer=Sealer.from_settings(settings),
        receipt_wait_seconds=settings.receipt_wait_seconds,
        quotas=SmsQuotas(
            settings.sms_per_day,
            settings.sms_per_phone,
            timezone(timedelta(hours=settings.utc_offset_hours)),
        ),
        receipt_seconds=settings.sms_validity_seconds + settings.receipt_margin_seconds,
    )
    return Parts(sms, outside)


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
        validity_seconds=settings.sms_validity_seconds,
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
        "activation_url": settings.activation_url,
        "google_play_url": settings.google_play_url,
    }
    return Texts(places, settings.utc_offset_hours)
