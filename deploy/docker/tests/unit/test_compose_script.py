"""``compose.sh``: what it hands over to Docker Compose."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deploy.native.layout import ROOT
from shared.testing.pretended import few_commands, pretend

NEEDED = ("sh", "dirname", "cat", "cksum", "cut", "grep", "id", "mv")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with few commands, and a Docker that prints what it is told."""
    folder = few_commands(tmp_path / "bin", NEEDED)
    pretend(folder, "docker", 'echo "$COMPOSE_PROJECT_NAME $VSSID_OPERATOR $COMPOSE_FILE $*"')
    return folder


def told(commands: Path, run: Path | str, **more: str) -> str:
    environment = {"PATH": str(commands), "RUN": str(run), **more}
    script = ROOT / "deploy" / "docker" / "compose.sh"
    return subprocess.run(
        ["sh", script, "ps"], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_what_the_site_sets_is_handed_over_at_each_call(commands, tmp_path):
    (tmp_path / "compose").mkdir()
    assert "settings.env" not in told(commands, tmp_path)

    (tmp_path / "compose" / "settings.env").write_text("IDENTITY_REPLICAS=3\n")

    assert f"--env-file {tmp_path}/compose/settings.env ps" in told(commands, tmp_path)


def test_in_production_what_is_otherwise_there_comes_before_what_the_site_sets(commands, tmp_path):
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose" / "settings.env").write_text("IDENTITY_REPLICAS=3\n")
    assert "production.env" not in told(commands, tmp_path)

    (tmp_path / "compose" / "production").touch()

    said = told(commands, tmp_path)
    assert said.index("--env-file deploy/docker/production.env") < said.index("compose/settings.env ps")
    assert "STAFF_TOTP=true" in (ROOT / "deploy" / "docker" / "production.env").read_text().splitlines()


@pytest.mark.parametrize(
    ("line", "is_tls", "files"),
    [
        ("", False, "docker-compose.yml"),
        ("# OBJECTS_S3_BUCKET=photos", True, "docker-compose.yml:docker-compose.tls.yml"),
        ("OBJECTS_S3_BUCKET=photos", False, "docker-compose.yml:docker-compose.s3.yml"),
        ("OBJECTS_S3_ENDPOINT=https://s3.example", True,
         "docker-compose.yml:docker-compose.s3.yml:docker-compose.tls.yml"),
    ],
)  # fmt: skip
def test_what_is_laid_over_follows_from_the_installation(commands, tmp_path, line, is_tls, files):
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose" / "settings.env").write_text(f"{line}\n")
    if is_tls:
        (tmp_path / "compose" / "tls").touch()

    assert f" {files} " in told(commands, tmp_path)


def test_a_folder_is_one_installation_however_it_is_written(commands, tmp_path):
    relative = os.path.relpath(tmp_path, ROOT)

    names = {told(commands, run).split()[0] for run in (tmp_path, f"{tmp_path}/", f"{tmp_path}/.", relative)}

    assert len(names) == 1


def test_an_installation_that_was_moved_finds_its_containers_and_volumes(commands, tmp_path):
    (tmp_path / "here" / "compose").mkdir(parents=True)
    name = told(commands, tmp_path / "here").split()[0]

    (tmp_path / "here").rename(tmp_path / "there")

    assert told(commands, tmp_path / "there").split()[0] == name


def test_a_name_that_was_chosen_at_the_first_start_is_kept(commands, tmp_path):
    (tmp_path / "compose").mkdir()
    told(commands, tmp_path, COMPOSE_PROJECT_NAME="chosen")

    assert told(commands, tmp_path).split()[0] == "chosen"
    assert told(commands, tmp_path, COMPOSE_PROJECT_NAME="other").split()[0] == "other"
    assert told(commands, tmp_path).split()[0] == "chosen"


@pytest.mark.parametrize("is_here", [False, True])
def test_without_a_registry_the_next_step_is_named_and_only_then(commands, tmp_path, is_here):
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose" / "settings.env").write_text("LOG_LEVEL=INFO\n")
    pretend(
        commands,
        "docker",
        f"""case "$*" in
        *" up --detach") exit 18 ;;
        *" --env-file {tmp_path}/compose/settings.env --profile observability config --images")
            echo "postgres:17 grafana/grafana:12" ;;
        "image inspect postgres:17") ;;
        "image inspect grafana/grafana:12") exit {int(not is_here)} ;;
        *) exit 99 ;;
        esac""",
    )
    script = ROOT / "deploy" / "docker" / "compose.sh"

    done = subprocess.run(
        ["sh", script, "--profile", "observability", "up", "--detach"],
        env={"PATH": str(commands), "RUN": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 18
    assert ("no registry gave them: grafana/grafana:12\n" in done.stderr) is not is_here
    assert ("--profile prometheus up" in done.stderr) is not is_here


def test_who_calls_is_the_operator_unless_another_is_named(commands, tmp_path):
    (commands / "id").unlink()
    pretend(commands, "id", "echo lan")

    assert told(commands, tmp_path).split()[1] == "lan"
    assert told(commands, tmp_path, VSSID_OPERATOR="hoa").split()[1] == "hoa"
