"""F25: a service's own database is away while events keep coming."""

from __future__ import annotations

import os
import time

import pytest

from shared.testing.stage import Stage
from tests.faults.conftest import LinkedStageMaker
from tests.faults.links import Links
from tests.faults.load import Load
from tests.faults.test_broker_away import callers_were_told_in_time

AWAY_SECONDS = float(os.environ.get("DATABASE_AWAY_SECONDS", "10"))


def databases_away(stage: Stage, links: Links) -> Load:
    """First the listeners' database is away, then the callers', under load. The listeners' log is read and
    the callers' calls fail while it lasts; nothing becomes a dead letter."""
    with Load(stage, "away-") as load:
        load.until_accepted(20)
        links.database["second"].refuse()
        load.until_accepted(20)
        time.sleep(AWAY_SECONDS)
        links.database["second"].flow()
        links.database["first"].refuse()
        time.sleep(AWAY_SECONDS)
        links.database["first"].flow()
        load.until_accepted(20)
    stage.until_rest()
    assert stage.dead_letters() == 0, "events became dead letters"
    return load


@pytest.mark.proves("F25")
def test_while_the_own_database_is_away_nothing_is_lost_or_put_aside(
    make_linked_stage: LinkedStageMaker,
) -> None:
    stage, links = make_linked_stage()
    load = databases_away(stage, links)
    callers_were_told_in_time(load)
    stage.until_all_effects(load.accepted, "away-")


@pytest.mark.planted("F25")
def test_a_listener_that_counts_absence_as_failure_is_seen(make_linked_stage: LinkedStageMaker) -> None:
    stage, links = make_linked_stage(defect="absence counts as failure")
    with pytest.raises(AssertionError, match="events became dead letters"):
        databases_away(stage, links)


def test_connections_to_the_database_that_died_silently_are_given_up(
    make_linked_stage: LinkedStageMaker,
) -> None:
    stage, links = make_linked_stage(ANSWER_SECONDS="3")
    with Load(stage, "dead-") as load:
        for proxy in links.database.values():
            load.until_accepted(20)
            proxy.freeze()
        load.until_accepted(20, within_seconds=20.0)
    stage.until_all_effects(load.accepted, "dead-")
