"""Random citizens, officers, clocks, losses and duplicates: ``make test-stateful STEPS=20000 SEED=7``."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.properties.lives import live

STEPS = int(os.environ.get("STEPS") or "500")


@pytest.mark.proves("G6")
def test_whatever_happens_a_phone_has_one_code_and_an_application_one_ending(new_town: Any) -> None:
    live(new_town(), STEPS)
