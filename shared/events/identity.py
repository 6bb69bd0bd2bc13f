"""What identity publishes about a case: checked, supplemented, and exactly one ending."""

from __future__ import annotations

from shared.events import parts
from shared.events.envelope import EventType
from shared.events.fields import Id, Moment, Several, Text

CHECKED = EventType(
    "identity.checked.v1",
    {"registration_id": Id(), "outcome": Text(one_of=parts.OUTCOMES), "at": Moment()},
)

SUPPLEMENT_REQUESTED = EventType(
    "identity.supplement_requested.v1",
    {
        "registration_id": Id(),
        "items": Several(Text(longest=100)),
        "note": Text(optional=True),
        "phone": Text(longest=20),
        "email": Text(longest=320),
        "language": parts.language(),
    },
)

VERIFIED = EventType(
    "identity.verified.v1",
    {
        "registration_id": Id(),
        "person_id": Id(),
        "code": Text(longest=12),
        "method": Text(one_of=("desk", "reused", "phone_known")),
        "at": Moment(),
    },
)

REJECTED = EventType(
    "identity.rejected.v1",
    {
        "registration_id": Id(),
        "reason": Text(),
        "phone": Text(longest=20),
        "email": Text(longest=320),
        "language": parts.language(),
    },
)

CLOSED = EventType(
    "identity.closed.v1",
    {
        "registration_id": Id(),
        "reason": Text(one_of=("cancelled", "deadline_passed", "superseded")),
        "phone": Text(longest=20),
        "email": Text(longest=320),
        "language": parts.language(),
    },
)

GUARDIANSHIP_CONFIRMED = EventType(
    "identity.guardianship_confirmed.v1",
    {
        "person_id": Id(),
        "child_person_id": Id(),
        "codes": Several(Text(longest=12)),
        "valid_until": Moment(),
        "account_id": Id(optional=True),  # the guardian's; the code that the child's account has comes first
    },
)

GUARDIANSHIP_ENDED = EventType(
    "identity.guardianship_ended.v1",
    {
        "account_id": Id(),  # of who was the guardian
        "child_person_id": Id(),
        "codes": Several(Text(longest=12)),  # that of the child's account first
        "ended_at": Moment(),
        "reason": Text(one_of=("came_of_age", "custody_changed", "confirmed_in_error")),
        "channels": parts.channels(),
        "language": parts.language(),
    },
)
"""An officer has ended it. What comes of age ends by itself, as ``valid_until`` of the confirmation says."""
