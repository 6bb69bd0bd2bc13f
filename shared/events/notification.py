"""What notification publishes about a message: sent, delivered or failed."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from shared.events.envelope import EventType
from shared.events.fields import Id, Moment, Text

ACTIVATION_LINK = "activation_link"
"""The purpose of an e-mail with a link to choose a password: no other carries a credential's secret."""

NUMBER_REFUSED = frozenset({"receipt_rejectd", "smsc_status_11", "smsc_status_80", "smsc_status_81"})
"""Reasons of an SMS that the SMS centre will take for this number never: its receipt says REJECTD, or it
answered ESME_RINVDSTADR, ESME_RINVDSTTON or ESME_RINVDSTNPI (SMPP 3.4, 5.1.3)."""


def message() -> dict[str, fields.Field[Any]]:
    """The fields that the three have in common; ``reason`` says why one failed."""
    return {
        "message_id": Id(),
        "cause_event_id": Id(),
        "purpose": Text(longest=60),
        "channel": Text(one_of=("sms", "email")),
        "registration_id": Id(optional=True),
        "credential_id": Id(optional=True),
        "reason": Text(optional=True),
        "at": Moment(),
    }


SENT = EventType("notification.sent.v1", message())
DELIVERED = EventType("notification.delivered.v1", message())
FAILED = EventType("notification.failed.v1", message())
