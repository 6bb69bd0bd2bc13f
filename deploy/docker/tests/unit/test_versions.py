"""``image.sh``, ``upgrade.sh``, ``up.sh``: which version runs, in which order it changes, what starts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.native.keys import PROCESSES, WITH_DATABASE
from deploy.native.layout import ROOT
from shared.testing.pretended import few_commands, pretend

SCRIPTS = ("image.sh", "start.sh", "up.sh", "upgrade.sh")
COMMANDS = ("sh", "cut", "dirname", "grep", "mv", "printenv", "sed")
PARTIES = {
    "POPULATION_REGISTER_URL": "https://register.example",
    "SMPP_HOST": "smsc.example",
    "SMPP_SYSTEM_ID": "vssid",
    "SMTP_HOST": "mail.example",
    "SMTP_PORT": "587",
    "MAIL_FROM": "no-reply@site.example",
    "ACTIVATION_URL": "https://site.example/activation",
}


class Site:
    """An installation whose engine only pretends; ``said`` is what its scripts asked for."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.compose = folder / ".run" / "compose"
        self.compose.mkdir(parents=True)
        self.scripts = folder / "deploy" / "docker"
        self.scripts.mkdir(parents=True)
        for name in SCRIPTS:
            shutil.copy(ROOT / "deploy" / "docker" / name, self.scripts / name)
        self._log = folder / "log"
        self.commands = few_commands(folder / "bin", COMMANDS)
        pretend(
            self.commands,
            "docker",
            f'case "$1 $4" in "image "*) [ ! -e "{folder}/forgotten" ] ;;'
            ' "inspect current") echo new False ;; "inspect command") echo old True ;;'
            f' "inspect "*) echo old False ;; *) echo "docker $*" >>{self._log} ;; esac',
        )
        pretend(self.scripts, "prepare.sh", f'echo "prepare $*" >>{self._log}')
        pretend(
            self.scripts,
            "compose.sh",
            f'echo "$*" >>{self._log}; case "$*" in *"$(sed -n 1p {folder}/fails)"*) exit 1 ;;'
            ' "config --hash "*) echo "$3 new" ;;'
            ' "ps --all --quiet identity") echo "one current command two" ;; esac',
        )
        self.fails_at("nothing")

    def fails_at(self, what: str) -> None:
        (self.root / "fails").write_text(f"{what}\n")

    def build(self, image: str) -> None:
        (self.root / ".run" / "images.env").write_text(f"VSSID_IMAGE={image}\n")

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", self.scripts / script, *arguments],
            env={"PATH": str(self.commands), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def said(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    @property
    def runs(self) -> tuple[str, str]:
        """The version that runs, and the one before."""
        return self.images["VSSID_IMAGE"], self.images["VSSID_IMAGE_BEFORE"]

    @property
    def images(self) -> dict[str, str]:
        lines = (self.compose / "images.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_version_before_is_kept_and_so_is_the_way_there_and_back(site):
    for image in ("vssid:one", "vssid:two", "vssid:two"):
        site.build(image)
        assert site.run("image.sh", "take").returncode == 0
    assert site.runs == ("vssid:two", "vssid:one")

    assert site.run("image.sh", "back").returncode == 0
    assert site.runs == ("vssid:one", "vssid:two")


def test_the_way_back_leads_past_versions_that_never_became_ready(site):
    for image, is_ready in (("vssid:one", True), ("vssid:two", False), ("vssid:three", False)):
        site.build(image)
        assert site.run("image.sh", "take").returncode == 0
        if is_ready:
            assert site.run("image.sh", "whole").returncode == 0
    assert site.runs == ("vssid:three", "vssid:one")


def test_after_the_way_back_the_jobs_are_still_those_of_the_newer_version(site):
    """Replicas of the newer version still run, and need what only it may say at the broker."""
    for image in ("vssid:one", "vssid:two"):
        site.build(image)
        site.run("upgrade.sh")
    assert site.run("upgrade.sh", "back").returncode == 0
    assert site.runs == ("vssid:one", "vssid:two")
    assert site.images["VSSID_JOBS_IMAGE"] == "vssid:two"
    site.build("vssid:three")
    site.run("upgrade.sh")
    assert site.images["VSSID_JOBS_IMAGE"] == "vssid:three"


def test_an_engine_that_does_not_answer_stops_the_upgrade_where_it_is(site):
    site.build("vssid:two")
    site.fails_at("ps --all --quiet registration")

    done = site.run("upgrade.sh")

    assert done.returncode == 1
    assert "registration did not become ready" in done.stderr
    assert "up --detach --wait registration" not in site.said


@pytest.mark.parametrize(
    ("images", "forgotten"), [(["vssid:one"], False), (["vssid:one", "vssid:two"], True)]
)
def test_who_cannot_go_back_is_told_the_next_step_and_nothing_changes(site, images, forgotten):
    for image in images:
        site.build(image)
        site.run("image.sh", "take")
    if forgotten:
        (site.root / "forgotten").touch()
    before = site.images

    done = site.run("upgrade.sh", "back")

    assert done.returncode == 2
    assert "Next: check out" in done.stderr
    assert site.images == before
    assert site.said == []


def started(said: list[str]) -> list[str]:
    """The services that were made anew, each with what it depends on: started without, the next `up` would
    find that it differs, and make all of them anew at once."""
    assert not [line for line in said if "--no-deps" in line]
    up = [line.split() for line in said if line.startswith("up --detach --wait ")]
    return [words[-1] for words in up if "--no-recreate" not in words]


def test_an_upgrade_adds_first_and_then_changes_service_by_service(site):
    site.build("vssid:two")

    done = site.run("upgrade.sh")

    assert done.returncode == 0, done.stderr
    added = [line.split()[-1] for line in site.said if line.startswith("run --rm ")]
    assert sorted(added) == sorted(
        [*(f"migrate-{name}" for name in WITH_DATABASE), "topology", "permissions"]
    )
    assert sorted(started(site.said)) == sorted(PROCESSES)
    assert started(site.said)[-1] == "gateway"
    assert site.said[-1] == "--profile demo up --detach --wait --quiet-pull"
    assert max(site.said.index(f"run --rm {job}") for job in added) < min(
        at for at, line in enumerate(site.said) if line.startswith("up ")
    )


def test_the_replicas_of_a_service_change_one_after_the_other(site):
    site.build("vssid:two")

    site.run("upgrade.sh")

    jobs = next(line for line in site.said if line.startswith("up --detach migrate-"))
    first = site.said.index("ps --all --quiet identity")
    assert site.said.index(jobs) < first, "a job made anew later would take the services along"
    again = "up --detach --wait --no-recreate identity"
    each = [["docker stop " + name, "docker rm " + name, again] for name in ("one", "two")]
    assert site.said[first + 1 : first + 8] == [*each[0], *each[1], "up --detach --wait identity"]


def test_a_replica_that_does_not_become_ready_leaves_the_others_as_they_are(site):
    site.build("vssid:two")
    site.fails_at("up --detach --wait --no-recreate identity")

    done = site.run("upgrade.sh")

    assert done.returncode == 1
    assert [line for line in site.said if line.startswith("docker stop")] == ["docker stop one"]


def test_no_service_changes_when_what_comes_first_fails(site):
    site.build("vssid:two")
    site.fails_at("run --rm migrate-identity")

    done = site.run("upgrade.sh")

    assert done.returncode == 1
    assert "migrate-identity failed; the services still run the version before" in done.stderr
    assert started(site.said) == []


def test_a_service_that_does_not_become_ready_stops_the_upgrade(site):
    site.build("vssid:two")
    site.fails_at("up --detach --wait identity")

    done = site.run("upgrade.sh")

    assert done.returncode == 1
    assert "make compose-back" in done.stderr
    assert started(site.said)[-1] == "identity"


def test_the_way_back_is_the_opposite_order_and_undoes_no_migration(site):
    for image in ("vssid:one", "vssid:two"):
        site.build(image)
        site.run("upgrade.sh")
    forth, before = started(site.said)[: len(PROCESSES)], len(site.said)

    assert site.run("upgrade.sh", "back").returncode == 0

    assert started(site.said[before:]) == forth[::-1]
    assert not [line for line in site.said[before:] if line.startswith(("run", "prepare"))]
    assert site.images["VSSID_IMAGE"] == "vssid:one"


def test_the_demo_has_stand_ins_and_a_production_has_none(site):
    site.build("vssid:one")
    site.run("up.sh")
    assert site.said[-1].startswith("--profile demo up ")

    (site.compose / "settings.env").write_text("".join(f"{k}={v}\n" for k, v in PARTIES.items()))
    (site.compose / "production").touch()  # as prepare.sh does, once the secrets are handed out
    done = site.run("up.sh", "production")

    assert done.returncode == 0, done.stderr
    assert "prepare production" in site.said
    assert site.said[-1].startswith("up --detach --wait")


def test_a_production_names_all_its_parties_first(site):
    (site.compose / "settings.env").write_text("SMPP_HOST=smsc.example\nSMTP_HOST=\n")

    done = site.run("up.sh", "production", MAIL_FROM="no-reply@site.example")

    assert done.returncode == 2
    missing = "POPULATION_REGISTER_URL SMPP_SYSTEM_ID SMTP_HOST SMTP_PORT ACTIVATION_URL"
    assert f"settings.env: {missing}\nNext: " in done.stderr
    assert site.said == []


def test_no_demo_runs_in_production(site):
    (site.compose / "production").touch()

    done = site.run("up.sh")

    assert done.returncode == 2
    assert "make compose-production" in done.stderr
    assert site.said == []
