"""Fixtures for all tests: real servers of this run's own, throw-away databases and vhosts, the whole product.

They are started when a test first asks for them, once a run, under ``.run/test`` (or VSSID_TEST_RUN).
What the tests started stops with the last run that uses it; what was running before stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest
import redis
from hypothesis import settings

from deploy.native.instance import Instance, Vhost
from services.gateway import addresses
from shared.cache import Limiter
from shared.testing.s3_server import S3Server

LOOPBACK = "127.0.0.1"
RUN = os.environ.get("VSSID_TEST_RUN", ".run/test")

settings.register_profile("vssid", deadline=None)  # a busy machine is no error
settings.load_profile("vssid")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    """The installation of this run, nothing of it started yet. Runs side by side share it."""
    instance = Instance(RUN)
    instance.run.mkdir(parents=True, exist_ok=True)
    ours = instance.run / "started_by_tests"
    with (instance.run / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if not instance.strays():
            ours.touch()
        yield instance
        with contextlib.suppress(BlockingIOError):  # somebody else still uses it
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if ours.exists():
                instance.down()
                ours.unlink()


@pytest.fixture(scope="session")
def servers(instance: Instance) -> Instance:
    """RabbitMQ, PostgreSQL and Redis are up."""
    instance.up("servers")
    return instance


@pytest.fixture(scope="session")
def product(instance: Instance) -> Instance:
    """Everything is up: servers, stand-ins, services, gateway."""
    instance.up("all")
    return instance


@pytest.fixture(autouse=True)
def place(request: pytest.FixtureRequest) -> None:
    """Each test of the product is as if from a place of its own: all have one address, behind which ten wrong
    log-ins a minute are answered, and a hundred wrong codes an hour, whoever's they are."""
    if "product" not in request.fixturenames:
        return
    forget_place(request.getfixturevalue("product"))


def forget_place(product: Instance) -> None:
    """From here on it is as if from another place: what was counted for this one is forgotten."""
    seal, identity = product.environment("gateway")["SEAL_PRIVATE"], product.environment("identity")
    url = identity["REDIS_URL"]
    with redis.Redis.from_url(url) as counters:
        for whole in (addresses.place(LOOPBACK), addresses.network(LOOPBACK)):
            counted = Limiter(url).hidden(addresses.hidden(whole, seal.encode()))
            for key in counters.scan_iter(f"*LIMITER/*/{counted}/*", count=1000):
                counters.delete(key)
    with psycopg.connect(identity["DATABASE_URL"]) as counted_without_redis:
        counted_without_redis.execute("DELETE FROM wrong_tries")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server of this run's own."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def database(servers: Instance) -> Iterator[Callable[[str], str]]:
    """``database("identity")``: the DSN of an empty database with its tables, dropped afterwards."""
    made: list[str] = []

    def make(service: str) -> str:
        name = f"test_{service}_{os.getpid()}_{next(_numbers)}"
        made.append(name)
        dsn = servers.database(name)
        migrate(service, dsn)
        return dsn

    yield make
    for name in made:
        servers.drop_database(name)


@pytest.fixture
def vhost(servers: Instance) -> Iterator[Vhost]:
    """An empty vhost on the broker, dropped afterwards."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield servers.vhost(name)
    servers.drop_vhost(name)


def migrate(service: str, dsn: str) -> None:
    """Make the tables of a service, as its deployment does."""
    done = subprocess.run(
        [sys.executable, "-m", "shared.migrate", service],
        env={**os.environ, "DATABASE_URL": dsn},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
