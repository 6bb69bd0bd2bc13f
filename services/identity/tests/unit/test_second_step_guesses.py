"""Codes of log-ins that are guessed over many log-ins: where from counts, on counters in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.identity import second_step
from services.identity.log_in_otp import OtpWrong
from services.identity.refusals import TooManyTries
from services.identity.tests.unit.test_throttle import FakeCounter
from services.identity.throttle import Throttle
from shared.testing.transactions import FakeTransaction

ADDRESS, NETWORK, FULL = "an address", "its network", 20
TX: Any = FakeTransaction()
ENTERED = {"must_change_password": True}


@pytest.fixture
def counter() -> FakeCounter:
    return FakeCounter()


@pytest.fixture
def parts(counter: FakeCounter) -> Any:
    limits = SimpleNamespace(otp_tries_per_address=f"{FULL}/hour", otp_tries_per_network="30/hour")
    return SimpleNamespace(settings=limits, throttle=Throttle(counter, FakeCounter()))


def wrong() -> OtpWrong:
    """The first of five of one log-in."""
    return OtpWrong(tries_left=4)


def test_wrong_codes_of_whatever_log_ins_are_answered_so_often_from_one_address(parts: Any) -> None:
    for _ in range(FULL):
        assert isinstance(second_step.counted(TX, parts, ADDRESS, NETWORK, wrong), OtpWrong)
    for confirm in (wrong, lambda: ENTERED):
        with pytest.raises(TooManyTries):
            second_step.counted(TX, parts, ADDRESS, NETWORK, confirm)
    assert second_step.counted(TX, parts, "another", NETWORK, lambda: ENTERED) == ENTERED


def test_right_codes_are_not_counted(parts: Any) -> None:
    for _ in range(FULL + 1):
        assert second_step.counted(TX, parts, ADDRESS, NETWORK, lambda: ENTERED) == ENTERED


@pytest.mark.parametrize("code", ["right", "wrong"])
def test_a_code_that_finds_the_limit_reached_meanwhile_is_held_back(
    parts: Any, counter: FakeCounter, code: str
) -> None:
    """A right one is undone by what is raised; the try of a wrong one is kept, so that is returned."""

    def confirm() -> Any:
        counter.hits["otp_address", ADDRESS] = FULL
        return ENTERED if code == "right" else wrong()

    if code == "right":
        with pytest.raises(TooManyTries):
            second_step.counted(TX, parts, ADDRESS, NETWORK, confirm)
    else:
        assert isinstance(second_step.counted(TX, parts, ADDRESS, NETWORK, confirm), TooManyTries)


def test_a_caller_that_tells_no_place_is_not_counted(parts: Any) -> None:
    for _ in range(FULL + 1):
        assert isinstance(second_step.counted(TX, parts, "", "", wrong), OtpWrong)
