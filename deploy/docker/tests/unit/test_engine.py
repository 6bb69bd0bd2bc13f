import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.native.layout import ROOT
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


@pytest.mark.parametrize(("answers", "is_put_down"), [(True, False), (False, True)])
@pytest.mark.parametrize("tests", ["pass", "fail"])
def test_the_pipeline_puts_down_the_engine_only_if_it_brought_it_up(tmp_path, answers, is_put_down, tests):
    scripts, log = tmp_path / "deploy" / "docker", tmp_path / "log"
    (tmp_path / ".ci").mkdir()
    scripts.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    pretend(scripts, "compose.sh", f'echo "compose $*" >>{log}')
    pretend(scripts, "engine.sh", f'echo "engine $1" >>{log}; [ $1 != answers ] || exit {int(not answers)}')
    folder = few_commands(tmp_path / "bin", ("bash", "sh", "dirname"))
    pretend(folder, "make", f'[ "$1" != test-compose-smoke ] || exit {int(tests == "fail")}')

    done = subprocess.run(["bash", tmp_path / ".ci" / "run"], env={"PATH": str(folder)}, check=False)

    assert done.returncode == int(tests == "fail")
    said = log.read_text().splitlines()
    assert any(line.startswith("compose ") and "down --volumes" in line for line in said)
    assert ("engine down" in said) is is_put_down
