"""The installation with docker-compose.tls.yml laid over it: it works, takes nothing plain, verifies."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from deploy.docker import secrets
from deploy.docker.certificates import Authority
from shared import tls
from tests.compose.conftest import RUN
from tests.compose.stack import Stack, got_through
from tests.faults.crowd import Crowd, new_seed

PORTS = {"rabbitmq": 5671, "redis": 6379}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One of its own, beside the plain one."""
    stack = Stack(f"{RUN}-tls", tls=True)
    try:
        stack.up()
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SSL_CERT_FILE", str(stack.secrets / "tls_ca"))  # httpx trusts it
            yield stack
    finally:
        stack.down()


def test_citizens_go_the_whole_way_over_https(stack: Stack) -> None:
    crowd = Crowd(stack, 2, new_seed())
    assert crowd.gateway.startswith("https://")
    with crowd.on_the_way(at_once=2, least=2):
        pass
    got_through(crowd)


def broker(stack: Stack) -> None:
    socket.create_connection((stack.address("rabbitmq"), 5672), 5.0)


def management(stack: Stack) -> None:
    socket.create_connection((stack.address("rabbitmq"), 15672), 5.0)


def database(stack: Stack) -> None:
    psycopg.connect(stack.database_url("identity"), sslmode="disable", connect_timeout=5)


def cache(stack: Stack) -> None:
    redis.Redis(host=stack.address("redis"), socket_timeout=5.0).ping()


def gateway(stack: Stack) -> None:
    httpx.get(stack.gateway.replace("https:", "http:"))


@pytest.mark.parametrize(
    ("ask", "refusal"),
    [
        (broker, ConnectionRefusedError),
        (management, ConnectionRefusedError),
        (database, psycopg.OperationalError),
        (cache, redis.ConnectionError),
        (gateway, httpx.TransportError),
    ],
)
def test_a_plain_connection_is_refused(
    stack: Stack, ask: Callable[[Stack], None], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        ask(stack)


def shaken(stack: Stack, service: str, name: str, ca_file: Path) -> bytes:
    """The certificate that the server shows to who knows it by ``name`` and ``ca_file``."""
    verifying = tls.context(str(ca_file))
    with (
        socket.create_connection((stack.address(service), PORTS[service]), 5.0) as connected,
        verifying.wrap_socket(connected, server_hostname=name) as talking,
    ):
        assert talking.version() == "TLSv1.3"
        return talking.getpeercert(binary_form=True) or b""


@pytest.fixture
def other_ca(tmp_path: Path) -> Path:
    file = tmp_path / "other.pem"
    file.write_text(Authority.made(datetime.now(UTC)).pem)
    file.chmod(0o644)
    return file


@pytest.mark.parametrize("service", PORTS)
def test_a_server_shows_a_certificate_of_its_own_name_and_ca(
    stack: Stack, service: str, other_ca: Path
) -> None:
    own_ca = stack.secrets / "tls_ca"
    assert shaken(stack, service, service, own_ca)
    for name, ca_file in (("postgres", own_ca), (service, other_ca)):
        with pytest.raises(ssl.SSLCertVerificationError):
            shaken(stack, service, name, ca_file)


def test_a_process_takes_no_broker_of_another_ca(stack: Stack, other_ca: Path) -> None:
    ask = ("run", "--rm", "--no-deps", "-T", "--volume", f"{other_ca}:/tmp/other.pem:ro")
    stack.compose(*ask, "vssid", "dead-letters", "list")
    with pytest.raises(AssertionError, match="SSLCertVerificationError"):
        stack.compose(*ask, "--env", "TLS_CA_FILE=/tmp/other.pem", "vssid", "dead-letters", "list")


def test_a_certificate_made_afresh_is_shown_after_a_restart(stack: Stack) -> None:
    own_ca = stack.secrets / "tls_ca"
    before = shaken(stack, "rabbitmq", "rabbitmq", own_ca)
    (stack.secrets / "certificate_rabbitmq").unlink()
    secrets.write(stack.secrets.parent)
    for container in stack.containers("rabbitmq"):
        stack.restart(container)
    assert shaken(stack, "rabbitmq", "rabbitmq", own_ca) != before
    for service in ("registration", "identity", "notification", "history", "gateway"):
        for container in stack.containers(service):
            stack.wait_ready(container)
