"""Every exchange, queue and binding, from one description: the decorators in the services' code.

Declared at deployment (``python -m shared.messaging.topology apply``), so that nothing is published before
its queue exists. Arguments of a queue never change: limits are policies, another shape is another name.

| exchange | type | what goes through |
| --- | --- | --- |
| ``vssid.events`` | topic | events, routing key = type |
| ``vssid.retry`` | topic | ``<delay>s.<queue>`` to a wait queue, ``dead.<queue>`` to the dead letters |
| ``vssid.return`` | topic | the same key, when the delay is over, back to the one queue |
| ``vssid.dead`` | direct | ``<queue>`` to ``<queue>.dead``: what the broker itself gives up |
| ``nameko-rpc`` | topic | calls, ``<service>.<method>``, and replies, ``reply.<caller>.<number>`` |
"""

from __future__ import annotations

import importlib
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import amqp
import httpx
import stamina
from kombu.utils.url import parse_url

from shared import settings, tls
from shared.messaging.connection import channel

EVENTS = "vssid.events"
RETRY = "vssid.retry"
RETURN = "vssid.return"
DEAD = "vssid.dead"
DEAD_KEY = "dead"
RPC = "nameko-rpc"
EXCHANGES = {EVENTS: "topic", RETRY: "topic", RETURN: "topic", DEAD: "direct", RPC: "topic"}

RETRY_SECONDS = (1, 5, 30, 120, 600)
"""The delays of the wait queues; a failing event waits each in turn, then is dead-lettered."""

DELIVERY_LIMIT = 1000
"""Deliveries of one message before the broker itself dead-letters it: above what crashes alone can reach."""
WITHOUT_LIMIT = 2**31 - 1
"""RabbitMQ before 4.0 knows no word for none, from 4.0 on none said means 20."""

SERVICES = ("registration", "identity", "notification", "history")


@dataclass(frozen=True)
class TopologySettings(settings.FromEnvironment):
    """Settings of this program."""

    amqp_url: str = field(
        metadata={"help": "The broker, as a user who may declare: amqp(s)://user:password@host:port/vhost."}
    )
    amqp_management_url: str = field(
        metadata={"help": "Its management interface: http(s)://user:password@host:port."}
    )


@dataclass(frozen=True)
class Queue:
    """A queue with its bindings ``(exchange, routing key)``. ``listener`` is ``service.method`` for an
    event queue, else empty."""

    name: str
    bindings: tuple[tuple[str, str], ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    listener: str = ""

    @property
    def routing_keys(self) -> tuple[str, ...]:
        """The event types it hears."""
        return tuple(key for exchange, key in self.bindings if exchange == EVENTS)


def queues(services: Iterable[type] | None = None) -> list[Queue]:
    """All queues that these service classes (by default: the product's) need."""
    classes = list(load_services() if services is None else services)
    listeners = [queue for service in classes for queue in _listener_queues(service)]
    return [*_wait_queues(), *listeners, *(_rpc_queue(service.name) for service in classes)]  # type: ignore[attr-defined]


def load_services() -> Iterator[type]:
    """The product's service classes, loaded by name: this package imports no service."""
    for name in SERVICES:
        yield service_class(name)


def service_class(name: str) -> type:
    """``services.<name>.service.<Name>Service``."""
    module = importlib.import_module(f"services.{name}.service")
    return getattr(module, f"{name.title()}Service")  # type: ignore[no-any-return]


def _listener_queues(service: Any) -> Iterator[Queue]:
    for attribute in sorted(dir(service)):
        types = getattr(getattr(service, attribute), "on_event_types", None)
        if types is None:
            continue
        name = f"{service.name}.{attribute}"
        yield Queue(
            name,
            (*((EVENTS, t.name) for t in types), (RETURN, f"*.{name}")),
            {
                "x-queue-type": "quorum",
                "x-dead-letter-exchange": DEAD,
                "x-dead-letter-routing-key": name,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
            listener=name,
        )
        yield Queue(f"{name}.dead", ((DEAD, name), (RETRY, f"{DEAD_KEY}.{name}")), {"x-queue-type": "quorum"})


def _wait_queues() -> Iterator[Queue]:
    for seconds in RETRY_SECONDS:
        yield Queue(
            f"vssid.wait.{seconds}s",
            ((RETRY, f"{seconds}s.#"),),
            {
                "x-queue-type": "quorum",
                "x-message-ttl": seconds * 1000,
                "x-dead-letter-exchange": RETURN,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )


def _rpc_queue(service: str) -> Queue:
    """As stock Nameko declares it, so that its clients and ours meet."""
    return Queue(f"rpc-{service}", ((RPC, f"{service}.*"),))


def vhost_of(url: str) -> str:
    """The vhost of a broker's address."""
    return parse_url(url)["virtual_host"] or "/"


def declare(url: str, wanted: Iterable[Queue]) -> None:
    """Declare exchanges, queues and bindings; what is there already is left as it is.

    Raises ``amqp.exceptions.PreconditionFailed`` when a queue of that name has another shape.
    """
    with channel(url) as declaring:
        for name, kind in EXCHANGES.items():
            declaring.exchange_declare(name, kind, durable=True, auto_delete=False)
        for queue in wanted:
            declaring.queue_declare(
                queue.name, durable=True, auto_delete=False, exclusive=False, arguments=queue.arguments
            )
            for exchange, key in queue.bindings:
                declaring.queue_bind(queue.name, exchange, key)


def set_limits(url: str, management_url: str) -> None:
    """Set the policies that carry limits.

    ``management_url`` is the management plugin's address with user and password.
    """
    vhost = urllib.parse.quote(vhost_of(url), safe="")
    with management(management_url) as broker:
        for name, policy in policies().items():
            broker.put(f"policies/{vhost}/{name}", json=policy).raise_for_status()


def policies() -> dict[str, dict[str, Any]]:
    """The delivery limits of quorum queues. Whoever looks at a dead letter takes it and puts it back, which
    counts as a delivery, and nothing is behind a dead-letter queue: beyond a limit the letter would be gone.
    """
    return {
        "vssid-limits": _delivery_limit(".*", DELIVERY_LIMIT, priority=0),
        "vssid-dead-letters": _delivery_limit(r"\.dead$", WITHOUT_LIMIT, priority=1),
    }


def _delivery_limit(pattern: str, most: int, priority: int) -> dict[str, Any]:
    return {
        "pattern": pattern,
        "definition": {"delivery-limit": most},
        "apply-to": "queues",
        "priority": priority,
    }


def management(url: str) -> httpx.Client:
    """The management plugin's interface at ``url``, which holds user and password."""
    base = url.partition("?")[0].rstrip("/")
    return httpx.Client(base_url=f"{base}/api/", timeout=10.0, verify=tls.context_of(url) or True)


@stamina.retry(on=(OSError, amqp.AMQPError, httpx.HTTPError), attempts=20, timeout=60.0, wait_max=2.0)
def apply(url: str, management_url: str, services: Iterable[type] | None = None) -> list[Queue]:
    """Declare everything and set the limits; returns the queues. Waits a minute for the broker."""
    wanted = queues(services)
    declare(url, wanted)
    set_limits(url, management_url)
    return wanted


def main(arguments: list[str]) -> int:
    """``show`` prints the queues; ``apply`` declares them on AMQP_URL (limits on AMQP_MANAGEMENT_URL)."""
    if arguments == ["show"]:
        for queue in queues():
            print(queue.name, *(f"{exchange}:{key}" for exchange, key in queue.bindings))
        return 0
    if arguments == ["apply"]:
        try:
            broker = settings.load(TopologySettings)
        except settings.SettingsInvalid as wrong:
            print(wrong, file=sys.stderr)
            return 2
        done = apply(broker.amqp_url, broker.amqp_management_url)
        print(f"topology: {len(done)} queues declared")
        return 0
    print("usage: python -m shared.messaging.topology show|apply", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
