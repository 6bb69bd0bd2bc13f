"""A storage of its own for each test, or a house or a stage with one."""

from __future__ import annotations

import pytest

from services.identity import activations, jobs
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.house import House
from services.identity.tests.unit.staff_desk import Desk
from services.identity.tests.unit.stage import Stage, staged


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


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return staged(monkeypatch)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)
