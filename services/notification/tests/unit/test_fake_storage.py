"""The fake store does what the real one does."""

from __future__ import annotations

import pytest

from services.notification.tests.storage_contract import Open, StorageContract
from services.notification.tests.unit.fakes import FakeDatabase, FakeMessages


class TestFakeStorage(StorageContract):
    @pytest.fixture
    def opened(self) -> Open:
        return FakeDatabase(FakeMessages()).transaction
