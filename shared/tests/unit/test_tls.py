"""TLS: no address goes unverified, and one connection takes a reader and a writer at the same time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.docker.certificates import Authority
from shared import tls
from shared.settings import FromEnvironment, SettingsInvalid, load
from shared.testing.processes import ROOT

NAME = "broker.example"
CA = "/etc/ca.pem"
PLAIN = ["amqp://u:p@h/v", "redis://:p@h:6379/0", "http://u:p@h:15672"]
ENCRYPTED = ["amqps://u:p@h/v", "rediss://:p@h:6379/0", "https://u:p@h:15671"]
LOOSE = [
    "rediss://h?ssl_cert_reqs=none",
    "rediss://h?ssl_check_hostname=false",
    "amqps://h/v?ssl_ca_certs=/other.pem",
    "postgresql://u:p@h/d?sslmode=require",
    "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=system",
]

Serve = Callable[[ssl.SSLSocket], None]


@dataclass(frozen=True)
class Declared(FromEnvironment):
    amqp_url: str = field(default="")
    database_url: str = field(default="")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.made(datetime.now(UTC))


@pytest.fixture
def ca_file(authority: Authority, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_text(authority.pem)
    return str(file)


# Addresses


@pytest.mark.parametrize("address", ENCRYPTED)
def test_an_encrypted_address_names_the_ca(address: str) -> None:
    assert tls.secured(address, CA) == f"{address}?ssl_ca_certs={CA}"


def test_a_database_is_verified_by_libpq() -> None:
    address = tls.secured("postgresql://u:p@h/d?connect_timeout=3", CA)
    assert address == f"postgresql://u:p@h/d?connect_timeout=3&sslmode=verify-full&sslrootcert={CA}"


@pytest.mark.parametrize("address", [*ENCRYPTED, "postgresql://u:p@h/d"])
def test_an_address_is_secured_once(address: str) -> None:
    once = tls.secured(address, CA)
    assert tls.secured(once, CA) == once


@pytest.mark.parametrize("address", PLAIN)
def test_beside_a_ca_no_plain_address_is_taken(address: str) -> None:
    with pytest.raises(tls.NotSecure, match="not encrypted"):
        tls.secured(address, CA)


@pytest.mark.parametrize("address", LOOSE)
def test_an_address_cannot_loosen_how_its_server_is_verified(address: str) -> None:
    with pytest.raises(tls.NotSecure, match="by itself"):
        tls.secured(address, CA)


@pytest.mark.parametrize("address", LOOSE[:2])
def test_not_even_where_the_system_says_whom_to_trust(address: str) -> None:
    with pytest.raises(tls.NotSecure):
        tls.secured(address, "")


@pytest.mark.parametrize("address", [*PLAIN, *ENCRYPTED, "postgresql://u:p@h/d?sslmode=require"])
def test_without_a_ca_addresses_stay_as_they_are(address: str) -> None:
    assert tls.secured(address, "") == address


@pytest.mark.parametrize("address", PLAIN)
def test_a_plain_address_has_nobody_to_verify(address: str) -> None:
    assert tls.context_of(address) is None


def test_whoever_is_reached_by_tls_is_verified(ca_file: str) -> None:
    for address in (*ENCRYPTED, *(tls.secured(address, ca_file) for address in ENCRYPTED)):
        verifying = tls.context_of(address)
        assert verifying is not None
        assert verifying.verify_mode == ssl.CERT_REQUIRED
        assert verifying.check_hostname
        assert verifying.minimum_version == ssl.TLSVersion.TLSv1_2


# Settings


def test_one_setting_secures_every_address(ca_file: str) -> None:
    settings = load(
        Declared,
        {"TLS_CA_FILE": ca_file, "AMQP_URL": "amqps://u:p@h/v", "DATABASE_URL": "postgresql://u:p@h/d"},
    )
    assert settings.amqp_url == f"amqps://u:p@h/v?ssl_ca_certs={ca_file}"
    assert settings.database_url.endswith(f"?sslmode=verify-full&sslrootcert={ca_file}")


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_that_cannot_be_read_is_told_at_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsInvalid, match=r"TLS_CA_FILE.*cannot be read as certificates"):
        load(Declared, {"TLS_CA_FILE": str(file), "AMQP_URL": "amqps://h"})


def test_a_plain_address_beside_a_ca_is_told_at_the_start_without_its_password(ca_file: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"AMQP_URL.*is not encrypted") as told:
        load(Declared, {"TLS_CA_FILE": ca_file, "AMQP_URL": "amqp://u:hidden@h/v"})
    assert "hidden" not in str(told.value)


# The connection


@contextlib.contextmanager
def server(authority: Authority, serve: Serve, name: str = NAME) -> Iterator[socket.socket]:
    """The near end of a connection to a server with a certificate for ``name``."""
    certificate, key = authority.issued([name], datetime.now(UTC))
    presenting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    near, far = socket.socketpair()
    near.settimeout(10.0)

    def answer() -> None:
        with contextlib.suppress(OSError), presenting.wrap_socket(far, server_side=True) as talking:
            serve(talking)

    with near, pem(certificate + key) as file:
        presenting.load_cert_chain(file)
        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        yield near
    answering.join(10.0)


@contextlib.contextmanager
def pem(text: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(text)
        file.flush()
        yield file.name


def echo(talking: ssl.SSLSocket) -> None:
    while data := talking.recv(16384):
        talking.sendall(data)


def received(stream: tls.Stream, size_bytes: int) -> bytes:
    got = bytearray()
    while len(got) < size_bytes and (data := stream.recv(65536)):
        got += data
    return bytes(got)


def test_what_is_sent_arrives_and_what_is_answered_is_received(authority: Authority, ca_file: str) -> None:
    with server(authority, echo) as near:
        stream = tls.Stream(near, tls.context(ca_file), NAME)
        stream.sendall(b"hello")
        assert received(stream, 5) == b"hello"


def test_a_reader_that_waits_keeps_no_writer_waiting(authority: Authority, ca_file: str) -> None:
    with server(authority, echo) as near:
        stream = tls.Stream(near, tls.context(ca_file), NAME)
        got: list[bytes] = []
        reading = threading.Thread(target=lambda: got.append(received(stream, 5)))
        reading.start()
        time.sleep(0.2)
        stream.sendall(b"hello")
        reading.join(5.0)
        assert got == [b"hello"]


def test_a_reader_and_writers_go_on_side_by_side(authority: Authority, ca_file: str) -> None:
    """Far more than all buffers hold, both ways at once; two writers, as when py-amqp answers by itself."""
    lines = [f"{number:08d}".encode() * 512 for number in range(2000)]
    with server(authority, echo) as near:
        stream = tls.Stream(near, tls.context(ca_file), NAME)
        halves = (lines[::2], lines[1::2])
        writers = [threading.Thread(target=lambda half=half: [*map(stream.sendall, half)]) for half in halves]
        for writer in writers:
            writer.start()
        echoed = received(stream, sum(map(len, lines)))
        for writer in writers:
            writer.join(10.0)
    assert sorted(echoed[at : at + 4096] for at in range(0, len(echoed), 4096)) == lines


def test_a_peer_that_ends_is_seen_by_the_reader(authority: Authority, ca_file: str) -> None:
    for end in (lambda talking: talking.unwrap(), lambda talking: talking.shutdown(socket.SHUT_RDWR)):
        with server(authority, end) as near:
            assert tls.Stream(near, tls.context(ca_file), NAME).recv(10) == b""


def test_a_time_out_of_the_socket_is_the_streams(authority: Authority, ca_file: str) -> None:
    with server(authority, echo) as near:
        stream = tls.Stream(near, tls.context(ca_file), NAME)
        near.settimeout(0.1)
        with pytest.raises(TimeoutError):
            stream.recv(1)
        near.settimeout(10.0)
        stream.sendall(b"still there")
        assert received(stream, 11) == b"still there"


def refuses_others(authority: Authority, ca_file: str) -> None:
    """Neither a certificate of another CA nor one for another name is taken. Raises ``AssertionError``."""
    others = ((Authority.made(datetime.now(UTC)), NAME), (authority, "other.example"))
    for signer, name in others:
        with server(signer, echo, name) as near:
            try:
                tls.Stream(near, tls.context(ca_file), NAME)
            except ssl.SSLCertVerificationError:
                continue
            raise AssertionError(f"taken: a certificate for {name}")


def test_another_ca_and_another_name_are_refused(authority: Authority, ca_file: str) -> None:
    refuses_others(authority, ca_file)


@pytest.mark.parametrize("still_asked", [ssl.CERT_NONE, ssl.CERT_REQUIRED])
def test_a_client_that_looks_away_is_seen(
    authority: Authority, ca_file: str, monkeypatch: pytest.MonkeyPatch, still_asked: ssl.VerifyMode
) -> None:
    strict = tls.context

    def loose(file: str = "") -> ssl.SSLContext:
        made = strict(file)
        made.check_hostname = False
        made.verify_mode = still_asked
        return made

    monkeypatch.setattr(tls, "context", loose)
    with pytest.raises(AssertionError, match="taken"):
        refuses_others(authority, ca_file)


GREEN = """
import eventlet
eventlet.monkey_patch()
import socket, sys, threading
from shared import tls
port, ca_file, name = sys.argv[1:]
stream = tls.Stream(socket.create_connection(("127.0.0.1", int(port))), tls.context(ca_file), name)
got, ticks = [], []
def read():
    while sum(map(len, got)) < 4_000_000:
        got.append(stream.recv(65536))
def tick():
    while True:
        ticks.append(1)
        eventlet.sleep(0.01)
eventlet.spawn(tick)
reading = threading.Thread(target=read)
reading.start()
eventlet.sleep(0.3)
for _ in range(1000):
    stream.sendall(b"x" * 4000)
reading.join(20)
print(sum(map(len, got)), len(ticks) >= 20)
"""


def test_green_threads_read_and_write_without_holding_up_the_hub(authority: Authority, ca_file: str) -> None:
    certificate, key = authority.issued([NAME], datetime.now(UTC))
    presenting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pem(certificate + key) as file:
        presenting.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):
                echo(presenting.wrap_socket(listening.accept()[0], server_side=True))

        threading.Thread(target=answer, daemon=True).start()
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            GREEN,
            str(listening.getsockname()[1]),
            ca_file,
            NAME,
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["4000000", "True"], done.stderr
