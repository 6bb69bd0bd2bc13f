"""What operators do with dead letters, on a broker that is pretended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from shared.messaging import dead_letters


class Returning:
    """A channel of a broker whose listener dead-letters at once again whatever is put back."""

    def __init__(self, count: int) -> None:
        self.letters = [SimpleNamespace(properties={}, body=b"{", delivery_tag=n) for n in range(count)]

    def queue_declare(self, queue: str, passive: bool) -> SimpleNamespace:
        return SimpleNamespace(message_count=len(self.letters))

    def basic_get(self, queue: str) -> Any:
        return self.letters.pop(0) if self.letters else None

    def basic_publish(self, letter: Any, **where: object) -> None:
        self.letters.append(SimpleNamespace(properties={}, body=b"{", delivery_tag=0))

    def basic_ack(self, delivery_tag: int) -> None:
        """Nothing to do: it is gone already."""


@pytest.mark.parametrize(("limit", "replayed"), [(1000, 3), (2, 2)])
def test_letters_that_come_back_at_once_are_put_back_once(monkeypatch, limit, replayed):
    broker = Returning(3)

    @contextmanager
    def channel(url: str) -> Iterator[Returning]:
        yield broker

    monkeypatch.setattr(dead_letters, "channel", channel)

    assert dead_letters.replay("amqp://", "identity.open_case", limit) == replayed
    assert len(broker.letters) == 3
