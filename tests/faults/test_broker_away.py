"""F4: the broker is stopped with calls in flight, for seconds and for a minute."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from shared.messaging.calls import CallFailed, RpcClient
from shared.testing.stage import Stage
from tests.faults.conftest import LinkedStageMaker
from tests.faults.load import Load
from tests.faults.servers import Breakable

BACK_WITHIN_SECONDS = 30.0
SPARE_SECONDS = 1.0
"""How much later than its deadline a call may end on a busy machine."""
AWAY_SECONDS = [float(seconds) for seconds in os.environ.get("BROKER_AWAY_SECONDS", "5 15").split()]


def broker_stopped(stage: Stage, servers: Breakable, seconds: float) -> list[Load]:
    """The broker is away for ``seconds`` while calls wait for an answer and others are inside the service;
    every process comes back by itself."""
    with Load(stage, "quick-") as quick, Load(stage, "slow-", slow_seconds=1.0) as slow:
        quick.until_accepted(20)
        slow.until_accepted(2)
        with servers.stopped("rabbitmq"):
            time.sleep(seconds)
            assert all(process.running for process in stage.processes.values()), "a process ended"
        for process in stage.processes.values():
            process.wait_ready(BACK_WITHIN_SECONDS)
        quick.until_accepted(20)
    return [quick, slow]


def callers_were_told_in_time(load: Load) -> None:
    """Calls failed, and each by its deadline."""
    assert load.failures > 0
    assert load.longest_seconds < load.deadline_seconds + SPARE_SECONDS, "a caller waited past its deadline"


@pytest.mark.proves("F4")
@pytest.mark.parametrize("seconds", AWAY_SECONDS)
def test_with_the_broker_away_callers_hear_in_time_and_afterwards_all_is_done_once(
    make_linked_stage: LinkedStageMaker, broken_servers: Breakable, seconds: float
) -> None:
    stage, _ = make_linked_stage()
    quick, slow = broker_stopped(stage, broken_servers, seconds)
    callers_were_told_in_time(quick)
    callers_were_told_in_time(slow)
    stage.until_all_effects(quick.accepted, "quick-")
    stage.until_all_effects(slow.accepted, "slow-")
    assert stage.dead_letters() == 0


class Endless(RpcClient):
    """A client that knows no deadline."""

    def call(self, *arguments: Any) -> Any:
        ends_at = time.monotonic() + 6.0
        while True:
            try:
                return super().call(*arguments)
            except CallFailed:
                if time.monotonic() > ends_at:
                    raise


@pytest.mark.planted("F4")
def test_events_in_memory_only_and_callers_without_a_deadline_are_seen(
    make_linked_stage: LinkedStageMaker, broken_servers: Breakable
) -> None:
    stage, _ = make_linked_stage(defect="no outbox")
    stage.client.__class__ = Endless
    quick, slow = broker_stopped(stage, broken_servers, 0.0)
    with pytest.raises(AssertionError, match="a caller waited past its deadline"):
        callers_were_told_in_time(quick)
    with pytest.raises(AssertionError, match=r"lost [1-9]"):
        stage.until_all_effects(slow.accepted, "slow-")
