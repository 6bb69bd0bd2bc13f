"""F15 for resets: a code is guessed, replayed, used on another reset, and late; on the fake."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity import guessing, password_resets, use_cases
from services.identity.devices import Device
from services.identity.email_reset import TRIES, EmailReset, ResetRefused, asked_for
from services.identity.refusals import TooManyTries
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW
from services.identity.tests.unit.test_contact import verified
from services.identity.tests.unit.test_throttle import FakeCounter
from services.identity.throttle import Throttle
from services.identity.tokens import ProofTokens

PARTS: Any = SimpleNamespace(
    settings=SimpleNamespace(
        seal_private="a secret", otp_tries_per_address="20/hour", otp_tries_per_network="30/hour"
    ),
    passwords=SimpleNamespace(
        hashed=lambda text: f"of {text}", is_right=lambda kept, text: kept == f"of {text}"
    ),
    proofs=ProofTokens(b"a key"),
)
DATABASE: Any = SimpleNamespace(transaction=lambda: nullcontext(), change=lambda do: do(None))
SOON = NOW + timedelta(minutes=1)
tried, hash_of = EmailReset.tried, password_resets.hash_of


class House:
    """Somebody who forgot the password, and the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.storage, self.clock = FakeStorage(), SOON
        self.counter = FakeCounter()
        self.parts = SimpleNamespace(**vars(PARTS), throttle=Throttle(self.counter, FakeCounter()))
        self.account = verified(self.storage)
        self.storage.add_credential(samples.active(self.account.id), str(uuid4()), NOW)
        monkeypatch.setattr(password_resets, "Storage", lambda _tx: self.storage)
        monkeypatch.setattr(password_resets, "now", lambda: self.clock)

    def ask(self, code: str) -> UUID:
        """A reset whose code is this one."""
        reset = asked_for(uuid4(), self.account.code, None, now=NOW, valid_minutes=10)
        use_cases.start_email_reset(self.storage, reset)
        kept = password_resets.hash_of(PARTS, reset.id, self.account.email, code)
        otp = use_cases.ResetOtp(self.account.email, kept, "sealed")
        use_cases.send_reset_otp(self.storage, reset.id, otp, most_a_day=99, now=NOW)
        return reset.id

    def counts(
        self, reset_id: UUID, code: str, new: str = "một con vịt xoè ra", address: str = "", network: str = ""
    ) -> bool:
        """Whether a code lets one choose a password."""
        typed = {"code": code, "new": new, "address": address, "network": network}
        try:
            self.token = password_resets.finish(DATABASE, self.parts, reset_id=reset_id, **typed)
        except ResetRefused:
            return False
        return True

    def known(self, token: str) -> Device | None:
        """The device that the token proves."""
        proofs = self.parts.proofs
        return use_cases.known_device(self.storage, self.account, proofs.owner(token), proofs.hash(token))


def codes_are_good_for_one_reset_once(house: House) -> None:
    one, other = house.ask("111111"), house.ask("222222")
    assert not house.counts(other, "111111"), "a code of another reset was accepted"
    for _ in range(TRIES):
        assert not house.counts(one, "000000"), "a wrong code was accepted"
    assert not house.counts(one, "111111"), "guessing goes on without end"
    late = house.ask("333333")
    house.clock = NOW + timedelta(minutes=10)
    assert not house.counts(late, "333333"), "a late code was accepted"
    house.clock = SOON
    assert house.counts(other, "222222")
    assert not house.counts(other, "222222", "hai con thằn lằn con"), "a code was accepted twice"


@pytest.mark.proves("F15")
def test_a_code_that_is_guessed_replayed_of_another_reset_or_late_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes_are_good_for_one_reset_once(House(monkeypatch))


def test_a_repeat_whose_answer_was_lost_is_answered_again_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(monkeypatch)
    reset_id = house.ask("111111")
    assert house.counts(reset_id, "111111")
    before = house.storage.live_credentials(house.account.id)
    for _ in range(TRIES + 1):
        assert house.counts(reset_id, "111111"), "a repeat was told that it failed"
    assert house.storage.live_credentials(house.account.id) == before
    assert len(house.storage.tx.events("account.notice_due.v1")) == 1
    for _ in range(TRIES):
        assert not house.counts(reset_id, "111111", "hai con thằn lằn con")
    assert not house.counts(reset_id, "111111"), "passwords are guessed without end"


def test_repeats_without_end_make_one_device_whose_last_token_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(monkeypatch)
    reset_id, tokens = house.ask("111111"), []
    for _ in range(100):
        assert house.counts(reset_id, "111111")
        tokens.append(house.token)
    assert len(house.storage.devices) == 1, "a repeat adds a device"
    assert [token for token in tokens if house.known(token)] == tokens[-1:]


def test_a_repeat_leaves_a_device_that_was_used_meanwhile_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(monkeypatch)
    reset_id = house.ask("111111")
    assert house.counts(reset_id, "111111")
    first = house.known(house.token)
    assert first is not None
    house.storage.save_device(replace(first, name="Điện thoại của Thử"))
    house.clock += timedelta(minutes=1)
    assert house.counts(reset_id, "111111")
    again = house.known(house.token)
    assert again is not None
    assert (again.name, again.first_seen_at, again.last_seen_at) == ("Điện thoại của Thử", SOON, house.clock)


def test_a_reset_after_another_leaves_the_device_of_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(monkeypatch)
    for code in ("111111", "222222"):
        assert house.counts(house.ask(code), code)
    assert house.known(house.token)
    assert len(house.storage.devices) == 1


def fits_any_reset(parts: Any, _reset_id: UUID, email: str, _code: str) -> str:
    return hash_of(parts, UUID(int=0), email, "any")


def without_end(reset: EmailReset, fits: bool, now: datetime) -> tuple[EmailReset, bool]:
    after, counts = tried(reset, fits, now)
    return replace(after, tries_left=TRIES), counts


def for_ever(reset: EmailReset, fits: bool, now: datetime) -> tuple[EmailReset, bool]:
    return tried(reset, fits, reset.asked_at)


def keeping(storage: FakeStorage, reset: EmailReset) -> None:
    storage.resets[reset.id] = replace(reset, used_at=None)


@pytest.mark.planted("F15")
@pytest.mark.parametrize(
    ("place", "name", "defect", "seen"),
    [
        (password_resets, "hash_of", fits_any_reset, "a code of another reset was accepted"),
        (EmailReset, "tried", without_end, "guessing goes on without end"),
        (EmailReset, "tried", for_ever, "a late code was accepted"),
        (FakeStorage, "save_email_reset", keeping, "a code was accepted twice"),
    ],
    ids=["any code fits", "tries without end", "valid for ever", "used again and again"],
)
def test_a_code_to_reset_that_is_good_for_more_is_seen(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, defect: Callable[..., Any], seen: str
) -> None:
    house = House(monkeypatch)
    monkeypatch.setattr(place, name, defect)
    with pytest.raises(AssertionError, match=seen):
        codes_are_good_for_one_reset_once(house)


# --- guesses over many resets ----------------------------------------------------------------------


def guesses(house: House, place: Callable[[int], tuple[str, str]], most: int = 50) -> int:
    """How many wrong codes are answered, five of each reset."""
    resets = [house.ask("111111") for _ in range(most // TRIES)]
    for answered in range(most):
        reset_id, (address, network) = resets[answered // TRIES], place(answered)
        try:
            assert not house.counts(reset_id, "000000", address=address, network=network)
        except TooManyTries:
            return answered
    return most


def codes_of_many_resets_are_not_guessed_without_end(house: House) -> None:
    answered = guesses(house, lambda _number: ("a stranger's", "the network"))
    assert answered == 20, "codes of many resets are guessed without end"
    reset_id = house.ask("222222")
    with pytest.raises(TooManyTries):
        house.counts(reset_id, "222222", address="a stranger's", network="the network")
    assert house.counts(reset_id, "222222", address="the owner's", network="the network")


@pytest.mark.proves("F15")
def test_codes_of_many_resets_are_guessed_so_often_from_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    codes_of_many_resets_are_not_guessed_without_end(House(monkeypatch))


def test_and_so_often_from_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    assert guesses(House(monkeypatch), lambda number: (f"address {number}", "the network")) == 30


def test_codes_from_places_that_nobody_told_are_not_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway of the version before says none."""
    assert guesses(House(monkeypatch), lambda _number: ("", "")) == 50


@pytest.mark.planted("F15")
def test_codes_of_many_resets_that_are_counted_nowhere_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "tries_of_otps", lambda *_about: ())
    with pytest.raises(AssertionError, match="guessed without end"):
        codes_of_many_resets_are_not_guessed_without_end(House(monkeypatch))


def test_a_right_code_that_finds_the_limit_reached_meanwhile_waits_too_and_stays_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house, try_reset_otp = House(monkeypatch), use_cases.try_reset_otp
    reset_id = house.ask("111111")

    def meanwhile(*about: Any, **more: Any) -> bool:
        house.counter.hits["otp_address", "a stranger's"] = 20
        return try_reset_otp(*about, **more)

    monkeypatch.setattr(use_cases, "try_reset_otp", meanwhile)
    with pytest.raises(TooManyTries):
        house.counts(reset_id, "111111", address="a stranger's")
    assert house.counts(reset_id, "111111", address="the owner's")
