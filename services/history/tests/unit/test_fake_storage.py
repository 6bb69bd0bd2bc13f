"""The fake store does what the real one does."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.history.tests.storage_contract import Open, StorageContract
from services.history.tests.unit.fakes import FakeHistory


class TestFakeStorage(StorageContract):
    @pytest.fixture
    def opened(self) -> Open:
        storage = FakeHistory()

        @contextmanager
        def transaction() -> Iterator[FakeHistory]:
            before = copy.deepcopy(vars(storage))
            try:
                yield storage
            except BaseException:
                vars(storage).update(before)
                raise

        return transaction
