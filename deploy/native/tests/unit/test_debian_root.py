import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.testing.pretended import pretend

SCRIPT = Path(__file__).parents[2] / "debian_root.sh"
NEEDED = ("sh", "dirname", "mkdir", "date", "rm", "mv", "tail", "sed", "cat", "chmod", "env")
INDEXES = "Debian-Security=http://security.example/debian\nDebian=http://mirror.example/debian"


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with the commands of a Debian machine; what would change it only notes its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NEEDED:
        (folder / name).symlink_to(shutil.which(name))
    pretend(folder, "id", "echo 0")
    pretend(folder, "apt-get", f'[ "$1" != indextargets ] || echo "{INDEXES}"')
    pretend(folder, "debootstrap", "exit 0")
    pretend(folder, "chroot", "exit 0")
    pretend(
        folder,
        "unshare",
        f'echo "$*" >>{tmp_path}/asked\n[ "$2" != debootstrap ] || mkdir -p "$5/usr/sbin"',
    )
    return folder


def make(folder: Path, **settings: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "MIRROR": "", "PATH": str(folder), **settings}
    command = ["sh", SCRIPT, "trixie", folder.parent / "root"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_root_is_made_from_the_mirror_of_this_machines_apt(commands, tmp_path):
    done = make(commands)

    assert done.returncode == 0, done.stderr
    base, _, servers = (tmp_path / "asked").read_text().splitlines()
    assert (
        base
        == f"--mount debootstrap --variant=minbase trixie {tmp_path}/root.part http://mirror.example/debian"
    )
    assert servers.endswith("--no-install-recommends rabbitmq-server postgresql redis-server")
    assert (tmp_path / "root").is_dir()


def test_a_named_mirror_is_taken_instead(commands, tmp_path):
    make(commands, MIRROR="http://other.example/debian")

    assert "http://other.example/debian" in (tmp_path / "asked").read_text()


def test_a_root_that_is_there_is_used_again(commands, tmp_path):
    (tmp_path / "root").mkdir()

    assert make(commands).returncode == 0
    assert not (tmp_path / "asked").exists()


def test_no_server_is_started_while_it_is_installed(commands, tmp_path):
    make(commands)

    policy = tmp_path / "root" / "usr/sbin/policy-rc.d"
    assert subprocess.run(["sh", policy], check=False).returncode == 101


def test_a_failure_is_shown_and_leaves_no_half_made_root(commands, tmp_path):
    pretend(commands, "unshare", "echo no room on the disk; exit 1")

    done = make(commands)

    assert done.returncode == 2
    assert "no room on the disk" in done.stderr
    assert "MIRROR=… make test-compat" in done.stderr
    assert not (tmp_path / "root").exists()


def test_a_machine_without_a_mirror_is_told_to_name_one(commands):
    pretend(commands, "apt-get", "exit 0")

    done = make(commands)

    assert done.returncode == 2
    assert "Name one: MIRROR=… make test-compat" in done.stderr


def test_who_is_not_root_is_told_the_exact_command(commands):
    pretend(commands, "id", "echo 1000")

    done = make(commands)

    assert done.returncode == 2
    assert "sudo make test-compat" in done.stderr
