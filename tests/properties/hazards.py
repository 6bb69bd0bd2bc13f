"""What may befall the product at any moment: time passes, an event is heard again, something is lost."""

from __future__ import annotations

import json
import urllib.parse
import uuid
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import amqp
import httpx
import redis

from shared.messaging import dead_letters, topology
from shared.messaging.connection import channel, message
from shared.testing.processes import ServiceProcess, until
from tests.faults.test_product_kills import wait_ready
from tests.properties.books import Books

KILLED = ("registration", "identity", "notification", "gateway")
CUT = ("registration", "identity", "notification")
TOLD_ANEW = {
    "registration.submitted.v1", "registration.close_requested.v1", "identity.checked.v1",
    "identity.verified.v1", "identity.rejected.v1", "identity.closed.v1",
}  # fmt: skip
"""Facts that ``vssid reconcile`` tells a second time, in events with ids of their own."""

DUE_NOW = """
UPDATE jobs SET due_at = now() WHERE kind = ANY(%(kinds)s) AND split_part(key, ' ', 1) = %(key)s
       AND failed_at IS NULL AND lease IS NULL
"""
OTP_IS_OLD = """
UPDATE registrations SET email_otp = jsonb_set(email_otp, '{valid_until}', to_jsonb(%(at)s::text))
WHERE id = %(id)s AND email_otp IS NOT NULL
"""
CUT_DATABASE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = %(service)s AND backend_type = 'client backend' AND application_name NOT IN ('books', 'psql')
"""


class Hazards:
    """Of one installation. ``planted``: services that run outside of its supervisor."""

    def __init__(self, product: Any, books: Books, planted: dict[str, ServiceProcess]) -> None:
        self._product = product
        self._books = books
        self._planted = planted
        self._endpoints: dict[str, Any] = product.endpoints()
        queues = [queue for queue in topology.queues() if queue.listener]
        self._listeners = [queue.listener for queue in queues]
        self._hearing = {queue.listener: queue.routing_keys for queue in queues}
        self._opened = channel(self._endpoints["amqp"])
        self._channel: amqp.Channel = self._opened.__enter__()
        self._tap = f"properties.{uuid.uuid4().hex[:12]}"
        self._channel.queue_declare(self._tap, exclusive=True, auto_delete=True)
        self._channel.queue_bind(self._tap, topology.EVENTS, "#")
        self._heard: list[amqp.Message] = []
        self._dead_before = self._dead()

    def close(self) -> None:
        """Let go, and let everything behave again."""
        self.register_is_down(False)
        self.sms_arrive(True)
        self._opened.__exit__(None, None, None)

    # -- time ------------------------------------------------------------------------------------------

    def fall_due(self, service: str, key: str, *kinds: str) -> bool:
        """Jobs that wait for their time are due now. False when there are none."""
        return self._books.run(service, DUE_NOW, key=key, kinds=list(kinds)) > 0

    def otp_grows_old(self, registration_id: str) -> bool:
        """The code on its way to this registration is no longer valid."""
        at = datetime.now(UTC).isoformat()
        return self._books.run("registration", OTP_IS_OLD, id=registration_id, at=at) > 0

    def an_hour_passes(self) -> None:
        """All that is counted by the hour begins anew."""
        with redis.Redis.from_url(self._endpoints["redis"]) as cache:
            cache.flushdb()

    # -- duplicates ------------------------------------------------------------------------------------

    def tell_again(self, ids: Collection[str], picks: list[int], *, anew: bool) -> list[str]:
        """Publish some of the events about these registrations again, in the order of ``picks``: the same
        bytes under the same id, or ``anew``, under another, as after a restore. Returns their types."""
        self._listen()
        about = [heard for heard in self._heard if _registration_of(heard) in ids]
        if anew:
            about = [heard for heard in about if _type(heard) in TOLD_ANEW]
        chosen = [about[-1 - pick % len(about)] for pick in picks] if about else []
        for heard in chosen:
            properties = dict(heard.properties)
            if anew:
                headers = {**properties["application_headers"], "ce-id": str(uuid.uuid4())}
                properties |= {"application_headers": headers, "message_id": headers["ce-id"]}
            again = message(bytes(heard.body), properties)
            self._channel.basic_publish(again, topology.EVENTS, _type(heard))
        return [_type(heard) for heard in chosen]

    def told(self, ids: Collection[str]) -> Counter[tuple[str, str]]:
        """How many different events there were, by registration and type."""
        self._listen()
        different = {heard.properties["message_id"]: heard for heard in self._heard}
        about = ((_registration_of(heard), _type(heard)) for heard in different.values())
        return Counter((who, name) for who, name in about if who in ids)

    def not_noted(self, ids: Collection[str]) -> list[str]:
        """Events about these registrations that somebody who hears them has not noted: lost, or handled as
        often as they come."""
        self._listen()
        about = {
            str(heard.properties["message_id"]): _type(heard)
            for heard in self._heard
            if _registration_of(heard) in ids
        }
        noted = self._books.noted(about.keys())
        return [
            f"{listener} has not noted {name} {event_id}"
            for event_id, name in about.items()
            for listener, heard in self._hearing.items()
            if name in heard and (listener, event_id) not in noted and listener.split(".")[0] in CUT
        ]

    def _listen(self) -> None:
        while (heard := self._channel.basic_get(self._tap, no_ack=True)) is not None:
            self._heard.append(heard)

    # -- losses ----------------------------------------------------------------------------------------

    def kill(self, service: str) -> None:
        """kill -9; it is started again, and nobody waits for that."""
        if service in self._planted:
            self._planted[service].kill()
            self._planted[service].start()
        else:
            until(lambda: service in self._product.pids(), 30.0, f"{service} does not run")
            self._product.kill(service)

    def cut_broker(self, service: str) -> int:
        """The broker closes every connection of a service. Returns how many."""
        with httpx.Client(base_url=self._endpoints["amqp_management"], timeout=10.0) as broker:
            found = [c["name"] for c in broker.get("/api/connections").raise_for_status().json()
                     if c["user"] == service]  # fmt: skip
            for name in found:
                broker.delete(f"/api/connections/{urllib.parse.quote(name, safe='')}")
        return len(found)

    def cut_database(self, service: str) -> int:
        """PostgreSQL ends every connection of a service. Returns how many."""
        return len(self._books.rows(service, CUT_DATABASE, service=service))

    # -- those outside ---------------------------------------------------------------------------------

    def register_is_down(self, down: bool) -> None:
        """The population register answers 503, or answers again."""
        self._control(self._endpoints["register"], outage=down)

    def sms_arrive(self, arrive: bool) -> None:
        """What the SMSC takes reaches the phone, or is reported as undeliverable."""
        address = self._endpoints["sms"].removesuffix("/messages")
        self._control(address, receipt_stat="DELIVRD" if arrive else "UNDELIV")

    @staticmethod
    def _control(address: str, **faults: Any) -> None:
        httpx.put(f"{address}/control", json=faults, timeout=10.0).raise_for_status()

    # -- rest ------------------------------------------------------------------------------------------

    def wait_ready(self) -> None:
        """Every process is up."""
        for name, url in self._endpoints["ops"].items():
            if name in self._planted:
                self._planted[name].wait_ready(60.0)
            else:
                wait_ready(name, url)

    def queued(self) -> list[str]:
        """Queues of listeners in which something waits."""
        return [
            name
            for name in (*self._listeners, *(f"vssid.wait.{seconds}s" for seconds in topology.RETRY_SECONDS))
            if self._channel.queue_declare(name, passive=True).message_count
        ]

    def newly_dead(self) -> list[str]:
        """Listeners that have more dead letters than at the beginning."""
        return [name for name, count in self._dead().items() if count > self._dead_before[name]]

    def _dead(self) -> dict[str, int]:
        return dead_letters.counts(self._endpoints["amqp"], self._listeners)


def _type(heard: amqp.Message) -> str:
    return str(heard.delivery_info["routing_key"])


def _registration_of(heard: amqp.Message) -> str | None:
    found = json.loads(bytes(heard.body)).get("registration_id")
    return None if found is None else str(found)
