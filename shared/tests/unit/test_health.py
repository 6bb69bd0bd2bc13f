"""Health: alive whatever others do, ready only when each part is, and never waiting long to say so."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from shared import health

CHECK_SECONDS = 0.3


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    servers: list[health.Server] = []

    def start(**checks: health.Check) -> str:
        servers.append(health.serve("127.0.0.1", 0, checks, CHECK_SECONDS))
        return f"http://127.0.0.1:{servers[-1].port}"

    yield start
    for server in servers:
        server.close()


def fail() -> None:
    raise KeyError("0912345678")


def test_ready_when_every_check_returns(serve: Callable[..., str]) -> None:
    answer = httpx.get(serve(broker=lambda: None, database=lambda: None) + "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "not_ready": {}})


def test_not_ready_names_the_parts_and_the_kind_of_error_only(serve: Callable[..., str]) -> None:
    def wait_for_migrations() -> None:
        raise health.NotReady("2 migrations wait")

    url = serve(broker=lambda: None, database=fail, migrations=wait_for_migrations)
    answer = httpx.get(url + "/readyz")
    assert answer.status_code == 503
    assert answer.json()["not_ready"] == {"database": "KeyError", "migrations": "2 migrations wait"}
    assert "0912345678" not in answer.text


def test_alive_whatever_the_checks_say(serve: Callable[..., str]) -> None:
    ended = threading.Event()
    answer = httpx.get(serve(broker=lambda: ended.wait(10), database=fail) + "/healthz")
    ended.set()
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_a_check_that_hangs_is_not_ready_and_never_started_twice(serve: Callable[..., str]) -> None:
    ended, started = threading.Event(), []

    def hang() -> None:
        started.append(1)
        ended.wait(30)

    url = serve(broker=hang, slow=hang)
    begin = time.monotonic()
    answers = [httpx.get(url + "/readyz") for _ in range(3)]
    assert time.monotonic() - begin < 10 * CHECK_SECONDS
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].json()["not_ready"] == dict.fromkeys(("broker", "slow"), "no answer in time")
    assert len(started) == 2
    ended.set()


def test_ready_again_once_the_part_is_back(serve: Callable[..., str]) -> None:
    away = [True]

    def check() -> None:
        if away:
            raise ConnectionRefusedError(111, "refused")

    url = serve(database=check)
    assert httpx.get(url + "/readyz").json()["not_ready"] == {"database": "ConnectionRefusedError [111]"}
    away.clear()
    assert httpx.get(url + "/readyz").status_code == 200


def test_metrics_are_served(serve: Callable[..., str]) -> None:
    answer = httpx.get(serve() + "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "vssid_hub_lag_seconds" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/healthz", 405), ("HEAD", "/healthz", 200)]
)
def test_other_pages_and_methods_are_refused(
    serve: Callable[..., str], method: str, path: str, status: int
) -> None:
    assert httpx.request(method, serve() + path).status_code == status


def test_a_silent_client_does_not_keep_others_waiting(serve: Callable[..., str]) -> None:
    url = serve()
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
        assert httpx.get(url + "/healthz", timeout=2).status_code == 200


def test_a_taken_port_is_an_error_at_start() -> None:
    first = health.serve("127.0.0.1", 0, {})
    with pytest.raises(OSError, match="in use"):
        health.serve("127.0.0.1", first.port, {})
    first.close()


def test_a_closed_server_answers_no_more() -> None:
    server = health.serve("127.0.0.1", 0, {})
    server.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{server.port}/healthz")


def under_eventlet(program: str) -> Any:
    """What ``program`` prints in a process with green threads."""
    start = "import socketserver, eventlet; eventlet.monkey_patch()\nfrom shared import health\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", start + program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_under_eventlet_it_answers_and_lets_other_green_threads_run() -> None:
    answered, ticks = under_eventlet("""
import json, eventlet, urllib.request, urllib.error
ticks = []
def tick():
    while True:
        ticks.append(1); eventlet.sleep(0.01)
eventlet.spawn(tick)
server = health.serve("127.0.0.1", 0, {"hangs": lambda: eventlet.sleep(30), "fine": lambda: None}, 0.5)
url = f"http://127.0.0.1:{server.port}"
alive = urllib.request.urlopen(url + "/healthz").status
try:
    urllib.request.urlopen(url + "/readyz")
except urllib.error.HTTPError as error:
    print(json.dumps([[alive, error.code, json.load(error)["not_ready"]], len(ticks)]))
""")
    assert answered == [200, 503, {"hangs": "no answer in time"}]
    assert ticks > 15
