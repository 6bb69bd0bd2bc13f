"""Where one run takes place: a vhost and a database of its own, the queue filled, the outcome checked."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import amqp
import psycopg
import uuid_utils

from bench import ours, work
from bench.contestants import Contestant, Process, Setting
from deploy.native.instance import Instance
from shared.events.envelope import CONTENT_TYPE, to_amqp
from shared.messaging import topology
from shared.messaging.connection import channel, message, publish_frames, send_together
from shared.migrate import migrate_kit

FRAMES = 500
UNCONFIRMED = 2_000


@dataclass(frozen=True)
class Arena:
    """The addresses of one run."""

    amqp_url: str
    database_url: str
    contestant: Contestant
    log: Path

    def process(self, setting: Setting) -> Process:
        """The contestant, not started."""
        addresses = {"AMQP_URL": self.amqp_url, "DATABASE_URL": self.database_url}
        return Process(self.contestant, setting, addresses, self.log)

    def one(self, sql: str) -> tuple[Any, ...]:
        """The first row of a statement."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            row = connection.execute(sql.encode()).fetchone()
        assert row is not None
        return row

    def settle(self) -> None:
        """Have PostgreSQL write what the preparation left, so that no contestant pays for it."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")


@contextmanager
def arena(servers: Instance, contestant: Contestant, extra_sql: str = "") -> Iterator[Arena]:
    """An empty vhost with the contestant's queues and a database with everybody's tables."""
    vhost, dsn = servers.vhost("bench"), servers.database("bench")
    migrate_kit(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(work.TABLES.encode())
        if extra_sql:
            connection.execute(extra_sql.encode())
    topology.declare(vhost.amqp_url, _queues(contestant))
    topology.set_limits(vhost.amqp_url, vhost.management_url)
    try:
        yield Arena(vhost.amqp_url, dsn, contestant, servers.run / f"{contestant.name}.log")
    finally:
        servers.drop_vhost("bench")
        servers.drop_database("bench")


def _queues(contestant: Contestant) -> Iterator[topology.Queue]:
    """The same shape for all: our listener's quorum queue under the name that the contestant consumes."""
    if contestant.rpc:
        yield topology.Queue(f"rpc-{contestant.rpc}", ((topology.RPC, f"{contestant.rpc}.*"),))
        return
    for queue in topology.queues([ours.Batch200]):
        if queue.name == "ours.handle":
            yield replace(queue, name=contestant.queue)
        elif not queue.name.startswith("rpc-"):
            yield queue
    yield topology.Queue(work.SINK, ((work.EVENTS, work.DONE),), {"x-queue-type": "quorum"})


# -- filling ---------------------------------------------------------------------------------------------


class Asking:
    """Publishes the events that start the work."""

    def __init__(self, channel: amqp.Channel) -> None:
        self._channel = channel
        now = datetime.now(UTC)
        event = ours.ASKED.event(subject=0, correlation_id=0, at=now, data=work.asked(0))
        self._headers, _ = to_amqp(event)

    def ask(self, item: int) -> None:
        """Write one publish; nothing is waited for."""
        name = str(item)
        event_id = str(uuid_utils.uuid7())
        headers = {**self._headers, "ce-id": event_id, "ce-subject": name, "ce-correlationid": name}
        properties = {
            "content_type": CONTENT_TYPE,
            "delivery_mode": 2,
            "message_id": event_id,
            "application_headers": headers,
        }
        asked = message(json.dumps(work.asked(item)).encode(), properties)
        publish_frames(self._channel, work.EVENTS, work.ASKED, asked, True)


def fill(arena: Arena, items: Iterable[int]) -> None:
    """Publish an event for each item; returns when the broker has confirmed all."""
    unconfirmed: set[int] = set()
    tag = 0

    def confirmed(upto: int, multiple: bool) -> None:
        unconfirmed.difference_update([t for t in unconfirmed if t <= upto] if multiple else [upto])

    def unwanted(*_: Any) -> None:
        raise AssertionError("the broker did not take an event of the preparation")

    with channel(arena.amqp_url) as filling:
        filling.confirm_select()
        filling.events["basic_ack"].add(confirmed)
        for event in ("basic_nack", "basic_return"):
            filling.events[event].add(unwanted)
        asking = Asking(filling)
        pending = iter(items)
        while chunk := list(itertools.islice(pending, FRAMES)):
            with send_together(filling.connection):
                for item in chunk:
                    tag += 1
                    unconfirmed.add(tag)
                    asking.ask(item)
            while len(unconfirmed) > UNCONFIRMED - FRAMES:
                filling.connection.drain_events(timeout=60)
        while unconfirmed:
            filling.connection.drain_events(timeout=60)


# -- checking --------------------------------------------------------------------------------------------


class Broken(Exception):
    """A contestant lost or doubled something: the run does not count."""


@dataclass(frozen=True)
class Books:
    """What was found: items with a row, items of events published, and what should not be left behind."""

    rows: Counter[int]
    published: Counter[int]
    handled: int
    left: int

    def check(self, items: Iterable[int]) -> None:
        """Raise ``Broken`` unless each item has exactly one row, one event and one inbox entry."""
        wanted = Counter(items)
        for what, found in (("rows", self.rows), ("events", self.published)):
            lost, more = (wanted - found).total(), found - wanted
            doubled = sum(count for item, count in more.items() if item in wanted)
            unasked = more.total() - doubled
            if lost or more:
                raise Broken(f"{what}: {lost} lost, {doubled} doubled, {unasked} unasked")
        if self.handled != wanted.total() or self.left:
            raise Broken(
                f"inbox holds {self.handled} of {wanted.total()}; {self.left} left in outbox or queue"
            )


def books(arena: Arena) -> Books:
    """Read the database and drain the downstream queue, after the contestant has stopped."""
    with psycopg.connect(arena.database_url) as connection:
        rows = Counter(item for (item,) in connection.execute("SELECT item FROM effects"))
    (handled,) = arena.one("SELECT count(*) FROM inbox")
    (outbox,) = arena.one("SELECT count(*) FROM outbox")
    with channel(arena.amqp_url) as reading:
        waiting = reading.queue_declare(arena.contestant.queue, passive=True).message_count
    return Books(rows, _drained(arena), handled, outbox + waiting)


def _drained(arena: Arena) -> Counter[int]:
    items: list[int] = []
    with channel(arena.amqp_url) as reading:
        count = reading.queue_declare(work.SINK, passive=True).message_count
        reading.basic_consume(
            work.SINK, no_ack=True, callback=lambda arrived: items.append(json.loads(arrived.body)["item"])
        )
        while len(items) < count:
            reading.connection.drain_events(timeout=60)
    return Counter(items)


class Counting:
    """Counts the downstream queue, which grows by one with each item that is done."""

    def __init__(self, arena: Arena) -> None:
        self._opened = channel(arena.amqp_url)
        self._channel = self._opened.__enter__()

    def count(self) -> int:
        return int(self._channel.queue_declare(work.SINK, passive=True).message_count)

    def close(self) -> None:
        self._opened.__exit__(None, None, None)
