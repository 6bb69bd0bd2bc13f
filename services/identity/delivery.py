"""By which way a first password travels, and which is next once one has failed (guide rows G12, G15): SMS,
each with a secret of its own; then a link to the e-mail that was verified; then the agency's counter.

Part of the domain: standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """How a first password travels. A credential's ``channel`` names it; none is an SMS."""

    SMS = "sms"
    LINK = "email_link"
    COUNTER = "counter"


@dataclass(frozen=True)
class Policy:
    """``sms``: how many SMS are tried, one or more; ``link``: whether a link by e-mail is."""

    sms: int
    link: bool


def next_way(failed: Sequence[Way], policy: Policy) -> Way:
    """The way to try, by those that have failed for the same registration so far, in whatever order. A way
    that never fails, or of which nothing is known, is not followed by another."""
    if failed.count(Way.SMS) < policy.sms:
        return Way.SMS
    if policy.link and Way.LINK not in failed:
        return Way.LINK
    return Way.COUNTER
