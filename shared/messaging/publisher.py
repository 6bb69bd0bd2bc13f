"""Publishing with the broker's word that it has the message, many messages at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import takewhile
from typing import Any

import amqp

from shared.messaging.connection import Link, LinkDown, message, publish_frames

PERSISTENT = 2


class Outcome(Enum):
    """What the broker said of one message. ``UNKNOWN``: nothing, so it may or may not have it."""

    CONFIRMED = "confirmed"
    RETURNED = "returned"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outgoing:
    """A message to publish. ``message_id`` names it when the broker returns it as unroutable."""

    exchange: str
    routing_key: str
    body: bytes
    headers: dict[str, Any]
    message_id: str
    mandatory: bool = True
    properties: dict[str, Any] = field(default_factory=dict)


class _Batch:
    def __init__(self, size: int) -> None:
        self.outcomes = [Outcome.UNKNOWN] * size
        self.open = size
        self.settled = threading.Event()

    def settle(self, index: int, outcome: Outcome) -> None:
        if self.outcomes[index] is not Outcome.RETURNED:
            self.outcomes[index] = outcome
        self.open -= 1
        if self.open == 0:
            self.settled.set()


class Publisher:
    """A confirming channel on a link. ``publish`` may be called from several threads."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: amqp.Channel | None = None
        self._tag = 0
        self._open: dict[int, tuple[_Batch, int]] = {}
        self._by_id: dict[str, tuple[_Batch, int]] = {}
        link.on_connect(self._setup, self._give_up)

    @property
    def is_up(self) -> bool:
        """Whether there is a broker to publish to."""
        return self._link.is_up

    def publish(self, messages: Sequence[Outgoing], timeout_seconds: float) -> list[Outcome]:
        """Publish all and wait for the broker's word on each, ``timeout_seconds`` at the most.

        The outcomes come in the order of ``messages``. A connection that did not answer in time is thrown
        away: what is in its buffers may still arrive, which the listeners' inboxes take care of.
        """
        batch = _Batch(len(messages))
        if not messages:
            return []
        try:
            self._link.write(lambda: self._send(batch, messages))
        except LinkDown:
            return batch.outcomes
        if not batch.settled.wait(timeout_seconds):
            self._link.reset()
        return list(batch.outcomes)

    def _setup(self, connection: amqp.Connection) -> None:
        channel = connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(lambda tag, multiple: self._said(tag, multiple, Outcome.CONFIRMED))
        channel.events["basic_nack"].add(lambda tag, multiple: self._said(tag, multiple, Outcome.REFUSED))
        channel.events["basic_return"].add(self._returned)
        self._channel, self._tag = channel, 0

    def _send(self, batch: _Batch, messages: Sequence[Outgoing]) -> None:
        assert self._channel is not None
        for index, outgoing in enumerate(messages):
            self._tag += 1
            self._open[self._tag] = (batch, index)
            if outgoing.mandatory:
                self._by_id[outgoing.message_id] = (batch, index)
            properties = {
                "content_type": "application/json",
                "delivery_mode": PERSISTENT,
                "message_id": outgoing.message_id,
                "application_headers": outgoing.headers,
                **outgoing.properties,
            }
            publish_frames(
                self._channel,
                outgoing.exchange,
                outgoing.routing_key,
                message(outgoing.body, properties),
                outgoing.mandatory,
            )

    def _said(self, tag: int, multiple: bool, outcome: Outcome) -> None:
        tags = takewhile(lambda open_tag: open_tag <= tag, self._open) if multiple else (tag,)
        for said in list(tags):
            waiting = self._open.pop(said, None)
            if waiting is not None:
                waiting[0].settle(waiting[1], outcome)
        if not self._open:
            self._by_id.clear()

    def _returned(self, _error: Exception, _exchange: str, _routing_key: str, back: amqp.Message) -> None:
        waiting = self._by_id.get(back.properties.get("message_id", ""))
        if waiting is not None:
            waiting[0].outcomes[waiting[1]] = Outcome.RETURNED

    def _give_up(self) -> None:
        waiting, self._open = self._open, {}
        self._by_id.clear()
        for batch, _ in waiting.values():
            batch.settled.set()
