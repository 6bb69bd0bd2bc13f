"""The two-service stage of ``shared/tests/integration/stages`` on servers of its own, for the kit's tests."""

from __future__ import annotations

import importlib
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from deploy.native.instance import Instance
from shared.database import written
from shared.events.envelope import REGISTRY
from shared.messaging import dead_letters, listener, topology
from shared.messaging.calls import CallFailed, RpcClient
from shared.messaging.connection import Link, channel
from shared.messaging.publisher import Outcome, Publisher
from shared.messaging.relay import outgoing
from shared.migrate import migrate_kit
from shared.testing.processes import ServiceProcess, until

MODULE = "shared.tests.integration.stages.services"
ROW = "SELECT item FROM accepted WHERE starts_with(item, %(prefix)s)"
EFFECT = "SELECT item FROM effects WHERE what = %(what)s AND starts_with(item, %(prefix)s)"
EFFECTS = {
    "accepted": ("first", ROW),
    "count": ("second", EFFECT),
    "follow": ("second", EFFECT),
    "counted": ("first", EFFECT),
}
"""What an accepted item leads to, and where: its row, the listener's, the job's, that of who hears of it."""
WAITING = "SELECT FROM outbox UNION ALL SELECT FROM jobs WHERE failed_at IS NULL LIMIT 1"


LONGEST_PAUSE_SECONDS = listener.AWAY_SECONDS[1]


@dataclass(frozen=True)
class Difference:
    """Between what callers were told and what took effect: L, D and U of ``docs/promises.md``."""

    what: str
    lost: int
    doubled: int
    unasked: int

    def __str__(self) -> str:
        return f"{self.what}: lost {self.lost}, doubled {self.doubled}, unasked {self.unasked}"


class Stage:
    """Two databases, a vhost with the stage's topology, its processes and a client."""

    def __init__(self, servers: Instance, name: str, folder: Path, module: str = MODULE) -> None:
        self._servers = servers
        self._name = name
        self._folder = folder
        self._module = module
        self.vhost = servers.vhost(name)
        self.databases = {service: servers.database(f"{name}_{service}") for service in ("first", "second")}
        self.processes: dict[str, ServiceProcess] = {}
        self.environments: dict[str, dict[str, str]] = {}
        """More environment for a service's processes; set before ``up``."""
        self._services = importlib.import_module(MODULE)
        self.client = RpcClient(self.vhost.amqp_url, f"test-{name}")

    def up(self) -> None:
        """Declare, migrate, start."""
        services = self._services
        for dsn in self.databases.values():
            migrate_kit(dsn)
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(services.TABLES)
        topology.apply(
            self.vhost.amqp_url, self.vhost.management_url, [services.FirstService, services.SecondService]
        )
        for service in ("first", "second"):
            self.processes[service] = self.process(service)
        for process in self.processes.values():
            process.start()
        for process in self.processes.values():
            process.wait_ready()
        self.client.start()

    def process(self, service: str, replica: str = "") -> ServiceProcess:
        """A process of ``service``, not started."""
        target = f"{self._module}:{service.title()}Service"
        environment = {
            "AMQP_URL": self.vhost.amqp_url,
            "DATABASE_URL": self.databases[service],
            "LOG_LEVEL": "INFO",
            **self.environments.get(service, {}),
        }
        return ServiceProcess(target, environment, self._folder / f"{service}{replica}.log")

    def down(self) -> None:
        """End the processes and remove what was made."""
        self.client.stop()
        for process in self.processes.values():
            process.kill()
        self._servers.drop_vhost(self._name)
        for service in self.databases:
            self._servers.drop_database(f"{self._name}_{service}")

    # -- what tests do with it ---------------------------------------------------------------------------

    def accept(self, item: str, item_id: str | None = None, key: str | None = None) -> dict[str, Any]:
        """Have ``first`` accept an item."""
        arguments = {"item_id": item_id or str(uuid.uuid4()), "item": item}
        reply: dict[str, Any] = self.client.call("first", "accept", arguments, 5.0, idempotency_key=key)
        return reply

    def accept_surely(self, item: str, within_seconds: float = 60.0) -> str:
        """Accept as a patient client does: the same key until there is an answer. Returns the item."""
        item_id, key = str(uuid.uuid4()), str(uuid.uuid4())
        ends_at = time.monotonic() + within_seconds
        while True:
            try:
                self.accept(item, item_id, key)
                return item
            except CallFailed:
                if time.monotonic() > ends_at:
                    raise
                time.sleep(0.1)

    def publish(self, item: str, copies: int = 1) -> list[Outcome]:
        """Publish the same event, ``copies`` times, as ``first`` would say that it accepted the item."""
        accepted = REGISTRY["first.accepted.v1"]
        event = written(
            accepted.event(subject=item, correlation_id=item, at=datetime.now(UTC), data={"item": item})
        )
        link = Link(self.vhost.amqp_url, "test-publisher")
        publisher = Publisher(link)
        link.start()
        try:
            assert link.wait_up(5.0)
            return publisher.publish([outgoing(event)] * copies, 5.0)
        finally:
            link.stop()

    def rows(self, service: str, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a service's database."""
        with psycopg.connect(self.databases[service], row_factory=dict_row, autocommit=True) as connection:
            return connection.execute(sql.encode(), params).fetchall()

    def run(self, service: str, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """Execute in a service's database."""
        with psycopg.connect(self.databases[service], autocommit=True) as connection:
            connection.execute(sql.encode(), params)

    def effects(self, what: str, prefix: str = "") -> list[str]:
        """The items that had an effect, as often as they had it; ``what`` is one of ``EFFECTS``."""
        service, found = EFFECTS[what]
        rows = self.rows(service, found, {"what": what, "prefix": prefix})
        return sorted(row["item"] for row in rows)

    def until_all_effects(self, items: list[str], prefix: str, within_seconds: float = 60.0) -> None:
        """Wait until exactly these items had every effect, once each; raises as ``until_effects`` does."""
        self.until_effects("counted", items, prefix, within_seconds)
        for what in EFFECTS:
            assert Counter(self.effects(what, prefix)) == Counter(items), str(
                self.difference(what, items, prefix)
            )

    def dead_letters(self) -> int:
        """How many dead letters all listeners have."""
        return sum(dead_letters.counts(self.vhost.amqp_url, ["first.note_counted", "second.count"]).values())

    def until_effects(self, what: str, items: list[str], prefix: str, within_seconds: float = 60.0) -> None:
        """Wait until exactly these items had the effect, once each, and nothing is under way any more.

        Raises ``AssertionError`` that says how many were lost, doubled or unasked, once that is certain.
        """
        wanted = Counter(items)

        def decided() -> bool:
            found = Counter(self.effects(what, prefix))
            if found - wanted or not self._at_rest():
                return bool(found - wanted)
            if wanted - found:
                time.sleep(LONGEST_PAUSE_SECONDS)  # what a listener has in hand while it waits is in no queue
            return self._at_rest() and Counter(self.effects(what, prefix)) == found

        until(decided, within_seconds, lambda: f"under way: {self.difference(what, items, prefix)}")
        assert Counter(self.effects(what, prefix)) == wanted, str(self.difference(what, items, prefix))

    def until_rest(self, within_seconds: float = 60.0) -> None:
        """Wait until nothing is under way."""
        until(self._at_rest, within_seconds, "the stage does not come to rest")

    def _at_rest(self) -> bool:
        """Nothing waits in outboxes, jobs or queues, and that for a second."""
        for pause in (0.0, 0.5, 0.5):
            time.sleep(pause)
            if any(self.rows(service, WAITING) for service in self.databases) or self._queued():
                return False
        return True

    def _queued(self) -> bool:
        queues = topology.queues([self._services.FirstService, self._services.SecondService])
        with channel(self.vhost.amqp_url) as asking:
            return any(
                asking.queue_declare(queue.name, passive=True).message_count
                for queue in queues
                if not queue.name.endswith(".dead")
            )

    def difference(self, what: str, items: list[str], prefix: str) -> Difference:
        """How the effects differ from these items."""
        wanted, found = Counter(items), Counter(self.effects(what, prefix))
        lost, more = wanted - found, found - wanted
        doubled = sum(count for item, count in more.items() if item in wanted)
        return Difference(what, lost.total(), doubled, more.total() - doubled)
