"""By which way a first password travels, and which is next once one has failed (guide rows G12, G15): SMS,
each with a secret of its own; then a link to the e-mail that was verified; then the agency's counter.

Part of the domain: standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Way(StrEnum):
    """How a first password travels. A credential's ``channel`` names it; none is an SMS."""

    SMS = "sms"
    LINK = "email_link"
    COUNTER = "counter"


@dataclass(frozen=True)
class Policy:
    """``sms``: how many SMS are tried; ``link``: whether a link by e-mail is; ``pauses``: before each
    SMS that replaces another, the last one before all further ones. A phone that is off is on again later."""

    sms: int
    link: bool
    pauses: Sequence[timedelta] = ()

    def pause(self, failed: Sequence[Way]) -> timedelta:
        """How long the next way waits after those that have failed. Only an SMS does: whoever can be reached
        otherwise is reached at once."""
        if not self.pauses or next_way(failed, self) is not Way.SMS:
            return timedelta(0)
        return self.pauses[: max(failed.count(Way.SMS), 1)][-1]


def next_way(failed: Sequence[Way], policy: Policy) -> Way:
    """The way to try, by those that have failed for the same registration so far, in whatever order. A way
    that never fails, or of which nothing is known, is not followed by another."""
    if Way.LINK in failed:
        return Way.COUNTER
    if failed.count(Way.SMS) < policy.sms:
        return Way.SMS
    return Way.LINK if policy.link else Way.COUNTER
