"""The comparison of times itself: it is calm on noisy machines, and sees small differences."""

from __future__ import annotations

import random

import pytest

from tests.faults.distributions import compared

PAIRS = 500


def noisy(lot: random.Random) -> tuple[list[float], list[float]]:
    """Times on a machine whose load wanders and jumps, taken in turns."""
    known, unknown, load = [], [], 1.0
    for _ in range(PAIRS):
        load = max(0.3, load + lot.gauss(0, 0.1)) if lot.random() > 0.02 else lot.uniform(0.3, 8)
        pair = [load * (10 + lot.lognormvariate(0, 0.7)) + 20 * (lot.random() < 0.03) for _ in range(2)]
        known.append(pair[0])
        unknown.append(pair[1])
    return known, unknown


def test_one_distribution_is_never_taken_for_two_however_the_machine_sways() -> None:
    results = [compared(*noisy(random.Random(seed))) for seed in range(200)]
    assert [str(result) for result in results if result.tells] == []


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_and_a_tail_are_seen_in_quiet_times(seed: int) -> None:
    lot = random.Random(seed)
    usual = [lot.gauss(10, 1) for _ in range(PAIRS)]
    shifted = [lot.gauss(10.7, 1) for _ in range(PAIRS)]
    wider = [lot.gauss(10, 2.5) for _ in range(PAIRS)]
    assert compared(usual, shifted).tells
    assert compared(usual, wider).tells
    assert not compared(usual, [lot.gauss(10, 1) for _ in range(PAIRS)]).tells
