"""What a service class declares to get its database, and what else it is composed of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nameko.extensions import DependencyProvider

from shared.database import Database as Pool
from shared.messaging.gauges import Read
from shared.messaging.runtime import Runtime


class Database(DependencyProvider):  # type: ignore[misc]
    """``db = Database()``; then ``with self.db.transaction() as tx``."""

    runtime = Runtime()

    def get_dependency(self, _worker_ctx: Any) -> Pool:
        return self.runtime.database


class Parts(DependencyProvider):  # type: ignore[misc]
    """``parts = Parts(make)``; then ``self.parts`` is what ``make(settings, database)`` returned.

    It is made once a process, before any work: outside parties, keys, settings. Where it has ``start`` and
    ``stop``, they are called with the process's.
    """

    runtime = Runtime()

    def __init__(self, make: Callable[[Any, Pool], Any], **kwargs: Any) -> None:
        self._make = make
        super().__init__(**kwargs)

    def setup(self) -> None:
        self._made = self._make(self.runtime.settings, self.runtime.database)

    def start(self) -> None:
        if hasattr(self._made, "start"):
            self._made.start()

    def stop(self) -> None:
        if hasattr(self._made, "stop"):
            self._made.stop()

    def get_dependency(self, _worker_ctx: Any) -> Any:
        return self._made


class Gauges(DependencyProvider):  # type: ignore[misc]
    """``gauges = Gauges(read)``: ``read(tx)`` sets the service's own gauges, every quarter of a minute."""

    runtime = Runtime()

    def __init__(self, read: Read, **kwargs: Any) -> None:
        self._read = read
        super().__init__(**kwargs)

    def setup(self) -> None:
        self.runtime.gauges.add(self._read)
