"""F17 at the broker: a process does what its code declares, and whatever else it tries is refused."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import amqp
import httpx
import psycopg
import pytest
from amqp.exceptions import AccessRefused

from deploy.native.instance import Instance, Vhost
from shared.database import Database
from shared.events.catalogue import EVENT_TYPES
from shared.messaging import permissions, topology
from shared.messaging.connection import Link, channel
from shared.messaging.permissions import Grant
from shared.messaging.publisher import Publisher
from shared.messaging.relay import Relay
from shared.migrate import migrate_kit
from shared.testing.processes import until

Try = Callable[[amqp.Channel], object]
LogIn = Callable[[str], str]

PROCESSES = (*topology.SERVICES, permissions.GATEWAY)
LISTENERS = {queue.name for queue in topology.queues() if queue.listener}
CALLS = {
    f"{service.name}.{name}"  # type: ignore[attr-defined]
    for service in topology.load_services()
    for name in dir(service)
    if hasattr(getattr(service, name), "is_rpc")
}
GRANTED_CALLS = {
    "gateway": CALLS
    - {
        "identity.check_citizen",
        "identity.guardian",
        "identity.public_keys",
        "notification.messages",
        "registration.claim_phone",
    },
    "registration": {"identity.check_citizen", "identity.guardian"},
    "identity": {"registration.claim_phone"},
}


@pytest.fixture(scope="module")
def broker(servers: Instance) -> Iterator[Vhost]:
    """A vhost with the product's queues."""
    name = f"permissions_{uuid.uuid4().hex[:8]}"
    vhost = servers.vhost(name)
    topology.apply(vhost.amqp_url, vhost.management_url)
    yield vhost
    servers.drop_vhost(name)


@pytest.fixture
def log_in(broker: Vhost) -> Iterator[LogIn]:
    """``log_in(process)``: the address of the broker for a user with that process's grant."""
    made = []

    def make(process: str, granted: Grant | None = None) -> str:
        user, password = f"test-{uuid.uuid4().hex[:12]}", secrets.token_urlsafe(12)
        permissions.apply(
            broker.management_url, broker.name, user, password, granted or permissions.grants()[process]
        )
        made.append(user)
        return broker.amqp_url.replace(broker.amqp_url.split("@")[0], f"amqp://{user}:{password}")

    yield make
    for user in made:
        httpx.delete(f"{broker.management_url}/api/users/{user}").raise_for_status()


def publish(exchange: str, routing_key: str) -> Try:
    message = amqp.Message("{}")
    return lambda at: at.basic_publish_confirm(message, exchange, routing_key, timeout=5)


def consume(queue: str) -> Try:
    return lambda at: at.basic_consume(queue, callback=lambda message: None)


def bind(process: str, routing_key: str, exchange: str = topology.RPC) -> Try:
    def declare_and_bind(at: amqp.Channel) -> None:
        queue = f"reply.{process}.{uuid.uuid4().hex}"
        at.queue_declare(queue, exclusive=True, auto_delete=True)
        at.queue_bind(queue, exchange, routing_key.replace("<own>", queue))

    return declare_and_bind


def granted_to(process: str) -> dict[str, Try]:
    """What the process needs."""
    tries = {"bind its replies": bind(process, "<own>")}
    tries |= {f"call {method}": publish(topology.RPC, method) for method in GRANTED_CALLS.get(process, ())}
    if process in topology.SERVICES:
        own = {queue for queue in LISTENERS if queue.startswith(f"{process}.")}
        tries |= {f"hear {queue}": consume(queue) for queue in own}
        tries |= {f"put off {queue}": publish(topology.RETRY, f"5s.{queue}") for queue in own}
        tries |= {f"put aside {queue}": publish(topology.RETRY, f"dead.{queue}") for queue in own}
        tries |= {
            f"say {event.name}": publish(topology.EVENTS, event.name)
            for event in EVENT_TYPES
            if event.service == process
        }
        tries |= {
            "take calls": consume(f"rpc-{process}"),
            "answer a caller": publish(topology.RPC, f"reply.gateway.{uuid.uuid4().hex}"),
            "answer a stock Nameko client": publish(topology.RPC, str(uuid.uuid4())),
        }
    return tries


def refused_to(process: str) -> dict[str, Try]:
    """What it has no business to do."""
    foreign = {queue for queue in LISTENERS if not queue.startswith(f"{process}.")}
    tries = {f"hear {queue}": consume(queue) for queue in foreign}
    tries |= {f"put aside {queue}": publish(topology.RETRY, f"dead.{queue}") for queue in foreign}
    tries |= {f"replay into {queue}": publish(topology.RETURN, f"0s.{queue}") for queue in LISTENERS}
    tries |= {f"send straight to {queue}": publish("", queue) for queue in LISTENERS}
    tries |= {f"read dead letters of {queue}": consume(f"{queue}.dead") for queue in LISTENERS}
    tries |= {
        f"say {event.name}": publish(topology.EVENTS, event.name)
        for event in EVENT_TYPES
        if event.service != process
    }
    not_granted = CALLS - GRANTED_CALLS.get(process, set())
    tries |= {f"call {method}": publish(topology.RPC, method) for method in not_granted}
    tries |= {
        f"take calls of {service}": consume(f"rpc-{service}")
        for service in topology.SERVICES
        if service != process
    }
    stranger = "gateway" if process != "gateway" else "identity"
    return tries | {
        "hear all events": bind(process, "#", topology.EVENTS),
        "hear all calls": bind(process, "#"),
        "hear calls of identity": bind(process, "identity.*"),
        "hear a stranger's replies": bind(process, f"reply.{stranger}.{'0' * 32}"),
        "declare a stranger's replies": lambda at: at.queue_declare(f"reply.{stranger}.{'0' * 32}"),
        "declare a queue": lambda at: at.queue_declare("mine"),
        "delete a queue": lambda at: at.queue_delete("identity.open_case"),
        "empty a queue": lambda at: at.queue_purge(sorted(foreign)[0]),
        "declare an exchange": lambda at: at.exchange_declare("mine", "topic"),
        "dead-letter by hand": publish(topology.DEAD, "identity.open_case"),
    }


def refused(url: str, tries: dict[str, Try]) -> set[str]:
    """Those of the tries that the broker refuses; each has a channel of its own, which a refusal closes."""
    found = set()
    with channel(url) as first:
        for what, attempt in tries.items():
            at = first.connection.channel()
            try:
                attempt(at)
            except AccessRefused:
                found.add(what)
            else:
                at.close()
    return found


def nothing_else_goes(url: str, process: str) -> None:
    """Raises ``AssertionError`` that names what was not refused."""
    tries = refused_to(process)
    allowed = sorted(set(tries) - refused(url, tries))
    assert not allowed, f"{process} may {', '.join(allowed)}"


@pytest.mark.proves("F17")
@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_may_do_what_its_code_declares(log_in: LogIn, process: str) -> None:
    denied = refused(log_in(process), granted_to(process))
    assert not denied, f"{process} may not {', '.join(denied)}"


@pytest.mark.proves("F17")
@pytest.mark.parametrize("process", PROCESSES)
def test_whatever_else_a_process_tries_the_broker_refuses(log_in: LogIn, process: str) -> None:
    nothing_else_goes(log_in(process), process)


@pytest.mark.planted("F17")
def test_a_user_who_may_read_everything_is_seen(log_in: Callable[..., str]) -> None:
    url = log_in("history", replace(permissions.grants()["history"], read=".*"))
    with pytest.raises(AssertionError, match=r"history may .*hear identity\.open_case"):
        nothing_else_goes(url, "history")


LEFT = (
    "INSERT INTO outbox (id, type, headers, body, due_at) VALUES (gen_random_uuid(), %s, '{}', '{}', now())"
)


def test_what_a_newer_version_left_waits_and_holds_nothing_back(servers: Instance, log_in: LogIn) -> None:
    """After the way back to the version before, its relay may not publish what only the newer one may."""
    name = f"left_{uuid.uuid4().hex[:8]}"
    dsn = servers.database(name)
    migrate_kit(dsn)
    database, link = Database(dsn, name=name), Link(log_in("identity"), name)
    relay = Relay(database, Publisher(link))
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for event_type in ("identity.of_tomorrow.v1", *["identity.verified.v1"] * 20):
                connection.execute(LEFT, [event_type])
            database.open()
            link.start()
            relay.start()
            left = "SELECT type FROM outbox"
            until(lambda: len(connection.execute(left).fetchall()) == 1, 10, "the others are held back")
            assert connection.execute(left).fetchall() == [("identity.of_tomorrow.v1",)]
    finally:
        relay.stop()
        link.stop()
        database.close()
        servers.drop_database(name)
