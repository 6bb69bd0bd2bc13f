"""An archive of its own for each test, on one database for each file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.native.instance import Instance
from services.registration.tests.integration.retention.archive import Archive
from shared.database import Database
from tests.fixtures import migrate


@pytest.fixture(scope="module")
def database(servers: Instance) -> Iterator[Database]:
    name = f"registration_retention_{os.getpid()}"
    dsn = servers.database(name)
    migrate("registration", dsn)
    database = Database(dsn, name="test")
    database.open()
    yield database
    database.close()
    servers.drop_database(name)


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path)
