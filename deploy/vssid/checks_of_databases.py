"""The databases: reachable, schema and encoding right, in time, connections to spare; and Redis."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import amqp
import httpx
import psycopg
import redis
from psycopg import conninfo
from psycopg.rows import dict_row

from deploy.vssid.broker import broker
from deploy.vssid.findings import Finding, clock, not_looked_at, note, well, wrong
from deploy.vssid.where import DatabaseSettings, DoctorSettings, load
from services.registration.artefacts import ARE_ORPHANS_HELD
from shared import migrate
from shared.messaging.topology import SERVICES

DATABASE_CLOCK_SECONDS = 2.0
OUTBOX_SECONDS = 60
ROOM = 0.9
"""The part of max_connections that pools may claim together; the rest is for operators and migrations."""

STATE = """
SELECT pg_encoding_to_char(encoding) AS encoding, current_setting('server_version') AS version,
       extract(epoch FROM clock_timestamp())::float AS now,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS most
FROM pg_database WHERE datname = current_database()
"""
KIT = """
SELECT (SELECT count(*) FROM jobs WHERE failed_at IS NOT NULL) AS failed,
       (SELECT extract(epoch FROM now() - min(created_at))::int FROM outbox) AS oldest
"""


def database_checks() -> Iterator[Finding]:
    """Each on its own: one that is away is a finding about itself."""
    addresses = load(DatabaseSettings)
    servers: dict[str, list[str]] = defaultdict(list)
    most: dict[str, int] = {}
    for service in SERVICES:
        url = addresses.of(service)
        parts = conninfo.conninfo_to_dict(url)
        server = f"{parts.get('host')}:{parts.get('port')}"
        servers[server].append(service)
        try:
            before = time.time()
            with psycopg.connect(url, connect_timeout=3, autocommit=True, row_factory=dict_row) as connection:
                state = connection.execute(STATE).fetchone()
                assert state is not None
                between = (before + time.time()) / 2
                most[server] = state["most"]
                yield from one(service, url, state, state["now"] - between, connection)
                if service == "registration" and connection.execute(ARE_ORPHANS_HELD).fetchone() is not None:
                    to_do = "vssid reconcile --mend, until nothing is missing: then they are looked for again"
                    yield note("photos that nobody knows", "left alone since a restore", to_do)
        except psycopg.Error as error:
            to_do = "bring PostgreSQL up; is the address right? Its listeners wait meanwhile and lose nothing"
            yield wrong(f"database of {service}", f"does not answer: {type(error).__name__}", to_do)
    yield from budget(servers, most)
    yield from cache()


def one(
    service: str, url: str, state: dict[str, Any], ahead: float, connection: psycopg.Connection[Any]
) -> Iterator[Finding]:
    """What there is to say about one database that answers."""
    what = f"database of {service}"
    if state["encoding"] != "UTF8":
        yield wrong(
            what, f"is {state['encoding']}", "make it anew from template0 as UTF8, and restore into it"
        )
    waiting = migrate.pending(service, url)
    if waiting:
        yield wrong(what, f"lacks {', '.join(waiting)}", f"python -m shared.migrate {service}")
        return
    yield well(what, f"PostgreSQL {state['version'].split()[0]}, schema current")
    yield clock(f"clock of the {what}", ahead, DATABASE_CLOCK_SECONDS)
    kit = connection.execute(KIT).fetchone()
    assert kit is not None
    if kit["failed"]:
        yield note(f"jobs of {service}", f"{kit['failed']} given up", f"vssid jobs failed {service}")
    if (kit["oldest"] or 0) > OUTBOX_SECONDS:
        to_do = "is the service running, the broker up, the topology applied? vssid outbox"
        yield wrong(f"outbox of {service}", f"an event waits for {kit['oldest']} s", to_do)


def budget(servers: dict[str, list[str]], most: dict[str, int]) -> Iterator[Finding]:
    """Replicas × pool, for each PostgreSQL, against its max_connections."""
    pool = load(DoctorSettings).database_pool_size
    try:
        replicas = {
            depth.name.removeprefix("rpc-"): depth.consumers
            for depth in broker().depths()
            if depth.name.startswith("rpc-")
        }
    except (httpx.HTTPError, amqp.AMQPError, OSError):
        because = "the broker knows how many replicas run, and does not answer"
        yield not_looked_at("connection budget", because, "bring the broker up first")
        return
    for server, services in servers.items():
        if server not in most:
            because = f"PostgreSQL at {server} does not answer"
            yield not_looked_at("connection budget", because, "bring PostgreSQL up first")
            continue
        claimed = sum(replicas.get(service, 0) * pool for service in services)
        counted = ", ".join(f"{service} × {replicas.get(service, 0)}" for service in services)
        found = f"{counted}, {pool} each: {claimed} of {most[server]}"
        if claimed > ROOM * most[server]:
            to_do = "fewer replicas, smaller pools (DATABASE_POOL_SIZE), or a higher max_connections"
            yield wrong("connection budget", found, to_do)
        else:
            yield well("connection budget", found)


def cache() -> Iterator[Finding]:
    """Redis, where it is known."""
    url = load(DoctorSettings).redis_url
    if not url:
        yield not_looked_at("Redis", "REDIS_URL is not told here", "REDIS_URL=redis://… or REDIS_URL_FILE")
        return
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
        yield well("Redis", "answers")
    except redis.RedisError as error:
        to_do = "bring it up: until then no codes by e-mail or SMS and no hotline; nothing of value is in it"
        yield wrong("Redis", f"does not answer: {type(error).__name__}", to_do)
