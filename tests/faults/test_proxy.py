"""The proxy that the other tests break connections with does what it says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of a server that sends everything back."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(65536):
                    connection.sendall(piece)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listening.getsockname()[1]
    listening.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo) as proxy:
        yield proxy


def connect(proxy: Proxy) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=5.0)
    connection.settimeout(5.0)
    return connection


def said_back(connection: socket.socket, text: bytes) -> bytes:
    """Say something and hear what comes back, as long as anything comes."""
    connection.sendall(text)
    heard = b""
    while len(heard) < len(text) and (piece := connection.recv(65536)):
        heard += piece
    return heard


def hears_nothing(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        return connection.recv(1) == b"never"
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5.0)


def heard_to_the_end(connection: socket.socket) -> bytes:
    """All that comes before the connection is reset."""
    heard = b""
    try:
        while piece := connection.recv(100):
            heard += piece
    except ConnectionResetError:
        return heard
    raise AssertionError("it ended with a goodbye")


def test_it_forwards_both_ways_in_order(proxy: Proxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        text = bytes(range(256)) * 4000
        assert said_back(one, text) == text
        assert said_back(other, b"hello") == b"hello"
        assert proxy.counts() == {"connections": 2, "cuts": 0}


def test_it_delays_each_way(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        said_back(connection, b"at once")
        proxy.delay(0.2)
        started = time.monotonic()
        assert said_back(connection, b"later") == b"later"
        assert time.monotonic() - started > 0.35


def test_a_cut_resets_what_stands_and_lets_new_ones_in(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        said_back(connection, b"x")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with connect(proxy) as connection:
        assert said_back(connection, b"again") == b"again"


def test_a_refusing_proxy_refuses_until_it_flows(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        said_back(connection, b"x")
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.flow()
    with connect(proxy) as connection:
        assert said_back(connection, b"again") == b"again"


def test_silence_holds_back_what_is_said_on_old_and_new_connections(proxy: Proxy) -> None:
    with connect(proxy) as old:
        said_back(old, b"x")
        proxy.silence()
        with connect(proxy) as new:
            for connection in (old, new):
                connection.sendall(b"held")
            assert hears_nothing(old)
            assert hears_nothing(new)
            proxy.flow()
            assert old.recv(10) == b"held"
            assert new.recv(10) == b"held"


def test_a_frozen_connection_stays_open_and_dead_while_new_ones_flow(proxy: Proxy) -> None:
    with connect(proxy) as old:
        said_back(old, b"x")
        proxy.freeze()
        old.sendall(b"into the void" * 100_000)
        assert hears_nothing(old)
        with connect(proxy) as new:
            assert said_back(new, b"alive") == b"alive"
        proxy.flow()
        assert hears_nothing(old)
    with connect(proxy):  # the dead one's client has gone, so it is let go
        deadline = time.monotonic() + 5
        while proxy.counts()["connections"] > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert proxy.counts()["connections"] <= 1


def test_a_cut_in_the_middle_of_a_reply_leaves_its_beginning(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.cut_at(b"secret", keep_bytes=4, times=1)
        assert said_back(connection, b"something else") == b"something else"
        connection.sendall(b"the secret")
        assert heard_to_the_end(connection) == b"the "
    with connect(proxy) as connection:
        assert said_back(connection, b"the secret") == b"the secret"
        assert proxy.counts()["cuts"] == 1


def test_a_cut_at_what_the_client_says_keeps_it_from_the_server(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.cut_at(b"COMMIT", sender="client")
        assert said_back(connection, b"BEGIN") == b"BEGIN"
        connection.sendall(b"COMMIT")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
