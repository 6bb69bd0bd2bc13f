"""Identity with a defect planted in log-ins or resets, the one that ``PLANTED`` in the environment names."""

from __future__ import annotations

import os
from typing import Any

from services.identity import password_resets, use_cases
from services.identity.email_reset import EmailReset
from services.identity.parts import now
from services.identity.passwords import Passwords
from services.identity.refusals import AccountUnknown
from services.identity.service import IdentityService
from services.identity.settings import Settings
from services.identity.storage import Storage

__all__ = ["IdentityService", "Settings"]

find, start, hash_of = Passwords.find, password_resets.start, password_resets.hash_of


def _nobody_is_not_hashed() -> None:
    Passwords.find = lambda self, found, password: find(self, found, password) if found else None  # type: ignore[method-assign]


def _looked_up_before_the_answer() -> None:
    def hasty(tx: Any, parts: Any, **asked: Any) -> EmailReset:
        reset = start(tx, parts, **asked)
        storage = Storage(tx)
        account = use_cases.find_account_to_reset(storage, reset.id, now())
        if account:
            otp = password_resets._otp(parts, reset.id, account)
            use_cases.send_reset_otp(storage, reset.id, otp, most_a_day=10**6, now=now())
        return reset

    password_resets.start = hasty


def _nobody_is_told() -> None:
    def talkative(tx: Any, parts: Any, **asked: Any) -> EmailReset:
        if Storage(tx).account_named(asked["user"]) is None:
            raise AccountUnknown
        return start(tx, parts, **asked)

    password_resets.start = talkative


def _hashed_before_the_code_was_right() -> None:
    def hasty(parts: Any, reset_id: Any, email: str, code: str) -> str:
        if email:
            parts.passwords.hashed(code)
        return hash_of(parts, reset_id, email, code)

    password_resets.hash_of = hasty


{
    "": lambda: None,
    "nobody is not hashed": _nobody_is_not_hashed,
    "looked up before the answer": _looked_up_before_the_answer,
    "nobody is told": _nobody_is_told,
    "hashed before the code was right": _hashed_before_the_code_was_right,
}[os.environ["PLANTED"]]()
