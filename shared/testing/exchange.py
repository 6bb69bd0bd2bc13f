"""The events of a vhost, as a test has them: every one is heard, and any may be published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import amqp
from kombu.utils.url import parse_url

from shared.database import written
from shared.events.envelope import Event
from shared.messaging import topology
from shared.messaging.connection import Link
from shared.messaging.publisher import Outcome, Publisher
from shared.messaging.relay import outgoing

TOLD = "told"
"""A queue of the test that hears every event."""


@contextmanager
def channel_on(amqp_url: str) -> Iterator[amqp.Channel]:
    """A channel of the test's own."""
    parts = parse_url(amqp_url)
    with amqp.Connection(
        host=f"{parts['hostname']}:{parts['port']}",
        userid=parts["userid"],
        password=parts["password"],
        virtual_host=parts["virtual_host"],
    ) as connection:
        yield connection.channel()


class Exchange:
    """Both ends of the exchange of events: what was told since it was made, and a publisher."""

    def __init__(self, amqp_url: str) -> None:
        self._amqp_url = amqp_url
        self._link = Link(amqp_url, "test-events")
        self._publisher = Publisher(self._link)
        self._heard: list[tuple[str, dict[str, Any]]] = []
        with channel_on(amqp_url) as channel:
            channel.queue_declare(TOLD, durable=True, auto_delete=False)
            channel.queue_bind(TOLD, topology.EVENTS, "#")

    def start(self) -> None:
        """Be able to publish."""
        self._link.start()
        assert self._link.wait_up(5)

    def stop(self) -> None:
        """Let go of the broker."""
        self._link.stop()

    def publish(self, *events: Event, times: int = 1) -> None:
        """Each of them so many times, as some service would."""
        copies = [outgoing(written(event)) for event in events for _ in range(times)]
        assert set(self._publisher.publish(copies, 10.0)) == {Outcome.CONFIRMED}

    def told(self, event_type: str, name: str, wanted: str) -> list[Any]:
        """The data of every event of this type in which ``name`` is ``wanted``, as JSON."""
        with channel_on(self._amqp_url) as channel:
            while message := channel.basic_get(TOLD, no_ack=True):
                self._heard.append((message.headers["ce-type"], json.loads(message.body)))
        return [data for kind, data in self._heard if kind == event_type and data.get(name) == wanted]
