"""The AsyncAPI 3 document of the product: ``python -m shared.events.asyncapi > docs/asyncapi.json``.

Generated from the event types and from the ``@on_event`` methods of the services, never written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from shared.events import catalogue, json_schema
from shared.events.envelope import CONTENT_TYPE, EventType

EXCHANGE = {"name": "vssid.events", "type": "topic", "durable": True, "autoDelete": False}

HEADERS = {
    "type": "object",
    "description": "CloudEvents 1.0 in binary mode; never personal data.",
    "properties": {
        "ce-specversion": {"const": "1.0"},
        "ce-id": {"type": "string", "format": "uuid", "description": "UUIDv7"},
        "ce-source": {"type": "string", "description": "/vssid/<service>"},
        "ce-type": {"type": "string", "description": "the routing key"},
        "ce-subject": {"type": "string", "description": "id of the aggregate"},
        "ce-time": {"type": "string", "format": "date-time"},
        "ce-dataschema": {"type": "string", "format": "uri"},
        "ce-correlationid": {"type": "string", "description": "the registration or account it belongs to"},
        "ce-traceparent": {"type": "string", "description": "W3C trace context"},
    },
    "required": [
        "ce-specversion",
        "ce-id",
        "ce-source",
        "ce-type",
        "ce-subject",
        "ce-time",
        "ce-correlationid",
    ],
}


def listeners(service: type) -> Iterator[tuple[str, tuple[EventType, ...]]]:
    """The queues of one service class, ``identity.open_case``, with the events that each hears."""
    for method in sorted(dir(service)):
        heard = getattr(getattr(service, method), "on_event_types", ())
        if heard:
            yield f"{service.name}.{method}", tuple(heard)  # type: ignore[attr-defined]


def document(services: Iterable[type]) -> dict[str, Any]:
    """The document: a channel per event (its routing key) and per listener (its queue), and who does what."""
    heard = {queue: types for service in services for queue, types in listeners(service)}
    events = sorted(catalogue.EVENT_TYPES, key=lambda event_type: event_type.name)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "VssID events",
            "version": "1.0.0",
            "description": "What the services tell each other. An event, once published, keeps its schema: "
            "a breaking change is a new version beside the old one. Readers ignore fields they do not know.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            **{event.name: _event_channel(event) for event in events},
            **{queue: _queue_channel(queue, types) for queue, types in sorted(heard.items())},
        },
        "operations": {
            **{f"{event.service}.publishes.{event.name}": _publishes(event) for event in events},
            **{f"{queue}.hears": _hears(queue, types) for queue, types in sorted(heard.items())},
        },
        "components": {
            "messages": {event.name: _message(event) for event in events},
            "messageTraits": {"cloudEvent": {"contentType": CONTENT_TYPE, "headers": HEADERS}},
        },
    }


def _message(event: EventType) -> dict[str, Any]:
    return {
        "name": event.name,
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": json_schema.of_schema(event.schema),
    }


def _messages(types: Iterable[EventType]) -> dict[str, Any]:
    return {event.name: {"$ref": f"#/components/messages/{event.name}"} for event in types}


def _event_channel(event: EventType) -> dict[str, Any]:
    return {
        "address": event.name,
        "messages": _messages([event]),
        "bindings": {"amqp": {"is": "routingKey", "exchange": EXCHANGE, "bindingVersion": "0.3.0"}},
    }


def _queue_channel(queue: str, types: Iterable[EventType]) -> dict[str, Any]:
    shape = {"name": queue, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": queue,
        "messages": _messages(types),
        "bindings": {"amqp": {"is": "queue", "queue": shape, "bindingVersion": "0.3.0"}},
    }


def _publishes(event: EventType) -> dict[str, Any]:
    return {"action": "send", "channel": _channel(event.name), "messages": [_in_channel(event.name, event)]}


def _hears(queue: str, types: Iterable[EventType]) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": _channel(queue),
        "messages": [_in_channel(queue, event) for event in types],
    }


def _channel(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/{name}"}


def _in_channel(channel: str, event: EventType) -> dict[str, str]:
    return {"$ref": f"#/channels/{channel}/messages/{event.name}"}


def as_text(services: Iterable[type]) -> str:
    """The document as it stands in ``docs/asyncapi.json``."""
    return json.dumps(document(services), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    from shared.messaging.topology import load_services

    print(as_text(load_services()), end="")
