"""``@on_event``: takes what has arrived, handles it in one transaction, then acknowledges.

An event is handled once: its id enters the inbox in the transaction of its effects. A batch that fails is
rolled back and tried event by event, so a poison event harms nobody else. Only errors of the handler count
as attempts; while the database or the broker is away the listener waits.
"""

from __future__ import annotations

import functools
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import amqp
from nameko.extensions import Entrypoint, register_entrypoint

from shared import logs, metrics, tracing
from shared.database import Database, Transaction, is_away, is_conflict
from shared.events.envelope import (
    HEADERS,
    LARGEST_BODY_BYTES,
    LONGEST_HEADER,
    Event,
    EventInvalid,
    EventType,
    from_amqp,
)
from shared.messaging import topology
from shared.messaging.connection import UNREADABLE
from shared.messaging.publisher import Outcome, Outgoing
from shared.messaging.runtime import Runtime
from shared.refusals import Refused

log = logs.get(__name__)

BATCH = 400
PREFETCH = 2 * BATCH
AWAY_SECONDS = (0.2, 5.0)
CONFIRM_SECONDS = 5.0

ATTEMPT = "x-vssid-attempt"
REASON = "x-vssid-reason"
ERROR_ID = "x-vssid-error-id"
FAILED_AT = "x-vssid-failed-at"
TOO_LARGE = f"body is larger than {LARGEST_BODY_BYTES // 1024} KiB"
UNREADABLE_PROPERTIES = "properties are unreadable"

INSERT_INBOX = """
INSERT INTO inbox (listener, event_id)
SELECT %(listener)s, id FROM unnest(%(ids)s::uuid[]) AS row (id) ORDER BY id
ON CONFLICT DO NOTHING RETURNING event_id
"""

Handler = Callable[[Any, Transaction, Any], None]
HandleAll = Callable[[Transaction, list[Event]], None]


def on_event(*types: EventType, batch: int = BATCH, together: bool = False) -> Callable[[Handler], Any]:
    """Have the method ``(self, tx, event)`` handle each event of these types.

    ``together``: the method is ``(self, tx, events)`` and gets those that arrived together, ``batch`` at the
    most, so that it can write them with one statement.

    Its queue is ``<service>.<method>``. It only writes state through ``tx``; what takes time or talks to
    the outside it leaves to a job. It may be called again for an event whose transaction was rolled back.
    Raising ``Refused`` says that trying again is useless; any other error is tried again, with delays.
    """

    def register(handler: Handler) -> Any:
        @functools.wraps(handler)
        def handle(self: Any, work: Callable[[HandleAll], Any]) -> Any:
            one_or_all = functools.partial(handler, self)
            return work(one_or_all if together else functools.partial(handle_each, one_or_all))

        handle.on_event_types = types  # type: ignore[attr-defined]
        handle.handler = handler  # type: ignore[attr-defined]
        register_entrypoint(handle, Listener(batch=batch))
        return handle

    return register


@dataclass(frozen=True)
class Delivery:
    """A message as it arrived, before anything was believed of it."""

    tag: int
    generation: int
    headers: dict[str, Any]
    body: bytes

    @property
    def attempt(self) -> int:
        """How many times the handler has failed on it."""
        value = self.headers.get(ATTEMPT, 0)
        return min(max(0, value), len(topology.RETRY_SECONDS)) if isinstance(value, int) else 0


class Listener(Entrypoint):  # type: ignore[misc]
    """The queue of one ``@on_event`` method, in one process."""

    runtime = Runtime()

    def __init__(self, batch: int = BATCH, **kwargs: Any) -> None:
        self._size = batch
        super().__init__(**kwargs)

    def setup(self) -> None:
        self.queue = f"{self.container.service_name}.{self.method_name}"
        self._arrived: deque[Delivery] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._channel: amqp.Channel | None = None
        self._pause = AWAY_SECONDS[0]
        self.runtime.consuming.on_connect(self._consume)

    def start(self) -> None:
        self.container.spawn_managed_thread(self._run, identifier=self.queue)

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        self._idle.wait(20.0)

    # -- receiving ---------------------------------------------------------------------------------------

    def _consume(self, connection: amqp.Connection) -> None:
        generation = self.runtime.consuming.generation
        channel = connection.channel()
        channel.basic_qos(0, PREFETCH, False)
        self._arrived.clear()
        self._channel = channel

        def arrived(message: amqp.Message) -> None:
            headers = message.properties.get("application_headers") or {}
            body = message.body if isinstance(message.body, bytes) else message.body.encode()
            if UNREADABLE in message.properties:
                self._refuse(channel, message.delivery_tag, generation, UNREADABLE_PROPERTIES)
                return
            if len(body) > LARGEST_BODY_BYTES:
                self._refuse(channel, message.delivery_tag, generation, TOO_LARGE)
                return
            if message.properties.get("content_type") and "content-type" not in headers:
                headers = {**headers, "content-type": message.properties["content_type"]}
            self._arrived.append(Delivery(message.delivery_tag, generation, headers, body))
            self._wake.set()

        channel.basic_consume(self.queue, consumer_tag=self.queue, callback=arrived)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._wake.wait()
                self._wake.clear()
                while self._arrived and not self._stopping.is_set():
                    room = min(self._size, len(self._arrived))
                    self._settle_or_begin_anew([self._arrived.popleft() for _ in range(room)])
        finally:
            self._idle.set()

    def _settle_or_begin_anew(self, deliveries: list[Delivery]) -> None:
        """An error of the kit itself costs the connection, not the process; the delivery limit bounds it."""
        try:
            self._settle(deliveries)
        except Exception as error:
            log.error("a batch could not be settled", listener=self.queue, exc_info=error)
            self._stopping.wait(self._pause)
            self._pause = min(2 * self._pause, AWAY_SECONDS[1])
            self.runtime.consuming.reset()

    def _settle(self, deliveries: list[Delivery]) -> None:
        """Handle, then acknowledge the batch at once. When that is not possible the broker delivers again."""
        current = self.runtime.consuming.generation
        deliveries = [d for d in deliveries if d.generation == current]
        if not deliveries:
            return
        if not self._handled(deliveries):
            if not self._stopping.wait(self._pause) and current == self.runtime.consuming.generation:
                self.runtime.consuming.reset()  # so that what was not acknowledged is delivered again
            self._pause = min(2 * self._pause, AWAY_SECONDS[1])
            return
        self._pause = AWAY_SECONDS[0]
        channel, last = self._channel, deliveries[-1]
        if channel is None or last.generation != self.runtime.consuming.generation:
            return
        self.runtime.consuming.write(lambda: channel.basic_ack(last.tag, multiple=True), last.generation)

    # -- handling ----------------------------------------------------------------------------------------

    def _handled(self, deliveries: Sequence[Delivery]) -> bool:
        """Bring each delivery to an end: effects committed, put off, or dead-lettered. False when the
        process stops, or the connection is lost, before that."""
        readable: list[tuple[Delivery, Event]] = []
        unreadable: list[tuple[Delivery, EventInvalid]] = []
        for delivery in deliveries:
            try:
                readable.append((delivery, from_amqp(delivery.headers, delivery.body)))
            except EventInvalid as invalid:
                unreadable.append((delivery, invalid))
        return self._handled_readable(readable) and all(
            self._put_aside(delivery, invalid, permanent=True) for delivery, invalid in unreadable
        )

    def _handled_readable(self, readable: Sequence[tuple[Delivery, Event]]) -> bool:
        try:
            self._attempt([event for _, event in readable])
            return True
        except _Abandoned:
            return False
        except Exception as failure:
            if len(readable) > 1:
                middle = len(readable) // 2
                return all(self._handled_readable(half) for half in (readable[:middle], readable[middle:]))
            return self._put_aside(readable[0][0], failure, permanent=isinstance(failure, Refused))

    def _attempt(self, events: list[Event]) -> None:
        """Handle the events in one transaction, as often as conflicts and absences make necessary.
        Raises the handler's error, or ``_Abandoned``."""
        if not events:
            return
        pause = AWAY_SECONDS[0]
        generation = self.runtime.consuming.generation
        started = time.perf_counter()
        while (error := self._run_worker(events)) is not None:
            if is_conflict(error):
                time.sleep(random.uniform(0.0, 0.05))  # noqa: S311 - jitter
            elif is_away(error):
                log.warning("database away; listening stops", listener=self.queue, error=type(error).__name__)
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                pause = min(pause * 2, AWAY_SECONDS[1])
            else:
                raise error
            if self._stopping.is_set() or generation != self.runtime.consuming.generation:
                raise _Abandoned
        metrics.event_handler_seconds.labels(self.queue).observe(time.perf_counter() - started)
        oldest = datetime.now(UTC) - min(event.time for event in events)
        metrics.event_age_seconds.labels(self.queue).observe(max(0.0, oldest.total_seconds()))
        metrics.event_batch_size.labels(self.queue).observe(len(events))
        metrics.events_handled_total.labels(self.queue, "handled").inc(len(events))

    def _run_worker(self, events: list[Event]) -> Exception | None:
        """One Nameko worker for the batch; never raises."""
        database: Database = self.runtime.database
        ended: threading.Event = threading.Event()
        result: list[Exception | None] = [None]

        def work(handler: HandleAll) -> None:
            try:
                handle_once(database, self.queue, handler, events)
            except Exception as error:
                result[0] = error

        def handle_result(_ctx: Any, value: Any, exc_info: Any) -> tuple[Any, Any]:
            ended.set()
            return value, exc_info

        self.container.spawn_worker(self, (work,), {}, handle_result=handle_result)
        ended.wait()
        return result[0]

    # -- putting aside -----------------------------------------------------------------------------------

    def _refuse(self, channel: amqp.Channel, tag: int, generation: int, reason: str) -> None:
        """Have the broker itself put it among the dead letters, so that large ones do not gather here."""
        log.error("event dead-lettered", listener=self.queue, reason=reason)
        self.runtime.consuming.write(lambda: channel.basic_reject(tag, requeue=False), generation)
        metrics.events_handled_total.labels(self.queue, "dead_lettered").inc()

    def _put_aside(self, delivery: Delivery, error: Exception, *, permanent: bool) -> bool:
        """Send it to a wait queue, or to the dead letters when trying again is useless or was enough.
        False when the broker did not confirm, so that it must not be acknowledged."""
        attempt = delivery.attempt + 1
        given_up = permanent or attempt > len(topology.RETRY_SECONDS)
        reason = getattr(error, "reason", None) or type(error).__name__
        error_id = uuid.uuid4().hex
        log.error(
            "event dead-lettered" if given_up else "event put off",
            listener=self.queue,
            attempt=attempt,
            reason=reason,
            error_id=error_id,
            exc_info=error,
        )
        headers = kept_headers(delivery.headers)
        headers[ATTEMPT] = attempt
        if given_up:
            headers |= {REASON: str(reason), ERROR_ID: error_id, FAILED_AT: int(time.time() * 1000)}
        where = topology.DEAD_KEY if given_up else f"{topology.RETRY_SECONDS[attempt - 1]}s"
        outgoing = Outgoing(
            topology.RETRY, f"{where}.{self.queue}", delivery.body, headers, message_id=error_id
        )
        outcome = self.runtime.publisher.publish([outgoing], CONFIRM_SECONDS)[0]
        metrics.events_handled_total.labels(self.queue, "dead_lettered" if given_up else "put_off").inc()
        return outcome is Outcome.CONFIRMED


def kept_headers(headers: Mapping[Any, Any]) -> dict[str, Any]:
    """The headers that go on with a message that is put aside or back: those of an event, as far as they
    could be one's. Whatever else the sender wrote might be readable and yet not be written again."""
    return {
        name: value
        for name in HEADERS
        if isinstance(value := headers.get(name), str) and len(value) <= LONGEST_HEADER
    }


class _Abandoned(Exception):
    """The batch is left to its next delivery."""


def handle_once(database: Database, listener: str, handler: HandleAll, events: Sequence[Event]) -> None:
    """Run ``handler(tx, events)`` with those events that this listener has not handled, in one transaction
    with their inbox rows. Raises what the handler or the database raises; then nothing was done."""
    by_id = {event.id: event for event in events}
    with database.transaction() as tx:
        rows = tx.all(INSERT_INBOX, {"listener": listener, "ids": list(by_id)})
        if rows:
            new = {row["event_id"] for row in rows}
            handler(tx, [event for event in by_id.values() if event.id in new])


def handle_each(handler: Callable[[Transaction, Event], None], tx: Transaction, events: list[Event]) -> None:
    """Hand over the events one by one, each in its own trace."""
    for event in events:
        name = f"handle {event.type}"
        with tracing.start(event.traceparent, name, tracing.CONSUMER, correlation_id=event.correlation_id):
            handler(tx, event)
