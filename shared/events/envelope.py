"""An event and its type: what travels between services, as CloudEvents 1.0 over AMQP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils
from marshmallow import Schema, ValidationError, fields

from shared.events.fields import schema_of


@dataclass(frozen=True)
class Event:
    """A past fact. ``data`` holds the values the schema loads (UUID, aware datetime), not JSON.

    ``id`` is a UUIDv7; ``subject`` the aggregate's id; ``correlation_id`` the registration or account it
    belongs to; ``traceparent`` a W3C trace context, filled when the event is written.
    """

    id: UUID
    type: str
    source: str
    subject: str
    correlation_id: str
    time: datetime
    data: dict[str, Any]
    traceparent: str | None = None


class EventType:
    """One event in one version: its name is its routing key, its schema never changes once published.

    ``EventType("identity.verified.v1", {"person_id": fields.UUID(required=True)})``
    """

    def __init__(self, name: str, data_fields: Mapping[str, fields.Field[Any]]) -> None:
        self.name = name
        self.publisher: str = name.split(".")[0]
        self.schema: Schema = schema_of(name, data_fields)
        REGISTRY[name] = self

    def event(
        self, *, subject: object, correlation_id: object, at: datetime, data: Mapping[str, Any]
    ) -> Event:
        """A new event with an id of its own. Raises ``marshmallow.ValidationError`` when the data does not
        fit the schema, or holds a field that it does not know: a wrong event must not leave the service."""
        if strangers := set(data) - set(self.schema.fields):
            raise ValidationError({name: ["Unknown field."] for name in sorted(strangers)})
        loaded = self.schema.load(self.schema.dump(data))
        return Event(
            id=UUID(bytes=uuid_utils.uuid7().bytes),
            type=self.name,
            source=f"/vssid/{self.service}",
            subject=str(subject),
            correlation_id=str(correlation_id),
            time=at.astimezone(UTC),
            data=loaded,
        )

    @property
    def service(self) -> str:
        """The service that publishes it: accounts and credentials live in identity."""
        return {"credentials": "identity", "account": "identity"}.get(self.publisher, self.publisher)


REGISTRY: dict[str, EventType] = {}
"""Every event type by name, filled as the publishers' modules are imported."""
