"""F1 and F2: processes killed with signal 9, at random under load and at the points that matter."""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.testing.processes import until
from shared.testing.stage import Stage
from tests.faults.conftest import StageMaker

KILLS = int(os.environ.get("KILLS", "20"))
SEED = random.SystemRandom().randrange(10**6)


def killed_at_random(stage: Stage, kills: int, seed: int) -> list[str]:
    """Accept items without a pause while each service in turn is killed; returns what was accepted."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    accepted: list[str] = []
    stopping = threading.Event()

    def accept(worker: int) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            accepted.append(stage.accept_surely(f"kill-{worker}-{number}"))
            time.sleep(0.02)

    with ThreadPoolExecutor(4) as threads:
        workers = [threads.submit(accept, n) for n in range(4)]
        for _ in range(kills):
            process = stage.processes[rng.choice(["first", "second"])]
            time.sleep(rng.uniform(0.0, 0.5))
            process.kill()
            process.start()
            process.wait_ready()
        stopping.set()
        for worker in workers:
            worker.result()
    return accepted


@pytest.mark.proves("F1")
def test_services_killed_at_random_lose_and_double_nothing(make_stage: StageMaker) -> None:
    stage = make_stage()
    accepted = killed_at_random(stage, KILLS, SEED)
    assert len(accepted) > 10 * KILLS
    for what in ("count", "follow", "counted"):
        stage.until_effects(what, accepted, "kill-")


@pytest.mark.planted("F1")
def test_an_acknowledgement_before_the_commit_is_seen_as_loss(make_stage: StageMaker) -> None:
    stage = make_stage(defect="acknowledged before commit")
    accepted = killed_at_random(stage, max(KILLS // 2, 4), SEED)
    with pytest.raises(AssertionError, match=r"lost [1-9]"):
        stage.until_effects("counted", accepted, "kill-")


def crashed_once(stage: Stage, service: str, mark: Path) -> None:
    """Accept one item with the crash point armed; see the process die of it, and start it again."""
    mark.touch()
    accepting = threading.Thread(target=stage.accept_surely, args=("crash-1",))
    accepting.start()
    until(lambda: not stage.processes[service].running, 20.0, f"{service} did not reach its crash point")
    assert not mark.exists()
    stage.processes[service].start()
    stage.processes[service].wait_ready()
    accepting.join(30.0)


POINTS = [
    ("between commit and publish", "first"),
    ("between confirm and forgetting", "first"),
    ("between handling and ack", "second"),
]


@pytest.mark.proves("F2")
@pytest.mark.parametrize(("point", "service"), POINTS)
def test_a_crash_at_the_worst_point_has_one_effect(
    make_stage: StageMaker, tmp_path: Path, point: str, service: str
) -> None:
    stage = make_stage(crash_at=point, crashing=service)
    crashed_once(stage, service, tmp_path / "mark")
    for what in ("count", "follow", "counted"):
        stage.until_effects(what, ["crash-1"], "crash-")


@pytest.mark.planted("F2")
@pytest.mark.parametrize(
    ("point", "service", "defect", "seen"),
    [
        ("between commit and publish", "first", "no outbox", "lost 1"),
        ("between confirm and forgetting", "first", "no inbox", r"doubled [1-9]"),
        ("between handling and ack", "second", "no inbox", r"doubled [1-9]"),
    ],
)
def test_a_missing_outbox_or_inbox_is_seen_after_a_crash(
    make_stage: StageMaker, tmp_path: Path, point: str, service: str, defect: str, seen: str
) -> None:
    stage = make_stage(defect=defect, crash_at=point, crashing=service)
    crashed_once(stage, service, tmp_path / "mark")
    with pytest.raises(AssertionError, match=seen):
        stage.until_effects("count", ["crash-1"], "crash-")
