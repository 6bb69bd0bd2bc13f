"""Another version and the way back, under load, with two replicas of each service: L = D = U = 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.compose.stack import Stack, got_through
from tests.compose.test_scaling import LARGEST_CROWD, LEAST, SERVICES
from tests.faults.crowd import Crowd, new_seed

EARLIER = "vssid:earlier"
AT_ONCE = 3
"""Fewer than elsewhere: an upgrade takes minutes."""


@pytest.fixture
def pairs(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Two replicas of each service, which run an earlier version; the stand-ins are left alone meanwhile, as
    though this were production."""
    for service in SERVICES:
        monkeypatch.setenv(f"{service.upper()}_REPLICAS", "2")
    in_production = stack.folder / "production"
    in_production.touch()
    stack.ran_before(EARLIER)
    stack.script("image.sh", "back")
    stack.script("start.sh")
    try:
        yield stack
    finally:
        in_production.unlink()
        monkeypatch.undo()
        for service in SERVICES:
            stack.scale(service, 1)


def versions(stack: Stack) -> dict[str, list[str]]:
    """Service → the image of each replica."""
    return {service: [c.attrs["Config"]["Image"] for c in stack.containers(service)] for service in SERVICES}


def test_another_version_and_the_way_back_are_not_noticed(pairs: Stack) -> None:
    assert versions(pairs) == {service: [EARLIER] * 2 for service in SERVICES}
    for direction in ((), ("back",)):
        crowd = Crowd(pairs, LARGEST_CROWD, new_seed())
        with pairs.watched() as all_made, crowd.on_the_way(AT_ONCE, LEAST):
            pairs.change_version(*direction)
        got_through(crowd)
        made = Counter(service for service in all_made if service in SERVICES)
        assert made == dict.fromkeys(SERVICES, 2), "each replica is made anew, and once"
        expected = EARLIER if direction else pairs.built_image
        assert versions(pairs) == {service: [expected] * 2 for service in SERVICES}
