"""What operators do with dead letters: look at them, and put them back.

``python -m shared.messaging.dead_letters list`` · ``… show <listener>`` · ``… replay <listener>``
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any

from shared import settings
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


@dataclass(frozen=True)
class DeadLetterSettings(settings.FromEnvironment):
    """Settings of this program."""

    amqp_url: str = field(
        metadata={"help": "The broker: amqp://user:password@host:port/vhost (`make endpoints`)."}
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
            headers = letter.properties.get("application_headers") or {}
            found.append(
                {
                    "event_id": headers.get("ce-id"),
                    "type": headers.get("ce-type"),
                    "reason": headers.get(REASON) or _brokers_reason(letter.properties),
                    "attempts": headers.get(ATTEMPT, 0),
                    "error_id": headers.get(ERROR_ID),
                    "failed_at_ms": headers.get(FAILED_AT),
                }
            )
    return found  # closing without acknowledging puts them back


def _brokers_reason(properties: dict[str, Any]) -> str:
    """Why the broker put it here by itself."""
    if UNREADABLE in properties:
        return UNREADABLE_PROPERTIES
    deaths = (properties.get("application_headers") or {}).get("x-death") or [{}]
    return TOO_LARGE if deaths[0].get("reason") == "rejected" else "delivery-limit"


def replay(url: str, listener: str, limit: int = 10_000) -> int:
    """Put dead letters back into the listener's queue, attempts counted anew; returns how many.

    Each is acknowledged only after the broker confirmed its copy, so none is lost; a copy that was doubled
    by a crash in between is dropped by the inbox.
    """
    replayed = 0
    with channel(url) as asking:
        while replayed < limit and (letter := asking.basic_get(f"{listener}.dead")) is not None:
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
            asking.basic_ack(letter.delivery_tag)
            replayed += 1
    return replayed


def main(arguments: list[str]) -> int:
    """The command line; AMQP_URL names the broker."""
    try:
        url = settings.load(DeadLetterSettings).amqp_url
    except settings.SettingsInvalid as wrong:
        print(wrong, file=sys.stderr)
        return 2
    match arguments:
        case ["list"]:
            listeners = [queue.listener for queue in topology.queues() if queue.listener]
            for name, count in counts(url, listeners).items():
                print(f"{count:6d}  {name}")
        case ["show", listener]:
            for letter in show(url, listener):
                print(json.dumps(letter))
        case ["replay", listener]:
            print(f"{replay(url, listener)} put back into {listener}")
        case _:
            print(
                "usage: python -m shared.messaging.dead_letters list|show|replay [listener]", file=sys.stderr
            )
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
