"""What identity must be told: its database and cache, the register, its keys; and its rules in figures."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from shared.object_settings import S3Settings
from shared.settings import FromEnvironment, ServiceSettings, SettingProblem, SettingsInvalid, limit


@dataclass(frozen=True, kw_only=True)
class Settings(S3Settings, ServiceSettings):
    """Settings of identity, from the environment."""

    redis_url: str = field(metadata={"help": "Redis that counts log-in tries; it may be away."})
    objects_dir: str = field(metadata={"help": "The object folder in which registration keeps photos."})
    photos_private: str = field(
        metadata={"help": "Private keys (X25519, base64) that open photos: today's, former ones, by commas."}
    )
    population_register_url: str = field(metadata={"help": "Base URL of the population register."})
    population_register_token: str = field(metadata={"help": "Bearer token that the register handed out."})
    register_service_code: str = field(
        default="VSSID", metadata={"help": "Our service code at the register."}
    )
    register_unit_code: str = field(default="BHXH-VN", metadata={"help": "Our unit code at the register."})
    register_officer_code: str = field(
        default="VSSID-AUTO", metadata={"help": "The officer code of automatic checks."}
    )
    register_timeout_seconds: float = field(
        default=2.0, metadata={"help": "Longest wait for the register, to the last byte.", "least": 0.1}
    )
    register_failures_to_open: int = field(
        default=5, metadata={"help": "Failures in a row after which it is left alone.", "least": 1}
    )
    register_open_seconds: float = field(
        default=10.0, metadata={"help": "How long it is left alone before one probe.", "least": 0.1}
    )
    register_retry_seconds: int = field(
        default=60, metadata={"help": "Wait before an unanswered check is made again.", "least": 1}
    )
    token_signing_key: str = field(metadata={"help": "Private Ed25519 key as a JWK with its kid, JSON."})
    token_public_keys: str = field(
        metadata={"help": "Keys that verify tokens: a JWKS, JSON.", "secret": False}
    )
    access_token_minutes: int = field(
        default=15, metadata={"help": "How long an access token is valid.", "least": 1, "most": 60}
    )
    staff_token_hours: int = field(
        default=8, metadata={"help": "How long an officer stays logged in.", "least": 1, "most": 24}
    )
    staff_totp: bool = field(
        default=False,
        metadata={"help": "Whether staff need a code of an authenticator app besides the password."},
    )
    staff_totp_tries: str = limit(
        "10/hour", "Wrong codes of one member of staff, the password right, wherever from."
    )
    case_claim_minutes: int = field(
        default=20,
        metadata={"help": "How long a claimed case is its officer's.", "least": 1, "most": 480},
    )
    supplement_hold_hours: int = field(
        default=24,
        metadata={"help": "How long a supplemented case is kept for the officer who asked.", "least": 0},
    )
    two_officers: bool = field(
        default=False, metadata={"help": "Whether a second officer has to approve what the first confirmed."}
    )
    first_password_hours: int = field(
        default=72, metadata={"help": "How long a first password may wait for its first use.", "least": 1}
    )
    exports_a_day: int = field(
        default=5,
        metadata={"help": "How often one account may have its data handed over in 24 hours.", "least": 1},
    )
    first_password_replacements: int = field(
        default=3,
        metadata={"help": "How often a first password whose SMS did not arrive is replaced.", "least": 0},
    )
    first_password_pauses: tuple[float, ...] = field(
        default=(1, 10, 60),
        metadata={
            "help": "Minutes before each SMS with a first password that replaces one that did not arrive, by "
            "commas, the last for all further ones: a phone that is off is on again later. None where the "
            "SMS centre refuses the number."
        },
    )
    activation_by_email: bool = field(
        default=True,
        metadata={
            "help": "Whether a link to choose a password goes to the e-mail once no SMS has arrived; "
            "else the agency's counter is next."
        },
    )
    activation_link_hours: int = field(
        default=72,
        metadata={"help": "How long such a link may wait for its use.", "least": 1, "most": 168},
    )
    hotline_password_hours: int = field(
        default=24,
        metadata={
            "help": "How long a password of the hotline may wait for its first use.",
            "least": 1,
            "most": 24,
        },
    )
    hotline_clock_seconds: int = field(
        default=300,
        metadata={
            "help": "By how much the voice platform's clock, and its request's way, may differ from ours.",
            "least": 10,
            "most": 3600,
        },
    )
    hotline_per_caller: str = limit("5/day", "Calls to the hotline of one number, e.g. 5/day.")
    hotline_per_caller_and_code: str = limit(
        "5/day", "Calls to the hotline of one number about one code; all withheld ones are one."
    )
    hotline_per_code: str = limit(
        "100/day",
        "Calls to the hotline about one code, whoever calls: far more than one needs, "
        "as strangers who use it up keep its owner out.",
    )
    hotline_per_day: str = limit("5000/day", "Calls to the hotline that are answered, all together.")
    voice_log_in_otp: bool = field(
        default=True,
        metadata={
            "help": "Whether a log-in with a password of the hotline needs a code by SMS on a new device."
        },
    )
    log_in_otps_per_account: str = limit("3/hour", "Codes by SMS for log-ins of one account in a short time.")
    log_in_otps_per_day: str = limit("10/day", "Codes by SMS for log-ins of one account in a day.")
    log_in_otps_per_address: str = limit(
        "1500/hour",
        "Codes by SMS for log-ins from one address: far more than a household needs, as a "
        "carrier puts thousands behind one; each account has its own limits.",
    )
    hashes_at_once: int = field(
        default=2, metadata={"help": "Password hashes computed at once; not more than cores.", "least": 1}
    )
    log_in_tries: str = limit(
        "10/minute",
        "Wrong log-ins of one user from one address, or on a known device, and wrong passwords "
        "given in one session, e.g. 10/minute.",
    )
    log_in_tries_per_user: str = limit(
        "100/hour",
        "Wrong log-ins of one user on unknown devices, wherever from: far more than one needs, "
        "as strangers who use it up keep its owner's new devices waiting. So many also on one known "
        "device, and in one session; and of an officer wherever from, where STAFF_TOTP is off.",
    )
    spoken_log_in_tries_per_user: str = limit(
        "5000/hour",
        "Wrong log-ins of one user beyond those, while nothing but a password of the hotline is "
        "looked at: ten random digits, which open a second step alone.",
    )
    log_in_tries_per_address: str = limit(
        "10/minute", "Wrong log-ins of any users from one address on unknown devices."
    )
    log_in_tries_per_network: str = limit(
        "100/minute", "Wrong log-ins of any users from one network (/24, IPv6 /48) on unknown devices."
    )
    otp_tries_per_address: str = limit(
        "100/hour",
        "Wrong codes from one address, of whatever resets by e-mail and log-ins: a code has five "
        "tries, and who begins thousands of resets has thousands.",
    )
    otp_tries_per_network: str = limit(
        "1000/hour", "Wrong codes of resets and log-ins from one network (/24, IPv6 /48)."
    )
    staff_log_in_tries_per_address: str = limit(
        "100/minute",
        "Wrong log-ins of any officers from one address: generous, as an agency shares one and "
        "the second factor stands behind it.",
    )
    staff_log_in_tries_per_network: str = limit(
        "300/minute", "Wrong log-ins of any officers from one network (/24, IPv6 /48)."
    )

    email_reset_minutes: int = field(
        default=10, metadata={"help": "Minutes for which a code to reset a password is valid.", "least": 1}
    )
    email_reset_limit: str = limit("5/hour", "Resets of one user's password asked for from one address.")
    email_reset_address_limit: str = limit(
        "3000/hour",
        "Resets of any passwords asked for from one network address: far more than a household "
        "needs, as a carrier puts thousands behind one; each user has limits of the own.",
    )
    email_resets_a_day: int = field(
        default=5,
        metadata={
            "help": "Codes sent to one account in a day, for askings without and, apart, with its e-mail.",
            "least": 1,
        },
    )

    audit_anchors_dir: str = field(
        default="",
        metadata={
            "help": "Folder outside the database, the same for all replicas, for the anchors of the audit"
            " trail; empty: it is sealed, not anchored."
        },
    )
    audit_signing_key: str = field(
        default="", metadata={"help": "Private Ed25519 key as a JWK with its kid, JSON: signs anchors."}
    )
    audit_public_keys: str = field(
        default="", metadata={"help": "Keys that verify anchors, former ones too: a JWKS, JSON."}
    )
    session_idle_days: int = field(
        default=30, metadata={"help": "How long a device stays logged in while it is not used.", "least": 1}
    )
    session_longest_days: int = field(
        default=180, metadata={"help": "How long a device stays logged in at the most.", "least": 1}
    )
    log_ins_kept_days: int = field(
        default=90,
        metadata={
            "help": "How long it is kept when and where somebody was logged in, after that has run out."
        },
    )
    audit_seal_seconds: int = field(
        default=60, metadata={"help": "How often the audit trail is sealed.", "least": 1}
    )

    def __post_init__(self) -> None:
        """Raises ``SettingsInvalid``: a wrong key is told at the start, not at the first log-in."""
        super().__post_init__()
        problems = []
        if any(minutes < 0 for minutes in self.first_password_pauses):
            problems.append(_malformed("FIRST_PASSWORD_PAUSES", "minutes, 0 or more, by commas"))
        if not _is_signing_key(self.token_signing_key):
            problems.append(_malformed("TOKEN_SIGNING_KEY", "an Ed25519 JWK with kid and d"))
        if not _is_key_set(self.token_public_keys):
            problems.append(_malformed("TOKEN_PUBLIC_KEYS", "a JWKS whose keys have a kid"))
        if self.audit_anchors_dir and not _is_signing_key(self.audit_signing_key):
            problems.append(_malformed("AUDIT_SIGNING_KEY", "an Ed25519 JWK with kid and d"))
        if self.audit_anchors_dir and not _is_key_set(self.audit_public_keys):
            problems.append(_malformed("AUDIT_PUBLIC_KEYS", "a JWKS whose keys have a kid"))
        if problems:
            raise SettingsInvalid(tuple(problems))


@dataclass(frozen=True, kw_only=True)
class AddStaffSettings(FromEnvironment):
    """What adding a member of staff needs."""

    database_url: str = field(metadata={"help": "Identity's own PostgreSQL database."})


@dataclass(frozen=True, kw_only=True)
class HotlineClientsSettings(FromEnvironment):
    """What registering a voice platform needs."""

    database_url: str = field(metadata={"help": "Identity's own PostgreSQL database."})


def _malformed(variable: str, expected: str) -> SettingProblem:
    return SettingProblem(variable, "malformed", expected, "")


def _is_signing_key(text: str) -> bool:
    key = _parsed(text)
    return key.get("crv") == "Ed25519" and all(key.get(part) for part in ("kid", "x", "d"))


def _is_key_set(text: str) -> bool:
    keys = _parsed(text).get("keys")
    return isinstance(keys, list) and bool(keys) and all(isinstance(k, dict) and k.get("kid") for k in keys)


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
