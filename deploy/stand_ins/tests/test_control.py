"""Faults are set by name, and a wrong wish changes nothing."""

from dataclasses import dataclass

import pytest

from deploy.stand_ins.control import Control
from deploy.stand_ins.http_api import WrongRequest
from deploy.stand_ins.smsc.faults import Faults


@dataclass(frozen=True)
class Settings:
    delay_seconds: float = 0.0
    outage: bool = False
    status: int = 0


def test_a_number_set_to_zero_takes_fractions_again() -> None:
    control = Control(Settings())
    control.change({"delay_seconds": 0})
    control.change({"delay_seconds": 0.5})
    assert control.now.delay_seconds == 0.5


def test_only_the_named_settings_change() -> None:
    control = Control(Settings(outage=True))
    control.change({"delay_seconds": 2})
    assert control.now == Settings(delay_seconds=2, outage=True)


@pytest.mark.parametrize(
    "wishes",
    [
        {"nothing": 1},
        {"outage": 1},
        {"status": True},
        {"status": "88"},
        {"delay_seconds": -1},
        {"status": 1.5},
    ],
)
def test_an_unknown_name_or_a_wrong_value_is_refused(wishes: dict[str, object]) -> None:
    control = Control(Settings())
    with pytest.raises(WrongRequest):
        control.change({"outage": True, **wishes})
    assert control.now == Settings()


def test_a_receipt_says_only_what_receipts_can_say() -> None:
    with pytest.raises(WrongRequest):
        Control(Faults()).change({"receipt_stat": "LOST"})
