"""The twin in memory does what the real storage does."""

from __future__ import annotations

import pytest

from services.registration.tests.storage_suite import StorageSuite
from services.registration.tests.unit.fakes import FakeStorage


class TestFakeStorage(StorageSuite):
    @pytest.fixture
    def storage(self) -> FakeStorage:
        return FakeStorage()
