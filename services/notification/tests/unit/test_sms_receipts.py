"""Receipts on their way from the SMSC to the tables: which are acknowledged, and which are to come again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from smpplib import consts

from services.notification.domain import Receipt
from services.notification.sms import SmsChannel

OK, AGAIN = consts.SMPP_ESME_ROK, consts.SMPP_ESME_RX_T_APPN


class FakeLink:
    """Keeps what the SMSC is told of each receipt, and says when all were."""

    def __init__(self, receipts: int) -> None:
        self.told: dict[int, int] = {}
        self.all_told = threading.Event()
        self._receipts = receipts

    def acknowledge(self, sequence: int, status: int) -> None:
        assert sequence not in self.told
        self.told[sequence] = status
        if len(self.told) == self._receipts:
            self.all_told.set()


def passed_on(count: int, record: Callable[[list[Receipt]], None]) -> dict[int, int]:
    """What the SMSC is told of receipts that came together."""
    link: Any = FakeLink(count)
    channel = SmsChannel(None, record)  # type: ignore[arg-type]
    for sequence in range(count):
        channel._receive(link, sequence, Receipt(f"p{sequence}", "+84912000111", True, None))
    thread = threading.Thread(target=channel._pass_on, daemon=True)
    thread.start()
    assert link.all_told.wait(10)
    channel.stop()
    thread.join(10)
    return link.told


def test_one_receipt_that_cannot_be_recorded_makes_no_other_come_again() -> None:
    kept: list[Receipt] = []

    def record(receipts: list[Receipt]) -> None:
        if any(receipt.provider_id == "p3" for receipt in receipts):
            raise ValueError
        kept.extend(receipts)

    told = passed_on(10, record)
    assert told == {sequence: AGAIN if sequence == 3 else OK for sequence in range(10)}
    assert sorted(receipt.provider_id for receipt in kept) == [f"p{i}" for i in range(10) if i != 3]


def test_receipts_that_can_be_recorded_are_together() -> None:
    calls: list[int] = []
    assert passed_on(10, lambda receipts: calls.append(len(receipts))) == dict.fromkeys(range(10), OK)
    assert calls == [10]


@pytest.mark.parametrize("count", [1, 3])
def test_what_can_never_be_recorded_is_tried_together_and_then_each_once(count: int) -> None:
    calls: list[int] = []

    def record(receipts: list[Receipt]) -> None:
        calls.append(len(receipts))
        raise ValueError

    assert passed_on(count, record) == dict.fromkeys(range(count), AGAIN)
    assert calls == ([1] if count == 1 else [3, 1, 1, 1])
