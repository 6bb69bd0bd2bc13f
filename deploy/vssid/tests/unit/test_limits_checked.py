"""The doctor on the limits of deliveries."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.vssid.checks_of_broker import limits
from shared.messaging import topology


def as_told() -> list[dict[str, Any]]:
    """What the broker says about the policies of the code."""
    return [{"vhost": "vssid", "name": name, **policy} for name, policy in topology.policies().items()]


def test_the_policies_of_the_code_are_well() -> None:
    assert limits(as_told()).state == "well"


@pytest.mark.parametrize("name", topology.policies())
def test_a_policy_that_is_missing_or_another_is_wrong(name: str) -> None:
    others = [policy for policy in as_told() if policy["name"] != name]
    changed = {"name": name, **topology.policies()[name], "definition": {"delivery-limit": 20}}
    for told in (others, [*others, changed]):
        found = limits(told)
        assert (found.state, name in found.found) == ("wrong", True)
        assert found.to_do
