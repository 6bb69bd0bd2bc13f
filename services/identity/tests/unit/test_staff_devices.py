"""Guesses at an officer, and the devices, and codes of the operator, that they do not hold back: on fakes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity import staff_sign_in, staff_totp, use_cases
from services.identity.refusals import LogInFailed, TokenInvalid, TooManyTries
from services.identity.settings import Settings
from services.identity.tests.unit.staff_desk import (
    ANOTHER,
    HANDED_OVER,
    NOW,
    PASSWORD,
    STEP,
    USER,
    Desk,
    staff,
)
from services.identity.tests.unit.test_settings import GOOD
from services.identity.tokens import staff_token_hash
from services.identity.totp import TotpRequired
from shared.settings import SettingsInvalid, load

# --- known devices -------------------------------------------------------------------------------


def device_of(reply: Any) -> str:
    """What the gateway opens: the fake seals by naming whom it is for."""
    token: str = reply["sealed_device_token"]
    return token.removeprefix("gateway ")


def stranger_guesses(desk: Desk, **where: str) -> None:
    """At the desk's address, until nobody is answered there any more."""
    for _ in range(60):
        try:
            desk.log_in(password="guess", **where)
        except LogInFailed:
            continue
        except TooManyTries:
            return
    pytest.fail("nobody is held back")


def gets_in_on_a_known_device_beside_a_stranger(desk: Desk) -> None:
    """The proof: at the officer's own address somebody guesses at the officer."""
    secret = desk.shown() if desk.parts.settings.staff_totp else b""
    device = device_of(desk.log_in(desk.code(secret)))
    desk.now += STEP
    stranger_guesses(desk)
    with pytest.raises(TooManyTries):
        desk.log_in(desk.code(secret))
    reply = desk.log_in(desk.code(secret), device_token=device)
    assert reply["sealed_staff_token"]
    assert reply["sealed_device_token"] is None


@pytest.mark.proves("F13")
@pytest.mark.parametrize("is_on", [True, False])
def test_a_stranger_behind_the_officers_address_does_not_keep_a_known_device_out(
    monkeypatch: pytest.MonkeyPatch, is_on: bool
) -> None:
    gets_in_on_a_known_device_beside_a_stranger(Desk(monkeypatch, staff_totp=is_on))


@pytest.mark.planted("F13")
def test_a_stranger_who_keeps_an_officer_out_would_be_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff_sign_in, "_known_device", lambda *_: None)
    with pytest.raises(TooManyTries):
        gets_in_on_a_known_device_beside_a_stranger(desk)


def test_a_stranger_does_not_keep_out_whom_an_operator_has_just_handed_a_code(desk: Desk) -> None:
    """On a new desk, and after a reset, which ends known devices."""
    stranger_guesses(desk)
    secret = desk.shown()
    with pytest.raises(TooManyTries):
        desk.log_in(desk.code(secret))
    device = device_of(desk.log_in(desk.code(secret), enrolment_code=HANDED_OVER))
    use_cases.reset_totp(desk.storage, USER, ANOTHER, by="operator", now=NOW)
    for proof in ({"device_token": device}, {"enrolment_code": HANDED_OVER}):
        with pytest.raises(TooManyTries):
            desk.log_in(**proof)
    assert desk.shown(ANOTHER)


def test_a_handed_over_code_is_good_for_so_many_guesses_at_the_password(desk: Desk) -> None:
    stranger_guesses(desk, enrolment_code=HANDED_OVER)
    with pytest.raises(TooManyTries):
        desk.shown()


def test_a_known_device_is_held_back_for_itself_and_needs_password_and_code(desk: Desk) -> None:
    device = device_of(desk.log_in(desk.code(desk.shown())))
    with pytest.raises(TotpRequired):
        desk.log_in(device_token=device)
    with pytest.raises(LogInFailed):
        desk.log_in(password="wrong", device_token=device)
    stranger_guesses(desk, device_token=device)
    with pytest.raises(TooManyTries):
        desk.log_in(device_token=device)


def test_a_device_is_one_officers_and_no_other_text_is_one(desk: Desk) -> None:
    device = device_of(desk.log_in(desk.code(desk.shown())))
    desk.storage.add_staff(staff(id=uuid4(), user="lan", password_hash=desk.passwords.hashed(PASSWORD)), NOW)
    stranger_guesses(desk)
    stranger_guesses(desk, user="lan")
    for user, token in (("lan", device), (USER, device[:-4] + "AAAA"), (USER, "none"), (USER, "ü")):
        with pytest.raises(TooManyTries):
            desk.log_in(user=user, device_token=token)


def test_a_device_of_the_app_before_is_no_known_one(desk: Desk) -> None:
    device = device_of(desk.log_in(desk.code(desk.shown())))
    use_cases.reset_totp(desk.storage, USER, ANOTHER, by="operator", now=NOW)
    desk.log_in(desk.code(desk.shown(ANOTHER)))
    stranger_guesses(desk)
    with pytest.raises(TooManyTries):
        desk.log_in(device_token=device)


def test_where_there_is_no_app_a_reset_ends_known_devices_too(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, staff_totp=False)
    device = device_of(desk.log_in())
    stranger_guesses(desk)
    assert desk.log_in(device_token=device)["sealed_device_token"] is None
    use_cases.reset_totp(desk.storage, USER, ANOTHER, by="operator", now=NOW)
    with pytest.raises(TooManyTries):
        desk.log_in(device_token=device)


def test_where_there_is_no_app_guesses_at_one_officer_are_limited_wherever_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch, staff_totp=False)
    device = device_of(desk.log_in())
    for number in range(100):
        with pytest.raises(LogInFailed):
            desk.log_in(password="guess", address=f"address {number}")
    with pytest.raises(TooManyTries):
        desk.log_in(address="one more")
    assert desk.log_in(address="one more", device_token=device)["sealed_staff_token"]


# --- many at once --------------------------------------------------------------------------------


def others_use_the_limit_up(desk: Desk, monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
    """While the next password, or code, is looked at."""
    look = getattr(where, name)

    def while_others_try(*given: Any) -> Any:
        found = look(*given)
        for kind, key in (("staff_log_in", f"{USER} here"), ("staff_totp", str(desk.id))):
            desk.counter.hits[kind, key] = 10
        return found

    monkeypatch.setattr(where, name, while_others_try)


@pytest.mark.proves("F13")
@pytest.mark.parametrize("is_on", [True, False])
def test_a_right_password_waits_too_where_others_used_the_limit_up_meanwhile(
    monkeypatch: pytest.MonkeyPatch, is_on: bool
) -> None:
    desk = Desk(monkeypatch, staff_totp=is_on)
    others_use_the_limit_up(desk, monkeypatch, desk.passwords, "is_right")
    with pytest.raises(TooManyTries):
        desk.log_in()
    assert desk.sessions == 0


def test_a_right_code_waits_too_where_others_used_the_limit_up_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = desk.enrolled()
    desk.now += STEP
    others_use_the_limit_up(desk, monkeypatch, staff_totp, "step_of")
    with pytest.raises(TooManyTries):
        desk.log_in(desk.code(secret))
    assert desk.sessions == 1


# --- how long a session lasts --------------------------------------------------------------------


def test_an_officers_session_ends_after_its_hours_however_much_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch, staff_totp=False)
    desk.parts.settings.staff_token_hours = load(Settings, GOOD).staff_token_hours
    reply = desk.log_in()
    token_hash = staff_token_hash(reply["sealed_staff_token"].removeprefix("gateway "))
    ends = NOW + timedelta(hours=8)
    for minutes in range(0, 480, 5):
        assert use_cases.officer_of(desk.storage, token_hash, NOW + timedelta(minutes=minutes)).id == desk.id
    assert use_cases.officer_of(desk.storage, token_hash, ends - timedelta(seconds=1))
    for late in (ends, ends + timedelta(days=1)):
        with pytest.raises(TokenInvalid):
            use_cases.officer_of(desk.storage, token_hash, late)


def test_no_setting_makes_an_officers_session_longer_than_a_day() -> None:
    assert load(Settings, {**GOOD, "STAFF_TOKEN_HOURS": "24"}).staff_token_hours == 24
    with pytest.raises(SettingsInvalid, match="STAFF_TOKEN_HOURS"):
        load(Settings, {**GOOD, "STAFF_TOKEN_HOURS": "25"})
