"""Our contestant: two small services on the kit, started as every service is.

``python -m shared.run bench.ours:Batch400``, ``bench.ours:Single400`` or ``bench.ours:Lookup``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from bench import work
from shared.events.envelope import Event, EventType
from shared.messaging import outbox
from shared.messaging.dependencies import Database
from shared.messaging.listener import on_event
from shared.messaging.rpc import rpc
from shared.settings import ServiceSettings

ASKED = EventType(work.ASKED, {"item": fields.Integer(required=True), "note": fields.String(required=True)})
DONE = EventType(work.DONE, {"item": fields.Integer(required=True), "outcome": fields.String(required=True)})


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """As every service has them."""


class Stage:
    name = "ours"
    db = Database()


def handle(self: Any, tx: Any, events: list[Event]) -> None:
    """A business row and an event each; the kit adds inbox, commit, confirmed publish, acknowledgement."""
    rows = [{"item": event.data["item"], "note": event.data["note"]} for event in events]
    tx.run(work.INSERT_EFFECTS, {"rows": json.dumps(rows)})
    for event in events:
        tell_done(tx, event)


def handle_one(self: Any, tx: Any, event: Event) -> None:
    """The same, one event a call and one statement an event."""
    tx.run(work.INSERT_EFFECT, {"item": event.data["item"], "note": event.data["note"]})
    tell_done(tx, event)


def tell_done(tx: Any, event: Event) -> None:
    item = event.data["item"]
    outbox.add(tx, DONE.event(subject=item, correlation_id=item, at=event.time, data=work.done(item)))


class Batch100(Stage):
    handle = on_event(ASKED, batch=100, together=True)(handle)


class Batch200(Stage):
    handle = on_event(ASKED, batch=200, together=True)(handle)


class Batch400(Stage):
    handle = on_event(ASKED, batch=400, together=True)(handle)


class Single400(Stage):
    handle = on_event(ASKED, batch=400)(handle_one)


class Lookup:
    name = "ours"
    db = Database()

    @rpc(together=True)
    def periods(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Ten rows a person, for all calls in flight by one statement."""
        with self.db.transaction() as tx:
            rows = tx.all(work.SELECT_PERIODS, {"people": [request["person"] for request in requests]})
        by_person = defaultdict(list)
        for row in rows:
            by_person[row["person"]].append(row)
        return [{"items": by_person[request["person"]]} for request in requests]
