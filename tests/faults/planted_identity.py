"""Identity with a defect planted in what it does while Redis is away, the one that ``PLANTED`` names."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from services.identity import password_resets, second_step
from services.identity.email_reset import ResetsUnavailable
from services.identity.log_in_otp import OtpUnavailable
from services.identity.service import IdentityService
from services.identity.settings import Settings
from services.identity.wrong_tries import WrongTries

__all__ = ["IdentityService", "Settings"]

count_reset, count_code = password_resets.count, second_step._count


def _guesses_uncounted() -> None:
    WrongTries.waits = lambda self, *counted: [0] * len(counted)  # type: ignore[method-assign]
    WrongTries.hit = lambda self, name, key, limit: True  # type: ignore[method-assign]


def _resets_uncounted() -> None:
    def count(*asked: Any) -> None:
        with suppress(ResetsUnavailable):
            count_reset(*asked)

    password_resets.count = count


def _codes_uncounted() -> None:
    def count(*asked: Any, **more: Any) -> None:
        with suppress(OtpUnavailable):
            count_code(*asked, **more)

    second_step._count = count


{
    "guesses uncounted": _guesses_uncounted,
    "resets uncounted": _resets_uncounted,
    "codes uncounted": _codes_uncounted,
}[os.environ["PLANTED"]]()
