"""F9: the same request fifty times at once has one effect."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.testing.stage import Stage
from tests.faults.conftest import StageMaker


def fifty_at_once(stage: Stage) -> None:
    """Fifty calls under one key: one reply, one row, one effect."""
    key = str(uuid.uuid4())

    def call(_: int) -> str:
        reply = stage.client.call("first", "accept_new", {"item": "same"}, 60.0, idempotency_key=key)
        return str(reply)

    with ThreadPoolExecutor(50) as threads:
        replies = set(threads.map(call, range(50)))
    stage.until_effects("count", ["same"], "same")
    assert len(replies) == 1


@pytest.mark.proves("F9")
def test_one_request_fifty_times_at_once_has_one_effect(make_stage: StageMaker) -> None:
    fifty_at_once(make_stage())


@pytest.mark.planted("F9")
def test_writes_without_an_idempotency_key_are_seen(make_stage: StageMaker) -> None:
    stage = make_stage(defect="no idempotency")
    with pytest.raises(AssertionError, match=r"doubled [1-9]"):
        fifty_at_once(stage)
