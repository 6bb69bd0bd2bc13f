"""F8: an event that its handler cannot take harms nobody else, and is not lost."""

from __future__ import annotations

import pytest

from shared.messaging import dead_letters
from shared.testing.stage import Stage
from tests.faults.conftest import StageMaker

GOOD = [f"good-{n}" for n in range(50)]


def poisoned(stage: Stage) -> None:
    """One poison event among fifty good ones, all waiting in the queue when the listener starts."""
    stage.processes["second"].stop()
    for number, item in enumerate(GOOD):
        stage.accept(item)
        if number == 25:
            stage.accept("poison-1")
    stage.processes["second"].start()
    stage.processes["second"].wait_ready()


def flows_past_the_poison(stage: Stage) -> None:
    """The good ones had their effect, the poison none."""
    stage.until_effects("count", GOOD, "good-")
    assert not stage.effects("count", "poison-")


def dead_letter_replayed_once_mended(stage: Stage) -> None:
    """It lies among the dead letters with its reason; the handler mended and replayed, it has one effect."""
    url = stage.vhost.amqp_url
    stage.until_rest()
    assert dead_letters.counts(url, ["second.count"])["second.count"] == 1, "there is no dead letter"
    (letter,) = dead_letters.show(url, "second.count")
    assert letter["reason"] == "RuntimeError"
    assert letter["attempts"] == 3
    assert letter["type"] == "first.accepted.v1"
    assert letter["event_id"]
    stage.run("second", "INSERT INTO mended VALUES ('poison-1')")
    assert dead_letters.replay(url, "second.count") == 1
    stage.until_effects("count", ["poison-1"], "poison-")
    stage.until_effects("counted", [*GOOD, "poison-1"], "")
    assert dead_letters.replay(url, "second.count") == 0


@pytest.mark.proves("F8")
def test_a_poison_event_is_set_aside_and_has_one_effect_once_the_handler_is_mended(
    make_stage: StageMaker,
) -> None:
    stage = make_stage()
    poisoned(stage)
    flows_past_the_poison(stage)
    dead_letter_replayed_once_mended(stage)


@pytest.mark.planted("F8")
def test_a_listener_that_forgets_what_failed_is_seen(make_stage: StageMaker) -> None:
    stage = make_stage(defect="failed events forgotten")
    poisoned(stage)
    flows_past_the_poison(stage)
    with pytest.raises(AssertionError, match=r"no dead letter"):
        dead_letter_replayed_once_mended(stage)
