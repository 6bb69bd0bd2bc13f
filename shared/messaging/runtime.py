"""What the entrypoints of one process share: the database, the links to the broker, the relay."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

import nameko
from nameko.extensions import SharedExtension

from shared import logs, metrics
from shared.database import Committed, Database
from shared.messaging.connection import Link
from shared.messaging.forgetting import forget_old
from shared.messaging.gauges import Refresher, read_jobs, read_outbox
from shared.messaging.publisher import Publisher
from shared.messaging.relay import Relay

log = logs.get(__name__)

HOUSEKEEPING_SECONDS = 300.0
POLL_SECONDS = 1.0
"""How long a job that another process made, or that falls due by the clock, waits to be seen."""
DUE = """
SELECT kind FROM unnest(%(kinds)s::text[]) AS wanted (kind)
WHERE EXISTS (SELECT FROM jobs WHERE jobs.kind = wanted.kind AND failed_at IS NULL AND due_at <= now())
"""


class Runtime(SharedExtension):
    """One per container. Consuming and publishing have a connection each: when the broker is short of room
    it stops reading from publishers, and acknowledgements must not stop with them."""

    def bind(self, container: Any) -> Runtime:
        """Make the parts as soon as there is a container: the entrypoints' set-ups use them, in any order."""
        shared: Runtime = super().bind(container)
        if not hasattr(shared, "settings"):
            shared._make(container.service_name)
        return shared

    def _make(self, name: str) -> None:
        self.settings: Any = nameko.config["SETTINGS"]
        self.database = Database(
            self.settings.database_url,
            name=f"vssid-{name}",
            max_size=self.settings.database_pool_size,
        )
        self.consuming = Link(self.settings.amqp_url, f"{name}-consuming")
        self.publishing = Link(self.settings.amqp_url, f"{name}-publishing")
        self.publisher = Publisher(self.publishing)
        self.relay = Relay(self.database, self.publisher)
        self._wakers: dict[str, list[Callable[[], None]]] = {}
        self.gauges = Refresher(self.database)
        self.gauges.add(read_outbox)
        self.gauges.add(lambda tx: read_jobs(tx, list(self._wakers)))
        self._pool = metrics.PoolCollector(self.database.stats)
        self._stopping = threading.Event()
        self.database.after_commit.append(self._wake_jobs)

    def start(self) -> None:
        self.database.open()
        self.publishing.start()
        self.consuming.start()
        self.relay.start()
        metrics.broker_connected.set_function(lambda: float(self.consuming.is_up and self.publishing.is_up))
        metrics.REGISTRY.register(self._pool)
        self.container.spawn_managed_thread(self._keep_house)
        if self._wakers:
            self.container.spawn_managed_thread(self._look_for_jobs)
        self.container.spawn_managed_thread(lambda: self.gauges.run(self._stopping))

    def stop(self) -> None:
        self._stopping.set()
        metrics.REGISTRY.unregister(self._pool)
        self.relay.stop()
        self.consuming.stop()
        self.publishing.stop()
        self.database.close()

    def on_due(self, kind: str, wake: Callable[[], None]) -> None:
        """Have ``wake`` called when a transaction of this process made a job of ``kind`` due at once, and
        again and again while one is due, whoever made it."""
        self._wakers.setdefault(kind, []).append(wake)

    def check_broker(self) -> None:
        """Raise when a link to the broker is down."""
        if not (self.consuming.is_up and self.publishing.is_up):
            raise ConnectionError("the broker is not connected")

    def _wake_jobs(self, committed: Committed) -> None:
        self._wake(committed.kinds)

    def _look_for_jobs(self) -> None:
        """One question for all kinds: idle processes ask the database once a second, not once a kind."""
        while not self._stopping.wait(POLL_SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
            try:
                rows = self.database.autocommit(lambda tx: tx.all(DUE, {"kinds": list(self._wakers)}))
            except Exception as error:
                log.warning("due jobs were not looked for", error=type(error).__name__)
            else:
                self._wake(row["kind"] for row in rows)

    def _wake(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            for wake in self._wakers.get(kind, ()):
                wake()

    def _keep_house(self) -> None:
        while not self._stopping.wait(HOUSEKEEPING_SECONDS):
            try:
                forget_old(self.database, self._stopping)
            except Exception as error:
                log.warning("housekeeping failed", error=type(error).__name__)
