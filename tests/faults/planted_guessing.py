"""Identity with a defect planted in how it holds guesses back, the one that ``PLANTED`` names."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from services.identity import guessing, use_cases
from services.identity.service import IdentityService
from services.identity.settings import Settings
from services.identity.storage import Storage
from services.identity.throttle import Tries

__all__ = ["IdentityService", "Settings"]

tries_of = guessing.tries_of


def _without(*kinds: str) -> Callable[[], None]:
    def fewer(*asked: Any) -> tuple[Tries, ...]:
        return tuple(tries for tries in tries_of(*asked) if tries.kind not in kinds)

    def plant() -> None:
        guessing.tries_of = fewer

    return plant


def _every_device_is_unknown() -> None:
    guessing.tries_of = lambda parts, user, address, network, _device: tries_of(parts, user, address, network)


def _nobody_is_told() -> None:
    use_cases.tell_throttled = lambda *_: None


def _told_each_time() -> None:
    Storage.note_throttled_told = lambda *_, **__: True  # type: ignore[method-assign]


{
    "": lambda: None,
    "no throttle by account": _without("log_in_user"),
    "no throttle by address": _without("log_in_address", "log_in_network"),
    "owner locked out": _every_device_is_unknown,
    "owner not told": _nobody_is_told,
    "owner told each time": _told_each_time,
}[os.environ.get("PLANTED", "")]()
