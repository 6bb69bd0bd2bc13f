"""F5: the broker raises its disk alarm, or stands still: it takes nothing, and does not go away either."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from shared.messaging.calls import CallFailed
from shared.testing.processes import until
from shared.testing.stage import Stage
from tests.faults.conftest import LinkedStageMaker
from tests.faults.load import Load
from tests.faults.servers import Breakable
from tests.faults.test_broker_away import callers_were_told_in_time

STUCK_SECONDS = float(os.environ.get("BROKER_STUCK_SECONDS", "6"))
INSIDE = [f"inside-{number}" for number in range(4)]
SLEEPING = """
SELECT FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE '%%INTO idempotency%%'
"""


def broker_stuck(stage: Stage, servers: Breakable, way: str, seconds: float) -> Load:
    """The broker is stuck for ``seconds``, under load and with calls inside a service that are about to
    commit. ``way`` is "alarm" or "pause"."""

    def call(item: str) -> None:
        with contextlib.suppress(CallFailed):  # the answer cannot come through
            arguments = {"item": item, "seconds": 2.0}
            stage.client.call("first", "accept_slowly", arguments, 5.0, str(uuid.uuid4()))

    with ThreadPoolExecutor(len(INSIDE)) as threads, Load(stage, "stuck-") as load:
        load.until_accepted(20)
        calls = [threads.submit(call, item) for item in INSIDE]
        until(lambda: len(stage.rows("first", SLEEPING)) >= len(INSIDE), 5.0, "the calls do not arrive")
        with servers.disk_alarm() if way == "alarm" else servers.paused("rabbitmq"):
            ends_at = time.monotonic() + seconds
            assert not wait(calls, 6.0).not_done, "a call hangs"
            time.sleep(max(0.0, ends_at - time.monotonic()))
            committed = stage.effects("accepted", "inside-")
        load.until_accepted(20)
    assert committed == INSIDE, "work inside a service was not committed while the broker was stuck"
    return load


@pytest.mark.proves("F5")
@pytest.mark.parametrize("way", ["alarm", "pause"])
def test_with_the_broker_stuck_work_inside_commits_and_afterwards_all_is_done_once(
    make_linked_stage: LinkedStageMaker, broken_servers: Breakable, way: str
) -> None:
    stage, _ = make_linked_stage()
    load = broker_stuck(stage, broken_servers, way, STUCK_SECONDS)
    callers_were_told_in_time(load)
    stage.until_all_effects(load.accepted, "stuck-")
    stage.until_all_effects(INSIDE, "inside-")
    assert stage.dead_letters() == 0


@pytest.mark.planted("F5")
def test_publishing_before_the_commit_and_a_missing_inbox_are_seen(
    make_linked_stage: LinkedStageMaker, broken_servers: Breakable
) -> None:
    stage, _ = make_linked_stage(defect="published before commit + no inbox")
    with pytest.raises(AssertionError, match="not committed while the broker was stuck"):
        broker_stuck(stage, broken_servers, "pause", STUCK_SECONDS)
    with pytest.raises(AssertionError, match=r"doubled [1-9]"):
        stage.until_all_effects(INSIDE, "inside-")
