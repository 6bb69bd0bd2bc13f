"""``backup.sh`` and ``restore.sh``: what belongs to a backup, when it is whole, what comes back from it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.docker import secrets
from deploy.native.keys import WITH_DATABASE
from deploy.native.layout import ROOT
from shared.testing.pretended import few_commands, pretend

COMMANDS = (
    "basename", "cat", "cp", "date", "dirname", "grep", "mkdir", "mv", "sed", "sh", "sha256sum", "sync",
    "tar",
)  # fmt: skip


class Site:
    """An installation whose containers only pretend: PostgreSQL dumps a line, the photos are a folder."""

    def __init__(self, folder: Path) -> None:
        self.root, self.backups = folder, folder / "backups"
        self.photos, self.restored = folder / "photos", folder / "restored"
        self.photos.mkdir()
        self.restored.mkdir()
        (self.photos / "01.jpg").write_text("a photo")
        secrets.write(folder / ".run" / "compose")
        self.scripts = folder / "deploy" / "docker"
        self.scripts.mkdir(parents=True)
        for name in ("backup.sh", "restore.sh"):
            shutil.copy(ROOT / "deploy" / "docker" / name, self.scripts / name)
        self.commands = few_commands(folder / "bin", COMMANDS)
        self.fails_at("nothing")

    def fails_at(self, what: str) -> None:
        """From now on whatever Compose is told that has this in it fails, after the half of its work."""
        pretend(self.scripts, "start.sh", f"echo start >>{self.root}/log")
        pretend(
            self.scripts,
            "compose.sh",
            f"""
            for last in "$@"; do :; done
            case "$*" in
            *pg_dump*) echo "exec pg_dump $last" >>{self.root}/log; echo "dump of $last" ;;
            *pg_restore*) cat >"{self.restored}/$last"; echo "exec pg_restore" >>{self.root}/log ;;
            *"tar vssid -cf"*) tar -cf - -C {self.photos} . ;;
            *"tar registration -xf"*) tar -xf - --skip-old-files -C {self.photos} ;;
            *) echo "$*" >>{self.root}/log ;;
            esac
            case "$*" in *"{what}"*) exit 1 ;; esac""",
        )

    def run(self, script: str, *arguments: object, answer: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", self.scripts / script, *map(str, arguments)],
            env={"PATH": str(self.commands)},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )

    def backup(self) -> Path:
        done = self.run("backup.sh", self.backups)
        assert done.returncode == 0, done.stderr
        (self.root / "log").unlink()
        return Path(done.stdout.strip())

    @property
    def log(self) -> list[str]:
        file = self.root / "log"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_backup_holds_databases_photos_and_the_keys_without_which_nothing_sealed_opens(site, tmp_path):
    made = site.backup()

    assert {file.name for file in made.iterdir()} == {
        *(f"{name}.dump" for name in WITH_DATABASE), "objects.tar", "installation.tar", "sha256sums",
    }  # fmt: skip
    assert (made / "identity.dump").read_text() == "dump of identity\n"
    shutil.unpack_archive(made / "installation.tar", tmp_path / "elsewhere")
    before = site.root / ".run" / "compose"
    for name in ("keys/keys.json", "secrets/smpp_password"):
        assert (tmp_path / "elsewhere" / "compose" / name).read_text() == (before / name).read_text()


def test_that_photos_of_a_bucket_are_not_in_it_is_said(site):
    assert "bucket" not in site.run("backup.sh", site.backups).stderr
    (site.root / ".run" / "compose" / "settings.env").write_text("OBJECTS_S3_BUCKET=photos\n")

    shutil.rmtree(site.backups)
    done = site.run("backup.sh", site.backups)
    assert "Not in it: the photos in the bucket" in done.stderr
    (site.photos / "01.jpg").unlink()
    restored = site.run("restore.sh", done.stdout.strip(), answer="y\n")
    assert (restored.returncode, "lie in the bucket" in restored.stderr) == (0, True)
    assert not (site.photos / "01.jpg").exists()


def test_nobody_else_may_read_a_backup(site):
    made = site.backup()

    assert [file for file in (made, *made.iterdir()) if file.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("what", ["pg_dump", "tar vssid"])
def test_a_backup_that_failed_half_way_is_not_taken_for_whole(site, what):
    site.fails_at(what)
    if what == "tar vssid":
        shutil.rmtree(site.photos)

    done = site.run("backup.sh", site.backups)

    assert done.returncode == 1
    assert "is not a whole backup" in done.stderr
    (made,) = site.backups.iterdir()
    assert site.run("restore.sh", made, answer="y\n").returncode == 1
    assert not [line for line in site.log if line.startswith("stop")]


def test_a_backup_that_was_changed_is_refused_before_anything_stops(site):
    made = site.backup()
    (made / "identity.dump").write_text("dump of identitz\n")

    done = site.run("restore.sh", made, answer="y\n")

    assert done.returncode == 1
    assert "is not as it was written" in done.stderr
    assert site.log == []


@pytest.mark.parametrize(
    ("arguments", "answer"), [(["identity"], ""), (["identity"], "n\n"), (["gateway"], "y\n")]
)
def test_without_a_yes_or_with_an_unknown_service_nothing_stops(site, arguments, answer):
    assert site.run("restore.sh", site.backup(), *arguments, answer=answer).returncode == 1
    assert site.log == []


def test_a_database_comes_back_in_order_and_the_photos_with_it(site):
    made = site.backup()
    (site.photos / "01.jpg").unlink()
    (site.photos / "02.jpg").write_text("a newer photo")

    done = site.run("restore.sh", made, "identity", answer="y\n")

    assert done.returncode == 0, done.stderr
    assert site.log == [
        "stop identity",
        "exec pg_restore",
        "run --rm migrate-identity",
        "run --rm -T vssid after-restore identity",
        "start",
    ]
    (kept,) = site.restored.iterdir()
    assert kept.name.startswith("identity_before_")
    assert kept.read_text() == "dump of identity\n"
    assert {file.name: file.read_text() for file in site.photos.iterdir()} == {
        "01.jpg": "a photo",
        "02.jpg": "a newer photo",
    }


def test_a_dump_that_does_not_go_in_starts_nothing(site):
    made = site.backup()
    site.fails_at("pg_restore")

    done = site.run("restore.sh", made, answer="y\n")

    assert done.returncode == 1
    assert "registration was not restored and is stopped" in done.stderr
    assert "start" not in site.log
