"""A storage of its own for each test, or a house with one."""

from __future__ import annotations

import pytest

from services.identity import activations, jobs
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.house import House


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    house = House()
    for module in (activations, jobs):
        monkeypatch.setattr(module, "Storage", lambda _tx: house.storage)
        monkeypatch.setattr(module, "now", lambda: house.clock)
    return house
