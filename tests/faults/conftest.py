"""A fresh stage per test, with processes that may carry planted defects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.native.instance import Instance
from shared.testing.stage import Stage
from tests.faults.links import Links
from tests.faults.servers import Breakable, breakable

PLANTED = "tests.faults.planted"
StageMaker = Callable[..., Stage]
LinkedStageMaker = Callable[..., tuple[Stage, Links]]


@pytest.fixture
def make_stage(servers: Instance, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StageMaker]:
    """``make_stage(defect)``: a stage whose processes have this defect, or none."""
    made: list[Stage] = []

    def make(defect: str = "", crash_at: str = "", crashing: str = "") -> Stage:
        """``crash_at`` is a point of ``planted.CRASHES``, at which the service ``crashing`` dies once the
        file ``tmp_path/mark`` exists."""
        stage = Stage(servers, _name(request, len(made)), tmp_path, module=PLANTED)
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


@pytest.fixture(scope="session")
def broken_servers() -> Iterator[Breakable]:
    """Servers that may be stopped, killed and paused."""
    with breakable() as servers:
        yield servers


@pytest.fixture
def make_linked_stage(
    broken_servers: Breakable, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[LinkedStageMaker]:
    """``make_linked_stage(defect, **environment)``: a stage on ``broken_servers``, a proxy on each link."""
    made: list[Stage] = []
    with ExitStack() as ending:

        def make(defect: str = "", **environment: str) -> tuple[Stage, Links]:
            stage = Stage(broken_servers, _name(request, len(made)), tmp_path, module=PLANTED)
            made.append(stage)
            stage.environments = {s: {"PLANTED": defect, **environment} for s in ("first", "second")}
            links = ending.enter_context(Links(stage))
            ending.callback(stage.down)
            stage.up()
            return stage, links

        yield make
        broken_servers.up("servers")


def _name(request: pytest.FixtureRequest, number: int) -> str:
    return f"f{abs(hash(request.node.nodeid)) % 10**8}_{number}"
