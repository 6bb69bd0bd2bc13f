"""F5 as callers see it: while the broker is stuck the gateway says when to come again, by its deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.native.instance import Instance
from shared.testing.processes import ServiceProcess, free_port, until
from tests.faults.links import proxy_of, through
from tests.faults.proxy import Proxy

DEADLINE_SECONDS = 2.0
SLACK_SECONDS = 3.0


class Gateway:
    """A second gateway of the product, with a proxy on its way to the broker."""

    def __init__(self, product: Instance, log: Path, deadline_seconds: float) -> None:
        known = product.environment("gateway")
        self.proxy: Proxy = proxy_of(known["AMQP_URL"])
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/v1/agencies"
        environment = {
            **known,
            "AMQP_URL": through(self.proxy, known["AMQP_URL"]),
            "HTTP_PORT": str(port),
            "DEADLINE_SECONDS": str(deadline_seconds),
        }
        self.process = ServiceProcess("", environment, log, module="services.gateway")

    def ask(self, timeout_seconds: float = 60.0) -> httpx.Response:
        """A look-up that goes to registration and back."""
        return httpx.get(self._url, timeout=timeout_seconds)


@pytest.fixture
def gateways(product: Instance, tmp_path: Path) -> Iterator[list[Gateway]]:
    """One with a deadline, and one that waits for ever, as far as a test is concerned."""
    made = [Gateway(product, tmp_path / f"{seconds}.log", seconds) for seconds in (DEADLINE_SECONDS, 3600.0)]
    for gateway in made:
        gateway.process.start()
    for gateway in made:
        gateway.process.wait_ready()
    yield made
    for gateway in made:
        gateway.process.kill()
        gateway.proxy.close()


def says_when_to_come_again(gateway: Gateway) -> None:
    """With the broker silent, in the middle of calls and before the next; then all is well again."""
    until(lambda: gateway.ask().status_code == 200, 10.0, "it does not work at all")
    gateway.proxy.silence()
    for _ in range(3):
        started = time.monotonic()
        try:
            answer = gateway.ask(DEADLINE_SECONDS + SLACK_SECONDS)
        except httpx.TimeoutException:
            raise AssertionError("no answer by the deadline") from None
        assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
        assert time.monotonic() - started < DEADLINE_SECONDS + SLACK_SECONDS
    gateway.proxy.flow()
    until(lambda: gateway.ask().status_code == 200, 30.0, "it does not come back")


@pytest.mark.proves("F5")
def test_with_the_broker_silent_http_answers_503_by_its_deadline(gateways: list[Gateway]) -> None:
    says_when_to_come_again(gateways[0])


@pytest.mark.planted("F5")
def test_a_gateway_without_a_deadline_is_seen(gateways: list[Gateway]) -> None:
    with pytest.raises(AssertionError, match="no answer by the deadline"):
        says_when_to_come_again(gateways[1])
