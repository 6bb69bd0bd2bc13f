"""Migrations on a real PostgreSQL: at once, once, all or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.native.instance import Instance
from shared import migrate

AS_EXAMPLE = """
import sys, pathlib
from shared import migrate
root = pathlib.Path(sys.argv[1])
migrate.KIT_MIGRATIONS, migrate.SERVICES = root / "kit", root / "services"
sys.exit(migrate.main(["example", "--wait", "30"]))
"""


@pytest.fixture
def dsn(servers: Instance) -> Iterator[str]:
    name = f"test_migrate_{os.getpid()}"
    yield servers.database(name)
    servers.drop_database(name)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """``write("services/example/migrations/0001_own.sql", sql)``: migrations of a service "example"."""
    monkeypatch.setattr(migrate, "KIT_MIGRATIONS", tmp_path / "kit")
    monkeypatch.setattr(migrate, "SERVICES", tmp_path / "services")

    def write(path: str, sql: str) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sql)
        return file

    write("kit/0001_kit.sql", "CREATE TABLE kit (id int)")
    write("services/example/migrations/0001_own.sql", "ALTER TABLE kit ADD COLUMN own int")
    return write


def start(code: list[str], dsn: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "DATABASE_URL": dsn, "PYTHONPATH": str(migrate.ROOT)}
    return subprocess.Popen(
        [sys.executable, *code],
        env=environ,
        cwd=migrate.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tables(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in rows if "yoyo" not in name}


def test_several_migrators_at_once_apply_each_migration_once(dsn: str) -> None:
    wanted = migrate.pending("registration", dsn)
    assert wanted
    migrators = [start(["-m", "shared.migrate", "registration"], dsn) for _ in range(5)]
    said = [migrator.communicate(timeout=120)[0] for migrator in migrators]
    assert [migrator.returncode for migrator in migrators] == [0] * 5, said
    applied = [line.split()[-1] for text in said for line in text.splitlines() if ": applied " in line]
    assert applied == wanted
    assert migrate.pending("registration", dsn) == []


def test_the_kits_tables_come_first_and_a_second_run_finds_nothing(
    dsn: str, write: Callable[[str, str], Path]
) -> None:
    said: list[str] = []
    assert migrate.migrate("example", dsn, tell=said.append) == ["0001_kit", "0001_own"]
    assert migrate.migrate("example", dsn, tell=said.append) == []
    assert said == [
        "example: applied 0001_kit",
        "example: applied 0001_own",
        "example: 2 migrations applied, the schema is current",
        "example: 0 migrations applied, the schema is current",
    ]


def test_what_is_pending_is_named_in_order(dsn: str, write: Callable[[str, str], Path]) -> None:
    assert migrate.pending("example", dsn) == ["0001_kit", "0001_own"]
    migrate.migrate("example", dsn, tell=str)
    write("services/example/migrations/0002_more.sql", "SELECT 1")
    assert migrate.pending("example", dsn) == ["0002_more"]


def test_a_failing_migration_is_undone_whole_and_can_be_mended(
    dsn: str, write: Callable[[str, str], Path]
) -> None:
    broken = "CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\nSELECT 1 / 0;"
    file = write("services/example/migrations/0002_half.sql", broken)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate("example", dsn, tell=str)
    assert tables(dsn) == {"kit"}
    assert migrate.pending("example", dsn) == ["0002_half"]
    file.write_text(broken.replace("/ 0", "/ 1"))
    assert migrate.migrate("example", dsn, tell=str) == ["0002_half"]


def test_a_kill_between_a_migration_and_its_note_undoes_the_migration(
    dsn: str, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as planted:
        planted.setattr(migrate._Backend, "mark_one", lambda backend, migration: backend.connection.close())
        with pytest.raises(psycopg.OperationalError):
            migrate.migrate("example", dsn, tell=str)
    assert tables(dsn) == set()
    assert migrate.migrate("example", dsn, tell=str) == ["0001_kit", "0001_own"]


def test_the_command_line_says_that_a_migration_failed_without_its_data(
    dsn: str, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    write("services/example/migrations/0002_bad.sql", "SELECT '0912345678 Yến'::int")
    migrator = start(["-c", AS_EXAMPLE, str(tmp_path)], dsn)
    said, _ = migrator.communicate(timeout=60)
    assert migrator.returncode == 1
    assert "a migration failed and was undone" in said
    assert "22P02" in said
    assert "0912345678" not in said


def test_a_killed_migrator_leaves_no_lock_and_no_half(
    dsn: str, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    slow = write(
        "services/example/migrations/0002_slow.sql", "CREATE TABLE half (id int);\nSELECT pg_sleep(300);"
    )
    migrator = start(["-c", AS_EXAMPLE, str(tmp_path)], dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        sleeping = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
        deadline = time.monotonic() + 60
        while not connection.execute(sleeping).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    migrator.kill()
    migrator.communicate()
    slow.write_text("CREATE TABLE half (id int);")
    assert migrate.migrate("example", dsn, wait_seconds=60, tell=str) == ["0002_slow"]
    assert tables(dsn) == {"kit", "half"}


def test_it_waits_for_a_database_that_comes_later(
    servers: Instance, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TELL_SECONDS", 0.3)
    name = f"test_later_{os.getpid()}"
    dsn = servers.database(name)
    servers.drop_database(name)
    said: list[str] = []
    later = threading.Timer(1.5, servers.database, [name])
    later.start()
    try:
        assert migrate.migrate("example", dsn, wait_seconds=60, tell=said.append) == ["0001_kit", "0001_own"]
    finally:
        later.join()
        servers.drop_database(name)
    assert said[0].startswith("waiting for the database (")


def test_an_index_may_be_built_without_blocking(dsn: str, write: Callable[[str, str], Path]) -> None:
    sql = "-- transactional: false\nCREATE INDEX CONCURRENTLY by_id ON kit (id)"
    write("services/example/migrations/0002_index.sql", sql)
    assert migrate.migrate("example", dsn, tell=str)[-1] == "0002_index"
    assert migrate.pending("example", dsn) == []


@pytest.fixture
def in_use(dsn: str, write: Callable[[str, str], Path]) -> Iterator[psycopg.Connection]:
    """Somebody who reads ``kit``, as a back-up does, while a migration that alters it is to be applied."""
    migrate.migrate("example", dsn, tell=str)
    write(
        "services/example/migrations/0002_more.sql",
        "CREATE TABLE half (id int);\nALTER TABLE kit ADD COLUMN more int",
    )
    with psycopg.connect(dsn) as backing_up:
        backing_up.execute("LOCK TABLE kit IN ACCESS SHARE MODE")
        yield backing_up


def test_a_migration_behind_a_back_up_lets_readers_through_and_is_applied_after_it(
    dsn: str, in_use: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LET_OTHERS_THROUGH_SECONDS", 0.5)
    applied: list[str] = []
    migrator = threading.Thread(target=lambda: applied.extend(migrate.migrate("example", dsn, 60, str)))
    migrator.start()
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'kit'::regclass"
    with psycopg.connect(dsn, autocommit=True) as reader:
        while not reader.execute(waiting).fetchone():
            assert migrator.is_alive()
            time.sleep(0.02)
        reader.execute("SELECT * FROM kit")  # waits behind the migration, which gives way
    assert applied == []
    in_use.rollback()
    migrator.join(timeout=60)
    assert applied == ["0002_more"]


def test_a_migration_that_never_gets_its_tables_is_undone_and_names_the_next_step(
    dsn: str, in_use: psycopg.Connection, tmp_path: Path
) -> None:
    migrator = start(["-c", AS_EXAMPLE.replace('"30"', '"1"'), str(tmp_path)], dsn)
    said, _ = migrator.communicate(timeout=60)
    assert migrator.returncode == 1
    assert "the tables of 0002_more, which are in use" in said
    assert "pg_stat_activity" in said
    assert "half" not in tables(dsn)


def test_a_migration_without_the_time_out_holds_readers_up(
    dsn: str, in_use: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted twin: what the first of these tests is there to see."""
    monkeypatch.setattr(migrate, "LOCK_WAIT", "SET LOCAL lock_timeout = 0")
    migrator = threading.Thread(target=migrate.migrate, args=("example", dsn, 60, str))
    migrator.start()
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'kit'::regclass"
    with psycopg.connect(dsn, autocommit=True) as reader:
        while not reader.execute(waiting).fetchone():
            assert migrator.is_alive()
            time.sleep(0.02)
        reader.execute("SET statement_timeout = '6s'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            reader.execute("SELECT * FROM kit")
    in_use.rollback()
    migrator.join(timeout=60)
