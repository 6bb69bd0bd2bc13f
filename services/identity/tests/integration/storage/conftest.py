"""One suite on the fake and on PostgreSQL: whoever trusts the fake may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.identity.tests.integration.house import transaction_on
from services.identity.tests.integration.storage.either import RealStorage
from services.identity.tests.unit.fakes import FakeStorage


@pytest.fixture(params=["fake", "real"])
def storage(request: pytest.FixtureRequest) -> Iterator[RealStorage | FakeStorage]:
    if request.param == "fake":
        yield FakeStorage()
        return
    with transaction_on(request.getfixturevalue("identity_dsn"), keep=False) as tx:
        yield RealStorage(tx)
