import os
import subprocess
from pathlib import Path

import pytest

from deploy.native import machine
from deploy.native.layout import ROOT


@pytest.fixture
def another_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of another Debian, chosen for the servers; nothing is in it yet."""
    monkeypatch.setenv(machine.ROOT_SETTING, str(tmp_path))
    monkeypatch.setattr(machine, "is_root", lambda: True)
    return tmp_path


def install_postgres(root: Path, version: str) -> None:
    folder = root / "usr/lib/postgresql" / version / "bin"
    folder.mkdir(parents=True)
    (folder / "postgres").touch()


def test_without_the_setting_servers_are_this_machines_own_and_called_directly(tmp_path, monkeypatch):
    monkeypatch.delenv(machine.ROOT_SETTING, raising=False)

    assert machine.servers_root() == Path("/")
    assert machine.in_servers_root(tmp_path) == []


def test_a_relative_root_is_one_below_the_repository(monkeypatch):
    monkeypatch.setenv(machine.ROOT_SETTING, ".run/trixie")

    assert machine.servers_root() == ROOT / ".run/trixie"


def test_a_server_of_another_root_sees_the_run_folder(another_root, tmp_path):
    *_, script, root, run, end = machine.in_servers_root(tmp_path / "run")

    assert (Path(script), root, run, end) == (
        machine.ENTER_ROOT,
        str(another_root),
        str(tmp_path / "run"),
        "--",
    )


def test_who_is_not_root_is_told_that_another_root_is_closed(another_root, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "is_root", lambda: False)

    with pytest.raises(machine.NotReady, match="become root"):
        machine.in_servers_root(tmp_path)


def test_the_newest_postgresql_of_the_root_is_taken_and_named_as_it_is_called_there(another_root):
    for version in ("9.6", "15", "17"):
        install_postgres(another_root, version)

    assert machine.postgres_bin() == Path("/usr/lib/postgresql/17/bin")


def test_a_root_without_postgresql_is_named_with_the_next_step(another_root):
    with pytest.raises(machine.NotReady, match="make test-compat") as told:
        machine.postgres_bin()

    assert str(another_root) in str(told.value)


def test_entering_a_root_mounts_what_was_named_and_becomes_the_command(tmp_path):
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("mount", "chroot"):
        (commands / name).write_text(f'#!/bin/sh\necho "{name} $*"\n')
        (commands / name).chmod(0o755)
    root, run = tmp_path / "a root", tmp_path / "a run"

    done = subprocess.run(
        ["sh", machine.ENTER_ROOT, root, run, "--", "postgres", "-D", "data"],
        env={**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        *(f"mount --rbind {folder} {root}{folder}" for folder in ("/proc", "/dev", run)),
        f"chroot {root} postgres -D data",
    ]
