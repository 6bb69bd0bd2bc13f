"""All events of the contract: importing this fills the registry with every publisher's module."""

from __future__ import annotations

from shared.events import account, credentials, history, identity, notification, registration
from shared.events.envelope import EventType

PUBLISHERS = (account, credentials, history, identity, notification, registration)

EVENT_TYPES: tuple[EventType, ...] = tuple(
    event_type
    for publisher in PUBLISHERS
    for event_type in vars(publisher).values()
    if isinstance(event_type, EventType)
)


def published_by(service: str) -> tuple[EventType, ...]:
    """The events of one service, e.g. ``identity``."""
    return tuple(event_type for event_type in EVENT_TYPES if event_type.service == service)
