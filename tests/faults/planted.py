"""The stage's services with defects and crash points planted into the kit, chosen by the environment.

``PLANTED`` names a defect, or several with `` + `` between them. ``CRASH_AT`` names a point at which the
process kills itself with signal 9, once: ``CRASH_MARK`` is a file that is removed by the crash. Nothing of
this is in the product.
"""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from shared import database
from shared.messaging import listener, rpc, topology
from shared.messaging.listener import Listener
from shared.messaging.publisher import Outcome
from shared.messaging.relay import Relay, outgoing
from shared.tests.integration.stages import services
from shared.tests.integration.stages.services import TABLES, FirstService, SecondService
from shared.tests.integration.stages.settings import Settings

__all__ = ["TABLES", "FirstService", "SecondService", "Settings"]


def _crash() -> None:
    mark = Path(os.environ["CRASH_MARK"])
    if mark.exists():
        mark.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def _crash_before(owner: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def crashing(*args: Any, **kwargs: Any) -> Any:
        _crash()
        return original(*args, **kwargs)

    setattr(owner, name, crashing)


def _crash_between_handling_and_ack() -> None:
    original = Listener._handled

    def crashing(self: Listener, deliveries: Any) -> bool:
        handled = original(self, deliveries)
        _crash()
        return handled

    Listener._handled = crashing  # type: ignore[method-assign]


def _no_inbox() -> None:
    def handle_always(db: Any, _listener: str, handler: Any, events: Any) -> None:
        with db.transaction() as tx:
            handler(tx, events)

    listener.handle_once = handle_always  # type: ignore[assignment]


def _no_outbox() -> None:
    database.INSERT_OUTBOX = "SELECT 1"


def _acknowledge_before_commit() -> None:
    original = Listener._settle

    def hasty(self: Listener, deliveries: list[Any]) -> None:
        channel, last = self._channel, deliveries[-1]
        self.runtime.consuming.write(lambda: channel.basic_ack(last.tag, multiple=True), last.generation)
        time.sleep(0.2)  # so that a kill at any moment falls into the gap, whatever the machine is doing
        self._channel = None
        try:
            original(self, deliveries)
        finally:
            self._channel = channel

    Listener._settle = hasty  # type: ignore[method-assign]


def _forget_failed() -> None:
    Listener._put_aside = lambda self, delivery, error, permanent: True  # type: ignore[method-assign]


def _no_idempotency() -> None:
    rpc.once = lambda tx, method, key, kwargs, execute: execute()


def _publish_before_commit() -> None:
    started, write = Relay.start, database.Transaction._write_additions
    relays: list[Relay] = []

    def start(self: Relay) -> None:
        relays.append(self)
        started(self)

    def write_and_publish(self: database.Transaction) -> database.Committed:
        committed = write(self)
        messages = [outgoing(event) for event in committed.events]
        while set(relays[0]._publisher.publish(messages, 5.0)) - {Outcome.CONFIRMED}:
            time.sleep(0.1)
        return committed

    Relay.start = start  # type: ignore[method-assign]
    database.Transaction._write_additions = write_and_publish  # type: ignore[method-assign]


def _count_absences_as_failures() -> None:
    listener.is_away = lambda error: False
    topology.RETRY_SECONDS = ()


def _queries_wait_in_c() -> None:
    database.refuse_blocking_wait = lambda: None
    psycopg.waiting.wait = psycopg.waiting.wait_c


def _hash_on_the_hub() -> None:
    services.off_hub = lambda function, *arguments: function(*arguments)


def _load_bodies_of_any_kind() -> None:
    def loading(original: Callable[..., Any]) -> Callable[..., Any]:
        def load(*arguments: Any) -> Any:
            body = arguments[-1]
            if body[:1] == b"\x80":
                pickle.loads(body)  # noqa: S301 - this is the defect
            return original(*arguments)

        return load

    listener.from_amqp = loading(listener.from_amqp)
    rpc._keyword_arguments = loading(rpc._keyword_arguments)


CRASHES: dict[str, Callable[[], None]] = {
    "between commit and publish": lambda: _crash_before(Relay, "_publish"),
    "between confirm and forgetting": lambda: _crash_before(Relay, "_forget"),
    "between handling and ack": _crash_between_handling_and_ack,
}
DEFECTS: dict[str, Callable[[], None]] = {
    "no inbox": _no_inbox,
    "no outbox": _no_outbox,
    "acknowledged before commit": _acknowledge_before_commit,
    "failed events forgotten": _forget_failed,
    "no idempotency": _no_idempotency,
    "published before commit": _publish_before_commit,
    "absence counts as failure": _count_absences_as_failures,
    "queries wait in C": _queries_wait_in_c,
    "hashes on the hub": _hash_on_the_hub,
    "bodies of any kind are loaded": _load_bodies_of_any_kind,
}

topology.RETRY_SECONDS = (1, 1)
"""Dead letters after seconds, not after ten minutes."""
database.ANSWER_SECONDS = float(os.environ.get("ANSWER_SECONDS", database.ANSWER_SECONDS))

for defect in filter(None, os.environ.get("PLANTED", "").split(" + ")):
    DEFECTS[defect]()
if point := os.environ.get("CRASH_AT"):
    CRASHES[point]()
