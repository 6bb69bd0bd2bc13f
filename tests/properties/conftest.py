"""A town, with services that may carry a planted defect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.native.instance import Instance
from tests.faults.crowd import new_seed
from tests.faults.replaced import instead
from tests.properties.town import Town

NewTown = Callable[..., Town]


@pytest.fixture
def new_town(product: Instance, tmp_path: Path) -> Iterator[NewTown]:
    """``new_town("identity", "…")``: a town whose identity has this defect; without, one that has none."""
    with ExitStack() as ending:

        def make(service: str = "", defect: str = "") -> Town:
            seed = new_seed()
            log = product.run / f"stateful-{defect or seed}.log".replace(" ", "-")
            print(f"the steps are written to {log}")
            planted = {}
            if service:
                target = f"{__package__}.planted_{service}:{service.title()}Service"
                planted[service] = ending.enter_context(instead(product, target, tmp_path, PLANTED=defect))
            town = Town(product, seed, log, planted)
            ending.callback(town.close)
            return town

        yield make
