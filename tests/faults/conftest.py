"""A fresh stage per test, with processes that may carry planted defects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.native.instance import Instance
from shared.testing.stage import Stage

PLANTED = "tests.faults.planted"
StageMaker = Callable[..., Stage]


@pytest.fixture
def make_stage(servers: Instance, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StageMaker]:
    """``make_stage(defect)``: a stage whose processes have this defect, or none."""
    made: list[Stage] = []

    def make(defect: str = "", crash_at: str = "", crashing: str = "") -> Stage:
        """``crash_at`` is a point of ``planted.CRASHES``, at which the service ``crashing`` dies once the
        file ``tmp_path/mark`` exists."""
        name = f"f{abs(hash(request.node.nodeid)) % 10**8}_{len(made)}"
        stage = Stage(servers, name, tmp_path, module=PLANTED)
        made.append(stage)
        stage.environments = {
            service: {
                "PLANTED": defect,
                "CRASH_AT": crash_at if service == crashing else "",
                "CRASH_MARK": str(tmp_path / "mark"),
            }
            for service in ("first", "second")
        }
        stage.up()
        return stage

    yield make
    for stage in made:
        stage.down()
