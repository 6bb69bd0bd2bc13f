"""One member of staff who logs in, on fakes."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from services.identity import staff_sign_in, staff_totp, totp
from services.identity.domain import StaffAccount
from services.identity.passwords import Passwords
from services.identity.staff_sign_in import Attempt
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.test_throttle import FakeCounter
from services.identity.throttle import Throttle

PASSWORD = "mật khẩu của cán bộ"
USER = "mai"
HANDED_OVER, ANOTHER = "MFRG-GZDF-MZTW-Q2LK", "NBSW-Y3DP-O53X-E3DE"
NOW = samples.NOW
STEP = timedelta(seconds=totp.STEP_SECONDS)


def staff(**changes: Any) -> StaffAccount:
    """Somebody to whom an operator has handed a code over."""
    code = {
        "enrolment_hash": totp.enrolment_hash(HANDED_OVER),
        "enrolment_until": NOW + totp.ENROLMENT_LASTS,
    }
    return samples.staff(**{"user": USER, **code, **changes})


class Desk:
    """One member of staff, the clock, and what the gateway was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.now = NOW
        self.storage = FakeStorage()
        self.passwords = Passwords(lambda function, *arguments: function(*arguments))
        self.id, self.counter = uuid4(), FakeCounter()
        hashed = self.passwords.hashed(PASSWORD)
        self.storage.add_staff(staff(id=self.id, password_hash=hashed), NOW)
        limits = dict.fromkeys(
            ("staff_log_in_tries_per_address", "staff_log_in_tries_per_network"), "50/minute"
        )
        limits["log_in_tries_per_user"] = "100/hour"
        given = {"log_in_tries": "10/minute", "staff_totp_tries": "10/hour", "staff_totp": True, **settings}
        self.parts: Any = SimpleNamespace(
            settings=SimpleNamespace(seal_private="a key", staff_token_hours=8, **limits, **given),
            passwords=self.passwords,
            throttle=Throttle(self.counter, FakeCounter()),
            sealer=SimpleNamespace(seal=lambda to, text: f"{to} {text}"),
        )
        for module in (staff_sign_in, staff_totp):
            monkeypatch.setattr(module, "Storage", lambda _tx: self.storage)
            monkeypatch.setattr(module, "now", lambda: self.now)

    def log_in(
        self, code: str | None = None, password: str = PASSWORD, address: str = "here", **more: str | None
    ) -> Any:
        database: Any = SimpleNamespace(transaction=lambda: nullcontext())
        attempt = Attempt(**{"user": USER, "password": password, "totp": code, "address": address, **more})
        return staff_sign_in.log_in(database, self.parts, attempt)

    def shown(self, code: str = HANDED_OVER) -> bytes:
        """The secret that an app reads now."""
        reply = self.log_in(enrolment_code=code)
        assert reply["next_step"] == "enrol"
        assert set(reply) == {"next_step", "sealed_totp_uri"}
        assert reply["sealed_totp_uri"].startswith("gateway otpauth://totp/VssID:mai?secret=")
        return totp.secret_of("a key", self.id, self.member.totp_seed or b"")

    def enrolled(self) -> bytes:
        secret = self.shown()
        self.log_in(self.code(secret))
        return secret

    def code(self, secret: bytes, steps_off: int = 0) -> str:
        return totp.code_of(secret, totp.step_at(self.now) + steps_off)

    @property
    def member(self) -> StaffAccount:
        found = self.storage.staff_named(USER)
        assert found is not None
        return found

    @property
    def sessions(self) -> int:
        return len(self.storage.staff_sessions)
