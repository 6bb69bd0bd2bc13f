"""F6: PostgreSQL is killed and comes back, and connections are cut while a COMMIT is on its way."""

from __future__ import annotations

import pytest

from shared.testing.processes import until
from shared.testing.stage import Stage
from tests.faults.conftest import LinkedStageMaker
from tests.faults.links import Links
from tests.faults.load import Load
from tests.faults.servers import Breakable

KILLS = 2
CUTS = 20
COMMITTED = b"COMMIT\x00"
"""How PostgreSQL's answer to a COMMIT ends: cut there, it is done and nobody knows."""


def killed_under_load(stage: Stage, servers: Breakable) -> Load:
    """PostgreSQL is killed, twice, while items are being accepted."""
    with Load(stage, "killed-", pause_seconds=0.0) as load:
        for _ in range(KILLS):
            load.until_accepted(50)
            servers.kill_and_mend("postgres")
        load.until_accepted(20)
    return load


@pytest.mark.proves("F6")
def test_what_was_acknowledged_is_there_after_the_database_was_killed(
    make_linked_stage: LinkedStageMaker, broken_servers: Breakable
) -> None:
    stage, _ = make_linked_stage()
    load = killed_under_load(stage, broken_servers)
    stage.until_all_effects(load.accepted, "killed-")
    assert stage.dead_letters() == 0


@pytest.mark.planted("F6")
def test_an_acknowledgement_before_the_disk_has_it_is_seen(
    make_linked_stage: LinkedStageMaker, broken_servers: Breakable
) -> None:
    stage, _ = make_linked_stage(PGOPTIONS="-c synchronous_commit=off")
    load = killed_under_load(stage, broken_servers)
    with pytest.raises(AssertionError, match=r"lost [1-9]"):
        stage.until_all_effects(load.accepted, "killed-")


def commits_cut(stage: Stage, links: Links) -> Load:
    """Under load, connections to each database are cut where it says that a COMMIT is done."""
    with Load(stage, "cut-") as load:
        for proxy in links.database.values():
            load.until_accepted(10)
            proxy.cut_at(COMMITTED, times=CUTS)
            until(lambda proxy=proxy: proxy.counts()["cuts"] == CUTS, 30.0, "no COMMIT passes")
        load.until_accepted(10)
    return load


@pytest.mark.proves("F6")
def test_a_commit_whose_answer_is_lost_is_one_row_for_its_key(make_linked_stage: LinkedStageMaker) -> None:
    stage, links = make_linked_stage()
    load = commits_cut(stage, links)
    assert load.failures > 0
    stage.until_all_effects(load.accepted, "cut-")
    assert stage.dead_letters() == 0


@pytest.mark.planted("F6")
def test_writes_without_a_key_are_seen_when_a_commit_is_cut(make_linked_stage: LinkedStageMaker) -> None:
    stage, links = make_linked_stage(defect="no idempotency")
    load = commits_cut(stage, links)
    with pytest.raises(AssertionError, match=r"doubled [1-9]"):
        stage.until_all_effects(load.accepted, "cut-")
