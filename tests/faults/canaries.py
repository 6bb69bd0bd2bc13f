"""Words that are told from all others, and everywhere that they are looked for (row F21)."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import redis

from deploy.native.instance import Instance
from deploy.native.layout import VHOST
from shared.messaging.connection import channel
from shared.testing.citizens import Citizen
from shared.testing.collector import Collector

MEANT_FOR = {
    "registration": {"name", "number", "phone", "e-mail"},
    "identity": {"name", "number", "phone", "e-mail"},
    "notification": {"phone", "e-mail"},
    "history": set(),
}
"""What each database is there to keep. Secrets are meant for none."""
NOT_OURS = {"smsc.log", "mail_server.log", "population_register.log"}
"""The outside's own logs."""


@dataclass
class Canaries:
    """What of one citizen is looked for: kind → words. ``secrets`` grow on the way."""

    citizen: Citizen
    secrets: dict[str, list[str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    """What citizens and officers were answered with when something was wrong."""

    def secret(self, kind: str, value: str) -> str:
        """Keep it in mind."""
        self.secrets.setdefault(kind, []).append(value)
        return value

    @property
    def personal(self) -> dict[str, list[str]]:
        phone = self.citizen.phone
        return {
            "name": [self.citizen.full_name, self.citizen.full_name.upper()],
            "number": [self.citizen.personal_number],
            "phone": [phone, phone.removeprefix("0")],
            "e-mail": [self.citizen.email],
        }

    def seen_in(self, text: str, kinds: dict[str, list[str]]) -> set[str]:
        """The kinds of which a word stands in a text, however it is written there."""
        return {
            kind
            for kind, words in kinds.items()
            if any(way in text for word in words for way in written(word))
        }


def written(word: str) -> set[str]:
    """As it is, in JSON, in an address, in base64, in hexadecimal."""
    data = word.encode()
    return {
        word,
        json.dumps(word)[1:-1],
        quote(word),
        base64.b64encode(data).decode().rstrip("="),
        data.hex(),
    }


@dataclass(frozen=True)
class Published:
    """A message as the broker saw it."""

    where: str
    outside: str
    """Routing key, properties and headers."""
    body: str


@contextmanager
def overheard(product: Instance) -> Iterator[list[Published]]:
    """Everything that is published through an exchange, until the end of the block."""
    names = [one["name"] for one in management(product, "exchanges") if one["type"] == "topic"]
    heard: list[Published] = []
    stopping = threading.Event()
    with channel(product.layout.amqp_url("admin")) as listening:
        queue = listening.queue_declare(exclusive=True).queue
        for name in names:
            if name and not name.startswith("amq."):
                listening.queue_bind(queue, name, "#")

        def note(message: Any) -> None:
            info = message.delivery_info
            outside = repr((info["routing_key"], message.properties))
            heard.append(Published(info["exchange"], outside, _text(message.body)))

        listening.basic_consume(queue, callback=note, no_ack=True)

        def listen() -> None:
            while not stopping.is_set():
                try:
                    listening.connection.drain_events(timeout=0.2)
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            stopping.set()
            thread.join(5.0)


def _text(body: Any) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)


def management(product: Instance, what: str) -> list[dict[str, Any]]:
    """Queues or exchanges, by the broker's own page."""
    url = f"{product.layout.amqp_management_url}/api/{what}/{VHOST}"
    found: list[dict[str, Any]] = httpx.get(url).raise_for_status().json()
    return found


def found_by(
    product: Instance, canaries: Canaries, heard: list[Published], traces: Collector, logs: Iterable[Path]
) -> list[str]:
    """Where something stands that should not, a sentence each."""
    every = canaries.personal | canaries.secrets
    places: list[tuple[str, str, dict[str, list[str]]]] = []
    places += [(f"log {log.name}", log.read_text("utf-8", "replace"), every) for log in logs]
    places += [("trace", body.decode("utf-8", "replace"), every) for body in list(traces.bodies)]
    places += [("error", error, every) for error in canaries.errors]
    places += [(f"header of {one.where}", one.outside, every) for one in heard]
    places += [(f"body of {one.where}", one.body, canaries.secrets) for one in heard]
    places += [("names of queues", repr([queue["name"] for queue in management(product, "queues")]), every)]
    places += [("names of files", repr(list(map(str, product.run.rglob("*")))), every)]
    places += [("Redis", text, every) for text in _in_redis(product)]
    for service, meant in MEANT_FOR.items():
        foreign = {kind: words for kind, words in every.items() if kind not in meant}
        places += [(f"database of {service}", text, foreign) for text in _in_database(product, service)]
    return sorted(
        {f"{kind} in {where}" for where, text, kinds in places for kind in canaries.seen_in(text, kinds)}
    )


def logs_of(product: Instance, *more: Path) -> list[Path]:
    """Those of the product, of its servers, and ``more`` folders."""
    own = [log for log in (product.run / "logs").iterdir() if log.name not in NOT_OURS]
    return [*own, *(log for folder in more for log in folder.glob("*.log"))]


def _in_redis(product: Instance) -> Iterator[str]:
    with redis.Redis.from_url(product.layout.redis_url) as store:
        for key in store.scan_iter():
            yield repr((key, store.dump(key)))


def _in_database(product: Instance, service: str) -> Iterator[str]:
    tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
    with psycopg.connect(product.environment(service)["DATABASE_URL"]) as connection:
        for (table,) in connection.execute(tables).fetchall():
            for (row,) in connection.execute(f"SELECT t::text FROM {table} t").fetchall():  # noqa: S608
                yield row
