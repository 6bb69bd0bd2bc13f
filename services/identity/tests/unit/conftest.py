"""A storage of its own for each test."""

from __future__ import annotations

import pytest

from services.identity.tests.unit.fakes import FakeStorage


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()
