"""The ways in which a first password goes out, one after the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.delivery import Policy, Way, next_way


@pytest.mark.proves("G12")
@pytest.mark.parametrize(
    ("failed", "link", "way"),
    [
        ([], True, Way.SMS),
        ([Way.SMS], True, Way.SMS),
        ([Way.SMS, Way.SMS], True, Way.LINK),
        ([Way.SMS, Way.SMS], False, Way.COUNTER),
        ([Way.SMS, Way.SMS, Way.LINK], True, Way.COUNTER),
        ([Way.SMS, Way.LINK], True, Way.COUNTER),
    ],
)
def test_the_next_way_follows_from_those_that_failed(failed: list[Way], link: bool, way: Way) -> None:
    assert next_way(failed, Policy(sms=2, link=link)) is way


MINUTES = [timedelta(minutes=minutes) for minutes in (1, 10)]


@pytest.mark.parametrize(
    ("failed", "pauses", "pause"),
    [
        ([Way.SMS], MINUTES, MINUTES[0]),
        ([Way.SMS] * 2, MINUTES, MINUTES[1]),
        ([Way.SMS] * 3, MINUTES, MINUTES[1]),
        ([Way.SMS] * 4, MINUTES, timedelta(0)),
        ([Way.SMS], [], timedelta(0)),
        ([Way.SMS, Way.LINK], MINUTES, timedelta(0)),
    ],
)
def test_the_pause_before_another_sms_grows_and_no_other_way_waits(
    failed: list[Way], pauses: list[timedelta], pause: timedelta
) -> None:
    assert Policy(sms=4, link=True, pauses=pauses).pause(failed) == pause


@given(st.integers(1, 5), st.booleans())
def test_every_policy_ends_at_the_counter_and_tries_each_way_so_often_as_it_says(
    sms: int, link: bool
) -> None:
    failed: list[Way] = []
    while (way := next_way(failed, Policy(sms, link))) is not Way.COUNTER:
        failed.append(way)
        assert len(failed) <= sms + 1
    assert failed == [Way.SMS] * sms + [Way.LINK] * link
