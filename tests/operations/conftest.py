"""An installation that nobody else uses: its databases are put back to earlier moments."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

import pytest

from deploy.native.instance import Instance

RUN = os.environ.get("VSSID_OPERATIONS_RUN", ".run/operations")


@pytest.fixture(scope="session")
def own_product() -> Iterator[Instance]:
    """Everything is up, for one user at a time. It stops at the end, unless it ran before."""
    product = Instance(RUN)
    product.run.mkdir(parents=True, exist_ok=True)
    with (product.run / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        ours = not product.strays()
        try:
            product.up()
            yield product
        finally:
            if ours:
                product.down()
