import os
import subprocess
from pathlib import Path

import pytest

from shared.testing.pretended import few_commands, pretend

INSTALL = Path(__file__).parents[2] / "install.sh"
NEEDED = ("sh", "id", "ls", "test", "rm", "mktemp", "tail", "cat", "chmod")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with the few commands that a machine without servers has."""
    return few_commands(tmp_path / "bin", NEEDED)


def install(folder: Path, *more: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PATH": str(folder), "POLICY_RC_D": str(folder / "policy-rc.d")}
    return subprocess.run(
        ["sh", INSTALL, *more], env=environment, capture_output=True, text=True, check=False
    )


def test_who_may_not_install_is_told_the_exact_command(commands):
    pretend(commands, "id", "echo 1000")
    pretend(commands, "apt-get", "exit 0")

    done = install(commands)

    assert done.returncode == 2
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends python3" in done.stderr
    assert done.stderr.strip().endswith("redis-server")


def test_what_is_named_is_installed_as_well(commands):
    pretend(commands, "id", "echo 1000")
    pretend(commands, "apt-get", "exit 0")

    done = install(commands, "prometheus")

    assert done.stderr.strip().endswith("redis-server prometheus")


def test_without_apt_nothing_is_tried(commands):
    pretend(commands, "id", "echo 0")

    done = install(commands)

    assert done.returncode == 2
    assert "This is not Debian" in done.stderr


def test_what_apt_says_is_shown_when_it_fails(commands):
    pretend(commands, "id", "echo 0")
    pretend(commands, "apt-get", "echo no room on the disk; exit 100")

    done = install(commands)

    assert done.returncode == 1
    assert "no room on the disk" in done.stderr


def test_root_on_debian_installs_without_recommended_packages_and_questions(commands, tmp_path):
    pretend(commands, "id", "echo 0")
    pretend(commands, "apt-get", f'echo "$DEBIAN_FRONTEND $*" >>{tmp_path}/asked')

    done = install(commands)

    assert done.returncode == 0, done.stderr
    update, packages = (tmp_path / "asked").read_text().splitlines()
    assert update.endswith("update")
    assert packages.startswith("noninteractive install -y --no-install-recommends python3 python3-venv")


def test_debian_starts_no_system_wide_server_meanwhile_but_may_again_afterwards(commands, tmp_path):
    policy = commands / "policy-rc.d"
    pretend(commands, "id", "echo 0")
    pretend(commands, "apt-get", f"sh {policy}; echo $? >>{tmp_path}/policy")

    install(commands)

    assert (tmp_path / "policy").read_text().split() == ["101", "101"]
    assert not policy.exists()


def test_a_policy_of_the_machine_is_left_alone(commands):
    policy = commands / "policy-rc.d"
    pretend(commands, "id", "echo 0")
    pretend(commands, "apt-get", "exit 0")
    pretend(commands, "policy-rc.d", "exit 104")

    install(commands)

    assert "exit 104" in policy.read_text()
