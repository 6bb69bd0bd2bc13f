"""The kit on servers that speak TLS: it works as on plain ones, and takes no other server for them."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import redis

from deploy.docker.certificates import Authority
from deploy.native import machine
from deploy.native.instance import Instance, Vhost
from deploy.native.keys import write_private
from shared import tls
from shared.cache import Limiter
from shared.messaging import topology
from shared.messaging.connection import channel
from shared.testing.processes import free_port, until
from shared.testing.stage import Stage
from tests.fixtures import RUN

MANY = 300


class Encrypted(Instance):
    """An instance whose servers listen on encrypted ports as well; what tests are told are those alone."""

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self.folder = self.run / "tls"
        self.folder.mkdir(parents=True, exist_ok=True)
        authority = Authority.made(datetime.now(UTC))
        self.ca_file = self.written("ca.pem", authority.pem)
        certificate, key = authority.issued(["127.0.0.1"], datetime.now(UTC))
        self.written("certificate.pem", certificate)
        self.written("key.pem", key)
        self.own = {name: free_port() for name in ("amqps", "https", "rediss")}

    def written(self, name: str, text: str) -> str:
        """A file that the servers can read."""
        write_private(self.folder / name, text, 0o444)
        return str(self.folder / name)

    def _prepare(self) -> None:
        super()._prepare()
        certificate, key = self.folder / "certificate.pem", self.folder / "key.pem"
        with (self.run / "rabbitmq" / "rabbitmq.conf").open("a") as broker:
            broker.write(
                f"listeners.ssl.local = 127.0.0.1:{self.own['amqps']}\n"
                f"management.ssl.ip = 127.0.0.1\nmanagement.ssl.port = {self.own['https']}\n"
            )
            for part in ("ssl_options", "management.ssl"):
                broker.write(f"{part}.certfile = {certificate}\n{part}.keyfile = {key}\n")
        with (self.run / "redis" / "redis.conf").open("a") as cache:
            cache.write(
                f"tls-port {self.own['rediss']}\ntls-auth-clients no\n"
                f"tls-cert-file {certificate}\ntls-key-file {key}\n"
            )

    def _up_postgres(self) -> None:
        super()._up_postgres()
        data = self.run / "postgres" / "data"
        for name in ("certificate.pem", "key.pem"):  # it takes a key only from a file that is its own
            shutil.copy(self.folder / name, data / name)
            (data / name).chmod(0o600)
            if machine.is_root():
                shutil.chown(data / name, data.owner(), data.group())
        with psycopg.connect(self.layout.admin_database_url(), autocommit=True) as admin:
            for setting in ("ssl = on", "ssl_cert_file = 'certificate.pem'", "ssl_key_file = 'key.pem'"):
                admin.execute(f"ALTER SYSTEM SET {setting}".encode())
            admin.execute("SELECT pg_reload_conf()")

    def database(self, name: str) -> str:
        return tls.secured(super().database(name), self.ca_file)

    def vhost(self, name: str) -> Vhost:
        plain, ports = super().vhost(name), self.layout.ports
        amqp_url = self._moved(plain.amqp_url, ports["amqp"], "amqps")
        return replace(
            plain,
            amqp_url=amqp_url,
            management_url=self._moved(plain.management_url, ports["amqp_management"], "https"),
        )

    @property
    def redis_url(self) -> str:
        return self._moved(self.layout.redis_url, self.layout.ports["redis"], "rediss")

    def _moved(self, url: str, port: int, scheme: str) -> str:
        there = url.replace(f":{port}", f":{self.own[scheme]}").partition("://")[2]
        return tls.secured(f"{scheme}://{there}", self.ca_file)


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Encrypted]:
    servers = Encrypted(f"{RUN}-tls")
    try:
        servers.up("servers")
        yield servers
    finally:
        servers.down()


@pytest.fixture(scope="module")
def stage(encrypted: Encrypted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(encrypted, "tls", tmp_path_factory.mktemp("tls"))
    told = {"TLS_CA_FILE": encrypted.ca_file}
    stage.environments = {"first": told, "second": told}
    stage.up()
    yield stage
    stage.down()


def test_events_calls_and_jobs_go_over_tls(stage: Stage) -> None:
    """Calls from real threads here, events between green ones there; all at once, each has its effects."""
    items = [f"tls-{number}" for number in range(MANY)]
    with ThreadPoolExecutor(32) as threads:
        list(threads.map(stage.accept_surely, items))
    stage.until_all_effects(items, "tls-")


def test_every_connection_of_the_kit_is_encrypted(encrypted: Encrypted, stage: Stage) -> None:
    with topology.management(encrypted.vhost("tls_asking").management_url) as management:

        def used() -> list[dict[str, Any]]:
            connections = management.get("connections").raise_for_status().json()
            return [connection for connection in connections if connection.get("vhost") == stage.vhost.name]

        until(lambda: len(used()) >= 5, 30.0, "the broker, which counts once in five seconds, lists too few")
        shown = {(connection["ssl"], connection["ssl_protocol"] >= "tlsv1.2") for connection in used()}
    assert shown == {(True, True)}
    plain = stage.rows("first", "SELECT pid FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                       " WHERE datname = current_database() AND NOT ssl")  # fmt: skip
    assert plain == []
    encrypted.drop_vhost("tls_asking")


def test_limits_are_counted_over_tls(encrypted: Encrypted) -> None:
    limiter = Limiter(encrypted.redis_url)
    assert [limiter.hit("tls", "0912345678", "2/hour") for _ in range(3)] == [True, True, False]


def ask_broker(url: str) -> None:
    with channel(url):
        pass


def ask_management(url: str) -> None:
    with topology.management(url) as management:
        management.get("overview").raise_for_status()


def ask_database(url: str) -> None:
    psycopg.connect(url).close()


def ask_redis(url: str) -> None:
    with redis.Redis.from_url(url) as cache:
        cache.ping()


ASK = {"broker": ask_broker, "management": ask_management, "database": ask_database, "redis": ask_redis}
LOOSER = {
    "database": ("sslmode=verify-full&sslrootcert", "sslmode=require&application_name"),
    "redis": ("?", "?ssl_cert_reqs=none&ssl_check_hostname=false&"),
}
"""What would have libpq and redis-py look away; the settings refuse it. For the others our own is patched."""


@pytest.fixture(scope="module")
def addresses(encrypted: Encrypted) -> Iterator[dict[str, str]]:
    """Where each server is, and how it is known."""
    vhost = encrypted.vhost("tls_verified")
    yield {
        "broker": vhost.amqp_url,
        "management": vhost.management_url,
        "database": encrypted.database("tls_verified"),
        "redis": encrypted.redis_url,
    }
    encrypted.drop_vhost("tls_verified")
    encrypted.drop_database("tls_verified")


@pytest.fixture(scope="module")
def strangers(encrypted: Encrypted, addresses: dict[str, str]) -> dict[str, list[str]]:
    """The same servers, where another CA is trusted, and by a name that is not in their certificates."""
    other = encrypted.written("other.pem", Authority.made(datetime.now(UTC)).pem)
    return {
        server: [url.replace(encrypted.ca_file, other), url.replace("127.0.0.1", "localhost")]
        for server, url in addresses.items()
    }


def refused(ask: Callable[[str], None], url: str) -> bool:
    """Whether the server's certificate is; anything else that goes wrong is raised."""
    try:
        ask(url)
    except Exception as error:
        if "certificate" not in str(error):
            raise
        return True
    return False


@pytest.mark.parametrize("server", ASK)
def test_a_server_of_another_ca_or_another_name_is_refused(
    addresses: dict[str, str], strangers: dict[str, list[str]], server: str
) -> None:
    ask = ASK[server]
    ask(addresses[server])
    assert [refused(ask, url) for url in strangers[server]] == [True, True]


@pytest.mark.parametrize("server", ASK)
def test_a_client_that_does_not_verify_is_seen(
    strangers: dict[str, list[str]], server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "context", lambda _file: ssl._create_unverified_context())  # noqa: S323
    loose = [url.replace(*LOOSER.get(server, ("", ""))) for url in strangers[server]]
    assert [refused(ASK[server], url) for url in loose] == [False, False]
