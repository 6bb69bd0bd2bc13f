"""The load of the look-ups: a caller on Nameko's wire protocol, the same for both contestants."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field

import amqp

from bench import work
from bench.arena import Broken
from shared.messaging import topology
from shared.messaging.connection import message, publish_frames

DEADLINE_SECONDS = 30.0


@dataclass
class Caller:
    """Keeps a number of calls in flight: each reply lets the next call go. One thread, one connection.

    Each reply must hold the asked person's ten rows, and each call must get one reply.
    """

    channel: amqp.Channel
    service: str
    answered: int = 0
    seconds: list[float] = field(default_factory=list)
    """How long each call took."""

    def __post_init__(self) -> None:
        self._reply_to = str(uuid.uuid4())
        self._open: dict[str, tuple[int, float]] = {}
        self._person = 0
        self._going_on = True
        queue = f"rpc.reply-bench-{self._reply_to}"
        self.channel.queue_declare(queue, exclusive=True)
        self.channel.queue_bind(queue, topology.RPC, self._reply_to)
        self.channel.basic_consume(queue, no_ack=True, callback=self._replied)

    def start(self, in_flight: int) -> None:
        """Send the first calls."""
        for _ in range(in_flight):
            self._call()

    def run_for(self, seconds: float) -> None:
        """Go on for so long."""
        ends_at = time.perf_counter() + seconds
        while time.perf_counter() < ends_at:
            self.channel.connection.drain_events(timeout=DEADLINE_SECONDS)

    def finish(self) -> None:
        """Send no more and wait for the replies that are missing."""
        self._going_on = False
        while self._open:
            try:
                self.channel.connection.drain_events(timeout=5)
            except TimeoutError:
                raise Broken(f"{len(self._open)} calls were never answered") from None

    def _call(self) -> None:
        self._person = self._person % work.PEOPLE + 1
        correlation_id = str(uuid.uuid4())
        properties = {
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "delivery_mode": 1,
            "reply_to": self._reply_to,
            "correlation_id": correlation_id,
            "application_headers": {"x-deadline": int((time.time() + DEADLINE_SECONDS) * 1000)},
        }
        body = json.dumps({"args": [], "kwargs": {"person": self._person}}).encode()
        self._open[correlation_id] = (self._person, time.perf_counter())
        request = message(body, properties)
        publish_frames(self.channel, topology.RPC, f"{self.service}.periods", request, False)

    def _replied(self, reply: amqp.Message) -> None:
        call = self._open.pop(reply.properties["correlation_id"], None)
        if call is None:
            raise Broken("a call was answered twice")
        person, sent_at = call
        self.seconds.append(time.perf_counter() - sent_at)
        answer = json.loads(reply.body)
        if (
            answer["error"]
            or [row["person"] for row in answer["result"]["items"]] != [person] * work.ROWS_EACH
        ):
            raise Broken(f"a wrong answer: {str(answer)[:200]}")
        self.answered += 1
        if self._going_on:
            self._call()
