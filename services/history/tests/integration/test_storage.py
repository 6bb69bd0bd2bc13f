"""The real store keeps the contract that the fake keeps."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.native.instance import Instance
from services.history import use_cases
from services.history.storage import HistoryStorage
from services.history.tests.storage_contract import Open, StorageContract
from services.history.tests.unit.examples import NOW, lines, many, offered
from shared.database import Database
from tests.fixtures import migrate


@pytest.fixture(scope="module")
def pool(servers: Instance) -> Iterator[Database]:
    name = f"test_history_storage_{os.getpid()}"
    dsn = servers.database(name)
    migrate("history", dsn)
    pool = Database(dsn, name="test", max_size=4)
    pool.open()
    yield pool
    pool.close()
    servers.drop_database(name)


@contextmanager
def stored(pool: Database) -> Iterator[HistoryStorage]:
    with pool.transaction() as tx:
        yield HistoryStorage(tx)


@pytest.fixture
def opened(pool: Database) -> Open:
    with pool.transaction() as tx:
        tx.run("TRUNCATE import, participation, totals, ended_sessions, jobs, outbox")
    return functools.partial(stored, pool)


class TestStorage(StorageContract):
    pass


def test_the_same_file_twice_at_once_is_imported_once(opened: Open) -> None:
    content = lines(many(300))
    results: list[use_cases.Imported] = []

    def take() -> None:
        with opened() as storage:
            results.append(use_cases.import_participation(storage, offered(content), content, NOW))

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done.again for done in results) == [False, True, True]
    assert {done.import_id for done in results} == {results[0].import_id}
    assert {done.rows for done in results} == {300}
