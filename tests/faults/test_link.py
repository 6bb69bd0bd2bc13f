"""A link to the broker notices that it is dead, however it died, and makes one connection at a time."""

from __future__ import annotations

import socket
import threading
import time
from itertools import pairwise

import pytest

from deploy.native.instance import Vhost
from shared.messaging import connection, topology
from shared.messaging.calls import CallFailed, RpcClient, ServiceUnknown
from shared.messaging.connection import Link
from shared.testing.processes import until
from tests.faults.links import proxy_of, through


def test_an_attempt_that_fails_is_one_connection() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    accepted: list[float] = []

    def hang_up() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            accepted.append(time.monotonic())
            connection.close()

    threading.Thread(target=hang_up, daemon=True).start()
    link = Link(f"amqp://guest:guest@127.0.0.1:{listening.getsockname()[1]}/", "test")
    link.start()
    until(lambda: len(accepted) > 4, 20.0, "it does not try again")
    link.stop()
    listening.shutdown(socket.SHUT_RDWR)
    pauses = [later - earlier for earlier, later in pairwise(accepted)]
    assert min(pauses) > 0.02, "two attempts in a row without a pause"


def hears_from_the_broker(client: RpcClient) -> bool:
    """Whether a call to nobody is answered, by the broker: there is nobody."""
    try:
        client.call("nobody", "anything", {}, 0.3)
    except ServiceUnknown:
        return True
    except CallFailed:
        return False
    raise AssertionError("somebody answered")


def test_a_connection_that_died_silently_is_replaced_while_calls_go_on(
    vhost: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEARTBEAT_SECONDS", 2)
    topology.declare(vhost.amqp_url, [])
    with proxy_of(vhost.amqp_url) as proxy:
        client = RpcClient(through(proxy, vhost.amqp_url))
        client.start()
        until(lambda: hears_from_the_broker(client), 10.0, "the broker does not answer")
        proxy.freeze()
        assert not hears_from_the_broker(client)
        until(lambda: hears_from_the_broker(client), 12.0, "calls go into the void for ever")
        client.stop()
