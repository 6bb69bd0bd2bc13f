"""Brings the schema of one service's database up to date: ``python -m shared.migrate <service>``.

First the kit's tables, then the service's own; each migration in one transaction with the note that it was
applied. Any number may be started at once: one works, the others wait for it and find nothing left to do.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.migrations import Migration, default_migration_table

from shared import settings
from shared.masking import masked_text

ROOT = Path(__file__).resolve().parent.parent
KIT_MIGRATIONS = ROOT / "shared" / "messaging" / "migrations"
SERVICES = ROOT / "services"
LOCK = 5_873_001_477
"""Key of the advisory lock that one migrator at a time holds; PostgreSQL drops it with the connection."""

NOTICE_A_KILLED_CLIENT = "SET client_connection_check_interval = '1s'"
LOCK_WAIT = "SET LOCAL lock_timeout = '2s'"
"""How long a migration waits for a table: whoever comes after it, as a log-in does, waits behind it."""

LET_OTHERS_THROUGH_SECONDS = 3
APPLIED = f"SELECT migration_id FROM {default_migration_table}"  # noqa: S608  # yoyo's own constant

TELL_SECONDS = 3
Tell = Callable[[str], object]
Got = TypeVar("Got")


class DatabaseAway(Exception):
    """The database could not be reached, or was locked by another migrator, for the whole time allowed."""


class TablesInUse(Exception):
    """A table that a migration changes was in somebody's use, as a back-up's, for the whole time allowed."""


class MigrationsInvalid(Exception):
    """The service is unknown or has no migrations, or two of its files have one name."""


@dataclass(frozen=True)
class MigrateSettings(settings.FromEnvironment):
    """Settings of this program."""

    database_url: str = field(
        metadata={"help": "The service's own database: postgresql://user:password@host:port/name."}
    )


def migrate(service: str, dsn: str, wait_seconds: float = 60, tell: Tell = print) -> list[str]:
    """Apply what is missing and return the names of what was applied, in order.

    Waits up to ``wait_seconds`` for the database, other migrators and tables in use, telling about it. Raises
    ``DatabaseAway``, ``TablesInUse``, ``MigrationsInvalid``, or psycopg's error when a migration fails: it is
    undone then.
    """
    applied = _apply(_folders(service), service, dsn, wait_seconds, tell)
    tell(f"{service}: {len(applied)} migrations applied, the schema is current")
    return applied


def migrate_kit(dsn: str) -> list[str]:
    """The kit's tables alone, for a database that is no service's; as ``migrate`` otherwise."""
    return _apply([KIT_MIGRATIONS], "kit", dsn, 60, lambda _line: None)


def _apply(folders: list[Path], name: str, dsn: str, wait_seconds: float, tell: Tell) -> list[str]:
    deadline = time.monotonic() + wait_seconds
    applied = []
    with _connected(dsn, deadline, tell) as backend, _alone(backend, deadline, tell):
        backend.init_database()
        backend.break_lock()  # of a migrator that was killed: we hold the lock that counts
        for folder in folders:
            for migration in backend.to_apply(read_migrations(str(folder))):
                _apply_one(backend, migration, deadline, tell)
                applied.append(migration.id)
                tell(f"{name}: applied {migration.id}")
    return applied


def _apply_one(backend: _Backend, migration: Migration, deadline: float, tell: Tell) -> None:
    """Apply it; when its tables are in use it is undone and tried again, so nobody waits long behind it."""

    def attempt() -> None:
        try:
            backend.apply_one(migration)
        except psycopg.errors.LockNotAvailable:
            raise _NotYet(f"the tables of {migration.id}, which are in use") from None

    try:
        _patiently(attempt, deadline, tell, LET_OTHERS_THROUGH_SECONDS)
    except DatabaseAway as gave_up:
        raise TablesInUse(str(gave_up)) from None


def pending(service: str, dsn: str) -> list[str]:
    """Names of the migrations that the database lacks, none when the schema is current: for readiness checks.

    Raises psycopg's ``OperationalError`` when the database is away.
    """
    names = _names(_folders(service))
    with psycopg.connect(dsn, connect_timeout=2, autocommit=True) as connection:
        try:
            applied = {name for (name,) in connection.execute(APPLIED)}
        except psycopg.errors.UndefinedTable:
            applied = set()
    return [name for name in names if name not in applied]


@dataclass(frozen=True)
class _Address:
    """What yoyo expects of a database's address."""

    dsn: str = field(repr=False)
    database: str = ""


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """Yoyo's for psycopg 3, with a migration and the note of it in one transaction."""

    def connect(self, dburi: _Address) -> psycopg.Connection[Any]:
        connection = psycopg.connect(dburi.dsn, connect_timeout=3, autocommit=True)
        connection.execute(NOTICE_A_KILLED_CLIENT)
        return connection

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:
        migration.load()
        if not migration.use_transactions:  # it says so itself, as CREATE INDEX CONCURRENTLY must
            super().apply_one(migration, force, mark)
            return
        self.ensure_internal_schema_updated()
        with self.transaction():
            self.execute(LOCK_WAIT)
            migration.process_steps(self, "apply")
            self.mark_one(migration)

    def get_log_data(self, migration: Migration | None = None, operation: str = "apply") -> dict[str, Any]:
        """As the parent's, which fails for a user without a name and may wait for a name server."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": "",
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }

    def _check_transactional_ddl(self) -> bool:
        return True  # PostgreSQL; the parent finds out by making a table


class _NotYet(Exception):
    """What is still in the way."""


def _connected(dsn: str, deadline: float, tell: Tell) -> _Backend:
    def connect() -> _Backend:
        try:
            return _Backend(_Address(dsn), default_migration_table)
        except psycopg.OperationalError as away:
            reason = (str(away).strip() or "no answer").splitlines()[0].rpartition("failed: ")[2]
            raise _NotYet(f"the database ({masked_text(reason)})") from None
        except psycopg.ProgrammingError:
            raise MigrationsInvalid("DATABASE_URL is not an address of a PostgreSQL database") from None

    return _patiently(connect, deadline, tell)


@contextmanager
def _alone(backend: _Backend, deadline: float, tell: Tell) -> Iterator[None]:
    """Hold the lock of migrators; it goes with the connection, so a killed one leaves none behind."""

    def lock() -> None:
        (locked,) = backend.execute(f"SELECT pg_try_advisory_lock({LOCK})").fetchone()
        if not locked:
            raise _NotYet("another migrator")

    _patiently(lock, deadline, tell)
    yield


def _patiently(attempt: Callable[[], Got], deadline: float, tell: Tell, pause_seconds: float = 0.2) -> Got:
    """What ``attempt`` returns once it can; until then tell every few seconds what is waited for."""
    started = told = time.monotonic()
    while True:
        try:
            return attempt()
        except _NotYet as obstacle:
            now = time.monotonic()
            if now >= deadline:
                raise DatabaseAway(f"gave up waiting for {obstacle} after {now - started:.0f} s") from None
            if now - told >= TELL_SECONDS:
                tell(f"waiting for {obstacle} … {now - started:.0f} s")
                told = now
            time.sleep(min(pause_seconds, deadline - now))


def _folders(service: str) -> list[Path]:
    own = SERVICES / service / "migrations"
    if not service.isidentifier() or not own.is_dir():
        known = ", ".join(sorted(folder.parent.name for folder in SERVICES.glob("*/migrations")))
        raise MigrationsInvalid(f"no service of this name has migrations; those that do: {known}")
    folders = [KIT_MIGRATIONS, own]
    names = _names(folders)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise MigrationsInvalid(f"{service} and the kit both have a migration named {', '.join(twice)}")
    return folders


def _names(folders: list[Path]) -> list[str]:
    return [migration.id for folder in folders for migration in read_migrations(str(folder))]


def main(arguments: list[str] | None = None) -> int:
    """The command line: 0 when the schema is current, 1 when it could not be made so, 2 for a wrong call."""
    parser = argparse.ArgumentParser(prog="python -m shared.migrate", description=__doc__)
    parser.add_argument("service", help="registration, identity, notification or history")
    parser.add_argument("--wait", type=float, default=60, metavar="SECONDS", help="how long to wait (60)")
    options = parser.parse_args(arguments)
    complain = partial(print, file=sys.stderr)
    try:
        dsn = settings.load(MigrateSettings).database_url
        migrate(options.service, dsn, options.wait, partial(print, flush=True))
    except (settings.SettingsInvalid, MigrationsInvalid) as wrong:
        complain(wrong)
        return 2
    except DatabaseAway as away:
        complain(f"{options.service}: {away}; is PostgreSQL up, and DATABASE_URL right?")
        return 1
    except TablesInUse as in_use:
        complain(
            f"{options.service}: {in_use}. It was undone. Wait for the back-up or the long query to end "
            "(pg_stat_activity shows it), then start this again, or allow more time with --wait"
        )
        return 1
    except psycopg.Error as error:
        said = masked_text(error.diag.message_primary or type(error).__name__)
        complain(f"{options.service}: a migration failed and was undone: {said} (SQLSTATE {error.sqlstate})")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
