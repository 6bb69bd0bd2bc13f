"""What each process may do at the broker: no more than its code declares.

Derived from the decorators and from the contract, never written down a second time. A service consumes its
own queues, publishes its own events, calls the methods it names (``Client("identity", "check_citizen")``),
answers calls, and puts aside what its own listeners cannot take. It declares nothing but the queue of its own
replies.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import urllib.parse
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from kombu.utils.url import parse_url

from shared.events.catalogue import published_by
from shared.messaging import topology
from shared.messaging.rpc import REPLY_KEY, Client
from shared.settings import SettingsInvalid, load

GATEWAY = "gateway"
NOTHING = "^$"


@dataclass(frozen=True)
class Grant:
    """Regular expressions over names of queues and exchanges; ``topics`` those over routing keys, by
    exchange, for publishing and for binding."""

    configure: str
    write: str
    read: str
    topics: dict[str, tuple[str, str]]


def grants() -> dict[str, Grant]:
    """The grant of every process of the product, by the name of its user."""
    services = {service.name: grant(service) for service in topology.load_services()}  # type: ignore[attr-defined]
    calls = importlib.import_module("services.gateway.rpc").CALLS
    called = [f"{service}.{method}" for service, methods in calls.items() for method in methods]
    return {**services, GATEWAY: caller(GATEWAY, called)}


def grant(service: type) -> Grant:
    """What this service class needs."""
    name: str = service.name  # type: ignore[attr-defined]
    listening = [queue.name for queue in topology.queues([service]) if queue.listener]
    clients = [client for client in vars(service).values() if isinstance(client, Client)]
    calling = caller(name, [f"{client.service}.{method}" for client in clients for method in client.methods])
    aside = rf"(\d+s|{topology.DEAD_KEY})\.({_any(listening)})"
    own_replies, (calls, replies_heard) = calling.configure, calling.topics[topology.RPC]
    return Grant(
        configure=own_replies,
        write=_whole(_any((topology.EVENTS, topology.RETRY, topology.RPC)), own_replies),
        read=_whole(_any((*listening, f"rpc-{name}", topology.RPC)), own_replies),
        topics={
            topology.EVENTS: (_whole(_any(event.name for event in published_by(name))), NOTHING),
            topology.RETRY: (_whole(aside), NOTHING),
            topology.RPC: (_whole(calls, REPLY_KEY.pattern), replies_heard),
        },
    )


def caller(name: str, methods: Iterable[str]) -> Grant:
    """What a process needs that only calls these methods, ``service.method``."""
    own_replies = _whole(rf"reply\.{re.escape(name)}\.[0-9a-f]+")
    return Grant(
        configure=own_replies,
        write=_whole(re.escape(topology.RPC), own_replies),
        read=_whole(re.escape(topology.RPC), own_replies),
        topics={topology.RPC: (_whole(_any(methods)), own_replies)},
    )


def _any(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names))


def _whole(*alternatives: str) -> str:
    """Matches one of these as a whole."""
    parts = [text.removeprefix("^(").removesuffix(")$") for text in alternatives]
    return f"^({'|'.join(part for part in parts if part and part != NOTHING)})$"


@dataclass(frozen=True)
class PermissionSettings(topology.TopologySettings):
    """Settings of this program: the broker, as its administrator, and the passwords of the users it makes."""

    amqp_password_registration: str = field(metadata={"help": "Password of the broker's user registration."})
    amqp_password_identity: str = field(metadata={"help": "Password of the broker's user identity."})
    amqp_password_notification: str = field(metadata={"help": "Password of the broker's user notification."})
    amqp_password_history: str = field(metadata={"help": "Password of the broker's user history."})
    amqp_password_gateway: str = field(metadata={"help": "Password of the broker's user gateway."})


def apply(management_url: str, vhost: str, user: str, password: str, granted: Grant) -> None:
    """Make the user, and grant this and nothing else in ``vhost``. Raises ``httpx.HTTPError``."""
    where = f"{urllib.parse.quote(vhost, safe='')}/{urllib.parse.quote(user, safe='')}"
    rights = {"configure": granted.configure, "write": granted.write, "read": granted.read}
    with topology.management(management_url) as management:

        def put(path: str, content: dict[str, str]) -> None:
            management.put(path, json=content).raise_for_status()

        put(f"users/{urllib.parse.quote(user, safe='')}", {"password": password, "tags": ""})
        for exchange, kind in topology.EXCHANGES.items():
            if kind == "topic":
                write, read = granted.topics.get(exchange, (NOTHING, NOTHING))
                put(f"topic-permissions/{where}", {"exchange": exchange, "write": write, "read": read})
        put(f"permissions/{where}", rights)


def main(arguments: list[str]) -> int:
    """``show`` prints what is granted; ``apply`` makes the users and grants it."""
    if arguments == ["show"]:
        print(json.dumps({user: asdict(granted) for user, granted in grants().items()}, indent=1))
        return 0
    if arguments == ["apply"]:
        try:
            settings = load(PermissionSettings)
        except SettingsInvalid as invalid:
            print(invalid, file=sys.stderr)
            return 2
        vhost = parse_url(settings.amqp_url)["virtual_host"] or "/"
        for user, granted in grants().items():
            password = getattr(settings, f"amqp_password_{user}")
            apply(settings.amqp_management_url, vhost, user, password, granted)
        print("permissions: one user for each process")
        return 0
    print("usage: python -m shared.messaging.permissions show|apply", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
