"""The hotline on the running service: signed requests, one password for one key, the code at the log-in."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity.hotline import SIGNED_HEADERS, HotlineKey
from services.identity.storage import Storage
from services.identity.tests.integration.house import House, transaction_on
from services.identity.tests.integration.steps import OWN_PASSWORD, refused, verified, with_own_password
from shared.testing.voice_platform import VoicePlatform, heard

pytestmark = pytest.mark.usefixtures("matching_register")


@pytest.fixture(scope="module")
def platform(house: House) -> VoicePlatform:
    """A registered one."""
    return registered(house, VoicePlatform(key_id="voice-house-1"))


def registered(house: House, platform: VoicePlatform) -> VoicePlatform:
    key = HotlineKey(platform.key_id, "voice-house", platform.public_key.decode(), datetime.now(UTC))
    with transaction_on(house.dsn) as tx:
        Storage(tx).add_hotline_key(key)
    return platform


def as_called(house: House, request: Any) -> dict[str, Any]:
    """What the gateway makes of a request."""
    headers = {name: request.headers[name] for name in SIGNED_HEADERS if name in request.headers}
    return {"headers": headers, "sealed_body": house.seal(request.content.decode())}


def call(house: House, request: Any) -> str:
    """The password that is heard."""
    reply = house.call("reissue_by_hotline", **as_called(house, request))
    return heard(json.loads(house.gateway.open(reply["sealed_script"]))["text"])


def outcome(house: House, request: Any) -> str:
    return refused(house, "reissue_by_hotline", **as_called(house, request)).name


def log_in(house: House, user: str, password: str, device_token: str | None = None) -> dict[str, Any]:
    token = {"sealed_device_token": house.seal(device_token)} if device_token else {}
    reply: dict[str, Any] = house.call("log_in", user=user, sealed_password=house.seal(password), **token)
    return reply


def confirm(house: House, step: dict[str, Any], code: str) -> dict[str, Any]:
    arguments = confirmation(house, step, code)
    reply: dict[str, Any] = house.call("confirm_log_in", **arguments)
    return {**reply, "token": house.gateway.open(reply["sealed_access_token"])}


def confirmation(house: House, step: dict[str, Any], code: str) -> dict[str, Any]:
    token = house.gateway.open(step["sealed_log_in_token"])
    return {"sealed_log_in_token": house.seal(token), "sealed_otp": house.seal(code)}


def code_sent(house: House, account_id: str, count: int = 1) -> str:
    name = "account.log_in_otp_requested.v1"
    house.until(lambda: len(house.told(name, account_id=account_id)) >= count, "no code was sent")
    return house.notification.open(house.told(name, account_id=account_id)[-1]["sealed_otp"])


@pytest.mark.proves("G2")
def test_the_password_is_heard_used_with_a_code_and_changed(
    house: House, officer: str, platform: VoicePlatform
) -> None:
    citizen = with_own_password(house, officer)
    user, account_id = citizen["user"], citizen["issued"]["account_id"]

    spoken = call(house, platform.signed(citizen["phone"], user))

    assert house.call("me", sealed_token=house.seal(citizen["token"]))["code"] == user, "the session lives on"
    log_in(house, user, OWN_PASSWORD)
    step = log_in(house, user, spoken)
    assert set(step) == {"next_step", "sealed_log_in_token", "valid_until", "tries_left"}
    assert step["next_step"] == "otp"
    code = code_sent(house, account_id)
    wrong = "000000" if code != "000000" else "111111"
    tried = refused(house, "confirm_log_in", **confirmation(house, step, wrong))
    assert (tried.name, tried.details) == ("OtpWrong", {"tries_left": 4})
    session = confirm(house, step, code)
    assert session["must_change_password"] is True
    assert refused(house, "confirm_log_in", **confirmation(house, step, code)).name == "OtpExpired"
    device = house.gateway.open(session["sealed_device_token"])
    known = log_in(house, user, spoken, device)
    assert "sealed_access_token" in known, "by now the device is known"

    house.change_password(
        house.gateway.open(known["sealed_access_token"]), spoken, "chín con vịt xoè ra hai cái cánh"
    )

    for former in (OWN_PASSWORD, spoken):
        assert refused(house, "log_in", user=user, sealed_password=house.seal(former)).name == "LogInFailed"
    assert refused(house, "me", sealed_token=house.seal(citizen["token"])).name == "TokenInvalid"
    kinds = [notice["kind"] for notice in house.told("account.notice_due.v1", account_id=account_id)]
    assert kinds.count("reissued") == 1


def test_a_call_while_a_first_password_waits_is_told_to_its_registration(
    house: House, officer: str, platform: VoicePlatform
) -> None:
    citizen = verified(house, officer)
    user, account_id = citizen["person"]["code"], citizen["issued"]["account_id"]
    spoken = call(house, platform.signed(citizen["phone"], user))
    (told,) = house.until_told("credentials.reissued.v1", citizen["registration_id"])
    assert told["valid_until"] > told["at"]
    step = log_in(house, user, spoken)
    confirm(house, step, code_sent(house, account_id))
    (followed,) = house.until_told("credentials.followed.v1", citizen["registration_id"])
    assert (followed["step"], followed["credential_id"]) == ("logged_in", told["credential_id"])


@pytest.mark.proves("G2")
def test_a_signed_request_is_good_once_and_its_repeat_under_one_key_is_the_same_password(
    house: House, officer: str, platform: VoicePlatform
) -> None:
    citizen = with_own_password(house, officer)
    request = platform.signed(citizen["phone"], citizen["user"], idempotency_key="the-same-call")
    spoken = call(house, request)
    assert outcome(house, request) == "SignatureReplayed"

    def again(_number: int) -> str:
        return call(
            house, platform.signed(citizen["phone"], citizen["user"], idempotency_key="the-same-call")
        )

    with ThreadPoolExecutor(8) as together:
        assert set(together.map(again, range(8))) == {spoken}, "and nothing was counted"
    other = platform.signed(citizen["phone"], "9999999999", idempotency_key="the-same-call")
    assert outcome(house, other) == "IdempotencyKeyReused"
    account_id = citizen["issued"]["account_id"]
    made = house.rows(
        "SELECT 1 FROM credentials WHERE account_id = %(id)s AND channel = 'voice'", id=account_id
    )
    assert len(made) == 1


@pytest.mark.proves("G2")
def test_of_many_at_once_under_one_key_one_makes_the_password(
    house: House, officer: str, platform: VoicePlatform
) -> None:
    citizen = with_own_password(house, officer)
    requests = [
        platform.signed(citizen["phone"], citizen["user"], idempotency_key="all-at-once") for _ in range(5)
    ]
    with ThreadPoolExecutor(5) as together:
        assert len(set(together.map(lambda request: call(house, request), requests))) == 1


@pytest.mark.proves("G2")
def test_a_stranger_s_call_an_unknown_code_and_one_not_completed_are_told_the_same(
    house: House, officer: str, platform: VoicePlatform
) -> None:
    citizen, waiting = with_own_password(house, officer), house.submit(outcome="matched")
    calls = [
        (waiting["phone"], citizen["user"]),
        (citizen["phone"], "9999999998"),
        (waiting["phone"], waiting["person"]["code"]),
        (citizen["phone"], "xin chào"),
        (citizen["phone"], ""),
        (citizen["phone"], "1" * 41),
        ("", citizen["user"]),
    ]
    told = [refused(house, "reissue_by_hotline", **as_called(house, platform.signed(*who))) for who in calls]
    assert {(each.name, each.vi, tuple(each.problems), str(each.details)) for each in told} == {
        (
            "HotlineMismatch",
            "số điện thoại và mã số bảo hiểm không khớp hoặc chưa đăng ký với cơ quan BHXH",
            (),
            "{}",
        )
    }


def test_only_a_registered_key_counts_and_a_disabled_one_does_not(house: House, officer: str) -> None:
    citizen = verified(house, officer)
    who = (citizen["phone"], citizen["person"]["code"])
    first, second = VoicePlatform(key_id="voice-house-2"), VoicePlatform(key_id="voice-house-3")
    assert outcome(house, first.signed(*who)) == "SignatureInvalid"
    for platform in (first, second):
        registered(house, platform)
        call(house, platform.signed(*who))
    with transaction_on(house.dsn) as tx:
        Storage(tx).disable_hotline_key(first.key_id, datetime.now(UTC))
    assert outcome(house, first.signed(*who)) == "SignatureInvalid"
    call(house, second.signed(*who))
    assert outcome(house, second.signed(*who, age=timedelta(hours=1))) == "SignatureInvalid"


@pytest.mark.proves("G2")
def test_calls_are_limited_by_number_and_by_code(house: House, officer: str, platform: VoicePlatform) -> None:
    citizen = with_own_password(house, officer)
    for number in range(5):
        assert outcome(house, platform.signed(citizen["phone"], f"99999999{number:02}")) == "HotlineMismatch"
    assert outcome(house, platform.signed(citizen["phone"], citizen["user"])) == "HotlineTooMany"
    other = with_own_password(house, officer)
    for number in range(6):
        assert outcome(house, platform.signed(f"093{number:07}", other["user"])) == "HotlineMismatch"
    call(house, platform.signed(other["phone"], other["user"]))  # no lock that a stranger can cause
    withheld = [platform.signed("anonymous", other["user"]) for _ in range(6)]
    assert [outcome(house, each) for each in withheld[:5]] == ["HotlineMismatch"] * 5
    limited = refused(house, "reissue_by_hotline", **as_called(house, withheld[5]))
    assert limited.name == "HotlineTooMany"
    assert 0 < int(limited.details["retry_after_seconds"]) <= 86400
    call(house, platform.signed(other["phone"], other["user"]))
    unclear = [platform.signed("anonymous", "xin chào") for _ in range(6)]
    assert [outcome(house, each) for each in unclear] == ["HotlineMismatch"] * 6


@pytest.mark.proves("F16")
def test_codes_for_log_ins_are_limited(house: House, officer: str, platform: VoicePlatform) -> None:
    citizen = with_own_password(house, officer)
    spoken = call(house, platform.signed(citizen["phone"], citizen["user"]))
    for _ in range(3):
        log_in(house, citizen["user"], spoken)
    arguments = {"user": citizen["user"], "sealed_password": house.seal(spoken)}
    assert refused(house, "log_in", **arguments).name == "OtpTooMany"
    code_sent(house, citizen["issued"]["account_id"], 3)
    assert len(house.told("account.log_in_otp_requested.v1", account_id=citizen["issued"]["account_id"])) == 3


def test_wrong_codes_of_whatever_log_ins_are_answered_a_hundred_times_an_hour_from_one_address(
    house: House, officer: str, platform: VoicePlatform
) -> None:
    stranger = {"client": {"address": uuid4().hex, "network": uuid4().hex}}
    guess = {"sealed_log_in_token": house.seal("no token"), "sealed_otp": house.seal("000000")}
    for _ in range(100):
        assert refused(house, "confirm_log_in", **guess, **stranger).name == "OtpExpired"
    citizen = with_own_password(house, officer)
    step = log_in(house, citizen["user"], call(house, platform.signed(citizen["phone"], citizen["user"])))
    code = code_sent(house, citizen["issued"]["account_id"])
    for typed in ("000000" if code != "000000" else "111111", code):
        held_back = refused(house, "confirm_log_in", **confirmation(house, step, typed), **stranger)
        assert held_back.name == "TooManyTries"
        assert 0 < held_back.details["retry_after_seconds"] <= 3600
    assert confirm(house, step, code)["must_change_password"] is True


@pytest.mark.proves("F21")
def test_neither_password_nor_code_stands_in_the_database_or_the_log(
    house: House, officer: str, platform: VoicePlatform
) -> None:
    citizen = with_own_password(house, officer)
    request = platform.signed(citizen["phone"], citizen["user"], idempotency_key="to-be-looked-for")
    spoken = call(house, request)
    log_in(house, citizen["user"], spoken)
    code = code_sent(house, citizen["issued"]["account_id"])
    tables = [
        row["name"]
        for row in house.rows(
            "SELECT format('%%I', tablename) AS name FROM pg_tables WHERE schemaname = 'public'"
        )
    ]
    for table in tables:
        for row in house.rows(f"SELECT t::text AS row FROM {table} t"):  # noqa: S608  names of our own tables
            assert spoken not in row["row"], table
    otps = house.rows("SELECT t::text AS row FROM log_in_otps t")
    assert otps
    assert all(f",{code}," not in row["row"] for row in otps)
    for canary in (spoken, citizen["phone"], citizen["phone"].removeprefix("+84")):
        assert canary not in house.process.tail(10**6)
