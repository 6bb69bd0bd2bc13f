"""The settings of registration, each a variable of the environment (``shared/settings.py``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.object_settings import S3Settings
from shared.settings import FromEnvironment, ServiceSettings, limit


@dataclass(frozen=True, kw_only=True)
class Settings(S3Settings, ServiceSettings):
    """Registration seals to the gateway and to notification, and opens what the gateway sealed to it."""

    seal_private: str = field(
        metadata={"help": "Own private key (X25519, base64). E-mail codes are hashed with it, too."}
    )
    seal_public_gateway: str = field(metadata={"help": "Public key of the gateway (base64)."})
    seal_public_notification: str = field(metadata={"help": "Public key of notification (base64)."})
    redis_url: str = field(
        metadata={"help": "Counters of how many codes were asked for: redis:// or rediss://…"}
    )
    objects_dir: str = field(
        metadata={
            "help": "The object folder shared with the gateway and identity; of a bucket, what is on its way."
        }
    )
    quarantine_private: str = field(
        metadata={"help": "Private keys (X25519, base64) that open uploads: today's, former ones, by commas."}
    )
    photos_public: str = field(metadata={"help": "Public key (base64) to which photos are sealed."})
    visit_deadline_days: int = field(
        default=30, metadata={"help": "Days from submission to the last day of the visit.", "least": 1}
    )
    consent_version: str = field(
        default="2026-01", metadata={"help": "The text on personal data that is in force."}
    )
    email_otp_minutes: int = field(
        default=10, metadata={"help": "Minutes for which an e-mail code is valid.", "least": 1}
    )
    email_otp_limit: str = limit("3/hour", "How many codes one registration may ask for.")
    email_otp_address_limit: str = limit("10/hour", "How many codes one e-mail address may be sent, in all.")
    check_seconds: float = field(
        default=2.0,
        metadata={"help": "How long step 2 waits for the register check; all but a match takes as long."},
    )
    check_draft_limit: str = limit("20/day", "How often one draft may have the register asked.")
    check_number_limit: str = limit("10/day", "How often the register may be asked about one ID number.")
    check_address_limit: str = limit("300/hour", "How often one network address may have the register asked.")
    taken_draft_limit: str = limit("5/day", "How often one draft may hear that its phone or code is taken.")
    taken_address_limit: str = limit(
        "3000/hour",
        "How often one network address may hear that; then all behind it wait. For the thousands "
        "whom a carrier puts behind one: what one citizen may hear stands in the limit of the draft.",
    )
    photo_max_bytes: int = field(
        default=8 * 1024 * 1024, metadata={"help": "Largest photo that is looked at, in bytes.", "least": 1}
    )
    photo_verified_days: int = field(
        default=365,
        metadata={"help": "Days that photos are kept once their citizen is verified.", "least": 1},
    )
    photo_closed_days: int = field(
        default=30,
        metadata={"help": "Days that photos of rejected, cancelled and expired applications are kept."},
    )
    photo_replaced_days: int = field(
        default=30, metadata={"help": "Days that photos are kept which a supplement has replaced."}
    )
    application_closed_days: int = field(
        default=365,
        metadata={
            "help": "Days after which rejected, cancelled and expired applications lose what is personal.",
            "least": 1,
        },
    )
    draft_days: int = field(
        default=30,
        metadata={"help": "Days after the last save when a draft and its photos are deleted.", "least": 1},
    )
    photo_inspectors: int = field(
        default=2, metadata={"help": "Photos looked at in one process at the same time.", "least": 1}
    )


@dataclass(frozen=True, kw_only=True)
class PlacesSettings(FromEnvironment):
    """What loading agencies needs."""

    database_url: str = field(metadata={"help": "The own database: postgresql://…"})
