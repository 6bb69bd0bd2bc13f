"""The state machine can fail: defects planted into a service are seen by it, for what they are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import Phase
from hypothesis.errors import Flaky

from tests.properties.lives import live
from tests.properties.town import Town

STEPS_TO_SEE = 1_000
"""So many the most subtle defect has; most are seen within fifty."""


def sees(town: Town, sentence: str) -> None:
    """The machine fails, and for this. Hypothesis lives the failing life again; what depends on a race need
    not happen twice, which it calls flaky."""
    with pytest.raises((AssertionError, Flaky)):
        live(town, STEPS_TO_SEE, phases=[Phase.generate], database=None)
    assert any(re.search(sentence, failure) for failure in town.failures), town.failures


def test_a_phone_with_two_codes_is_seen(new_town: Any) -> None:
    sees(new_town("registration", "claims are not unique"), r"a phone has \d codes|is held \d times")


def test_a_timeline_that_loses_a_line_is_seen(new_town: Any) -> None:
    sees(
        new_town("registration", "the timeline loses a line"),
        "lost or changed a line|not kept|another timeline",
    )


def test_a_second_ending_is_seen(new_town: Any) -> None:
    sees(new_town("identity", "an ending is overwritten"), "had an ending|two endings|, its case ")


def test_an_event_that_is_handled_as_often_as_it_comes_is_seen(new_town: Any) -> None:
    sees(new_town("registration", "no inbox"), "has not noted")
