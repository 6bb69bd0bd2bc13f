"""A database with identity's tables, and the running service: one each for all tests of a process."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from deploy.native.instance import Instance
from services.identity.tests.integration.house import House
from services.identity.tests.register_server import with_result
from tests.fixtures import migrate


@pytest.fixture(scope="session")
def identity_dsn(servers: Instance) -> Iterator[str]:
    """A database with identity's tables, for tests that roll back or use people of their own."""
    name = f"identity_tables_{os.getpid()}"
    dsn = servers.database(name)
    migrate("identity", dsn)
    yield dsn
    servers.drop_database(name)


@pytest.fixture(scope="session")
def house(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The running service, shared by all its tests: people are never shared."""
    house = House(servers, tmp_path_factory.mktemp("identity"))
    try:
        house.up()
        yield house
    finally:
        house.down()


@pytest.fixture
def matching_register(house: House) -> None:
    """The population register knows everybody as declared."""
    house.register.answer = with_result("matched")


@pytest.fixture(scope="session")
def officer(house: House) -> str:
    """The token of an officer of the agency, "lan"."""
    house.add_staff("lan")
    return house.seal(house.staff_token("lan"))
