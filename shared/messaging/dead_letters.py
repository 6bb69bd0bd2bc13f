"""What operators do with dead letters (``vssid dead-letters``): look at them, put them back, drop them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from shared.messaging import topology
from shared.messaging.connection import UNREADABLE, channel, message
from shared.messaging.listener import (
    ATTEMPT,
    ERROR_ID,
    FAILED_AT,
    REASON,
    TOO_LARGE,
    UNREADABLE_PROPERTIES,
    kept_headers,
)


def counts(url: str, listeners: list[str]) -> dict[str, int]:
    """How many dead letters each listener has."""
    with channel(url) as asking:
        return {name: asking.queue_declare(f"{name}.dead", passive=True).message_count for name in listeners}


def show(url: str, listener: str, limit: int = 100) -> list[dict[str, Any]]:
    """The dead letters of a listener: event id, type, reason, attempts, error id. Never the body."""
    found: list[dict[str, Any]] = []
    with channel(url) as asking:
        while len(found) < limit and (letter := asking.basic_get(f"{listener}.dead")) is not None:
            found.append(_shown(letter.properties))
    return found  # closing without acknowledging puts them back


def _shown(properties: dict[str, Any]) -> dict[str, Any]:
    headers = properties.get("application_headers") or {}
    return {
        "event_id": headers.get("ce-id"),
        "type": headers.get("ce-type"),
        "reason": headers.get(REASON) or _brokers_reason(properties),
        "attempts": headers.get(ATTEMPT, 0),
        "error_id": headers.get(ERROR_ID),
        "failed_at_ms": headers.get(FAILED_AT),
    }


def _brokers_reason(properties: dict[str, Any]) -> str:
    """Why the broker put it here by itself."""
    if UNREADABLE in properties:
        return UNREADABLE_PROPERTIES
    deaths = (properties.get("application_headers") or {}).get("x-death") or [{}]
    return TOO_LARGE if deaths[0].get("reason") == "rejected" else "delivery-limit"


def replay(
    url: str,
    listener: str,
    limit: int = 10_000,
    put_back: Callable[[dict[str, Any]], object] = lambda _letter: None,
) -> int:
    """Put the dead letters that there are now back into the listener's queue, attempts counted anew; returns
    how many. Those that come back at once, because the listener still cannot take them, are left alone.

    Each is acknowledged only after the broker confirmed its copy, so none is lost; a copy that was doubled
    by a crash in between is dropped by the inbox. ``put_back`` hears of each then, as ``show`` has it.
    """
    replayed = 0
    with channel(url) as asking:
        queue = f"{listener}.dead"
        limit = min(limit, asking.queue_declare(queue, passive=True).message_count)
        while replayed < limit and (letter := asking.basic_get(queue)) is not None:
            headers = letter.properties.get("application_headers") or {}
            body = letter.body if isinstance(letter.body, bytes) else letter.body.encode()
            asking.basic_publish(
                message(
                    body,
                    {
                        "content_type": letter.properties.get("content_type", "application/json"),
                        "delivery_mode": 2,
                        "message_id": letter.properties.get("message_id", ""),
                        "application_headers": kept_headers(headers),
                    },
                ),
                exchange=topology.RETURN,
                routing_key=f"0s.{listener}",
                mandatory=True,
                timeout=10,
            )
            put_back(_shown(letter.properties))
            asking.basic_ack(letter.delivery_tag)
            replayed += 1
    return replayed


def drop(
    url: str, listener: str, about_to_drop: Callable[[dict[str, Any]], None], event_ids: Collection[str] = ()
) -> int:
    """Throw dead letters away for good: those of ``event_ids``, or all there are now; returns how many.

    ``about_to_drop`` hears of each, as ``show`` has it, before it goes; where it raises, the letter stays.
    """
    dropped = 0
    with channel(url) as asking:
        queue = f"{listener}.dead"
        for _ in range(asking.queue_declare(queue, passive=True).message_count):
            letter = asking.basic_get(queue)
            if letter is None:
                break
            shown = _shown(letter.properties)
            if not event_ids or shown["event_id"] in event_ids:
                about_to_drop(shown)
                asking.basic_ack(letter.delivery_tag)
                dropped += 1
        if dropped:
            asking.queue_declare(queue, passive=True)  # its answer says that the broker has read them all
    return dropped
