"""Each service is scaled, killed, restarted and stopped alone, with a crowd on its way: L = D = U = 0."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from docker.models.containers import Container

from shared.testing.processes import until
from tests.compose.stack import REPLICAS, Stack, got_through, is_ready
from tests.faults.crowd import Crowd, new_seed

SERVICES = ("registration", "identity", "notification", "history", "gateway")
SERVERS = ("redis", "postgres", "rabbitmq")
AT_ONCE, LEAST, LARGEST_CROWD = 8, 12, 400
SHARE_WITHIN_SECONDS = 5.0


def has_worked(stack: Stack, replica: Container) -> bool:
    """Whether the replica has handled, answered or sent anything yet."""
    return stack.work_of(replica) > 0


@pytest.mark.smoke
def test_citizens_go_the_whole_way(stack: Stack) -> None:
    crowd = Crowd(stack, 4, new_seed())
    with crowd.on_the_way(at_once=2, least=4):
        pass
    got_through(crowd)


@pytest.mark.parametrize(
    "service",
    [pytest.param(name, marks=pytest.mark.smoke) if name == "identity" else name for name in SERVICES],
)
def test_more_replicas_share_the_work_and_fewer_do_it_too(stack: Stack, service: str) -> None:
    crowd = Crowd(stack, LARGEST_CROWD, new_seed())
    with crowd.on_the_way(AT_ONCE, LEAST):
        stack.scale(service, REPLICAS)
        ready = time.monotonic()
        replicas = stack.containers(service)
        assert len(replicas) == REPLICAS
        if service == "gateway":  # whose replicas have a port each: their callers choose
            assert [httpx.get(f"{url}/v1/agencies").status_code for url in stack.gateways] == [200] * REPLICAS
        for replica in replicas:
            left = ready + SHARE_WITHIN_SECONDS - time.monotonic()
            until(partial(has_worked, stack, replica), left, f"{replica.name} does nothing")
        stack.scale(service, 1)
    got_through(crowd)


@pytest.mark.parametrize("service", ["registration", "identity", "notification", "history"])
def test_a_replica_that_is_killed_loses_nothing(stack: Stack, service: str) -> None:
    stack.scale(service, 2)
    crowd = Crowd(stack, LARGEST_CROWD, new_seed())
    with crowd.on_the_way(AT_ONCE, LEAST):
        for victim in stack.containers(service):
            time.sleep(1.0)
            victim.kill("SIGKILL")
            victim.start()
            stack.wait_ready(victim)
    stack.scale(service, 1)
    got_through(crowd)


@pytest.mark.parametrize("service", SERVICES)
def test_each_replica_restarted_in_turn_is_not_noticed(stack: Stack, service: str) -> None:
    stack.scale(service, 2)
    crowd = Crowd(stack, LARGEST_CROWD, new_seed())
    with crowd.on_the_way(AT_ONCE, LEAST):
        for replica in stack.containers(service):
            stack.restart(replica)
    stack.scale(service, 1)
    got_through(crowd)


def test_a_new_migration_is_applied_while_the_old_version_serves(stack: Stack, tmp_path: Path) -> None:
    migration = tmp_path / "9999_noted.sql"
    migration.write_text("ALTER TABLE cases ADD COLUMN noted text;\n")
    migration.chmod(0o644)
    into = f"{migration}:/app/services/identity/migrations/{migration.name}:ro"
    crowd = Crowd(stack, LARGEST_CROWD, new_seed())
    with crowd.on_the_way(AT_ONCE, LEAST):
        time.sleep(2.0)
        stack.compose("run", "--rm", "--no-deps", "--volume", into, "migrate-identity")
    got_through(crowd)
    (identity,) = stack.containers("identity")
    assert is_ready(identity)


def test_the_whole_product_stopped_and_started_with_work_in_flight(stack: Stack) -> None:
    crowd = Crowd(stack, LARGEST_CROWD, new_seed())
    with crowd.on_the_way(AT_ONCE, LEAST):
        time.sleep(2.0)
        for parts in (SERVICES, SERVERS):
            stack.compose("stop", *parts)
        for parts in (SERVERS, SERVICES):
            stack.compose("start", *parts)
            for name in parts:
                for container in stack.containers(name):
                    stack.wait_ready(container)
    got_through(crowd)
