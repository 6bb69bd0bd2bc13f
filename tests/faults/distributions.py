"""Whether two samples of times tell apart what they were measured on, whatever else the machine does.

Times are compared by their ranks, never in milliseconds: a slow machine, a burst of noise, a few outliers
change both samples alike when they were taken in turns.
"""

from __future__ import annotations

import math
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEVEL = 1e-6
"""How often two samples of one distribution may be taken for two (Kolmogorov–Smirnov)."""
LARGEST_EFFECT = 0.1
"""By which the chance that one of the first takes longer than one of the second may differ from a half
(Mann–Whitney): at 500 pairs more than five standard errors."""


WARM_UP = 5


@dataclass(frozen=True)
class Compared:
    """``superiority``: the chance that one of the first is longer; ``distance`` of the distributions."""

    superiority: float
    distance: float
    distance_allowed: float
    medians: tuple[float, float]

    @property
    def tells(self) -> bool:
        """Whether somebody who measures could tell the two apart."""
        return abs(self.superiority - 0.5) > LARGEST_EFFECT or self.distance > self.distance_allowed

    def __str__(self) -> str:
        one, other = (f"{1000 * median:.2f} ms" for median in self.medians)
        return (
            f"medians {one} and {other}, the first is longer with probability {self.superiority:.3f},"
            f" distance {self.distance:.3f} of {self.distance_allowed:.3f} allowed"
        )


def compared(first: Sequence[float], second: Sequence[float]) -> Compared:
    """Two samples of times, in seconds."""
    one, other = sorted(first), sorted(second)
    n, m = len(one), len(other)
    wins = sum(bisect_left(other, t) + bisect_right(other, t) for t in one) / 2
    distance = max(abs(bisect_right(one, t) / n - bisect_right(other, t) / m) for t in (*one, *other))
    allowed = math.sqrt(-math.log(LEVEL / 2) / 2 * (n + m) / (n * m))
    return Compared(wins / (n * m), distance, allowed, (one[n // 2], other[m // 2]))


def measured_in_turns(
    first: Callable[[], object], second: Callable[[], object], *, pairs: int, seed: int
) -> Compared:
    """Do both ``pairs`` times, one after the other, which comes first by lot; the first few do not count."""
    lot = random.Random(seed)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + pairs):
        for which in lot.sample((0, 1), 2):
            started = time.perf_counter()
            (first, second)[which]()
            if number >= WARM_UP:
                times[which].append(time.perf_counter() - started)
    return compared(*times)
