"""F23: no container runs as root, writes to its own file system or holds a capability."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.compose.stack import Stack

KEEP_RUNNING = (
    "registration", "identity", "notification", "history", "gateway",
    "rabbitmq", "postgres", "redis", "population_register", "smsc", "mail_server",
)  # fmt: skip
WRITE = ["sh", "-c", "for at in /etc /usr /app /opt; do [ ! -d $at ] || touch $at/written || exit 30; done"]


def is_confined(container: Container) -> None:
    """Asks the kernel about the container's processes, from inside. Raises ``AssertionError``."""
    status = read(container, "cat /proc/1/status")
    assert "0" not in status["Uid"].split(), f"{container.name} runs as root"
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[kind], 16) == 0, f"{container.name} holds capabilities"
    assert status["NoNewPrivs"] == "1", f"{container.name} may gain privileges"
    written, _ = container.exec_run(WRITE)
    assert written == 30, f"{container.name} can write to its file system"


def read(container: Container, command: str) -> dict[str, str]:
    """The lines ``name: value`` that a command in the container prints."""
    code, printed = container.exec_run(command)
    assert code == 0, printed
    lines = (line.partition(":") for line in printed.decode().splitlines())
    return {name: value.strip() for name, _, value in lines}


@pytest.mark.smoke
@pytest.mark.proves("F23")
@pytest.mark.parametrize("service", KEEP_RUNNING)
def test_a_container_is_confined(stack: Stack, service: str) -> None:
    for container in stack.containers(service):
        is_confined(container)


@pytest.fixture
def loose(stack: Stack) -> Iterator[Container]:
    """A container of the service image as Docker starts it by default."""
    image = stack.containers("identity")[0].image
    container = docker.from_env().containers.run(
        image, entrypoint=["sleep", "60"], user="0:0", network_mode="none", detach=True, auto_remove=True
    )
    yield container
    container.kill()


@pytest.mark.planted("F23")
def test_a_container_that_is_not_confined_is_seen(loose: Container) -> None:
    with pytest.raises(AssertionError, match="runs as root"):
        is_confined(loose)
