"""What identity publishes when an account gets a new password: the secret travels sealed to notification."""

from __future__ import annotations

from shared.events import parts
from shared.events.envelope import EventType
from shared.events.fields import Id, Moment, Text

ISSUED = EventType(
    "credentials.issued.v1",
    {
        "credential_id": Id(),
        "account_id": Id(),
        "registration_id": Id(optional=True),
        "code": Text(longest=12),
        "reason": Text(one_of=("registration", "hotline", "email", "desk")),
        "channels": parts.channels(),
        "sealed_secret": Text(),
        "valid_until": Moment(),
        "language": parts.language(),
    },
)
