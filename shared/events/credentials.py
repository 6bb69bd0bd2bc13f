"""What identity publishes when an account gets a new password or a link to choose one, and how that fares:
the secret travels sealed to notification."""

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

LINK_ISSUED = EventType(
    "credentials.link_issued.v1",
    {
        "credential_id": Id(),
        "account_id": Id(),
        "registration_id": Id(),
        "email": Text(longest=320),
        "sealed_secret": Text(),
        "valid_until": Moment(),
        "language": parts.language(),
    },
)
"""No SMS with a first password has arrived: a link to choose one goes to the e-mail that was verified."""

FOLLOWED = EventType(
    "credentials.followed.v1",
    {
        "credential_id": Id(),
        "account_id": Id(),
        "registration_id": Id(),
        "step": Text(one_of=("counter_due", "handed_over", "logged_in", "activated")),
        "at": Moment(),
        "valid_until": Moment(optional=True),
    },
)
"""What became of a first password, beyond its messages: nothing arrived and the agency's counter is next, it
was handed over there (``valid_until``), somebody has logged in with it, or has chosen a password by the
link."""

REISSUED = EventType(
    "credentials.reissued.v1",
    {
        "credential_id": Id(),
        "account_id": Id(),
        "registration_id": Id(),
        "valid_until": Moment(),
        "at": Moment(),
    },
)
"""The hotline read a password aloud, which took the place of what a registration's holder had to choose the
first own one with. A type of its own: versions before know the steps of the one above, and no other."""
