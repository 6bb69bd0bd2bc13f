"""What the broker's management interface says, and the age of what waits first in a queue."""

from __future__ import annotations

import email.utils
import time
import urllib.parse
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.vssid.where import BrokerSettings, load
from shared.messaging import topology
from shared.messaging.connection import channel


@dataclass(frozen=True)
class Depth:
    """A queue: how many wait in it, how many of it are there in all, how many consumers it has."""

    name: str
    ready: int
    messages: int
    consumers: int

    @property
    def is_heard(self) -> bool:
        """Whether it is a listener's: neither for waiting, nor for dead letters, nor for calls."""
        return not self.name.startswith(("vssid.wait.", "rpc-")) and not self.name.endswith(".dead")


class Broker:
    """One vhost, as its administrator. Methods raise ``httpx.HTTPError``."""

    def __init__(self, addresses: BrokerSettings) -> None:
        self.url = addresses.amqp_url
        self.vhost = topology.vhost_of(addresses.amqp_url)
        self._quoted = urllib.parse.quote(self.vhost, safe="")
        self._management = topology.management(addresses.amqp_management_url)

    def ask(self, path: str) -> Any:
        """The answer to GET ``path``; ``<vhost>`` in it is ours."""
        return self._management.get(path.replace("<vhost>", self._quoted)).raise_for_status().json()

    def depths(self) -> list[Depth]:
        """Every queue of ours that is there, in the topology's order. What consumers hold and have not
        acknowledged is counted as of up to five seconds ago."""
        rows = self.ask("queues/<vhost>?columns=name,messages")
        held = {row["name"]: row.get("messages", 0) for row in rows}
        names = [queue.name for queue in topology.queues() if queue.name in held]
        with channel(self.url) as asking:
            told = [asking.queue_declare(name, passive=True) for name in names]
        return [
            Depth(t.queue, t.message_count, max(held[t.queue], t.message_count), t.consumer_count)
            for t in told
        ]

    def holds_events_of(self, at: datetime) -> bool:
        """Whether an event of that time or earlier waits for a listener, or to be tried again."""
        for depth in self.depths():
            if depth.ready and depth.name.startswith("vssid.wait."):
                return True
            first = time_of_first(self.url, depth.name) if depth.ready and depth.is_heard else None
            if first is not None and first <= at:
                return True
        return False

    def clock_difference_seconds(self) -> float:
        """By how much the broker's clock is ahead of ours; exact to a second."""
        before = time.time()
        answer = self._management.get("whoami").raise_for_status()
        there = email.utils.parsedate_to_datetime(answer.headers["Date"])
        return there.timestamp() + 0.5 - (before + time.time()) / 2


def broker() -> Broker:
    """The broker of this installation."""
    return Broker(load(BrokerSettings))


def time_of_first(url: str, queue: str) -> datetime | None:
    """When the event that is first in the queue happened; None where it does not say, or nothing waits.

    It is taken and put back at its place; a consumer in the meantime sees it marked as delivered before.
    """
    with channel(url) as asking:
        first = asking.basic_get(queue)
        headers = (first.properties.get("application_headers") or {}) if first is not None else {}
    try:
        return datetime.fromisoformat(str(headers.get("ce-time"))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
