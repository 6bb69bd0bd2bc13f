"""Lets lives go by, one example of Hypothesis each."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.machine import Registrations
from tests.properties.town import Town

STEPS_IN_A_LIFE = 50
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if "SHRINK" in os.environ else []))
"""Shrinking takes a life for each try, against real services: ``SHRINK=1`` asks for it."""


def live(town: Town, steps: int, **how: Any) -> None:
    """Let lives go by until so many steps were taken. A life that fails is the first of the next run."""
    machine = seed(town.seed)(type("Town", (Registrations,), {"town": town}))
    while town.steps < steps:
        left = steps - town.steps
        size = settings(
            max_examples=-(-left // STEPS_IN_A_LIFE),
            stateful_step_count=min(STEPS_IN_A_LIFE, left),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            **{"phases": PHASES, **how},
        )
        run_state_machine_as_test(machine, settings=size)
