"""The hotline over HTTP: a voice platform calls for a citizen, who logs in with what is heard."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from deploy.demo.hotline import code_for_log_in
from deploy.demo.journey import compare
from deploy.demo.world import register_platform
from shared.testing.client import ProblemSeen
from shared.testing.processes import until
from shared.testing.voice_platform import heard
from tests.e2e.test_once_for_life import OWN_PASSWORD, verified

NEW_PASSWORD = "mật khẩu sau khi gọi tổng đài"
MISMATCH = "số điện thoại và mã số bảo hiểm không khớp hoặc chưa đăng ký với cơ quan BHXH"


@pytest.fixture(scope="module")
def platform(product, gateway):
    """A registered voice platform."""
    return register_platform(product, gateway, f"e2e-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def citizen(client, new_citizen, officer, inbox):
    """Somebody who is logged in, with a password of the own."""
    citizen = new_citizen(insured=True)
    verified(client, citizen, officer, inbox)
    return citizen


def refused(act, *arguments):
    with pytest.raises(ProblemSeen) as seen:
        act(*arguments)
    return seen.value


def as_typed(code):
    """A code as people read it off a phone."""
    return f" {code[:3]} {code[3:]} "


def is_told(inbox, citizen):
    return any(
        "duoc cap lai" in sms["text"] or "was issued" in sms["text"] for sms in inbox.sms(citizen.phone)
    )


@pytest.mark.proves("G2")
@pytest.mark.parametrize("by", ["code", "personal_number"])
def test_who_forgot_the_password_calls_and_gets_in_again(client, citizen, platform, inbox, new_client, by):
    script = platform.reissue(citizen.phone, getattr(citizen, by))
    spoken = heard(script["text"])
    assert script["ssml"].count('<say-as interpret-as="characters">') == 10

    compare(client.participation(), citizen)  # what was in use lives on
    new_client().log_in(citizen.code, OWN_PASSWORD)
    phone = new_client()
    assert phone.log_in(citizen.code, f"  {spoken}\n")["next_step"] == "otp"
    assert refused(phone.confirm_log_in, "000000").name in ("otp-wrong", "otp-expired")
    session = phone.confirm_log_in(as_typed(code_for_log_in(inbox, citizen.phone)))
    assert session["must_change_password"] is True
    assert refused(phone.participation).name == "password-change-required"
    phone.change_password(citizen.code, spoken, NEW_PASSWORD)
    compare(phone.participation(), citizen)

    assert refused(client.me).status == 401
    for former in (OWN_PASSWORD, spoken):
        assert refused(new_client().log_in, citizen.code, former).name == "log-in-failed"
    until(lambda: is_told(inbox, citizen), 60, "the phone was not told")
    inbox.wait_for_emails(citizen.email, "reissued")


@pytest.mark.proves("G2")
def test_a_stranger_with_the_same_idempotency_key_does_not_get_in_and_another_code_is_another_request(
    citizen, platform, inbox, new_client
):
    spoken = heard(platform.reissue(citizen.phone, citizen.code)["text"])
    phone, stranger = new_client(), new_client()
    phone.log_in(citizen.code, spoken)
    code = code_for_log_in(inbox, citizen.phone)
    wrong = "000000" if code != "000000" else "111111"

    def confirm(client, token, otp, key):
        body, headers = {"log_in_token": token, "otp": otp}, {"Idempotency-Key": key}
        response = client.send("POST", "/v1/sessions/otp", json=body, headers=headers)
        return response.status_code, response.json()

    assert confirm(phone, phone.log_in_token, wrong, "the-key-for-one-request")[1]["type"].endswith(
        "/otp-wrong"
    )
    reused = confirm(phone, phone.log_in_token, code, "the-key-for-one-request")
    assert (reused[0], reused[1]["type"].rsplit("/", 1)[-1]) == (409, "idempotency-key-reused")
    entered = confirm(phone, phone.log_in_token, code, "the-key-for-another-request")
    assert entered[0] == 200
    assert confirm(phone, phone.log_in_token, code, "the-key-for-another-request") == entered, (
        "the answer was lost"
    )
    for token, otp in (("rubbish", "rubbish"), (f"other rubbish {uuid.uuid4()}", code)):
        status, answer = confirm(stranger, token, otp, "the-key-for-another-request")
        assert status != 200, "a stranger is logged in"
        assert answer["type"].endswith("/otp-expired")
    assert confirm(stranger, phone.log_in_token, wrong, "the-key-for-another-request")[0] == 409


@pytest.mark.proves("G2")
def test_another_number_another_code_and_a_draft_hear_the_same_sentence(
    citizen, platform, new_citizen, new_client, inbox
):
    stranger = new_citizen()
    new_client().register(stranger, inbox.wait_for_otp)
    calls = [
        (stranger.phone, citizen.code),
        (citizen.phone, stranger.code),
        (stranger.phone, stranger.code),
        (citizen.phone, "tôi quên rồi"),
    ]
    answers = []
    for who in calls:
        response = platform.send(platform.signed(*who))
        body = {name: value for name, value in response.json().items() if name != "trace_id"}
        answers.append((response.status_code, body))
    assert all(answer == answers[0] for answer in answers)
    assert (answers[0][0], answers[0][1]["detail"]) == (422, MISMATCH)


@pytest.mark.proves("G2")
def test_a_request_is_good_once_and_its_repeat_is_the_same_password(citizen, platform):
    request = platform.signed(citizen.phone, citizen.code, idempotency_key="one-call-of-a-citizen")
    first, replayed = platform.send(request), platform.send(request)
    assert first.status_code == 200
    assert (replayed.status_code, replayed.json()["type"].rsplit("/", 1)[-1]) == (409, "signature-replayed")
    again = platform.reissue(citizen.phone, citizen.code, "one-call-of-a-citizen")
    assert again == first.json()
    another = platform.reissue(citizen.phone, citizen.code, "another-call-of-a-citizen")
    assert heard(another["text"]) != heard(again["text"])


@pytest.mark.proves("G2")
def test_nobody_but_a_registered_platform_is_answered(citizen, platform):
    unsigned = platform.signed(citizen.phone, citizen.code)
    del unsigned.headers["signature"]
    changed = platform.signed(citizen.phone, citizen.code)
    body = changed.content.replace(citizen.code.encode(), b"9999999999")
    late = platform.signed(citizen.phone, citizen.code, age=timedelta(minutes=6))
    for name, request, content in (
        ("signature-missing", unsigned, unsigned.content),
        ("signature-invalid", changed, body),
        ("signature-invalid", late, late.content),
    ):
        response = platform.send(type(request)("POST", request.url, content=content, headers=request.headers))
        assert (response.status_code, response.json()["type"].rsplit("/", 1)[-1]) == (401, name)
