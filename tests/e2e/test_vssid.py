"""The operator's command beside everything else: who may work at a desk, what is on its way."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from deploy.demo.world import add_officer
from deploy.native.instance import Instance
from shared.messaging import topology
from shared.testing.citizen_client import AGENCY_CODE
from shared.testing.client import ProblemSeen
from shared.testing.officer_client import OfficerClient
from tests.operations.vssid import lines, vssid


def test_queues_are_listed_with_their_consumers(product: Instance) -> None:
    done = vssid(product, "queues", "--json")
    rows = {row["queue"]: row for row in lines(done)}
    assert done.returncode == 0
    assert set(rows) == {queue.name for queue in topology.queues()}
    assert rows["identity.open_case"]["consumers"] >= 1


def test_a_disabled_officer_is_out_at_once(product: Instance) -> None:
    gateway, user = str(product.endpoints()["gateway"]), f"ops-{uuid.uuid4().hex[:8]}"
    officer = add_officer(product, gateway, user, AGENCY_CODE)
    list(officer.cases())
    done = vssid(product, "staff", "disable", user)
    assert done.returncode == 0, done.stderr
    with pytest.raises(ProblemSeen) as refused:
        list(officer.cases())
    assert refused.value.status == 401
    assert "was disabled before" in vssid(product, "staff", "disable", user).stdout
    assert vssid(product, "staff", "disable", "nobody.here").returncode == 1
    listed = {row["user"]: row for row in lines(vssid(product, "staff", "list", "--json"))}
    assert (listed[user]["agency"], listed[user]["state"]) == (AGENCY_CODE, "disabled")
    assert listed[user]["app"] in (None, "set up"), "whether one was needed when the officer logged in"


def test_an_officer_who_was_added_logs_in_with_the_password_that_was_shown(product: Instance) -> None:
    user = f"ops-{uuid.uuid4().hex[:8]}"
    done = vssid(product, "staff", "add", "--user", user, "--agency", AGENCY_CODE, "--name", "Cán bộ Thử")
    assert done.returncode == 0, done.stderr
    officer = OfficerClient(str(product.endpoints()["gateway"]))
    password, code = (done.stdout.split(before)[1].splitlines()[0] for before in ("once: ", "72 hours: "))
    officer.log_in(user, password, code)  # the code where another test asks for an app at the time
    assert "once: " not in (product.run / "audit.jsonl").read_text()


def test_what_is_not_there_is_said_in_a_sentence(product: Instance, tmp_path: Path) -> None:
    elsewhere = vssid(product, "--run", str(tmp_path), "queues")
    assert (elsewhere.returncode, "there is no installation" in elsewhere.stderr) == (2, True)
    assert "Traceback" not in elsewhere.stderr
