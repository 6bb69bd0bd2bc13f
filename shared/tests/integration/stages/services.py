"""A two-service stage: ``first`` accepts items by RPC and says so, ``second`` counts them, once each, and a
job follows each. What a handler does with an item is told by its name, so that tests can have it fail."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
from argon2 import PasswordHasher
from marshmallow import fields

from shared.events.envelope import EventType
from shared.messaging import outbox
from shared.messaging.dependencies import Database
from shared.messaging.jobs import job
from shared.messaging.listener import on_event
from shared.messaging.rpc import Client, rpc
from shared.off_hub import off_hub
from shared.refusals import FieldProblem, Refused
from shared.tests.integration.stages.settings import Settings

__all__ = ["FirstService", "SecondService", "Settings"]

ACCEPTED = EventType("first.accepted.v1", {"item": fields.String(required=True)})
COUNTED = EventType("second.counted.v1", {"item": fields.String(required=True)})

TABLES = """
CREATE TABLE accepted (id uuid PRIMARY KEY, item text NOT NULL);
CREATE TABLE effects (what text NOT NULL, item text NOT NULL);
CREATE TABLE mended (item text PRIMARY KEY);
"""


HASHER = PasswordHasher(memory_cost=19_456, time_cost=2, parallelism=1)


class ItemRefused(Refused):
    vi = "Mục này không được nhận."
    en = "This item is not accepted."


class FirstService:
    name = "first"
    db = Database()
    second = Client("second", "double")

    @rpc(writes=True)
    def accept(self, tx: Any, item_id: str, item: str) -> dict[str, str]:
        if item.startswith("refused"):
            raise ItemRefused(FieldProblem("item", "khác đi", "another one"), limit=1)
        tx.run("INSERT INTO accepted VALUES (%(id)s, %(item)s)", {"id": item_id, "item": item})
        now = datetime.now(UTC)
        outbox.add(tx, ACCEPTED.event(subject=item_id, correlation_id=item_id, at=now, data={"item": item}))
        return {"id": item_id, "at": now.isoformat()}

    @rpc(writes=True)
    def accept_new(self, tx: Any, item: str) -> dict[str, str]:
        return self.accept.handler(self, tx, str(uuid4()), item)

    @rpc(writes=True)
    def accept_slowly(self, tx: Any, item: str, seconds: float) -> dict[str, str]:
        time.sleep(seconds)
        return self.accept_new.handler(self, tx, item)

    @rpc(writes=True, asks_first=True)
    def ask_and_accept(self, write: Any, item: str, number: int) -> Any:
        told = self.second.double(number=number)
        return write(lambda tx: {**self.accept_new.handler(self, tx, item), "double": told["double"]})

    @rpc(writes=True)
    def note_and_refuse(self, tx: Any, item: str) -> ItemRefused:
        self.accept_new.handler(self, tx, item)
        return ItemRefused()

    @rpc(writes=True)
    def swallow(self, tx: Any, item: str) -> str:
        self.accept_new.handler(self, tx, item)
        with contextlib.suppress(psycopg.Error):
            tx.run("SELECT 1 / 0")
        return "done"

    @rpc
    def answer_oddly(self) -> object:
        return object()

    @rpc
    def fail(self, secret: str) -> None:
        raise ValueError(f"never to be told: {secret}")

    @rpc
    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    @rpc
    def query_slowly(self, seconds: float) -> None:
        with self.db.transaction() as tx:
            tx.one("SELECT 1 AS x FROM pg_sleep(%(seconds)s)", {"seconds": seconds})

    @rpc
    def hash(self, times: int) -> None:
        for _ in range(times):
            off_hub(HASHER.hash, "a password")

    @rpc
    def lag(self, seconds: float) -> float:
        """How late a green thread wakes up at the worst, within ``seconds``."""
        worst, ends_at = 0.0, time.monotonic() + seconds
        while (now := time.monotonic()) < ends_at:
            time.sleep(0.01)
            worst = max(worst, time.monotonic() - now - 0.01)
        return worst

    @rpc
    def ask_second(self, number: int) -> Any:
        return self.second.double(number=number, deadline_seconds=3.0)

    @on_event(COUNTED)
    def note_counted(self, tx: Any, event: Any) -> None:
        tx.run("INSERT INTO effects VALUES ('counted', %(item)s)", {"item": event.data["item"]})


class SecondService:
    name = "second"
    db = Database()

    @on_event(ACCEPTED)
    def count(self, tx: Any, event: Any) -> None:
        item = event.data["item"]
        if item.startswith("poison") and not tx.one(
            "SELECT 1 AS x FROM mended WHERE item = %(i)s", {"i": item}
        ):
            raise RuntimeError("poison")
        if item.startswith("refused-late"):
            raise ItemRefused
        tx.run("INSERT INTO effects VALUES ('count', %(item)s)", {"item": item})
        outbox.add(tx, outbox.Due("follow", key=str(event.id), at=event.time, payload={"item": item}))
        outbox.add(
            tx,
            COUNTED.event(
                subject=event.subject, correlation_id=event.subject, at=event.time, data={"item": item}
            ),
        )

    @job("follow", lease_seconds=5, workers=8, attempts=3)
    def follow(self, due: Any) -> Any:
        item = due.payload["item"]
        if item.startswith("jobfails"):
            raise RuntimeError("the outside is away")
        return lambda tx: tx.run("INSERT INTO effects VALUES ('follow', %(item)s)", {"item": item})

    @rpc(together=True)
    def double(self, requests: list[dict[str, Any]]) -> list[Any]:
        return [
            ItemRefused() if r["number"] < 0 else {"double": 2 * r["number"], "of": len(requests)}
            for r in requests
        ]
