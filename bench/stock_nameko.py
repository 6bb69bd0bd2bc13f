"""Stock Nameko with the same duties: ``python -m bench.stock_nameko Stage|Lookup``.

Its own entrypoints, publisher and worker pool; psycopg waits through the hub, as it must. An event is
acknowledged after its publish was confirmed, and given back when anything fails.
"""

import os

os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"
import eventlet

eventlet.monkey_patch()

import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import kombu.pools  # noqa: E402
import nameko  # noqa: E402
import uuid_utils  # noqa: E402
from kombu import Exchange  # noqa: E402
from marshmallow import Schema, fields  # noqa: E402
from nameko.contextdata import ContextDataProvider  # noqa: E402
from nameko.events import EventHandler  # noqa: E402
from nameko.extensions import DependencyProvider  # noqa: E402
from nameko.messaging import Publisher  # noqa: E402
from nameko.rpc import rpc  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402
from psycopg.rows import dict_row  # noqa: E402
from psycopg_pool import ConnectionPool  # noqa: E402

from bench import work  # noqa: E402

LISTENER = "stock.handle"


class Pool(DependencyProvider):  # type: ignore[misc]
    """psycopg's pool, as many connections as workers."""

    def setup(self) -> None:
        workers = nameko.config["max_workers"]
        self.pool = ConnectionPool(
            os.environ["DATABASE_URL"],
            min_size=workers,
            max_size=workers,
            open=False,
            kwargs={"autocommit": True, "row_factory": dict_row},
        )

    def start(self) -> None:
        self.pool.open(wait=True)

    def stop(self) -> None:
        self.pool.close()

    def get_dependency(self, _worker_ctx: Any) -> Any:
        return self.pool


class Header(ContextDataProvider):  # type: ignore[misc]
    """A header of the message that is worked on, which Nameko keeps as context data."""

    def __init__(self, name: str) -> None:
        self.context_key = name


class QuorumEventHandler(EventHandler):  # type: ignore[misc]
    """Nameko's event handler on a queue that is there already: it would declare a classic one."""

    def setup(self) -> None:
        super().setup()
        self.queue.no_declare = True


ASKED = Schema.from_dict({"item": fields.Integer(required=True), "note": fields.String(required=True)})()
DONE = Schema.from_dict({"item": fields.Integer(required=True), "outcome": fields.String(required=True)})()


class Stage:
    name = "stock"
    pool = Pool()
    event_id = Header("ce-id")
    at = Header("ce-time")
    publish = Publisher(exchange=Exchange(work.EVENTS, type="topic", durable=True), mandatory=True)

    @QuorumEventHandler.decorator("vssid", work.ASKED, requeue_on_error=True)
    def handle(self, body: dict[str, Any]) -> None:
        """Inbox, business row, outbox; commit; publish with a confirm; forget."""
        asked = ASKED.load(body)
        item = asked["item"]
        done_id = str(uuid_utils.uuid7())
        headers, done = work.done_headers(done_id, item, self.at), DONE.load(work.done(item))
        with self.pool.connection() as connection:
            with connection.transaction():
                if not connection.execute(
                    work.INSERT_INBOX, {"listener": LISTENER, "id": self.event_id}
                ).rowcount:
                    return
                connection.execute(work.INSERT_EFFECT, {"item": item, "note": asked["note"]})
                connection.execute(
                    work.INSERT_OUTBOX,
                    {
                        "id": done_id,
                        "type": work.DONE,
                        "headers": work.as_json(headers),
                        "body": work.as_json(done).encode(),
                    },
                )
            self.publish(done, routing_key=work.DONE, headers=headers, message_id=done_id)
            connection.execute(work.DELETE_OUTBOX, {"id": done_id})


class TooLate(Exception):
    """Nobody waits for the answer any more."""


class Lookup:
    name = "stock"
    pool = Pool()
    deadline = Header("x-deadline")

    @rpc
    def periods(self, person: int) -> dict[str, Any]:
        """Ten rows of a person."""
        if self.deadline is not None and time.time() * 1000 > self.deadline:
            raise TooLate
        with self.pool.connection() as connection:
            rows = connection.execute(work.SELECT_PERIODS, {"people": [person]}).fetchall()
        return {"items": rows}


def main(service: type) -> None:
    """Run until SIGTERM, as ``nameko run`` does."""
    workers = int(os.environ["WORKERS"])
    kombu.pools.set_limit(workers + 1)  # a producer for each worker
    nameko.config.setup(
        {
            "AMQP_URI": os.environ["AMQP_URL"],
            "max_workers": workers,
            "PREFETCH_COUNT": int(os.environ["PREFETCH"]),
        }
    )
    runner = ServiceRunner()
    runner.add_service(service)
    signal.signal(signal.SIGTERM, lambda *_: eventlet.spawn_n(runner.stop))
    runner.start()
    runner.wait()


if __name__ == "__main__":
    main({"Stage": Stage, "Lookup": Lookup}[sys.argv[1]])
