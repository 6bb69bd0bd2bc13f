"""The running product, people for it, and the officers' desk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.demo.world import add_officer, import_participation, write_register
from deploy.native.instance import Instance
from shared.testing.citizen_client import AGENCY_CODE, CitizenClient
from shared.testing.citizens import Citizen, generate
from shared.testing.inbox import Inbox
from shared.testing.ledger import Ledger
from shared.testing.officer_client import OfficerClient

NewCitizen = Callable[..., Citizen]
NewClient = Callable[[], CitizenClient]


@pytest.fixture(scope="session")
def gateway(product: Instance) -> str:
    return str(product.endpoints()["gateway"])


@pytest.fixture(scope="session")
def inbox(product: Instance) -> Inbox:
    endpoints = product.endpoints()
    return Inbox(str(endpoints["sms"]), str(endpoints["mail"]))


@pytest.fixture
def ledger(product: Instance) -> Ledger:
    return Ledger(product.endpoints())


@pytest.fixture(scope="session")
def seed() -> int:
    """Another crowd each run; ``SEED=…`` brings one back."""
    seed = int(os.environ.get("SEED", secrets.randbelow(2**31)))
    print(f"seed {seed}")
    return seed


@pytest.fixture(scope="session")
def crowd(seed: int) -> Iterator[Citizen]:
    return iter(generate(500, seed=seed))


@pytest.fixture
def new_citizen(product: Instance, crowd: Iterator[Citizen]) -> NewCitizen:
    """Somebody new: in the population register unless ``known`` is false, insured if ``insured``."""

    def make(*, known: bool = True, insured: bool = False) -> Citizen:
        citizen = next(crowd)
        if known:
            write_register(Path(str(product.endpoints()["register_citizens_file"])), [citizen.register_row()])
        if insured:
            import_participation(product, [citizen])
        return citizen

    return make


@pytest.fixture
def new_client(gateway: str) -> Iterator[NewClient]:
    """A client of the gateway, speaking English."""
    made: list[CitizenClient] = []

    def make() -> CitizenClient:
        made.append(CitizenClient(gateway, language="en"))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(new_client: NewClient) -> CitizenClient:
    return new_client()


@pytest.fixture(scope="session")
def officer(product: Instance, gateway: str, seed: int) -> OfficerClient:
    """An officer at the desk that the tests' citizens choose."""
    return add_officer(product, gateway, f"e2e-{seed}-{os.getpid()}", AGENCY_CODE)
