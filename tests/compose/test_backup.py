"""A machine is lost with all its data: the backup and a clone of the product are enough for another one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing.citizen_client import CitizenClient
from shared.testing.officer_client import OfficerClient
from tests.compose.conftest import RUN
from tests.compose.stack import Stack
from tests.faults.crowd import Crowd, new_seed

OWN_PASSWORD = "lụa Hà Đông 1976"


@pytest.fixture
def stack() -> Iterator[Stack]:
    """One of its own, because it is lost."""
    stack = Stack(f"{RUN}-lost")
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def test_another_machine_goes_on_with_keys_people_and_photos(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(stack, 1, new_seed())
    citizen, client = crowd.verify(0)
    password = crowd.inbox.wait_for_password(citizen.phone)
    client.log_in(citizen.code, password)
    client.change_password(citizen.code, password, OWN_PASSWORD)
    officer = crowd.world.officers[crowd.world.agency_of(citizen)]
    (case,) = officer.cases("verified")
    portrait = officer.photo(case["id"], "portrait")
    stack.script("backup.sh", str(tmp_path))
    (backup,) = tmp_path.iterdir()

    stack.down()
    shutil.rmtree(stack.folder)
    subprocess.run(["tar", "-xf", backup / "installation.tar", "-C", stack.folder.parent], check=True)
    stack.up()
    monkeypatch.setenv("YES", "1")
    stack.script("restore.sh", str(backup))

    assert OfficerClient(stack.gateway, headers=officer.headers).photo(case["id"], "portrait") == portrait
    client = CitizenClient(stack.gateway)
    client.log_in(citizen.code, OWN_PASSWORD)
    assert client.participation()["items"]
    assert "Nothing is missing." in stack.script("compose.sh", "run", "--rm", "vssid", "reconcile")
