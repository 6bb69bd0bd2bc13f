"""Somebody who logs in, changes the password and calls the hotline, on fakes of database and Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from services.identity import domain, reissue, second_step, sign_in
from services.identity.devices import Lifetimes
from services.identity.domain import Account
from services.identity.hotline import HotlineKey
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tokens import ProofTokens
from shared.cache import CacheUnavailable
from shared.testing.transactions import FakeTransaction
from shared.testing.voice_platform import VoicePlatform

PLATFORM = VoicePlatform(key_id="voice-1")
SPOKEN, OWN = "4821059733", "mật khẩu của riêng tôi"


class FakeDatabase:
    @contextmanager
    def transaction(self) -> Iterator[FakeTransaction]:
        yield FakeTransaction()

    def change(self, change: Callable[[FakeTransaction], Any]) -> Any:
        return change(FakeTransaction())

    def autocommit(self, ask: Callable[[FakeTransaction], Any]) -> Any:
        return ask(FakeTransaction())


@dataclass
class FakeLimiter:
    """Redis, or its absence."""

    full: str = ""
    away: bool = False
    counted: list[tuple[str, str]] = field(default_factory=list)

    def hit(self, name: str, key: str, _limit: str) -> bool:
        if self.away:
            raise CacheUnavailable
        self.counted.append((name, key))
        return name != self.full

    def wait_seconds(self, *_about: str) -> int:
        return 60


class PlainPasswords:
    """A hash that costs nothing; how often one was looked for."""

    looked_for = 0

    def renewed(self, password_hash: str, password: str) -> str | None:
        return None

    def hashed(self, password: str) -> str:
        return hashlib.sha256(password.encode()).hexdigest()

    def find(self, credentials: Any, password: str) -> Any:
        self.looked_for += 1
        return next((c for c in credentials if c.password_hash == self.hashed(password)), None)


class OpenSealer:
    def seal(self, service: str, text: str) -> str:
        return f"{service}: {text}"


@dataclass
class Stage:
    """Somebody with an own password and one that was read aloud; the platform's key is registered."""

    storage: FakeStorage
    account: Account
    limiter: FakeLimiter
    parts: Any
    db: Any = field(default_factory=FakeDatabase)

    def log_in(
        self, password: str = SPOKEN, user: str = "", address: str = "an address", **more: str
    ) -> dict[str, Any]:
        user = user or self.account.code
        return sign_in.log_in(self.db, self.parts, user=user, password=password, address=address, **more)

    def call(self, request: Any = None, **options: Any) -> dict[str, Any]:
        request = request or PLATFORM.signed("0912345678", self.account.code, **options)
        headers = {name: request.headers[name] for name in ("signature-input", "signature", "content-digest")}
        return reissue.reissue_by_hotline(self.db, self.parts, headers=headers, body=request.content.decode())


def staged(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Everybody in place."""
    storage = FakeStorage()
    for module in (sign_in, second_step, reissue):
        monkeypatch.setattr(module, "Storage", lambda _tx: storage)
    person = domain.Person(uuid4(), samples.applicant(), samples.NOW)
    storage.save_person(person)
    account = storage.save_account(samples.account(person.id), samples.NOW)
    now, passwords = datetime.now(UTC), PlainPasswords()
    own = samples.active(account.id, password_hash=passwords.hashed(OWN))
    spoken = samples.issued(
        account.id,
        password_hash=passwords.hashed(SPOKEN),
        valid_until=now + timedelta(hours=24),
        reason="hotline",
        channel="voice",
    )
    for credential in (own, spoken):
        storage.add_credential(credential, str(uuid4()), now)
    storage.add_hotline_key(HotlineKey("voice-1", "voice", PLATFORM.public_key.decode(), now))
    limiter = FakeLimiter()
    parts = SimpleNamespace(
        settings=SimpleNamespace(
            voice_log_in_otp=True,
            log_in_tries="10/minute",
            log_in_tries_per_user="100/hour",
            log_in_tries_per_address="10/minute",
            log_in_tries_per_network="100/minute",
            spoken_log_in_tries_per_user="200/hour",
            log_in_otps_per_address="30/hour",
            log_in_otps_per_account="3/hour",
            log_in_otps_per_day="10/day",
            hotline_clock_seconds=300,
            hotline_per_caller="5/day",
            hotline_per_caller_and_code="5/day",
            hotline_per_code="100/day",
            hotline_per_day="5000/day",
            hotline_password_hours=24,
            seal_private="a secret",
        ),
        limiter=limiter,
        throttle=SimpleNamespace(check=lambda *_: None, note_wrong=lambda *_: frozenset()),
        passwords=passwords,
        proofs=ProofTokens(b"a key"),
        sealer=OpenSealer(),
        tokens=SimpleNamespace(signed=lambda *_: "a token", lifetime_seconds=900),
        lifetimes=Lifetimes(timedelta(days=30), timedelta(days=180)),
    )
    return Stage(storage, account, limiter, parts)
