"""An event and its type: what travels between services, as CloudEvents 1.0 over AMQP.

``to_amqp`` and ``from_amqp`` speak the binary mode of the CloudEvents binding for RabbitMQ: attributes in
``ce-…`` headers, the data alone in the body. They give the same bytes as the ``cloudevents`` SDK, without its
cost for each message. Personal data is in the body only, never in a header or in an error raised here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

import uuid_utils
from marshmallow import Schema, ValidationError, fields

from shared.events.fields import schema_of

CONTENT_TYPE = "application/json"
"""The AMQP property ``content_type`` of every event."""

LARGEST_BODY_BYTES = 64 * 1024
DEEPEST_BODY = 32
"""Levels of objects and lists inside each other; our own schemas use three."""

LONGEST_HEADER = 255
HEADERS = (
    "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time", "ce-dataschema",
    "ce-correlationid", "ce-traceparent",
)  # fmt: skip
"""All that an event has in its headers."""
"""Characters in the longest attribute that is read."""


class EventInvalid(Exception):
    """A message that is no event of the contract. ``reason`` may be logged and put into a header: it names
    attributes and fields of ours, never what they held."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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

    ``EventType("identity.verified.v1", {"person_id": Id(), "at": Moment()})``
    """

    def __init__(
        self, name: str, data_fields: Mapping[str, fields.Field[Any]], *, listened: bool = True
    ) -> None:
        self.name = name
        self.listened = listened
        """Whether some listener must hear it: then it stays in the outbox while no queue is bound for it."""
        self.publisher: str = name.split(".")[0]
        self.schema: Schema = schema_of(name, data_fields)
        REGISTRY[name] = self

    def event(
        self,
        *,
        subject: object,
        correlation_id: object,
        at: datetime,
        data: Mapping[str, Any],
        traceparent: str | None = None,
    ) -> Event:
        """A new event with an id of its own, in the trace that is current when it is written, or in that of
        ``traceparent``. Raises ``marshmallow.ValidationError`` when the data does not
        fit the schema, or holds a field that it does not know: a wrong event must not leave the service."""
        if strangers := set(data) - set(self.schema.fields):
            raise ValidationError({name: ["Unknown field."] for name in sorted(strangers)})
        loaded = self.schema.load(self.schema.dump(data))
        return Event(
            id=UUID(bytes=uuid_utils.uuid7().bytes),
            type=self.name,
            source=self.source,
            subject=str(subject),
            correlation_id=str(correlation_id),
            time=at.astimezone(UTC),
            data=loaded,
            traceparent=traceparent,
        )

    @property
    def service(self) -> str:
        """The service that publishes it: accounts and credentials live in identity."""
        return {"credentials": "identity", "account": "identity"}.get(self.publisher, self.publisher)

    @property
    def source(self) -> str:
        """The CloudEvents ``source`` of its events."""
        return f"/vssid/{self.service}"

    @property
    def dataschema(self) -> str:
        """The CloudEvents ``dataschema`` of its events: a name, not a page."""
        return f"https://vssid.example/events/{self.name}"


REGISTRY: dict[str, EventType] = {}
"""Every event type by name, filled as the publishers' modules are imported (all of them: ``catalogue``)."""


def to_amqp(event: Event) -> tuple[dict[str, str], bytes]:
    """The headers and the body of the AMQP message; its content type is ``CONTENT_TYPE``. Raises
    ``ValueError`` for one that no listener would take."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(event.id),
        "ce-source": event.source,
        "ce-type": event.type,
        "ce-subject": event.subject,
        "ce-time": event.time.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z",
        "ce-dataschema": REGISTRY[event.type].dataschema,
        "ce-correlationid": event.correlation_id,
    }
    if event.traceparent is not None:
        headers["ce-traceparent"] = event.traceparent
    body = json.dumps(event.data, default=_as_json).encode()
    if len(body) > LARGEST_BODY_BYTES:
        raise ValueError(f"a {event.type} of {len(body)} bytes: what is large goes by reference")
    return headers, body


def from_amqp(headers: Mapping[str, Any], body: bytes | str) -> Event:
    """The event in an AMQP message. Raises ``EventInvalid`` for anything that is not one, whatever it is.

    ``headers`` may hold the message's property ``content_type`` as ``content-type``; then it must be JSON's.
    """
    if headers.get("content-type", CONTENT_TYPE) != CONTENT_TYPE:
        raise EventInvalid("content type is not application/json")
    if _attribute(headers, "ce-specversion") != "1.0":
        raise EventInvalid("ce-specversion is not 1.0")
    event_type = REGISTRY.get(_attribute(headers, "ce-type"))
    if event_type is None:
        raise EventInvalid("unknown type")
    if _attribute(headers, "ce-source") != event_type.source:
        raise EventInvalid("ce-source is not the publisher of this type")
    return Event(
        id=_uuid(_attribute(headers, "ce-id")),
        type=event_type.name,
        source=event_type.source,
        subject=_attribute(headers, "ce-subject"),
        correlation_id=_attribute(headers, "ce-correlationid"),
        time=_time(_attribute(headers, "ce-time")),
        data=_load(event_type.schema, _parse(body)),
        traceparent=_traceparent(headers.get("ce-traceparent")),
    )


# --- headers -------------------------------------------------------------------------------------

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def _attribute(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_HEADER or not value.isprintable():
        raise EventInvalid(f"{name} is missing or malformed")
    return value


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        pass
    raise EventInvalid("ce-id is not a UUID")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise EventInvalid("ce-time is not a time with an offset")


def _traceparent(value: object) -> str | None:
    """A trace context, or None: W3C asks to start afresh when it is malformed."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


# --- body ----------------------------------------------------------------------------------------
# Errors are raised outside the except blocks: those of json and marshmallow hold the data.


def _as_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"an event holds no {type(value).__name__}")


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def _parse(body: bytes | str) -> Any:
    if len(body) > LARGEST_BODY_BYTES:
        raise EventInvalid(f"body is larger than {LARGEST_BODY_BYTES // 1024} KiB")
    too_deep = False
    try:
        text = body if isinstance(body, str) else bytes(body).decode()
        value = _decoder.decode(text)
        too_deep = text.count("{") + text.count("[") > DEEPEST_BODY and _depth(value) > DEEPEST_BODY
        if not too_deep:
            return value
    except RecursionError:
        too_deep = True
    except ValueError:  # of JSON, of UTF-8, of a number with thousands of digits
        pass
    raise EventInvalid("body is nested too deep" if too_deep else "body is not JSON")


def _depth(value: Any) -> int:
    """Levels of nesting, counted without recursion."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _load(schema: Schema, value: Any) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(value)
        return loaded
    except ValidationError as error:
        where = sorted(_paths(error.messages))
    raise EventInvalid("does not fit the schema at " + ", ".join(where[:5]))


def _paths(messages: Any, prefix: str = "") -> Iterator[str]:
    """Where a marshmallow error found faults: ``person.code``, ``photos.0.sha256``."""
    if not isinstance(messages, dict):
        yield prefix or "data"
        return
    for name, inner in messages.items():
        yield from _paths(inner, f"{prefix}.{name}" if prefix and name != "_schema" else prefix or str(name))
