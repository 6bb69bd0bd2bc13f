import os
import subprocess
from pathlib import Path

import pytest

from deploy.native import machine
from deploy.native.layout import ROOT


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(machine.ROOT_SETTING, raising=False)


def install_postgres(root: Path, version: str) -> None:
    folder = root / "usr/lib/postgresql" / version / "bin"
    folder.mkdir(parents=True)
    (folder / "postgres").touch()


def test_servers_are_this_machines_own_and_called_directly(tmp_path):
    root = machine.servers_root(tmp_path)

    assert root == Path("/")
    assert machine.inside(root, tmp_path) == []


def test_the_root_that_is_named_when_an_installation_is_made_stays_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv(machine.ROOT_SETTING, ".run/trixie")
    named = machine.servers_root(tmp_path)
    monkeypatch.delenv(machine.ROOT_SETTING)

    assert named == machine.servers_root(tmp_path) == ROOT / ".run/trixie"


def test_an_installation_is_not_moved_to_another_root(tmp_path, monkeypatch):
    machine.servers_root(tmp_path)
    monkeypatch.setenv(machine.ROOT_SETTING, ".run/trixie")

    with pytest.raises(machine.NotReady, match=r"RUN=\.run/other"):
        machine.servers_root(tmp_path)


def test_a_server_of_another_root_sees_the_run_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "is_root", lambda: True)

    prefix = machine.inside(tmp_path / "root", tmp_path / "run")

    assert prefix[-4:] == [str(machine.ENTER_ROOT), str(tmp_path / "root"), str(tmp_path / "run"), "--"]


def test_who_is_not_root_is_told_that_another_root_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "is_root", lambda: False)

    with pytest.raises(machine.NotReady, match="become root"):
        machine.inside(tmp_path / "root", tmp_path / "run")


def test_the_newest_postgresql_of_a_root_is_taken_and_named_as_it_is_called_there(tmp_path):
    for version in ("9.6", "15", "17"):
        install_postgres(tmp_path, version)

    assert machine.postgres_bin(tmp_path) == Path("/usr/lib/postgresql/17/bin")


def test_a_root_without_postgresql_is_named_with_the_next_step(tmp_path):
    with pytest.raises(machine.NotReady, match="make test-compat") as told:
        machine.postgres_bin(tmp_path)

    assert str(tmp_path) in str(told.value)


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
