"""Log-ins and calls to the hotline around the database and Redis, on fakes: when a code is asked for, and
what is refused while nothing can be counted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from services.identity import refusals, reissue, second_step, sign_in
from services.identity.credentials import CredentialState
from services.identity.devices import Device
from services.identity.hotline import (
    HotlineMismatch,
    HotlineTooMany,
    HotlineUnavailable,
    SignatureInvalid,
    SignatureReplayed,
)
from services.identity.log_in_otp import OtpTooMany, OtpUnavailable
from services.identity.tests.unit import samples
from services.identity.tests.unit.stage import OWN, PLATFORM, SPOKEN, PlainPasswords, Stage
from services.identity.tests.unit.test_throttle import FakeCounter
from services.identity.throttle import Throttle
from shared.events.envelope import Event
from shared.testing.voice_platform import VoicePlatform, heard


@pytest.mark.proves("G2")
def test_a_password_that_was_read_aloud_needs_a_code_on_an_unknown_device(stage: Stage) -> None:
    reply = stage.log_in()
    assert reply.get("next_step") == "otp", "a forged caller ID is enough to get in"
    assert not [name for name in reply if name.endswith(("access_token", "device_token"))]
    assert stage.storage.sessions == {}
    (told,) = stage.storage.tx.events("account.log_in_otp_requested.v1")
    code = told.data["sealed_otp"].removeprefix("notification: ")
    assert len(code) == 6
    assert code.isdigit()
    assert all(code not in otp.keyed_hash for otp in stage.storage.otps.values())

    token = reply["sealed_log_in_token"].removeprefix("gateway: ")
    entered = sign_in.confirm_log_in(stage.storage, stage.parts, token=token, code=code, device_name="Máy")
    assert isinstance(entered, dict)
    assert entered["must_change_password"] is True
    device_token = entered["sealed_device_token"].removeprefix("gateway: ")
    assert "sealed_access_token" in stage.log_in(device_token=device_token), "by now it is known"


@pytest.mark.planted("G2")
def test_a_log_in_without_the_code_would_be_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_step, "is_due", lambda _parts, _used: False)
    with pytest.raises(AssertionError, match="forged caller ID"):
        test_a_password_that_was_read_aloud_needs_a_code_on_an_unknown_device(stage)


def test_no_code_is_needed_for_the_own_password_nor_where_the_setting_is_off(stage: Stage) -> None:
    assert "sealed_access_token" in stage.log_in(OWN)
    stage.parts.settings.voice_log_in_otp = False
    assert "sealed_access_token" in stage.log_in()


@pytest.mark.parametrize("how", ["logged out", "unused"])
def test_a_device_on_which_nobody_is_logged_in_is_not_known(stage: Stage, how: str) -> None:
    entered = stage.log_in(OWN)
    device_token = entered["sealed_device_token"].removeprefix("gateway: ")
    (session,) = stage.storage.sessions.values()
    if how == "logged out":
        stage.storage.end_session(session.id, session.started_at)
    else:
        began = session.started_at - stage.parts.lifetimes.idle
        stage.storage.sessions[session.id] = replace(session, started_at=began)
        stage.storage.refreshes.clear()
    assert stage.log_in(device_token=device_token)["next_step"] == "otp"


def test_somebody_else_s_device_is_unknown(stage: Stage) -> None:
    device_id, at = uuid4(), datetime.now(UTC)
    token = stage.parts.proofs.new(device_id)
    stage.storage.save_device(Device(device_id, uuid4(), "", stage.parts.proofs.hash(token), at, at))
    for stranger in (token, "no token", ""):
        assert stage.log_in(device_token=stranger)["next_step"] == "otp"


def test_an_expired_one_says_so_and_sends_nothing(stage: Stage) -> None:
    for credential in stage.storage.live_credentials(stage.account.id):
        if credential.state is CredentialState.ISSUED:
            past = datetime.now(UTC) - timedelta(seconds=1)
            expired = samples.issued(
                stage.account.id,
                id=credential.id,
                password_hash=credential.password_hash,
                valid_until=past,
                channel="voice",
            )
            stage.storage.credentials[credential.id] = expired
    with pytest.raises(refusals.FirstPasswordExpired):
        stage.log_in()
    assert stage.limiter.counted == []


@pytest.mark.proves("F16")
@pytest.mark.parametrize("full", ["log_in_otp_address", "log_in_otp", "log_in_otp_day"])
def test_no_code_is_sent_beyond_a_quota(stage: Stage, full: str) -> None:
    stage.limiter.full = full
    with pytest.raises(OtpTooMany):
        stage.log_in()
    assert stage.storage.tx.events("account.log_in_otp_requested.v1") == []


@pytest.mark.planted("F16")
def test_codes_that_nobody_counts_would_be_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_step, "_count", lambda *_about: None)
    with pytest.raises(pytest.fail.Exception):
        test_no_code_is_sent_beyond_a_quota(stage, "log_in_otp")


@pytest.mark.proves("F7")
def test_while_redis_is_away_codes_and_the_hotline_refuse_politely_and_log_in_goes_on(stage: Stage) -> None:
    stage.limiter.away = True
    with pytest.raises(OtpUnavailable):
        stage.log_in()
    with pytest.raises(HotlineUnavailable):
        stage.call()
    assert stage.storage.tx.additions == []
    assert "sealed_access_token" in stage.log_in(OWN)


@pytest.mark.proves("F16")
@pytest.mark.proves("G2")
@pytest.mark.parametrize("full", ["hotline_caller", "hotline_caller_and_code", "hotline_code", "hotline_day"])
def test_no_password_is_made_beyond_a_limit(stage: Stage, full: str) -> None:
    before = dict(stage.storage.credentials)
    stage.limiter.full = full
    with pytest.raises(HotlineTooMany):
        stage.call()
    assert stage.storage.credentials == before


@pytest.mark.planted("F16")
@pytest.mark.parametrize("quota", ["hotline_code", "hotline_day"])
def test_calls_that_a_quota_does_not_hold_would_be_seen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, quota: str
) -> None:
    count = reissue._count

    def without(parts: Any, call: Any) -> None:
        limiter = parts.limiter

        def hit(name: str, *about: str) -> bool:
            return name == quota or limiter.hit(name, *about)

        fewer = SimpleNamespace(hit=hit, wait_seconds=limiter.wait_seconds)
        count(SimpleNamespace(settings=parts.settings, limiter=fewer), call)

    monkeypatch.setattr(reissue, "_count", without)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_no_password_is_made_beyond_a_limit(stage, quota)


def counted(stage: Stage, caller: str, code: str) -> dict[str, str]:
    """What a call that fits nobody is counted under."""
    with pytest.raises(HotlineMismatch):
        stage.call(PLATFORM.signed(caller, code))
    found = dict(stage.limiter.counted)
    stage.limiter.counted.clear()
    return found


def test_calls_that_name_nobody_share_no_counter_but_that_of_the_day(stage: Stage) -> None:
    code = "9999999998"
    assert counted(stage, "0912345678", "tôi quên rồi") == {
        "hotline_caller": "+84912345678",
        "hotline_day": "",
    }
    for caller, nothing in (("anonymous", "tôi quên rồi"), ("", ""), ("0" * 41, "1" * 41)):
        assert counted(stage, caller, nothing) == {"hotline_day": ""}
    withheld = counted(stage, "anonymous", code)
    assert set(withheld) == {"hotline_caller_and_code", "hotline_code", "hotline_day"}
    known = counted(stage, "0912345678", code)
    assert set(known) == {*withheld, "hotline_caller"}
    assert known["hotline_caller_and_code"] != withheld["hotline_caller_and_code"]


@pytest.mark.proves("G2")
def test_what_is_heard_is_what_is_stored_as_a_hash(stage: Stage) -> None:
    reply = stage.call()
    script = json.loads(reply["sealed_script"].removeprefix("gateway: "))
    spoken = heard(script["text"])
    assert len(spoken) == 10
    newest = stage.storage.live_credentials(stage.account.id)[0]
    assert newest.password_hash == stage.parts.passwords.hashed(spoken)
    assert stage.log_in(spoken)["next_step"] == "otp"


@pytest.mark.proves("G2")
def test_a_replayed_request_counts_for_nothing(stage: Stage) -> None:
    request = PLATFORM.signed("0912345678", stage.account.code)
    stage.call(request)
    counted = list(stage.limiter.counted)
    with pytest.raises(SignatureReplayed):
        stage.call(request)
    assert stage.limiter.counted == counted


def test_why_a_signature_is_refused_stands_in_the_log_and_nothing_of_the_call(
    stage: Stage, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for request in (
        PLATFORM.signed("0912345678", stage.account.code, age=timedelta(minutes=6)),
        PLATFORM.signed("0912345678", stage.account.code, nonce="short"),
        VoicePlatform(key_id="whatever-they-say").signed("0912345678", stage.account.code),
    ):
        with caplog.at_level("INFO"), pytest.raises(SignatureInvalid):
            stage.call(request)
    printed = capsys.readouterr()
    said = caplog.text + printed.out + printed.err
    assert all(word in said for word in ("clock", "nonce", "voice-1", "key_unknown"))
    assert not any(word in said for word in ("0912345678", stage.account.code, "whatever-they-say"))


def kept_and_told(stage: Stage) -> str:
    """All that is stored and published."""
    storage = stage.storage
    kept = [vars(row) for rows in (storage.credentials, storage.otps) for row in rows.values()]
    told = [event.data for event in storage.tx.additions if isinstance(event, Event)]
    return str([*kept, *told, list(storage.nonces)])


@pytest.mark.proves("F21")
def test_what_is_heard_and_the_code_stand_nowhere_in_clear(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    spoken = heard(json.loads(stage.call()["sealed_script"].removeprefix("gateway: "))["text"])
    stage.log_in(spoken)
    told = stage.storage.tx.events("account.log_in_otp_requested.v1")[-1].data
    code = told.pop("sealed_otp").removeprefix("notification: ")
    written = kept_and_told(stage) + "".join(capfd.readouterr())
    assert spoken not in written, "the password stands in clear"
    assert f"'{code}'" not in written
    assert f" {code} " not in written


@pytest.mark.planted("F21")
def test_a_password_that_is_kept_in_clear_would_be_seen(
    stage: Stage, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainPasswords, "hashed", lambda _self, password: password)
    with pytest.raises(AssertionError, match="stands in clear"):
        test_what_is_heard_and_the_code_stand_nowhere_in_clear(stage, capfd)


# --- while strangers guess at the user -----------------------------------------------------------


@pytest.fixture
def guessed_at(stage: Stage) -> Stage:
    """Of the user so many guesses were made, from many addresses, that new devices wait."""
    stage.parts.throttle = Throttle(FakeCounter(), FakeCounter())
    for number in range(100):
        with pytest.raises(refusals.LogInFailed):
            stage.log_in("a guess", address=f"address {number}")
    return stage


def held_back(stage: Stage, password: str, **where: str) -> tuple[dict[str, Any], int]:
    """How the refusal reads, and how often passwords were looked for."""
    before = stage.parts.passwords.looked_for
    with pytest.raises(refusals.TooManyTries) as refusal:
        stage.log_in(password, **where)
    return refusal.value.details, stage.parts.passwords.looked_for - before


def test_a_password_that_was_read_aloud_gets_a_new_device_to_its_second_step_while_strangers_guess(
    guessed_at: Stage,
) -> None:
    assert guessed_at.log_in()["next_step"] == "otp"


def test_of_the_own_password_and_a_guess_nothing_is_told_while_strangers_guess(guessed_at: Stage) -> None:
    """Somebody without such a password, and nobody, are answered alike, at the same cost."""
    nobody = "9876543210"
    for number in range(100):
        with pytest.raises(refusals.LogInFailed):
            guessed_at.log_in("a guess", user=nobody, address=f"others {number}")
    answers = [
        held_back(guessed_at, password, user=user, address=f"another {number}")
        for number, (password, user) in enumerate([(OWN, ""), ("a guess", ""), (SPOKEN, nobody)])
    ]
    assert answers == [({"retry_after_seconds": 42}, 1)] * 3


def test_whoever_waits_for_strangers_reads_where_there_is_a_way_in_and_so_does_nobody(
    guessed_at: Stage,
) -> None:
    nobody = "9876543210"
    for number in range(100):
        with pytest.raises(refusals.LogInFailed):
            guessed_at.log_in("a guess", user=nobody, address=f"others {number}")
    read = []
    for number, user in enumerate(("", nobody)):
        with pytest.raises(refusals.TooManyTries) as refusal:
            guessed_at.log_in(OWN, user=user, address=f"another {number}")
        read.append((refusal.value.vi, refusal.value.en))
    assert read[0] == read[1]
    assert "cấp lại mật khẩu qua e-mail trong ứng dụng, hoặc gọi 1900 9068 nhánh 8" in read[0][0]


def test_one_address_has_no_more_guesses_than_before(guessed_at: Stage) -> None:
    for _ in range(10):
        assert held_back(guessed_at, "a guess")[1] == 1
    assert held_back(guessed_at, SPOKEN)[1] == 0


def test_guesses_beyond_have_an_end_wherever_from(guessed_at: Stage) -> None:
    for number in range(200):
        assert held_back(guessed_at, "a guess", address=f"another {number}")[1] == 1
    assert held_back(guessed_at, SPOKEN, address="the owner's")[1] == 0


def test_without_the_second_step_a_password_that_was_read_aloud_waits_as_others_do(guessed_at: Stage) -> None:
    guessed_at.parts.settings.voice_log_in_otp = False
    assert held_back(guessed_at, SPOKEN)[1] == 0


def test_a_known_device_that_guesses_is_held_back_for_every_password(guessed_at: Stage) -> None:
    reply = guessed_at.log_in()
    (told,) = guessed_at.storage.tx.events("account.log_in_otp_requested.v1")
    code = told.data["sealed_otp"].removeprefix("notification: ")
    token = reply["sealed_log_in_token"].removeprefix("gateway: ")
    entered = sign_in.confirm_log_in(
        guessed_at.storage, guessed_at.parts, token=token, code=code, device_name=None
    )
    assert isinstance(entered, dict)
    device = entered["sealed_device_token"].removeprefix("gateway: ")
    for _ in range(10):
        with pytest.raises(refusals.LogInFailed):
            guessed_at.log_in("a guess", device_token=device)
    assert held_back(guessed_at, SPOKEN, device_token=device)[1] == 0
