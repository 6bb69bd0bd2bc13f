import os
import subprocess
from pathlib import Path

import pytest

from shared.testing.pretended import few_commands, pretend

ENGINE = Path(__file__).parents[2] / "engine.sh"
NEEDED = ("sh", "id", "tr", "grep", "sed", "head")
DOCKER = """case "$*" in
"compose version --short") echo v2.26.1 ;;
"buildx version") echo "github.com/docker/buildx 0.13.1" ;;
version*) echo 20.10.24 ;;
esac"""


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with the few commands that a machine without Docker has."""
    return few_commands(tmp_path / "bin", NEEDED)


def engine(folder: Path, action: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PATH": str(folder)}
    return subprocess.run(
        ["sh", ENGINE, action], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("action", ["check", "up"])
def test_nothing_is_done_where_an_engine_answers(commands, action):
    pretend(commands, "docker", DOCKER)

    assert engine(commands, action).returncode == 0


def test_what_is_missing_is_named(commands):
    pretend(commands, "docker", DOCKER.replace("v2.26", "v1.29"))

    done = engine(commands, "check")

    assert done.returncode == 1
    assert done.stderr.strip() == "missing: docker-compose"


def test_who_may_not_install_is_told_the_next_step(commands):
    pretend(commands, "id", "echo 1000")
    pretend(commands, "apt-get", "exit 0")

    done = engine(commands, "up")

    assert done.returncode == 2
    assert "Next: sudo make engine" in done.stderr


def test_without_apt_nothing_is_tried(commands):
    pretend(commands, "id", "echo 0")

    done = engine(commands, "up")

    assert done.returncode == 2
    assert "Next: install Docker 20.10 or newer" in done.stderr
