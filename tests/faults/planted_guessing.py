"""Identity with a defect planted in how it holds guesses back, the one that ``PLANTED`` names."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from uuid import UUID

from services.identity import guessing, second_step, use_cases
from services.identity.domain import Account
from services.identity.service import IdentityService
from services.identity.settings import Settings
from services.identity.storage import Storage
from services.identity.throttle import Tries

__all__ = ["IdentityService", "Settings"]

tries_of, finish_email_reset = guessing.tries_of, use_cases.finish_email_reset


def _without(*kinds: str) -> Callable[[], None]:
    def fewer(*asked: Any) -> tuple[Tries, ...]:
        return tuple(tries for tries in tries_of(*asked) if tries.kind not in kinds)

    def plant() -> None:
        guessing.tries_of = fewer

    return plant


def _every_device_is_unknown() -> None:
    guessing.tries_of = lambda parts, user, address, network, _device: tries_of(parts, user, address, network)


def _password_of_the_hotline_waits() -> None:
    guessing.tries_of_spoken = tries_of


def _every_password_opens_the_second_step() -> None:
    second_step.is_due = lambda _parts, _used: True


def _device_of_a_reset_is_forgotten() -> None:
    def finished(storage: Storage, reset_id: UUID, account: Account, *rest: Any) -> None:
        finish_email_reset(storage, reset_id, account, *rest)
        use_cases.end_everywhere(storage, account.id, rest[-1])

    use_cases.finish_email_reset = finished


def _nobody_is_told() -> None:
    use_cases.tell_throttled = lambda *_: None


def _told_each_time() -> None:
    Storage.note_throttled_told = lambda *_, **__: True  # type: ignore[method-assign]


{
    "": lambda: None,
    "no throttle by account": _without("log_in_user"),
    "no throttle by address": _without("log_in_address", "log_in_network"),
    "owner locked out": _every_device_is_unknown,
    "password of the hotline held back": _password_of_the_hotline_waits,
    "own password looked at beyond": _every_password_opens_the_second_step,
    "device of a reset forgotten": _device_of_a_reset_is_forgotten,
    "owner not told": _nobody_is_told,
    "owner told each time": _told_each_time,
}[os.environ.get("PLANTED", "")]()
