"""A backup takes along what the site of a native installation sets, and a restore puts it back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.native import site
from deploy.native.ports import NAMES
from deploy.vssid import backup as backups
from shared.messaging.topology import SERVICES

LINES = "# of this site\nSTAFF_TOTP=true\nSMTP_PASSWORD=hush\n"


class Stopped:
    """An installation that only notes which of its processes are stopped and started."""

    def __init__(self) -> None:
        self.supervision = self
        self.did: list[object] = []

    def stop(self, names: list[str]) -> None:
        self.did.append(set(names))

    def up(self) -> None:
        self.did.append("up")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installation that sets something, whose databases dump and take back a line."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "ports.json").write_text(json.dumps({name: 20_000 + at for at, name in enumerate(NAMES)}))
    (run / site.FILE).write_text(LINES)
    monkeypatch.setenv("RUN", str(run))
    monkeypatch.setattr(backups, "_dump", lambda _url, file: file.write_text("a dump"))
    monkeypatch.setattr(backups, "_replace", lambda service, *_: f"{service}_before")
    return run


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Stopped:
    instance = Stopped()
    monkeypatch.setattr(backups, "_instance", lambda _run: instance)
    return instance


@pytest.fixture
def made(run: Path, tmp_path: Path) -> Path:
    """A backup."""
    done = CliRunner().invoke(backups.backup, ["--to", str(tmp_path / "backups")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (folder,) = (tmp_path / "backups").iterdir()
    return folder


def restore(folder: Path, *services: str) -> Result:
    return CliRunner().invoke(backups.restore, [str(folder), *services, "--yes"], catch_exceptions=False)


def test_a_backup_holds_them_for_its_owner_alone_and_by_their_hash(made: Path) -> None:
    assert (made / site.FILE).read_text() == LINES
    assert (made / site.FILE).stat().st_mode & 0o777 == 0o600
    assert site.FILE in json.loads((made / backups.MANIFEST).read_text())["sha256"]


def test_an_installation_that_sets_nothing_is_backed_up_and_restored_as_well(
    run: Path, tmp_path: Path, instance: Stopped
) -> None:
    (run / site.FILE).unlink()
    CliRunner().invoke(backups.backup, ["--to", str(tmp_path / "backups")], catch_exceptions=False)
    (made,) = (tmp_path / "backups").iterdir()

    done = restore(made)

    assert (done.exit_code, site.FILE in done.output) == (0, False)
    assert not (run / site.FILE).exists()


def test_where_they_are_missing_they_come_back_and_count_for_every_process(
    run: Path, made: Path, instance: Stopped
) -> None:
    (run / site.FILE).unlink()

    done = restore(made, "history")

    assert done.exit_code == 0, done.output
    assert (run / site.FILE).read_text() == LINES
    assert (run / site.FILE).stat().st_mode & 0o777 == 0o600
    assert instance.did == [{*SERVICES, "gateway"}, "up"]
    assert "settings: " in done.output
    assert "hush" not in done.output


def test_where_the_backup_has_the_photos_bucket_the_restore_already_knows_it(
    run: Path, tmp_path: Path, instance: Stopped
) -> None:
    (run / site.FILE).write_text(
        "OBJECTS_S3_ENDPOINT=https://s3.example\nOBJECTS_S3_BUCKET=photos\n"
        "OBJECTS_S3_ACCESS_KEY_ID=id\nOBJECTS_S3_SECRET_ACCESS_KEY=hush\n"
    )
    CliRunner().invoke(backups.backup, ["--to", str(tmp_path / "backups")], catch_exceptions=False)
    (made,) = (tmp_path / "backups").iterdir()
    (run / site.FILE).unlink()

    assert "they lie in the bucket" in restore(made).output


def test_those_that_the_site_has_set_since_stay_and_what_differs_is_named(
    run: Path, made: Path, instance: Stopped
) -> None:
    now = "STAFF_TOTP=true\nSMS_PER_DAY=4\nSMTP_PASSWORD=another\n"
    (run / site.FILE).write_text(now)

    done = restore(made, "history")

    assert (run / site.FILE).read_text() == now
    assert instance.did == [{"history"}, "up"]
    assert "SMS_PER_DAY, SMTP_PASSWORD" in done.output
    assert "STAFF_TOTP" not in done.output
    assert "hush" not in done.output


def test_those_that_are_as_they_were_are_not_spoken_of(run: Path, made: Path, instance: Stopped) -> None:
    done = restore(made, "history")

    assert "settings" not in done.output
    assert instance.did == [{"history"}, "up"]


def test_what_this_version_does_not_know_is_refused_before_anything_stops(
    run: Path, tmp_path: Path, instance: Stopped, made: Path
) -> None:
    (made / site.FILE).chmod(0o600)
    (made / site.FILE).write_text("SET_BY_ANOTHER_VERSION=hush\n")
    manifest = json.loads((made / backups.MANIFEST).read_text())
    manifest["sha256"][site.FILE] = backups._sha256(made / site.FILE)
    (made / backups.MANIFEST).write_text(json.dumps(manifest))
    (run / site.FILE).unlink()

    done = restore(made)

    assert done.exit_code == 1
    assert "SET_BY_ANOTHER_VERSION" in done.output
    assert "hush" not in done.output
    assert (instance.did, (run / site.FILE).exists()) == ([], False)

    (run / site.FILE).write_text("STAFF_TOTP=true\n")  # what the refusal says to do
    assert restore(made).exit_code == 0


def test_a_backup_of_before_restores(run: Path, made: Path, instance: Stopped, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "older")
    older = tmp_path / "older"
    (older / site.FILE).unlink()
    manifest = json.loads((older / backups.MANIFEST).read_text())
    del manifest["sha256"][site.FILE]
    (older / backups.MANIFEST).write_text(json.dumps(manifest))

    assert restore(older).exit_code == 0
    assert (run / site.FILE).read_text() == LINES
