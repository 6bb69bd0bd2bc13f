import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.native.layout import ROOT

LOCK, SERVICE_LOCK = ((ROOT / f"requirements{kind}.lock").read_text() for kind in ("", "-service"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
OF_SERVICES = [*PROJECT["project"]["dependencies"], *GROUPS["stand-ins"]]
WANTED = [*OF_SERVICES, *(wanted for wanted in GROUPS["dev"] if isinstance(wanted, str))]


def pinned(lock: str = LOCK) -> dict[str, list[str]]:
    """name → the versions in a lock (more than one where Pythons differ)."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [*((LOCK, wanted) for wanted in WANTED), *((SERVICE_LOCK, wanted) for wanted in OF_SERVICES)],
    ids=[*WANTED, *(f"service: {wanted}" for wanted in OF_SERVICES)],
)
def test_a_lock_pins_what_the_project_asks_for(lock, wanted):
    requirement = Requirement(wanted)

    versions = pinned(lock).get(canonicalize_name(requirement.name), [])

    assert versions, "run `make lock`"
    assert all(requirement.specifier.contains(version, prereleases=True) for version in versions)


def test_images_hold_the_very_versions_that_were_tested():
    assert {name: pinned()[name] for name in pinned(SERVICE_LOCK)} == pinned(SERVICE_LOCK)


@pytest.mark.parametrize(("lock", "wanted"), [(LOCK, WANTED), (SERVICE_LOCK, OF_SERVICES)])
def test_every_pin_has_a_hash(lock, wanted):
    pins = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]

    assert len(pins) > len(wanted)
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_lock_names_no_address():
    assert not re.search(r"https?://|--index|--find-links|file:", LOCK + SERVICE_LOCK)
