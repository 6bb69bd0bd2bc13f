"""The running service: one for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.native.instance import Instance
from services.registration.tests.integration.office import Office


@pytest.fixture(scope="session")
def office(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    office = Office(servers, tmp_path_factory.mktemp("registration"))
    try:
        office.up()
        yield office
    finally:
        office.down()


@pytest.fixture
def matching_register(office: Office) -> None:
    """Identity says that the population register knows everybody as declared."""
    office.identity.outcome = "matched"
