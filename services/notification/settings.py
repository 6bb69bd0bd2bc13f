"""What a deployment decides for notification."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.settings import ServiceSettings


def told(help: str, **metadata: Any) -> dict[str, Any]:
    """The metadata of a setting."""
    return {"help": help, **metadata}


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """Where messages go out, how long their answers may take, and what the texts name."""

    smpp_host: str = field(metadata=told("Host of the SMSC."))
    smpp_port: int = field(metadata=told("SMPP 3.4 port of the SMSC.", least=1, most=65535))
    smpp_system_id: str = field(metadata=told("Name to bind with at the SMSC."))
    smpp_password: str = field(metadata=told("Password to bind with, 8 characters at most."))
    smpp_sender: str = field(default="VSSID", metadata=told("Sender that phones show."))
    smpp_response_seconds: float = field(
        default=10.0, metadata=told("How long the SMSC may take to answer a submission.", least=0.1)
    )
    smpp_enquire_seconds: float = field(
        default=15.0, metadata=told("Silence after which the link is probed.", least=0.5)
    )
    receipt_wait_seconds: float = field(
        default=15.0,
        metadata=told("How long an unanswered message waits for a receipt before it is reported failed."),
    )
    sms_validity_seconds: int = field(
        default=21_600,
        metadata=told(
            "How long the SMSC tries to reach a phone before it gives an SMS up (validity_period).",
            least=1,
            most=7 * 86_400,
        ),
    )
    receipt_margin_seconds: float = field(
        default=3600.0,
        metadata=told(
            "How long after that a receipt may still come; then a password counts as not arrived.", least=0
        ),
    )

    sms_per_day: int = field(
        default=200_000,
        metadata=told(
            "SMS that leave in a day, all together; the rest waits for the next. A tenth is for passwords "
            "and codes of log-ins alone.",
            least=1,
        ),
    )
    sms_per_phone: int = field(
        default=20,
        metadata=told("SMS to one phone in a day, passwords and codes of log-ins apart.", least=1),
    )

    smtp_host: str = field(metadata=told("Host of the mail server."))
    smtp_port: int = field(metadata=told("SMTP port of the mail server.", least=1, most=65535))
    smtp_starttls: bool = field(default=False, metadata=told("Whether to insist on TLS."))
    smtp_user: str = field(default="", metadata=told("Name to log in with; empty: no log-in."))
    smtp_password: str = field(default="", metadata=told("Password to log in with."))
    smtp_seconds: float = field(
        default=10.0, metadata=told("How long the mail server may take for each step.", least=0.1)
    )
    mail_from: str = field(metadata=told("Address that mail comes from."))
    dkim_selector: str = field(default="", metadata=told("Selector of the DKIM key."))
    dkim_domain: str = field(default="", metadata=told("Domain that signs."))
    dkim_private_key: str = field(
        default="", metadata=told("RSA private key for DKIM, PEM; empty: mail is not signed.")
    )

    app_store_url: str = field(
        default="https://apps.apple.com/vn/app/vssid/id1521647264",
        metadata=told("The app on the App Store."),
    )
    google_play_url: str = field(
        default="https://play.google.com/store/apps/details?id=com.bhxhapp",
        metadata=told("The app on Google Play."),
    )
    activation_url: str = field(
        metadata=told(
            "The page that an activation link opens, by its public name, e.g. "
            "https://the-gateway.example/activation; its secret is put behind a #."
        ),
    )
    hotline: str = field(default="1900 9068", metadata=told("Hotline that messages name."))
    utc_offset_hours: int = field(
        default=7, metadata=told("Local time of the texts, hours ahead of UTC.", least=-12, most=14)
    )
