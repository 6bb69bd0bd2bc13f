"""What registration publishes: applications submitted, supplemented, asked to be closed; messages due;
what was erased on request."""

from __future__ import annotations

from shared.events import parts
from shared.events.envelope import EventType
from shared.events.fields import Count, Id, Moment, Several, Text

SUBMITTED = EventType(
    "registration.submitted.v1",
    {
        "registration_id": Id(),
        "declaration_number": Text(longest=40),
        "person": parts.person(),
        "document": parts.document(),
        "phone": Text(longest=20),
        "email": Text(longest=320),
        "address": parts.address(),
        "agency_code": Text(longest=20),
        "photos": parts.photos(),
        "register_check": parts.register_check(),
        "warnings": Several(Text()),
        "consent": parts.consent(),
        "deadline": Moment(),
        "guardian": parts.guardian(),
        "birth_certificate": parts.birth_certificate(),
        "language": parts.language(),
    },
)

SUPPLEMENTED = EventType(
    "registration.supplemented.v1",
    {
        "registration_id": Id(),
        "photos": parts.photos(),
        "note": Text(optional=True),
        "birth_certificate": parts.birth_certificate(),
    },
)

CLOSE_REQUESTED = EventType(
    "registration.close_requested.v1",
    {
        "registration_id": Id(),
        "reason": Text(one_of=("cancelled", "deadline_passed")),
        "because": Text(one_of=("superseded",), optional=True),  # came later than the reasons
    },
)

REMINDER_DUE = EventType(
    "registration.reminder_due.v1",
    {
        "registration_id": Id(),
        "phone": Text(longest=20),
        "email": Text(longest=320),
        "agency": parts.agency(),
        "deadline": Moment(),
        "language": parts.language(),
    },
)

EMAIL_OTP_REQUESTED = EventType(
    "registration.email_otp_requested.v1",
    {
        "registration_id": Id(),
        "email": Text(longest=320),
        "sealed_otp": Text(),
        "valid_until": Moment(),
        "language": parts.language(),
    },
)

ERASED = EventType(
    "registration.erased.v1",
    {
        "account_id": Id(),
        "request_id": Id(),
        "photos": Count(),
        "applications": Count(),
        "drafts": Count(),
    },
)
"""What account.erasure_due has come to: how many photos are being deleted, how many applications that came to
nothing and how many drafts have lost what was personal."""

EMPTIED = EventType("registration.emptied.v1", {"registration_id": Id()})
"""An application that came to nothing has lost what was personal: its time was over, or it ended after its
person had asked for it."""
