"""What operators do with dead letters: look at them, and put them back.

``python -m shared.messaging.dead_letters list`` · ``… show <listener>`` · ``… replay <listener>``
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import amqp
from kombu.utils.url import parse_url

from shared.messaging import topology
from shared.messaging.connection import message
from shared.messaging.listener import ATTEMPT, ERROR_ID, FAILED_AT, REASON


@contextmanager
def _channel(url: str) -> Iterator[amqp.Channel]:
    parts = parse_url(url)
    connection = amqp.Connection(
        host=f"{parts['hostname']}:{parts['port'] or 5672}",
        userid=parts["userid"],
        password=parts["password"],
        virtual_host=parts["virtual_host"] or "/",
        connect_timeout=10,
        confirm_publish=True,
    )
    connection.connect()
    try:
        yield connection.channel()
    finally:
        connection.close()


def counts(url: str, listeners: list[str]) -> dict[str, int]:
    """How many dead letters each listener has."""
    with _channel(url) as channel:
        return {name: channel.queue_declare(f"{name}.dead", passive=True).message_count for name in listeners}


def show(url: str, listener: str, limit: int = 100) -> list[dict[str, Any]]:
    """The dead letters of a listener: event id, type, reason, attempts, error id. Never the body."""
    found = []
    with _channel(url) as channel:
        while len(found) < limit and (letter := channel.basic_get(f"{listener}.dead")) is not None:
            headers = letter.properties.get("application_headers") or {}
            found.append(
                {
                    "event_id": headers.get("cloudEvents_id"),
                    "type": headers.get("cloudEvents_type"),
                    "reason": headers.get(REASON) or "delivery-limit",
                    "attempts": headers.get(ATTEMPT, 0),
                    "error_id": headers.get(ERROR_ID),
                    "failed_at_ms": headers.get(FAILED_AT),
                }
            )
    return found  # closing without acknowledging puts them back


def replay(url: str, listener: str, limit: int = 10_000) -> int:
    """Put dead letters back into the listener's queue, attempts counted anew; returns how many.

    Each is acknowledged only after the broker confirmed its copy, so none is lost; a copy that was doubled
    by a crash in between is dropped by the inbox.
    """
    replayed = 0
    with _channel(url) as channel:
        while replayed < limit and (letter := channel.basic_get(f"{listener}.dead")) is not None:
            headers = letter.properties.get("application_headers") or {}
            kept = {k: v for k, v in headers.items() if not k.startswith("x-")}
            body = letter.body if isinstance(letter.body, bytes) else letter.body.encode()
            channel.basic_publish(
                message(
                    body,
                    {
                        "content_type": letter.properties.get("content_type", "application/json"),
                        "delivery_mode": 2,
                        "message_id": letter.properties.get("message_id", ""),
                        "application_headers": kept,
                    },
                ),
                exchange=topology.RETURN,
                routing_key=f"0s.{listener}",
                mandatory=True,
                timeout=10,
            )
            channel.basic_ack(letter.delivery_tag)
            replayed += 1
    return replayed


def main(arguments: list[str]) -> int:
    """The command line; AMQP_URL names the broker."""
    url = os.environ.get("AMQP_URL")
    if not url:
        print("set AMQP_URL first (`make endpoints` shows it)", file=sys.stderr)
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
