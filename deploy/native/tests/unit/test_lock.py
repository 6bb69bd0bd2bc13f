import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.native.layout import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WANTED = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]


def pinned() -> dict[str, list[str]]:
    """name → the versions in the lock (more than one where Pythons differ)."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", LOCK, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


@pytest.mark.parametrize("wanted", WANTED)
def test_the_lock_pins_what_the_project_asks_for(wanted):
    requirement = Requirement(wanted)

    versions = pinned().get(canonicalize_name(requirement.name), [])

    assert versions, "run `make lock`"
    assert all(requirement.specifier.contains(version, prereleases=True) for version in versions)


def test_every_pin_has_a_hash():
    pins = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]

    assert len(pins) > len(WANTED)
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_lock_names_no_address():
    assert not re.search(r"https?://|--index|--find-links|file:", LOCK)
