"""The migrator's refusals, which need no database."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from shared import migrate


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("service", ["nobody", "gateway", "../identity", ""])
def test_a_service_without_migrations_is_refused_and_those_with_are_named(service: str) -> None:
    with pytest.raises(migrate.MigrationsInvalid, match="registration"):
        migrate.pending(service, "postgresql://unused")


def test_two_migrations_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kit, own = tmp_path / "kit", tmp_path / "services" / "example" / "migrations"
    for folder in (kit, own):
        folder.mkdir(parents=True)
        (folder / "0001_same.sql").write_text("SELECT 1")
    monkeypatch.setattr(migrate, "KIT_MIGRATIONS", kit)
    monkeypatch.setattr(migrate, "SERVICES", tmp_path / "services")
    with pytest.raises(migrate.MigrationsInvalid, match="0001_same"):
        migrate.migrate("example", "postgresql://unused")


def test_no_service_of_the_product_shares_a_name_with_the_kit() -> None:
    services = [folder.parent.name for folder in migrate.SERVICES.glob("*/migrations")]
    assert services
    for service in services:
        assert migrate._folders(service)


def test_it_tells_what_it_waits_for_and_gives_up(
    closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(migrate, "TELL_SECONDS", 0.2)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:hidden@127.0.0.1:{closed_port}/d")
    assert migrate.main(["registration", "--wait", "1"]) == 1
    out, err = capsys.readouterr()
    assert "waiting for the database (Connection refused)" in out
    assert "gave up" in err
    assert "hidden" not in out + err


@pytest.mark.parametrize(("url", "said"), [("", "DATABASE_URL"), ("hidden nonsense", "not an address")])
def test_a_missing_or_malformed_address_is_named(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert migrate.main(["registration"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "hidden" not in err


def test_what_runs_outside_a_transaction_holds_nobody_up() -> None:
    """It has no lock time-out, which would give up an index that is being built: it may only build one,
    drop one, or add rows."""
    harmless = ("CREATE INDEX CONCURRENTLY", "DROP INDEX CONCURRENTLY IF EXISTS", "INSERT INTO")
    files = [*migrate.KIT_MIGRATIONS.glob("*.sql"), *migrate.SERVICES.glob("*/migrations/*.sql")]
    outside = [file for file in files if file.read_text().startswith("-- transactional: false")]
    assert outside
    for file in outside:
        text = re.sub(r"^--.*$", "", file.read_text(), flags=re.MULTILINE)
        for statement in filter(None, map(str.strip, text.split(";"))):
            assert statement.startswith(harmless), f"{file.name}: {statement[:60]}"
